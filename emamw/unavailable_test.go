package emamw_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/revocation"
)

// wantUndecided checks the answer of a guard that cannot tell whether a token is
// good: 503 and when to come back, and never 401, at which clients throw a good
// token away.
func wantUndecided(t *testing.T, a answer) {
	t.Helper()
	if a.Code != http.StatusServiceUnavailable || a.Header().Get("Retry-After") != "5" || a.Header().Get("WWW-Authenticate") != "" || a.body != `{"error":"temporarily_unavailable"}`+"\n" {
		t.Errorf("answered %d %v %q", a.Code, a.Header(), a.body)
	}
}

// benchOf is a bench around a guard that may not be ready.
func benchOf(t *testing.T, g *emamw.Guard, as *emamwtest.AuthorizationServer) *bench {
	accepted := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	return &bench{t: t, as: as, guard: g, handler: g.Handler(accepted)}
}

// An issuer that is down from the start keeps nobody from starting. Its tokens
// are undecided until its keys are there, and good from then on; a token that is
// bad by itself is refused all the same.
func TestKeysAreDownFromTheStart(t *testing.T) {
	for fault, cause := range map[emamwtest.Fault]string{
		emamwtest.Down:        "status, at the step discovery",
		emamwtest.Unreachable: "connect, at the step discovery",
		emamwtest.Slow:        "", // not known after two seconds
		emamwtest.WrongIssuer: "issuer, at the step discovery",
		emamwtest.KeysDown:    "status, at the step keys",
		emamwtest.KeysSlow:    "",
		emamwtest.KeysEmpty:   "no_usable_key, at the step keys",
	} {
		t.Run(string(fault), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				as := newIssuer(issuer)
				as.Fail(fault)
				g := newGuard(t, nil, as)
				b := benchOf(t, g, as)
				good := as.Mint(emamwtest.Token{Lifetime: time.Hour})
				err := g.Ready(t.Context())
				if err == nil || !strings.HasPrefix(err.Error(), "emamw: ") || !strings.Contains(err.Error(), issuer) || !strings.Contains(err.Error(), cause) {
					t.Errorf("Ready says %v", err)
				}
				for range 2 {
					wantUndecided(t, b.post(good, "{}"))
				}
				if a := b.post(as.Mint(emamwtest.Token{Audience: []string{"x"}}), "{}"); a.Code != http.StatusUnauthorized {
					t.Errorf("a bad token: %d", a.Code)
				}
				as.Fail()
				time.Sleep(time.Minute)
				if a := b.post(good, "{}"); a.Code != http.StatusAccepted {
					t.Errorf("after the outage: %d %s", a.Code, a.body)
				}
				if err := g.Ready(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Keys that could not be confirmed for MaxKeyAge are trusted no longer, also for
// a token that was verified with them and is remembered.
func TestKeysGrowTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := newIssuer(issuer)
		g := newGuard(t, func(c *emamw.Config) { c.MaxKeyAge = time.Hour }, as)
		b := benchOf(t, g, as)
		good := as.Mint(emamwtest.Token{Lifetime: 10 * time.Hour})
		accept(t, g, good)
		as.Fail(emamwtest.Down)
		time.Sleep(30 * time.Minute)
		if a := b.post(good, "{}"); a.Code != http.StatusAccepted {
			t.Errorf("within MaxKeyAge: %d", a.Code)
		}
		time.Sleep(40 * time.Minute)
		wantUndecided(t, b.post(good, "{}"))
		as.Fail()
		time.Sleep(2 * time.Minute)
		if a := b.post(good, "{}"); a.Code != http.StatusAccepted {
			t.Errorf("after the outage: %d", a.Code)
		}
	})
}

// scripted is a revocation store that does as the test says.
type scripted struct {
	follow func(ctx context.Context, apply func([]revocation.Revocation)) error
	revoke func(revocation.Revocation) error
}

func (s *scripted) Follow(ctx context.Context, apply func([]revocation.Revocation)) error {
	return s.follow(ctx, apply)
}

func (s *scripted) Revoke(_ context.Context, r revocation.Revocation) error {
	if s.revoke == nil {
		return nil
	}
	return s.revoke(r)
}

func from(s *scripted) func(*emamw.Config) { return func(c *emamw.Config) { c.Revocations = s } }

// beating applies nothing once a second until ctx or healthy ends.
func beating(healthy *atomic.Bool) func(context.Context, func([]revocation.Revocation)) error {
	return func(ctx context.Context, apply func([]revocation.Revocation)) error {
		for ctx.Err() == nil {
			if healthy.Load() {
				apply(nil)
			}
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
		return ctx.Err()
	}
}

// A store that was never heard of may have revoked the token. A request waits
// two seconds for its first word, or until its client leaves.
func TestStoreIsNeverHeardOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := newIssuer(issuer)
		g := newGuard(t, from(&scripted{follow: func(ctx context.Context, _ func([]revocation.Revocation)) error {
			<-ctx.Done()
			return ctx.Err()
		}}), as)
		b := benchOf(t, g, as)
		begin := time.Now()
		wantUndecided(t, b.post(as.Mint(emamwtest.Token{}), "{}"))
		if waited := time.Since(begin); waited != 2*time.Second {
			t.Errorf("waited %v, want 2s", waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := g.Verify(ctx, as.Mint(emamwtest.Token{})); reasonOf(t, err) != claims.StoreUnavailable || time.Since(begin) != 3*time.Second {
			t.Errorf("a client that leaves: %v after %v", err, time.Since(begin)-2*time.Second)
		}
	})
}

// The first requests of a process come before the first word of the store, and
// are not turned away for that.
func TestFirstWordOfTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := newIssuer(issuer)
		begin := time.Now()
		g := newGuard(t, from(&scripted{follow: func(ctx context.Context, apply func([]revocation.Revocation)) error {
			time.Sleep(time.Second)
			apply([]revocation.Revocation{{Issuer: issuer, Subject: "bob", Before: begin, Until: begin.Add(time.Hour)}})
			<-ctx.Done()
			return ctx.Err()
		}}), as)
		ended := make(chan error, 2)
		for _, user := range []string{"alice", "bob"} {
			token := as.Mint(emamwtest.Token{Subject: user})
			go func() {
				_, err := g.Verify(t.Context(), token)
				if user == "bob" && reasonOf(t, err) == claims.TokenRevoked {
					err = nil
				}
				ended <- err
			}()
		}
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if waited := time.Since(begin); waited != time.Second {
			t.Errorf("waited %v, want 1s", waited)
		}
	})
}

