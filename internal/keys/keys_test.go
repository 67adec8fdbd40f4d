package keys_test

import (
	"crypto"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/jose"
	"github.com/emamw/mcp-ema/internal/keys"
)

func TestEveryKindOfKeyComesThrough(t *testing.T) {
	for _, tc := range []struct {
		alg string
		key crypto.PublicKey
	}{
		{"RS256", keyRSA}, {"RS384", keyRSA}, {"RS512", keyRSA},
		{"PS256", keyRSA}, {"PS384", keyRSA}, {"PS512", keyRSA},
		{"ES256", keyA}, {"ES384", key384}, {"ES512", key521}, {"EdDSA", keyEd},
	} {
		t.Run(tc.alg, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *remote) {
				r.serve(key("open", "", tc.key), key("bound", tc.alg, tc.key))
				s := loaded(t, r, nil)
				mustFind(t, s, "open", tc.alg, tc.key)
				mustFind(t, s, "bound", tc.alg, tc.key)
				if s.Len() != 2 || r.calls() != 1 {
					t.Errorf("Len %d, %d fetches", s.Len(), r.calls())
				}
			})
		})
	}
}

func TestAlgorithm(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		r.serve(key("rsa", "", keyRSA), key("rs256", "RS256", keyRSA), key("ec", "", keyA), key("ed", "", keyEd))
		s := loaded(t, r, nil)
		for _, tc := range []struct {
			kid, alg string
			want     claims.Reason
		}{
			{"rsa", "RS256", ""},
			{"rsa", "PS512", ""},
			{"rs256", "RS256", ""},
			{"ec", "ES256", ""},
			{"ed", "EdDSA", ""},
			{"rs256", "PS256", claims.AlgorithmNotAllowed}, // the set binds the key to RS256
			{"rs256", "RS384", claims.AlgorithmNotAllowed},
			{"rsa", "ES256", claims.AlgorithmNotAllowed},
			{"ec", "RS256", claims.AlgorithmNotAllowed},
			{"ec", "ES384", claims.AlgorithmNotAllowed},
			{"ed", "ES256", claims.AlgorithmNotAllowed},
			{"rsa", "HS256", claims.AlgorithmNotAllowed},
			{"rsa", "none", claims.AlgorithmNotAllowed},
			{"rsa", "", claims.AlgorithmNotAllowed},
			{"RSA", "RS256", claims.KeyUnknown},
		} {
			if _, err := s.Key(t.Context(), tc.kid, tc.alg); reason(err) != tc.want {
				t.Errorf("%s with %s: %v, want %q", tc.kid, tc.alg, err, tc.want)
			}
		}
	})
}

func TestTokenWithoutKeyID(t *testing.T) {
	for _, tc := range []struct {
		name string
		set  []jose.PublicKey
		alg  string
		want crypto.PublicKey // nil: refused
	}{
		{"the only key", []jose.PublicKey{key("a", "", keyA)}, "ES256", keyA},
		{"the only key, itself without kid", []jose.PublicKey{key("", "", keyA)}, "ES256", keyA},
		{"the only one that fits", []jose.PublicKey{key("a", "", keyA), key("r", "", keyRSA)}, "RS256", keyRSA},
		{"the only one whose alg fits", []jose.PublicKey{key("r", "RS256", keyRSA), key("p", "PS256", keyRSA)}, "PS256", keyRSA},
		{"two fit", []jose.PublicKey{key("a", "", keyA), key("b", "", keyB)}, "ES256", nil},
		{"two without kid fit", []jose.PublicKey{key("", "", keyA), key("", "", keyB)}, "ES256", nil},
		{"none fits", []jose.PublicKey{key("a", "", keyA)}, "RS256", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *remote) {
				r.serve(tc.set...)
				s := loaded(t, r, nil)
				if tc.want == nil {
					mustRefuse(t, s, "", tc.alg, claims.KeyUnknown)
					return
				}
				mustFind(t, s, "", tc.alg, tc.want)
			})
		})
	}
}

func TestGoodMembersServeBesideBadOnes(t *testing.T) {
	const oct = `{"kty":"oct","kid":"oct","alg":"HS256","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I"}`
	good := jwks(key("good", "", keyA), key("twin", "", keyRSA))
	twin := jwks(key("twin", "", keyB))
	inner := func(set string) string { return set[len(`{"keys":[`) : len(set)-len(`]}`)] }
	set := `{"keys":[` + inner(good) + `,` + inner(twin) + `,` + oct + `,7,null,{"kty":"later"},{"kty":"EC","kid":"off","crv":"P-256","x":"AAAA","y":"AAAA"},` +
		`{"kty":"EC","kid":"tls","use":"tls","crv":"P-256","x":"","y":""}]}`
	bubble(t, func(t *testing.T, r *remote) {
		r.script(body(200, set))
		var o tally
		s := loaded(t, r, func(c *keys.Config) { c.OnFetch = o.observe })
		mustFind(t, s, "good", "ES256", keyA)
		mustRefuse(t, s, "twin", "ES256", claims.KeyUnknown)
		mustRefuse(t, s, "twin", "RS256", claims.KeyUnknown)
		mustRefuse(t, s, "oct", "HS256", claims.KeyUnknown)
		o.mu.Lock()
		defer o.mu.Unlock()
		if f := o.outcomes[0]; f.Keys != 1 || f.Rejected != 8 || f.Cause != "" || f.Status != 200 {
			t.Errorf("observed %+v, want 1 key and 8 rejected", f)
		}
	})
}

