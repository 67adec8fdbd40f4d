package emamw_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/scopes"
)

// newGuard makes a guard that trusts these issuers, the first of them as change
// says, and does not wait for their keys.
func newGuard(t *testing.T, change func(*emamw.Config), servers ...*emamwtest.AuthorizationServer) *emamw.Guard {
	t.Helper()
	cfg := good()
	cfg.AuthorizationServers = nil
	network := map[string]http.Handler{}
	for _, as := range servers {
		cfg.AuthorizationServers = append(cfg.AuthorizationServers, emamw.AuthorizationServer{Issuer: as.Issuer()})
		network[as.Issuer()] = as
	}
	cfg.HTTPClient = emamwtest.HTTPClient(network)
	if change != nil {
		change(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	g, err := emamw.New(ctx, server.NewMCPServer("s", "1"), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func newIssuer(name string, algorithms ...string) *emamwtest.AuthorizationServer {
	return emamwtest.NewAuthorizationServer(emamwtest.AuthorizationServerConfig{Issuer: name, Resource: resource, Algorithms: algorithms})
}

// reasonOf is why a token was refused, and "" for one that was accepted.
func reasonOf(t *testing.T, err error) claims.Reason {
	t.Helper()
	var refused *emamw.TokenError
	if err != nil && !errors.As(err, &refused) {
		t.Fatalf("%v is no TokenError", err)
	}
	if refused == nil {
		return ""
	}
	if !strings.HasPrefix(refused.Error(), "emamw: ") || !strings.Contains(refused.Error(), string(refused.Reason)) {
		t.Errorf("the error says %q", refused)
	}
	return refused.Reason
}

// What an AuthorizationServer says of its tokens, and which tokens that lets in.
func TestIssuerLimits(t *testing.T) {
	type as = emamw.AuthorizationServer
	type token = emamwtest.Token
	typed := func(typ any) token { return token{Header: map[string]any{"typ": typ}} }
	lax := claims.RFC9068()
	lax.Require = nil
	without := func(name string, t token) token {
		t.Claims = map[string]any{name: nil}
		return t
	}
	tests := []struct {
		name   string
		change func(*as)
		token  token
		reason claims.Reason
	}{
		{"algorithm by default", func(*as) {}, token{Algorithm: "ES256"}, ""},
		{"RS256 by default", func(*as) {}, token{Algorithm: "RS256"}, ""},
		{"PS256 by default", func(*as) {}, token{Algorithm: "PS256"}, ""},
		{"EdDSA by default", func(*as) {}, token{Algorithm: "EdDSA"}, ""},
		{"algorithm off the default list", func(*as) {}, token{Algorithm: "ES384"}, claims.AlgorithmNotAllowed},
		{"algorithm listed", func(a *as) { a.Algorithms = []string{"ES384"} }, token{Algorithm: "ES384"}, ""},
		{"algorithm not listed", func(a *as) { a.Algorithms = []string{"ES384"} }, token{Algorithm: "ES256"}, claims.AlgorithmNotAllowed},
		{"algorithm not listed, published", func(a *as) { a.Algorithms = []string{"ES256"} }, token{Algorithm: "RS256"}, claims.AlgorithmNotAllowed},

		{"any tenant by default", func(*as) {}, token{Tenant: "any"}, ""},
		{"no tenant by default", func(*as) {}, token{}, ""},
		{"tenant listed", func(a *as) { a.Tenants = []string{"acme", "other"} }, token{Tenant: "other"}, ""},
		{"tenant not listed", func(a *as) { a.Tenants = []string{"acme"} }, token{Tenant: "other"}, claims.TenantNotAllowed},
		{"tenant of other case", func(a *as) { a.Tenants = []string{"acme"} }, token{Tenant: "Acme"}, claims.TenantNotAllowed},
		{"no tenant where one is asked for", func(a *as) { a.Tenants = []string{"acme"} }, token{}, claims.TenantNotAllowed},

		{"another audience", func(*as) {}, token{Audience: []string{"client-id"}}, claims.AudienceMismatch},
		{"another audience, listed", func(a *as) { a.Audiences = []string{"client-id"} }, token{Audience: []string{"client-id"}}, ""},
		{"the resource, beside one that is listed", func(a *as) { a.Audiences = []string{"client-id"} }, token{}, ""},
		{"several, one listed", func(a *as) { a.Audiences = []string{"client-id"} }, token{Audience: []string{"x", "client-id"}}, ""},
		{"several, none listed", func(a *as) { a.Audiences = []string{"client-id"} }, token{Audience: []string{"x", "client"}}, claims.AudienceMismatch},

		{"type by default", func(*as) {}, typed("at+jwt"), ""},
		{"type as a media type", func(*as) {}, typed("application/AT+JWT"), ""},
		{"type of another token", func(*as) {}, typed("JWT"), claims.TypeNotAllowed},
		{"no type", func(*as) {}, typed(nil), claims.TypeNotAllowed},
		{"type listed", func(a *as) { a.TokenTypes = []string{"JWT"} }, typed("JWT"), ""},
		{"the default, where another is listed", func(a *as) { a.TokenTypes = []string{"JWT"} }, typed("at+jwt"), claims.TypeNotAllowed},
		{"no type, listed", func(a *as) { a.TokenTypes = []string{""} }, typed(nil), ""},
		{"a type, where none is listed", func(a *as) { a.TokenTypes = []string{""} }, typed("at+jwt"), claims.TypeNotAllowed},

		{"a day by default", func(*as) {}, token{Lifetime: 24 * time.Hour}, ""},
		{"more than a day", func(*as) {}, token{Lifetime: 24*time.Hour + time.Second}, claims.TokenLivesTooLong},
		{"as long as it may", func(a *as) { a.MaxAge = time.Hour }, token{Lifetime: time.Hour}, ""},
		{"longer than it may", func(a *as) { a.MaxAge = time.Hour }, token{Lifetime: time.Hour + time.Second}, claims.TokenLivesTooLong},
		{"longer, though nearly over", func(a *as) { a.MaxAge = time.Hour }, token{IssuedAt: time.Now().Add(-2 * time.Hour), Lifetime: 3 * time.Hour}, claims.TokenLivesTooLong},

		{"no iat, where RFC 9068 asks for it", func(*as) {}, without("iat", token{}), claims.ClaimMissing},
		{"no iat, where it need not be", func(a *as) { a.Claims = lax }, without("iat", token{}), ""},
		{"no iat, the rest of its life too long", func(a *as) { a.Claims, a.MaxAge = lax, time.Hour }, without("iat", token{Lifetime: time.Hour + time.Minute}), claims.TokenLivesTooLong},
		{"no iat, the rest of its life short", func(a *as) { a.Claims, a.MaxAge = lax, time.Hour }, without("iat", token{Lifetime: 59 * time.Minute}), ""},
		{"no exp", func(a *as) { a.Claims = lax }, without("exp", token{}), claims.ClaimMissing},

		{"keys at an address of their own", func(a *as) { a.JWKSURL = issuer + "/jwks" }, token{}, ""},
	}
	server := newIssuer(issuer, "ES256", "ES384", "RS256", "PS256", "EdDSA")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuard(t, func(c *emamw.Config) { tt.change(&c.AuthorizationServers[0]) }, server)
			_, err := g.Verify(t.Context(), server.Mint(tt.token))
			if got := reasonOf(t, err); got != tt.reason {
				t.Errorf("got %q, want %q", got, tt.reason)
			}
		})
	}
}

// With the address of its keys given, an issuer's metadata is not asked for: it
// may have none, or lie.
func TestKeysAtAGivenAddress(t *testing.T) {
	as := newIssuer(issuer)
	as.Fail(emamwtest.WrongIssuer)
	given := newGuard(t, func(c *emamw.Config) { c.AuthorizationServers[0].JWKSURL = issuer + "/jwks" }, as)
	if _, err := given.Verify(t.Context(), as.Mint(emamwtest.Token{})); err != nil {
		t.Errorf("with its address: %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		g := newGuard(t, nil, as)
		if _, err := g.Verify(t.Context(), as.Mint(emamwtest.Token{})); reasonOf(t, err) != claims.KeysUnavailable {
			t.Errorf("with metadata of another issuer: %v", err)
		}
	})
}

// An issuer that serves several tenants names the tenant in iss. It must be one
// that is listed, and the claim of the token may not name another: an attacker
// with a tenant of their own could else claim to be of yours.
func TestIssuerOfSeveralTenants(t *testing.T) {
	const template = "https://login.example/{tenantid}/v2.0"
	tests := []struct {
		name, iss, tenant string
		reason            claims.Reason
	}{
		{"listed, in iss alone", "https://login.example/acme/v2.0", "", ""},
		{"listed, in both", "https://login.example/acme/v2.0", "acme", ""},
		{"not listed", "https://login.example/evil/v2.0", "", claims.TenantNotAllowed},
		{"not listed, in both", "https://login.example/evil/v2.0", "evil", claims.TenantNotAllowed},
		{"not listed, claims a listed one", "https://login.example/evil/v2.0", "acme", claims.TenantNotAllowed},
		{"listed, claims another that is listed", "https://login.example/acme/v2.0", "other", claims.TenantNotAllowed},
		{"listed, claims one that is not", "https://login.example/acme/v2.0", "evil", claims.TenantNotAllowed},
		{"the template itself", template, "acme", claims.IssuerUntrusted},
		{"two segments", "https://login.example/acme/x/v2.0", "acme", claims.IssuerUntrusted},
		{"no tenant", "https://login.example//v2.0", "acme", claims.IssuerUntrusted},
		{"another end", "https://login.example/acme/v1.0", "acme", claims.IssuerUntrusted},
		{"another host", "https://login.example.evil/acme/v2.0", "acme", claims.IssuerUntrusted},
	}
	as := newIssuer(issuer)
	g := newGuard(t, func(c *emamw.Config) {
		c.AuthorizationServers = []emamw.AuthorizationServer{{Issuer: template, JWKSURL: issuer + "/jwks", Tenants: []string{"acme", "other"}}}
	}, as)
	for _, tt := range tests {
		_, err := g.Verify(t.Context(), as.Mint(emamwtest.Token{Tenant: tt.tenant, Claims: map[string]any{"iss": tt.iss}}))
		if got := reasonOf(t, err); got != tt.reason {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.reason)
		}
	}
}