// A store that falls silent is believed for MaxRevocationDelay and no longer. A
// revocation that this process makes itself does not make it heard again: an
// attacker who cut the store off would else wait for the next sign-out.
func TestStoreFallsSilent(t *testing.T) {
	for _, delay := range []time.Duration{0, 10 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			bound := delay
			if delay == 0 {
				bound = 30 * time.Second // the default
			}
			var healthy atomic.Bool
			healthy.Store(true)
			as := newIssuer(issuer)
			g := newGuard(t, func(c *emamw.Config) {
				c.Revocations, c.MaxRevocationDelay = &scripted{follow: beating(&healthy)}, delay
			}, as)
			b := benchOf(t, g, as)
			good := as.Mint(emamwtest.Token{Lifetime: 10 * time.Hour})
			time.Sleep(time.Minute + time.Second/2) // the last word is half a second old
			healthy.Store(false)
			time.Sleep(bound - time.Second)
			if a := b.post(good, "{}"); a.Code != http.StatusAccepted {
				t.Errorf("silent for less than %v: %d", bound, a.Code)
			}
			time.Sleep(time.Second)
			wantUndecided(t, b.post(good, "{}"))
			if err := g.Revoke(t.Context(), revocation.Revocation{Issuer: issuer, Subject: "bob"}); err != nil {
				t.Fatal(err)
			}
			wantUndecided(t, b.post(good, "{}"))
			healthy.Store(true)
			time.Sleep(2 * time.Second)
			if a := b.post(good, "{}"); a.Code != http.StatusAccepted {
				t.Errorf("heard of again: %d", a.Code)
			}
			if a := b.post(as.Mint(emamwtest.Token{Subject: "bob", IssuedAt: time.Now().Add(-time.Minute)}), "{}"); a.Code != http.StatusUnauthorized {
				t.Errorf("what was revoked meanwhile: %d", a.Code)
			}
		})
	}
}

// A store that fails is followed again, a second later, and the failure is told
// without its text, which is the store's own.
func TestStoreIsFollowedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries atomic.Int64
		b := newBench(t, with(from(&scripted{follow: func(ctx context.Context, apply func([]revocation.Revocation)) error {
			if tries.Add(1) < 4 {
				return errors.New("secret address")
			}
			apply(nil)
			<-ctx.Done()
			return ctx.Err()
		}})))
		time.Sleep(2500 * time.Millisecond)
		if tries.Load() != 3 {
			t.Errorf("%d tries in 2.5 seconds, want 3", tries.Load())
		}
		if _, err := b.guard.Verify(t.Context(), b.token()); err != nil {
			t.Error(err)
		}
		if text := b.logs.String(); !strings.Contains(text, "cannot be followed") || strings.Contains(text, "secret") {
			t.Errorf("the log says %q", text)
		}
	})
}

