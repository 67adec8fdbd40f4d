package integration_test

import (
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/claims"
)

// Programs disagree on where the metadata of an issuer with a path is, and on
// whether an issuer ends in a slash. A guard finds all of it with nothing but the
// issuer, as its tokens have it.
func TestProgramsAreDiscovered(t *testing.T) {
	t.Parallel()
	fositeAt := func(path string, metadata ...string) func(t *testing.T) generation {
		return func(t *testing.T) generation {
			p := startFosite(t, fositeConfig{Path: path, Metadata: metadata, Audiences: []string{files}})
			return generation{p.issuerProcess, with(p.issuer, oryPreset, noSource), p.signIn(t, "alice", files)["access_token"].(string)}
		}
	}
	oidcProviderAt := func(path string) func(t *testing.T) generation {
		return func(t *testing.T) generation {
			p := startOpenIDProviderWith(t, providerConfig{Path: path, Resources: map[string]providerResource{files: filesResource(providerResource{})}})
			return generation{p.issuerProcess, with(p.issuer), p.signIn(t, "alice", "openid "+readScope, files)["access_token"].(string)}
		}
	}
	for name, start := range map[string]func(t *testing.T) generation{
		"oidc-provider at the root":      oidcProviderAt(""),
		"oidc-provider below a path":     oidcProviderAt("/identity/oidc"), // appended, for both of its documents
		"fosite, as RFC 8414 says":       fositeAt("/tenant", "/.well-known/oauth-authorization-server/tenant"),
		"fosite, OpenID name inserted":   fositeAt("/tenant", "/.well-known/openid-configuration/tenant"),
		"fosite, OpenID name appended":   fositeAt("/tenant", "/tenant/.well-known/openid-configuration"),
		"fosite, slash, RFC 8414":        fositeAt("/tenant/", "/.well-known/oauth-authorization-server/tenant"),
		"fosite, slash, appended":        fositeAt("/tenant/", "/tenant/.well-known/openid-configuration"),
		"fosite, an escape in its path":  fositeAt("/a%20tenant", "/.well-known/oauth-authorization-server/a tenant"),
		"oauth2-mock-server":             func(t *testing.T) generation { return mockServerWith(t, false) },
		"oauth2-mock-server, with slash": func(t *testing.T) generation { return mockServerWith(t, true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits for metadata that never comes
			g := start(t)
			if _, reason := judge(t, g.trusted, g.token); reason != "" {
				t.Errorf("%s is refused: %s", g.issuer, reason)
			}

			// The same server by its other spelling is another issuer: it has no keys,
			// and its tokens are nobody's.
			other := g.trusted
			if other.Issuer = strings.TrimSuffix(g.issuer, "/"); other.Issuer == g.issuer {
				other.Issuer += "/"
			}
			guard := guardOf(t, other, nil)
			if err := guard.Ready(t.Context()); err == nil {
				t.Errorf("the metadata of %s counts for %s", g.issuer, other.Issuer)
			}
			if _, reason := verdict(t, guard, g.token); reason != claims.IssuerUntrusted {
				t.Errorf("a token of %s for a guard that trusts %s: %q", g.issuer, other.Issuer, reason)
			}
		})
	}
}

func mockServerWith(t *testing.T, slash bool) generation {
	t.Helper()
	p := startMockServer(t, mockConfig{Slash: slash, Payload: map[string]any{"aud": files}})
	if strings.HasSuffix(p.issuer, "/") != slash {
		t.Fatalf("the issuer is %s", p.issuer)
	}
	return generation{p.issuerProcess, with(p.issuer, allowType("JWT"), noClient), p.password(t, "alice")["access_token"].(string)}
}

// A program without metadata needs the address of its keys.
func TestProgramsWithoutMetadata(t *testing.T) {
	p := startFosite(t, fositeConfig{Metadata: []string{"/elsewhere"}, Audiences: []string{files}})
	token := p.signIn(t, "alice", files)["access_token"].(string)
	trusted := with(p.issuer, oryPreset, noSource)
	guard := guardOf(t, trusted, nil)
	if err := guard.Ready(t.Context()); err == nil {
		t.Error("its keys were found")
	}
	if _, reason := verdict(t, guard, token); reason != claims.KeysUnavailable {
		t.Errorf("without the address of the keys: %q", reason)
	}
	trusted.JWKSURL = p.origin(t) + "/jwks"
	if _, reason := judge(t, trusted, token); reason != "" {
		t.Errorf("with it: %s", reason)
	}
}