// The placeholder of the tenant stands for a path segment and nothing else. In
// the host it would let whoever registers a name vouch for users.
func TestPlaceholderPlaces(t *testing.T) {
	for name, ok := range map[string]bool{
		"https://login.example/{tenantid}":            true,
		"https://login.example/{tenantid}/v2.0":       true,
		"https://login.example/a/{tenantid}/v2.0":     true,
		"https://{tenantid}":                          false,
		"https://{tenantid}/":                         false,
		"https://{tenantid}/v2.0":                     false,
		"https://{tenantid}.example/":                 false,
		"https://login.{tenantid}/v2.0":               false,
		"https://login.example:{tenantid}/v2.0":       false,
		"https://login.example/x{tenantid}":           false,
		"https://login.example/{tenantid}x/v2.0":      false,
		"https://login.example/{tenantid}/{tenantid}": false,
	} {
		cfg := good()
		cfg.AuthorizationServers[0].Issuer = name
		cfg.AuthorizationServers[0].Tenants = []string{"acme"}
		_, err := emamw.New(t.Context(), server.NewMCPServer("s", "1"), cfg)
		if (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The clocks of two hosts differ by ClockSkew at most, to the second: a token is
// good for that long after exp, and that long before nbf and iat.
func TestClockSkew(t *testing.T) {
	for _, skew := range []time.Duration{0, time.Second, 5 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			as := newIssuer(issuer)
			g := newGuard(t, func(c *emamw.Config) { c.ClockSkew = skew }, as)
			bound := skew
			if skew == 0 {
				bound = 30 * time.Second // the default
			}
			now := time.Now() // of the bubble: a whole second
			for _, tt := range []struct {
				name   string
				claims map[string]any
				reason claims.Reason
			}{
				{"exp, at its last second", map[string]any{"exp": now.Add(-bound + time.Second).Unix(), "iat": now.Add(-time.Hour).Unix()}, ""},
				{"exp, over", map[string]any{"exp": now.Add(-bound).Unix(), "iat": now.Add(-time.Hour).Unix()}, claims.TokenExpired},
				{"nbf, as early as may be", map[string]any{"nbf": now.Add(bound).Unix()}, ""},
				{"nbf, too early", map[string]any{"nbf": now.Add(bound + time.Second).Unix()}, claims.TokenNotYetValid},
				{"iat, as early as may be", map[string]any{"iat": now.Add(bound).Unix(), "exp": now.Add(time.Hour).Unix()}, ""},
				{"iat, too early", map[string]any{"iat": now.Add(bound + time.Second).Unix(), "exp": now.Add(time.Hour).Unix()}, claims.TokenNotYetValid},
			} {
				_, err := g.Verify(t.Context(), as.Mint(emamwtest.Token{Claims: tt.claims}))
				if got := reasonOf(t, err); got != tt.reason {
					t.Errorf("%v, %s: got %q, want %q", bound, tt.name, got, tt.reason)
				}
			}
		})
	}
}

// Verify is also for tokens that came in no header: an empty one and one beyond
// all bounds are refused like bad ones.
func TestVerifyBounds(t *testing.T) {
	as := newIssuer(issuer)
	g := newGuard(t, nil, as)
	short := as.Mint(emamwtest.Token{})
	padded := func(length int) string { // a good token of about this length
		return as.Mint(emamwtest.Token{ID: "id", Claims: map[string]any{"pad": strings.Repeat("x", (length-len(short))*3/4)}})
	}
	for _, tt := range []struct {
		name, token string
		reason      claims.Reason
	}{
		{"empty", "", claims.TokenMissing},
		{"no token", "x", claims.TokenMalformed},
		{"long", padded(16<<10 - 200), ""},
		{"longer than 16 KiB", padded(16<<10 + 400), claims.TokenMalformed},
	} {
		_, err := g.Verify(t.Context(), tt.token)
		if got := reasonOf(t, err); got != tt.reason {
			t.Errorf("%s, %d bytes: got %q, want %q", tt.name, len(tt.token), got, tt.reason)
		}
	}
}

// Each issuer is trusted on its own terms: what one may do opens nothing to
// another, and a key of one verifies no token of the other.
func TestIssuersAreKeptApart(t *testing.T) {
	first, second := newIssuer(issuer), newIssuer("https://second.example", "ES256", "ES384")
	g := newGuard(t, func(c *emamw.Config) {
		c.AuthorizationServers[1].Algorithms = []string{"ES384"}
		c.AuthorizationServers[1].Audiences = []string{"second"}
		c.AuthorizationServers[1].Tenants = []string{"acme"}
	}, first, second)
	for _, tt := range []struct {
		name   string
		token  string
		reason claims.Reason
	}{
		{"the first", first.Mint(emamwtest.Token{}), ""},
		{"the second", second.Mint(emamwtest.Token{Algorithm: "ES384", Tenant: "acme"}), ""},
		{"the first, with the second's audience", first.Mint(emamwtest.Token{Audience: []string{"second"}}), claims.AudienceMismatch},
		{"the second, with the first's algorithm", second.Mint(emamwtest.Token{Algorithm: "ES256", Tenant: "acme"}), claims.AlgorithmNotAllowed},
		{"the second, signs for the first", second.Mint(emamwtest.Token{Claims: map[string]any{"iss": issuer}}), claims.SignatureInvalid},
	} {
		_, err := g.Verify(t.Context(), tt.token)
		if got := reasonOf(t, err); got != tt.reason {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.reason)
		}
	}
}