func TestKeyOfAnotherIssuer(t *testing.T) {
	const tenant = "https://login.example/0f1e/v2.0"
	for _, tc := range []struct {
		owner string // the set's member "issuer"
		want  bool
	}{
		{"", true},
		{tenant, true},
		{"https://login.example/{tenantid}/v2.0", true},
		{"https://login.example/9188/v2.0", false},
		{"https://login.example/{tenantid}/v1.0", false},
		{"https://other.example/{tenantid}/v2.0", false},
		{"https://login.example/{tenantid}", false},
		{"https://{tenantid}/v2.0", false}, // a tenant is one path segment
		{"https://login.example/0f1e/{tenantid}v2.0", false},
	} {
		t.Run(tc.owner, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *remote) {
				mine := key("mine", "", keyA)
				theirs := key("theirs", "", keyB)
				theirs.Issuer = tc.owner
				r.serve(mine, theirs)
				s := loaded(t, r, func(c *keys.Config) { c.Issuer = tenant })
				mustFind(t, s, "mine", "ES256", keyA)
				if _, err := s.Key(t.Context(), "theirs", "ES256"); (err == nil) != tc.want {
					t.Errorf("accepted %v, want %v", err == nil, tc.want)
				}
			})
		})
	}
}

func TestGeneration(t *testing.T) {
	a, b := key("a", "", keyA), key("b", "", keyB)
	for _, tc := range []struct {
		name        string
		first, then []jose.PublicKey
		grows       bool
	}{
		{"the same", []jose.PublicKey{a, b}, []jose.PublicKey{a, b}, false},
		{"another order", []jose.PublicKey{a, b}, []jose.PublicKey{b, a}, false},
		{"one more", []jose.PublicKey{a}, []jose.PublicKey{a, b}, false},
		{"one less", []jose.PublicKey{a, b}, []jose.PublicKey{a}, true},
		{"rotated", []jose.PublicKey{a}, []jose.PublicKey{b}, true},
		{"other material, same kid", []jose.PublicKey{a}, []jose.PublicKey{key("a", "", keyB)}, true},
		{"same material, other kid", []jose.PublicKey{a}, []jose.PublicKey{key("c", "", keyA)}, true},
		{"narrower alg", []jose.PublicKey{key("r", "", keyRSA)}, []jose.PublicKey{key("r", "RS256", keyRSA)}, true},
		{"alg spelled out", []jose.PublicKey{a}, []jose.PublicKey{key("a", "ES256", keyA)}, false},
		{"without kid, another key", []jose.PublicKey{key("", "", keyA)}, []jose.PublicKey{key("", "", keyB)}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *remote) {
				r.serve(tc.first...)
				s := loaded(t, r, nil)
				before := s.Generation()
				r.serve(tc.then...)
				time.Sleep(keys.DefaultRefreshInterval)
				synctest.Wait()
				if r.calls() != 2 {
					t.Fatalf("%d fetches, want 2", r.calls())
				}
				if got := s.Generation() > before; got != tc.grows {
					t.Errorf("generation grew: %v, want %v", got, tc.grows)
				}
			})
		})
	}
}

func TestRotationRefusesNoGoodKey(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		r.serve(key("old", "", keyA))
		s := loaded(t, r, nil)
		time.Sleep(time.Minute)
		r.script(func(req *http.Request) (*http.Response, error) {
			time.Sleep(300 * time.Millisecond) // a slow issuer
			return body(200, jwks(key("old", "", keyA), key("new", "", keyB)))(req)
		})
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				mustFind(t, s, "new", "ES256", keyB)
				mustFind(t, s, "old", "ES256", keyA)
			})
		}
		wg.Wait()
		if r.calls() != 2 {
			t.Errorf("%d fetches, want the first and one more", r.calls())
		}
	})
}

func TestRace(t *testing.T) {
	var r remote
	sets := [][]jose.PublicKey{{key("a", "", keyA)}, {key("a", "", keyA), key("b", "", keyB)}}
	r.serve(sets[0]...)
	cfg := config(&r)
	cfg.MinInterval = time.Millisecond
	s := keys.New(t.Context(), cfg)
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 200 {
				s.Generation()
				mustFind(t, s, "a", "ES256", keyA)
				s.Key(t.Context(), fmt.Sprint("junk", w, i%20), "ES256")
				s.Key(t.Context(), "b", "ES256")
				s.Age()
				if w == 0 {
					r.serve(sets[i%2]...)
				}
			}
		})
	}
	wg.Wait()
}

func TestKnownKeyAllocatesNothing(t *testing.T) {
	s := quick(t)
	if got := testing.AllocsPerRun(1000, func() {
		if _, err := s.Key(t.Context(), "a", "ES256"); err != nil {
			t.Error(err)
		}
	}); got != 0 {
		t.Errorf("%v allocations per lookup", got)
	}
}

func quick(t testing.TB) *keys.Set {
	t.Helper()
	var r remote
	r.serve(key("a", "", keyA), key("b", "", keyB), key("c", "", keyRSA))
	s := keys.New(t.Context(), config(&r))
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func BenchmarkKnownKey(b *testing.B) {
	s := quick(b)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Key(ctx, "b", "ES256"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKnownKeyParallel(b *testing.B) {
	s := quick(b)
	ctx := b.Context()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, err := s.Key(ctx, "b", "ES256"); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
