package keys_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/keys"
)

// faults are answers that must change nothing.
var faults = []struct {
	name   string
	answer func(*http.Request) (*http.Response, error)
	cause  keys.Cause
	status int
}{
	{"no connection", func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errDown}
	}, keys.CauseConnect, 0},
	{"no such name", func(*http.Request) (*http.Response, error) { return nil, &net.DNSError{Err: "no such host"} }, keys.CauseDNS, 0},
	{"untrusted certificate", func(*http.Request) (*http.Response, error) {
		return nil, &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
	}, keys.CauseTLS, 0},
	{"plain text where TLS is spoken", func(*http.Request) (*http.Response, error) { return nil, tls.RecordHeaderError{Msg: "evil"} }, keys.CauseTLS, 0},
	{"unknown trouble", down, keys.CauseOther, 0},
	{"hang", hang, keys.CauseTimeout, 0},
	{"hang in the body", func(*http.Request) (*http.Response, error) { return respond(200, newStuck(), -1), nil }, keys.CauseTimeout, 200},
	{"500", body(500, jwks(key("x", "", keyB))), keys.CauseStatus, 500},
	{"404", body(404, ""), keys.CauseStatus, 404},
	{"204", body(204, ""), keys.CauseStatus, 204},
	{"201 with keys", body(201, jwks(key("x", "", keyB))), keys.CauseStatus, 201},
	{"304", body(304, ""), keys.CauseStatus, 304},
	{"{}", body(200, `{}`), keys.CauseMalformed, 200},
	{"no keys", body(200, `{"keys":[]}`), keys.CauseNoUsableKey, 200},
	{"null", body(200, `{"keys":null}`), keys.CauseMalformed, 200},
	{"an error document", body(200, `{"error":"internal"}`), keys.CauseMalformed, 200},
	{"empty", body(200, ``), keys.CauseMalformed, 200},
	{"HTML", body(200, `<!doctype html><title>Sign in</title>`), keys.CauseMalformed, 200},
	{"garbage", body(200, "\x00\xff\xfe{"), keys.CauseMalformed, 200},
	{"cut off", body(200, jwks(key("x", "", keyB))[:60]), keys.CauseMalformed, 200},
	{"connection lost in the body", func(*http.Request) (*http.Response, error) {
		return respond(200, io.NopCloser(io.MultiReader(strings.NewReader(`{"keys":[`), lost{})), 4096), nil
	}, keys.CauseConnect, 200},
	{"symmetric only", body(200, `{"keys":[{"kty":"oct","kid":"x","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I"}]}`), keys.CauseNoUsableKey, 200},
	{"one kid, two keys", body(200, strings.Replace(jwks(key("x", "", keyA), key("z", "", keyB)), `"z"`, `"x"`, 1)), keys.CauseNoUsableKey, 200},
	{"64 MiB, announced", func(*http.Request) (*http.Response, error) { return respond(200, new(endless), 64<<20), nil }, keys.CauseTooLarge, 200},
	{"endless", func(*http.Request) (*http.Response, error) { return respond(200, new(endless), -1), nil }, keys.CauseTooLarge, 200},
	{"endless 500", func(*http.Request) (*http.Response, error) { return respond(500, new(endless), -1), nil }, keys.CauseStatus, 500},
	{"redirect to another host", body(302, "", "Location", "https://evil.example/keys"), keys.CauseRedirect, 302},
	{"redirect to another port", body(307, "", "Location", "https://as.example:8443/keys"), keys.CauseRedirect, 307},
	{"redirect to http", body(302, "", "Location", "http://as.example/keys"), keys.CauseRedirect, 302},
	{"redirect inward", body(302, "", "Location", "http://127.0.0.1/admin"), keys.CauseRedirect, 302},
	{"redirect to cloud metadata", body(302, "", "Location", "http://169.254.169.254/latest"), keys.CauseRedirect, 302},
	{"redirect to where nobody answers", func(req *http.Request) (*http.Response, error) {
		if req.URL.Path == "/moved" {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errDown}
		}
		return body(302, "", "Location", "/moved")(req)
	}, keys.CauseConnect, 0},
	{"redirect for ever", body(302, "", "Location", "/keys"), keys.CauseRedirect, 302},
}

// lost is a connection that breaks.
type lost struct{}

func (lost) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestFaultsKeepTheOldKeys(t *testing.T) {
	for _, tc := range faults {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *remote) {
				r.serve(key("a", "", keyA))
				var o tally
				s := loaded(t, r, func(c *keys.Config) { c.OnFetch = o.observe })
				before := s.Generation()
				r.script(tc.answer)
				time.Sleep(keys.DefaultRefreshInterval + time.Minute)
				synctest.Wait()

				mustFind(t, s, "a", "ES256", keyA)
				if s.Generation() != before || s.Len() != 1 {
					t.Errorf("generation %d, was %d; %d keys", s.Generation(), before, s.Len())
				}
				if age, ok := s.Age(); !ok || age < keys.DefaultRefreshInterval {
					t.Errorf("Age = %v, %v: a failed fetch must not confirm the keys", age, ok)
				}
				o.mu.Lock()
				f := o.outcomes[1]
				o.mu.Unlock()
				if f.Cause != tc.cause || f.Status != tc.status || f.Keys != 0 {
					t.Errorf("observed %+v, want cause %s and status %d", f, tc.cause, tc.status)
				}

				r.serve(key("b", "", keyB))
				time.Sleep(time.Minute)
				mustFind(t, s, "b", "ES256", keyB)
			})
		})
	}
}