// A program may change its Config after New, down to the last slice, and nothing
// that was decided by it changes.
func TestNothingOfAConfigIsShared(t *testing.T) {
	var kept emamw.Config
	b := newBench(t, stateless, before(func(b *bench) {
		b.mcp.AddTool(mcp.NewTool("narrow", scopes.Require("narrow")), b.tool("narrow"))
		b.mcp.AddTool(mcp.NewTool("central"), b.tool("central"))
		b.mcp.AddPrompt(mcp.NewPrompt("central"), nil)
		b.mcp.AddResource(mcp.NewResource("file:///central", "central"), b.reader)
	}), with(func(c *emamw.Config) {
		c.Hierarchy = scopes.Hierarchy{"broad": {"other"}}
		c.Rules.Tools = map[string]scopes.Rule{"central": scopes.Scope("central")}
		c.Rules.Prompts = map[string]scopes.Rule{"central": scopes.Scope("central")}
		c.Rules.Resources = map[string]scopes.Rule{"file:///central": scopes.Scope("central")}
		c.AllowedOrigins = []string{"https://app.example"}
		as := &c.AuthorizationServers[0]
		as.Tenants, as.Algorithms, as.Audiences, as.TokenTypes = []string{"acme"}, []string{"ES256"}, []string{"mine"}, []string{"at+jwt"}
		kept = *c
	}))
	kept.Hierarchy["broad"][0] = "narrow"
	kept.Hierarchy["held"] = []string{"narrow"}
	kept.Rules.Tools["central"] = scopes.Authenticated()
	kept.Rules.Prompts["central"] = scopes.Authenticated()
	kept.Rules.Resources["file:///central"] = scopes.Authenticated()
	kept.AllowedOrigins[0] = "https://evil.example"
	as := kept.AuthorizationServers[0]
	as.Tenants[0], as.Algorithms[0], as.Audiences[0], as.TokenTypes[0] = "evil", "ES384", "theirs", "jwt"

	token := b.as.Mint(emamwtest.Token{Tenant: "acme", Audience: []string{"mine"}, Scopes: []string{"broad", "held"}})
	b.wantAnswer(b.post(token, message("tools/call", call("narrow"))), 403, challengeFor("narrow"))
	b.wantAnswer(b.post(token, message("tools/call", call("central"))), 403, challengeFor("central"))
	b.wantAnswer(b.post(token, message("prompts/get", map[string]any{"name": "central"})), 403, challengeFor("central"))
	b.wantAnswer(b.post(token, message("resources/read", uri("file:///central"))), 403, challengeFor("central"))
	if a := b.post(token, message("ping", nil), header("Origin", "https://evil.example")); a.Code != http.StatusForbidden {
		t.Errorf("an origin that was written in later: %d", a.Code)
	}
	if a := b.post(b.as.Mint(emamwtest.Token{Tenant: "evil"}), message("ping", nil)); a.Code != http.StatusUnauthorized {
		t.Errorf("a tenant that was written in later: %d", a.Code)
	}
}