// A revocation that was taken by the store is in effect here at once, without
// waiting for the store to hand it back; one that was not is an error.
func TestRevoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []revocation.Revocation
		var refuse error
		var healthy atomic.Bool
		healthy.Store(true)
		store := &scripted{follow: beating(&healthy), revoke: func(r revocation.Revocation) error {
			asked = append(asked, r)
			return refuse
		}}
		as, second := newIssuer(issuer), newIssuer("https://second.example")
		g := newGuard(t, func(c *emamw.Config) {
			c.Revocations, c.ClockSkew = store, time.Minute
			c.AuthorizationServers[0].MaxAge, c.AuthorizationServers[1].MaxAge = 48*time.Hour, time.Hour
		}, as, second)
		token := as.Mint(emamwtest.Token{ID: "t1", Lifetime: 48 * time.Hour})
		accept(t, g, token)

		if err := g.Revoke(t.Context(), revocation.Revocation{Subject: "alice"}); err == nil || len(asked) > 0 {
			t.Errorf("one that names no issuer: %v, the store was asked %d times", err, len(asked))
		}
		refuse = errors.New("no connection")
		if err := g.Revoke(t.Context(), revocation.Revocation{Issuer: issuer, Subject: "alice"}); !errors.Is(err, refuse) || !strings.HasPrefix(err.Error(), "emamw: ") {
			t.Errorf("a store that refuses: %v", err)
		}
		accept(t, g, token)

		refuse, asked = nil, nil
		now := time.Now()
		if err := g.Revoke(t.Context(), revocation.Revocation{Issuer: issuer, Subject: "alice"}); err != nil {
			t.Fatal(err)
		}
		if _, err := g.Verify(t.Context(), token); reasonOf(t, err) != claims.TokenRevoked {
			t.Errorf("after its revocation: %v", err)
		}
		// Until the last token that it affects is over, of the issuer whose tokens
		// live longest, by the clock that differs most, from a server that hears of
		// the revocation last, and no ID-JAG from before it is left.
		if len(asked) != 1 || !asked[0].Before.Equal(now) || !asked[0].Until.Equal(now.Add(48*time.Hour+time.Minute+30*time.Second+65*time.Minute)) {
			t.Errorf("the store was given %+v", asked)
		}
		time.Sleep(48*time.Hour + 59*time.Second)
		if _, err := g.Verify(t.Context(), token); reasonOf(t, err) != claims.TokenRevoked {
			t.Errorf("in its last second: %v", err)
		}
	})
}

// A token without iat may be older than any revocation, and is ended by it for
// all of its life.
func TestRevokedWithoutIssueTime(t *testing.T) {
	lax := claims.RFC9068()
	lax.Require = nil
	for name, r := range map[string]revocation.Revocation{
		"by its id":      {Issuer: issuer, TokenID: "t1"},
		"by its subject": {Issuer: issuer, Subject: "alice"},
	} {
		synctest.Test(t, func(t *testing.T) {
			as := newIssuer(issuer)
			g := newGuard(t, func(c *emamw.Config) { c.AuthorizationServers[0].Claims = lax }, as)
			token := as.Mint(emamwtest.Token{ID: "t1", Lifetime: 24 * time.Hour, Claims: map[string]any{"iat": nil}})
			accept(t, g, token)
			if err := g.Revoke(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			for hour := range 25 {
				if _, err := g.Verify(t.Context(), token); err == nil {
					t.Fatalf("revoked %s, accepted %d hours later", name, hour)
				}
				time.Sleep(time.Hour)
			}
		})
	}
}

// A revocation may come at any moment while a stream is being opened. Either the
// request is refused, or its stream ends: the clock that the guard reads on its
// way is what tells the moments apart.
func TestRevokedWhileAStreamOpens(t *testing.T) {
	for moment := 1; moment <= 8; moment++ {
		for _, o := range openers {
			synctest.Test(t, func(t *testing.T) {
				var b *bench
				var left atomic.Int64
				clock := func() time.Time {
					if left.Add(-1) == 0 {
						if err := b.guard.Revoke(t.Context(), revocation.Revocation{Issuer: issuer, Subject: "alice"}); err != nil {
							t.Error(err)
						}
						synctest.Wait() // whoever ends streams has looked by then
					}
					return time.Now()
				}
				// A store that does not read the clock: it would under its own lock.
				store := &scripted{follow: func(ctx context.Context, apply func([]revocation.Revocation)) error {
					apply(nil)
					<-ctx.Done()
					return ctx.Err()
				}}
				b = newBench(t, append(slices.Clone(o.options), with(func(c *emamw.Config) { c.Now, c.Revocations = clock, store }))...)
				ended := make(chan struct{})
				ctx, cancel := context.WithCancel(t.Context())
				token := b.as.Mint(emamwtest.Token{Lifetime: time.Hour})
				left.Store(int64(moment))
				go func() {
					defer close(ended)
					b.handler.ServeHTTP(&reading{header: http.Header{}}, o.request(token, ctx))
				}()
				select {
				case <-ended:
				case <-time.After(time.Minute):
					if left.Load() <= 0 {
						t.Errorf("%s: revoked at the %d. reading of the clock, and it stays open", o.name, moment)
					}
				}
				cancel()
				<-ended
			})
		}
	}
}