func TestFaultsAtTheStartAreRetried(t *testing.T) {
	for _, tc := range faults {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *remote) {
				r.script(tc.answer)
				s := keys.New(t.Context(), config(r))
				time.Sleep(time.Minute)
				mustRefuse(t, s, "a", "ES256", claims.KeysUnavailable)
				if _, ok := s.Age(); ok || s.Len() != 0 {
					t.Error("the set says that it has keys")
				}
				r.serve(key("a", "", keyA))
				time.Sleep(time.Minute)
				mustFind(t, s, "a", "ES256", keyA)
			})
		})
	}
}

// An endless body is left after a mebibyte, not read to see how long it is.
func TestBodyIsReadOnlySoFar(t *testing.T) {
	for _, size := range []int64{-1, 64 << 20} {
		for _, status := range []int{200, 500} {
			t.Run(fmt.Sprint(status, " ", size), func(t *testing.T) {
				bubble(t, func(t *testing.T, r *remote) {
					var b endless
					r.script(func(*http.Request) (*http.Response, error) { return respond(status, &b, size), nil })
					ctx, cancel := context.WithCancel(t.Context())
					keys.New(ctx, config(r))
					synctest.Wait()
					cancel()
					synctest.Wait()
					if b.read > 1<<20+64<<10 || !b.ended {
						t.Errorf("%d bytes were read, closed %v", b.read, b.ended)
					}
				})
			})
		}
	}
}

func TestOutageOfAnHourRefusesNobody(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		r.serve(key("a", "", keyA))
		s := loaded(t, r, nil)
		began := r.calls()
		for second := range 3600 {
			r.script(faults[second%len(faults)].answer)
			mustFind(t, s, "a", "ES256", keyA)
			time.Sleep(time.Second)
		}
		if n := r.calls() - began; n > 2*3600/30*4 { // redirects count several times
			t.Errorf("%d requests during an hour of outage", n)
		}
		r.serve(key("b", "", keyB))
		time.Sleep(40 * time.Second)
		mustFind(t, s, "b", "ES256", keyB)
	})
}

// A fetch that never happened, here because an observer ended its context, must
// not pass for one that found all as it was.
func TestNoFetchConfirmsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		r.serve(key("a", "", keyA))
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		s := loaded(t, r, func(c *keys.Config) {
			c.OnFetch = func(ctx context.Context, trigger keys.Trigger) (context.Context, func(keys.Fetched)) {
				if trigger == keys.Startup {
					return nil, nil
				}
				return ended, func(f keys.Fetched) {
					if f.Cause == "" {
						t.Error("reported as a success")
					}
				}
			}
		})
		time.Sleep(time.Hour)
		if age, _ := s.Age(); age != time.Hour {
			t.Errorf("Age = %v", age)
		}
		if r.calls() != 1 {
			t.Errorf("%d fetches", r.calls())
		}
	})
}

// While the issuer is down nobody knows whether it has a kid: the answer is "try
// again", and not "your token is no good".
func TestUnknownKeyDuringAnOutage(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		r.serve(key("a", "", keyA))
		s := loaded(t, r, nil)
		time.Sleep(time.Minute)
		r.script(down)
		mustRefuse(t, s, "new", "ES256", claims.KeysUnavailable)
		mustRefuse(t, s, "new", "ES256", claims.KeysUnavailable)
		r.serve(key("a", "", keyA))
		time.Sleep(time.Minute)
		mustRefuse(t, s, "new", "ES256", claims.KeyUnknown)
	})
}

func TestKeysDieAtMaxAge(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		const maxAge = 2 * time.Hour
		r.serve(key("a", "", keyA))
		s := loaded(t, r, func(c *keys.Config) { c.MaxAge = maxAge })
		r.script(down)
		before := s.Generation()

		time.Sleep(maxAge - time.Second)
		mustFind(t, s, "a", "ES256", keyA)
		if s.Generation() != before {
			t.Error("the generation grew while the keys served")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if s.Generation() == before || s.Len() != 0 {
			t.Error("nothing tells that the keys died: a remembered token would live on")
		}
		start := time.Now()
		mustRefuse(t, s, "a", "ES256", claims.KeysUnavailable)
		mustRefuse(t, s, "", "ES256", claims.KeysUnavailable)
		if err := s.Ready(t.Context()); reason(err) != claims.KeysUnavailable {
			t.Errorf("Ready: %v", err)
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("requests wait %v in an outage that lasts", waited)
		}
		if age, ok := s.Age(); !ok || age != maxAge {
			t.Errorf("Age = %v, %v", age, ok)
		}

		r.serve(key("a", "", keyA))
		time.Sleep(40 * time.Second)
		mustFind(t, s, "a", "ES256", keyA)
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("Ready after recovery: %v", err)
		}
	})
}

// The injected clock ends keys as well, and no refresh that happens to be slow
// lets them live on.
func TestKeysDieByTheInjectedClock(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
		r.serve(key("a", "", keyA))
		var later atomic.Int64
		s := loaded(t, r, func(c *keys.Config) {
			c.Now = func() time.Time { return now.Add(time.Duration(later.Load())) }
		})
		before := s.Generation()
		later.Store(int64(keys.DefaultMaxAge - 1))
		mustFind(t, s, "a", "ES256", keyA)
		later.Store(int64(keys.DefaultMaxAge))
		r.script(hang)
		mustRefuse(t, s, "a", "ES256", claims.KeysUnavailable)
		if s.Generation() == before {
			t.Error("the generation did not grow")
		}
		r.serve(key("a", "", keyA))
		time.Sleep(time.Minute)
		mustFind(t, s, "a", "ES256", keyA)
	})
}
