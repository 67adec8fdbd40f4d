package keys_test

import (
	"fmt"
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

func TestDiscoveryFails(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer func(*http.Request) (*http.Response, error)
		want   keys.Cause
	}{
		{"no metadata", body(404, ""), keys.CauseMetadata},
		{"another issuer's", body(200, `{"issuer":"https://as.example/","jwks_uri":"https://as.example/keys"}`), keys.CauseMetadata},
		{"no jwks_uri", body(200, `{"issuer":"https://as.example"}`), keys.CauseMetadata},
		{"jwks_uri on this machine", body(200, metadata("https://127.0.0.1/keys")), keys.CauseMetadata},
		{"jwks_uri in the private network", body(200, metadata("https://10.0.0.7/keys")), keys.CauseAddress},
		{"jwks_uri without TLS", body(200, metadata("http://as.example/keys")), keys.CauseMetadata},
		{"redirected", body(302, "", "Location", "https://evil.example/"), keys.CauseRedirect},
		{"hang", hang, keys.CauseTimeout},
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
				if got := o.outcomes[0].Cause; got != tc.want {
					t.Errorf("cause %s, want %s", got, tc.want)
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
