package keys_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/keys"
)

func metadata(jwksURI string) string {
	return fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, issuer, jwksURI)
}

func TestDiscovery(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		const elsewhere = "https://keys.example/set"
		r.script(func(req *http.Request) (*http.Response, error) {
			switch req.URL.String() {
			case issuer + "/.well-known/oauth-authorization-server":
				return body(200, metadata(elsewhere))(req)
			case elsewhere:
				return body(200, jwks(key("a", "", keyA)))(req)
			}
			return body(404, "")(req)
		})
		s := loaded(t, r, func(c *keys.Config) { c.JWKSURL = "" })
		mustFind(t, s, "a", "ES256", keyA)
		time.Sleep(keys.DefaultRefreshInterval)
		synctest.Wait()
		if urls := r.addresses(); len(urls) != 3 || urls[2] != elsewhere {
			t.Errorf("asked for %q: the address is known after the first load", urls)
		}
	})
}

func TestDiscoveryIsTriedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		var moved atomic.Bool
		r.script(func(req *http.Request) (*http.Response, error) {
			home := issuer + "/v1/keys"
			if moved.Load() {
				home = issuer + "/v2/keys"
			}
			switch {
			case strings.Contains(req.URL.Path, ".well-known"):
				return body(200, metadata(home))(req)
			case req.URL.String() == home:
				return body(200, jwks(key("a", "", keyA)))(req)
			}
			return body(404, "")(req)
		})
		s := loaded(t, r, func(c *keys.Config) { c.JWKSURL = "" })
		moved.Store(true)
		time.Sleep(keys.DefaultRefreshInterval + 10*time.Minute)
		if age, _ := s.Age(); age > 10*time.Minute {
			t.Errorf("the new address is not found: last success %v ago", age)
		}
		mustFind(t, s, "a", "ES256", keyA)
	})
}

// In a long outage the address is asked for many times. What was opened before
// must not stay behind.
func TestRediscoveryLeavesNothingBehind(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		r.script(func(req *http.Request) (*http.Response, error) {
			if strings.Contains(req.URL.Path, ".well-known") {
				return body(200, metadata(jwksURL))(req)
			}
			return body(500, "")(req)
		})
		cfg := config(r)
		cfg.JWKSURL = ""
		keys.New(t.Context(), cfg)
		time.Sleep(time.Hour)
		synctest.Wait()
		before := runtime.NumGoroutine()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if after := runtime.NumGoroutine(); after > before {
			t.Errorf("%d goroutines, %d a day before", after, before)
		}
		asked := 0
		for _, u := range r.addresses() {
			if strings.Contains(u, ".well-known") {
				asked++
			}
		}
		if asked < 100 || asked > 400 {
			t.Errorf("the address was asked for %d times in a day of failures", asked)
		}
	})
}

// at answers one address, and 404 at every other.
func at(path string, answer func(*http.Request) (*http.Response, error)) func(*http.Request) (*http.Response, error) {
	return func(req *http.Request) (*http.Response, error) {
		if req.URL.Path == path {
			return answer(req)
		}
		return body(404, "")(req)
	}
}

// What a fetch tells when there is no address of a key set. The issuer is asked
// at two URLs, and of two bad answers the nearer one to a good one is told.
func TestDiscoveryFails(t *testing.T) {
	const oauth, openid = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
	page := body(200, `<!doctype html><title>Sign in</title>`)
	other := body(200, `{"issuer":"https://as.example/","jwks_uri":"https://as.example/keys"}`)
	for _, tc := range []struct {
		name   string
		answer func(*http.Request) (*http.Response, error)
		cause  keys.Cause
		step   keys.Step
		status int
	}{
		{"no metadata", body(404, ""), keys.CauseStatus, keys.StepDiscovery, 404},
		{"in trouble", body(503, ""), keys.CauseStatus, keys.StepDiscovery, 503},
		{"in trouble at one URL", at(oauth, body(503, "")), keys.CauseStatus, keys.StepDiscovery, 503},
		{"a page", page, keys.CauseMalformed, keys.StepDiscovery, 0},
		{"an array", body(200, `[]`), keys.CauseMalformed, keys.StepDiscovery, 0},
		{"cut off", body(200, metadata("https://as.example/keys")[:20]), keys.CauseMalformed, keys.StepDiscovery, 0},
		{"endless", func(*http.Request) (*http.Response, error) { return respond(200, new(endless), -1), nil }, keys.CauseTooLarge, keys.StepDiscovery, 0},
		{"another issuer's", other, keys.CauseIssuer, keys.StepDiscovery, 0},
		{"another issuer's at one URL", at(openid, other), keys.CauseIssuer, keys.StepDiscovery, 0},
		{"another issuer's behind a page", func(req *http.Request) (*http.Response, error) {
			if req.URL.Path == openid {
				return other(req)
			}
			return page(req)
		}, keys.CauseIssuer, keys.StepDiscovery, 0},
		{"nobody's", body(200, `{"jwks_uri":"https://as.example/keys"}`), keys.CauseIssuer, keys.StepDiscovery, 0},
		{"no jwks_uri", body(200, `{"issuer":"https://as.example"}`), keys.CauseJWKSURI, keys.StepDiscovery, 0},
		{"jwks_uri on this machine", body(200, metadata("https://127.0.0.1/keys")), keys.CauseJWKSURI, keys.StepDiscovery, 0},
		{"jwks_uri without TLS", body(200, metadata("http://as.example/keys")), keys.CauseJWKSURI, keys.StepDiscovery, 0},
		{"jwks_uri in the private network", body(200, metadata("https://10.0.0.7/keys")), keys.CauseAddress, keys.StepKeys, 0},
		{"redirected", body(302, "", "Location", "https://evil.example/"), keys.CauseRedirect, keys.StepDiscovery, 0},
		{"no such name", func(*http.Request) (*http.Response, error) { return nil, &net.DNSError{Err: "no such host"} }, keys.CauseDNS, keys.StepDiscovery, 0},
		{"no connection", func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errDown}
		}, keys.CauseConnect, keys.StepDiscovery, 0},
		{"untrusted certificate", func(*http.Request) (*http.Response, error) {
			return nil, &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
		}, keys.CauseTLS, keys.StepDiscovery, 0},
		{"hang", hang, keys.CauseTimeout, keys.StepDiscovery, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *remote) {
				r.script(tc.answer)
				var o tally
				cfg := config(r)
				cfg.JWKSURL, cfg.OnFetch = "", o.observe
				s := keys.New(t.Context(), cfg)
				mustRefuse(t, s, "a", "ES256", claims.KeysUnavailable)
				time.Sleep(time.Minute)
				o.mu.Lock()
				defer o.mu.Unlock()
				if got, want := o.outcomes[0], (keys.Fetched{Cause: tc.cause, Step: tc.step, Status: tc.status}); got != want {
					t.Errorf("outcome %+v, want %+v", got, want)
				}
				for _, u := range r.addresses() {
					if !strings.HasPrefix(u, issuer+"/") {
						t.Errorf("asked %s", u)
					}
				}
			})
		})
	}
}
