package integration_test

import (
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
)

// A generation is an issuer as it runs between two changes of its keys.
type generation struct {
	*issuerProcess
	trusted emamw.AuthorizationServer
	token   string
}

func oidcProviderOn(t *testing.T, port, kid string) generation {
	t.Helper()
	c := providerConfig{Port: port, KeyID: kid, Resources: map[string]providerResource{files: filesResource(providerResource{})}}
	p := startOpenIDProviderWith(t, c)
	return generation{p.issuerProcess, with(p.issuer), p.signIn(t, "alice", "openid "+readScope, files)["access_token"].(string)}
}

func mockServerOn(t *testing.T, port string) generation {
	t.Helper()
	p := startMockServer(t, mockConfig{Port: port, Payload: map[string]any{"aud": files}})
	return generation{p.issuerProcess, with(p.issuer, allowType("JWT"), noClient), p.password(t, "alice")["access_token"].(string)}
}

func fositeOn(t *testing.T, port string, unnamed bool) generation {
	t.Helper()
	c := fositeConfig{NoKeyID: unnamed, Audiences: []string{files}}
	if port != "" {
		c.Address = "127.0.0.1:" + port
	}
	p := startFosite(t, c)
	return generation{p.issuerProcess, with(p.issuer, oryPreset, noSource), p.signIn(t, "alice", files)["access_token"].(string)}
}

// succeeded starts the next generation in the place of g, with keys of its own.
func (g generation) succeeded(t *testing.T, on func(t *testing.T, port string) generation) generation {
	t.Helper()
	port := g.port(t)
	g.stop()
	next := on(t, port)
	if next.issuer != g.issuer || strings.EqualFold(next.token, g.token) {
		t.Fatalf("%s was not succeeded by %s", g.issuer, next.issuer)
	}
	return next
}

// All keys are new when these programs are started again. A guard that runs on
// follows at the latest after the interval between two fetches, ten seconds, and
// then knows the old keys no more.
func TestProgramsRotateKeys(t *testing.T) {
	t.Parallel()
	for name, on := range map[string]func(t *testing.T, port string) generation{
		"oidc-provider":      func(t *testing.T, port string) generation { return oidcProviderOn(t, port, "") },
		"oauth2-mock-server": mockServerOn,
		"fosite":             func(t *testing.T, port string) generation { return fositeOn(t, port, false) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // all they do is wait
			old := on(t, "")
			g := guardOf(t, old.trusted, nil)
			if _, reason := verdict(t, g, old.token); reason != "" {
				t.Fatalf("the first token: %s", reason)
			}
			next := old.succeeded(t, on)
			if _, reason := verdict(t, g, old.token); reason != "" {
				t.Errorf("the first token, as long as its key is not known to be gone: %s", reason)
			}
			eventually(t, "a token of the new key is accepted", func() bool {
				_, reason := verdict(t, g, next.token)
				if reason != "" && reason != claims.KeyUnknown && reason != claims.KeysUnavailable {
					t.Fatalf("a token of the new key: %s", reason)
				}
				return reason == ""
			})
			if _, reason := verdict(t, g, old.token); reason != claims.KeyUnknown {
				t.Errorf("a token of the withdrawn key: %q", reason)
			}
		})
	}
}

// A key that is replaced under its kid, or that has none, gives a guard no sign: a
// signature that fails is no reason to fetch, or every forger could cause one. It
// learns of such a key when it reads the set the next time of itself.
func TestProgramsReplaceKeysSilently(t *testing.T) {
	for name, on := range map[string]func(t *testing.T, port string) generation{
		"oidc-provider, one kid": func(t *testing.T, port string) generation { return oidcProviderOn(t, port, "key") },
		"fosite, no kid":         func(t *testing.T, port string) generation { return fositeOn(t, port, true) },
	} {
		t.Run(name, func(t *testing.T) {
			old := on(t, "")
			g := guardOf(t, old.trusted, nil)
			if _, reason := verdict(t, g, old.token); reason != "" {
				t.Fatalf("the first token: %s", reason)
			}
			next := old.succeeded(t, on)
			if _, reason := verdict(t, g, next.token); reason != claims.SignatureInvalid {
				t.Errorf("a token of the new key: %q", reason)
			}
			fresh := guardOf(t, next.trusted, nil)
			if _, reason := verdict(t, fresh, next.token); reason != "" {
				t.Errorf("a token of the new key, to a guard that started later: %s", reason)
			}
			if _, reason := verdict(t, fresh, old.token); reason != claims.SignatureInvalid {
				t.Errorf("a token of the old key, to a guard that started later: %q", reason)
			}
		})
	}
}
