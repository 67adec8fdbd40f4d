package emamw_test

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/scopes"
)

// good is a Config without mistakes, which changes then spoil.
func good() emamw.Config {
	return emamw.Config{
		Resource:             resource,
		AuthorizationServers: []emamw.AuthorizationServer{{Issuer: issuer, JWKSURL: "http://127.0.0.1:1/jwks"}},
		Logger:               slog.New(slog.DiscardHandler),
	}
}

// fields returns the fields that New complains about.
func fields(t *testing.T, err error) (names []string) {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("got %v, want a joined error", err)
	}
	for _, e := range joined.Unwrap() {
		var mistake *emamw.ConfigError
		if !errors.As(e, &mistake) {
			t.Errorf("%v is no ConfigError", e)
			continue
		}
		if !strings.HasPrefix(e.Error(), "emamw: Config.") || mistake.Reason == "" {
			t.Errorf("%q does not say whose mistake it is, or not the cure", e)
		}
		names = append(names, mistake.Field)
	}
	return names
}

func TestConfigMistakes(t *testing.T) {
	first := func(change func(*emamw.AuthorizationServer)) func(*emamw.Config) {
		return func(c *emamw.Config) { change(&c.AuthorizationServers[0]) }
	}
	tests := []struct {
		name   string
		change func(*emamw.Config)
		field  string
	}{
		{"no resource", func(c *emamw.Config) { c.Resource = "" }, "Resource"},
		{"resource is a path", func(c *emamw.Config) { c.Resource = "/mcp" }, "Resource"},
		{"resource over http", func(c *emamw.Config) { c.Resource = "http://mcp.example/mcp" }, "Resource"},
		{"resource with a fragment", func(c *emamw.Config) { c.Resource = resource + "#a" }, "Resource"},
		{"resource with a user", func(c *emamw.Config) { c.Resource = "https://u:p@mcp.example/mcp" }, "Resource"},
		{"resource with an empty query", func(c *emamw.Config) { c.Resource = resource + "?" }, "Resource"},
		{"resource with a query", func(c *emamw.Config) { c.Resource = resource + "?a=b" }, "Resource"},
		{"no authorization server", func(c *emamw.Config) { c.AuthorizationServers = nil }, "AuthorizationServers"},
		{"no issuer", first(func(a *emamw.AuthorizationServer) { a.Issuer = "" }), "AuthorizationServers[0].Issuer"},
		{"issuer over http", first(func(a *emamw.AuthorizationServer) { a.Issuer = "http://as.example" }), "AuthorizationServers[0].Issuer"},
		{"issuer with a query", first(func(a *emamw.AuthorizationServer) { a.Issuer = issuer + "?a" }), "AuthorizationServers[0].Issuer"},
		{"issuer twice", func(c *emamw.Config) {
			c.AuthorizationServers = append(c.AuthorizationServers, c.AuthorizationServers[0])
		}, "AuthorizationServers[1].Issuer"},
		{"template without tenants", first(func(a *emamw.AuthorizationServer) { a.Issuer = "https://login.example/{tenantid}/v2.0" }), "AuthorizationServers[0].Tenants"},
		{"tenant that is no path segment", first(func(a *emamw.AuthorizationServer) {
			a.Issuer, a.Tenants = "https://login.example/{tenantid}/v2.0", []string{"acme", "acme/evil"}
		}), "AuthorizationServers[0].Tenants[1]"},
		{"empty tenant of a template", first(func(a *emamw.AuthorizationServer) {
			a.Issuer, a.Tenants = "https://login.example/{tenantid}/v2.0", []string{""}
		}), "AuthorizationServers[0].Tenants"},
		{"template in the host", first(func(a *emamw.AuthorizationServer) { a.Issuer, a.Tenants = "https://x{tenantid}.example", []string{"t"} }), "AuthorizationServers[0].Issuer"},
		{"keys over http", first(func(a *emamw.AuthorizationServer) { a.JWKSURL = "http://as.example/jwks" }), "AuthorizationServers[0].JWKSURL"},
		{"algorithm none", first(func(a *emamw.AuthorizationServer) { a.Algorithms = []string{"none"} }), "AuthorizationServers[0].Algorithms[0]"},
		{"algorithm HS256", first(func(a *emamw.AuthorizationServer) { a.Algorithms = []string{"RS256", "HS256"} }), "AuthorizationServers[0].Algorithms[1]"},
		{"empty audience", first(func(a *emamw.AuthorizationServer) { a.Audiences = []string{""} }), "AuthorizationServers[0].Audiences"},
		{"tenants taken away", first(func(a *emamw.AuthorizationServer) { a.Tenants = []string{} }), "AuthorizationServers[0].Tenants"},
		{"empty tenant", first(func(a *emamw.AuthorizationServer) { a.Tenants = []string{"a", ""} }), "AuthorizationServers[0].Tenants"},
		{"ID-JAG as access token", first(func(a *emamw.AuthorizationServer) { a.TokenTypes = []string{"application/OAuth-ID-JAG+jwt"} }), "AuthorizationServers[0].TokenTypes[0]"},
		{"mapping of ID-JAGs", first(func(a *emamw.AuthorizationServer) { a.Claims = claims.IDJAG() }), "AuthorizationServers[0].TokenTypes[0]"},
		{"no token types", first(func(a *emamw.AuthorizationServer) { a.TokenTypes = []string{} }), "AuthorizationServers[0].TokenTypes"},
		{"negative age", first(func(a *emamw.AuthorizationServer) { a.MaxAge = -1 }), "AuthorizationServers[0].MaxAge"},
		{"mapping that is none", first(func(a *emamw.AuthorizationServer) {
			a.Claims = claims.Mapping{Preset: "no such product"}
		}), "AuthorizationServers[0].Claims"},
		{"base scope with a space", func(c *emamw.Config) { c.BaseScopes = []string{"a b"} }, "BaseScopes[0]"},
		{"refresh tokens asked for", func(c *emamw.Config) { c.BaseScopes = []string{"offline_access"} }, "BaseScopes"},
		{"supported scope with a quote", func(c *emamw.Config) { c.ScopesSupported = []string{"a", `"`} }, "ScopesSupported[1]"},
		{"hierarchy with a cycle", func(c *emamw.Config) { c.Hierarchy = scopes.Hierarchy{"a": {"a"}} }, "Hierarchy"},
		{"unruled that is broken", func(c *emamw.Config) { c.Unruled = scopes.All() }, "Unruled"},
		{"rule that is zero", func(c *emamw.Config) { c.Rules.Tools = map[string]scopes.Rule{"t": {}} }, `Rules.Tools["t"]`},
		{"rule that is broken", func(c *emamw.Config) { c.Rules.Resources = map[string]scopes.Rule{"a:*": scopes.Scope("")} }, `Rules.Resources["a:*"]`},
		{"rule without a name", func(c *emamw.Config) { c.Rules.Prompts = map[string]scopes.Rule{"": scopes.Authenticated()} }, "Rules.Prompts"},
		{"skew of an hour", func(c *emamw.Config) { c.ClockSkew = time.Hour }, "ClockSkew"},
		{"skew below zero", func(c *emamw.Config) { c.ClockSkew = -time.Second }, "ClockSkew"},
		{"body below zero", func(c *emamw.Config) { c.MaxRequestBytes = -1 }, "MaxRequestBytes"},
		{"key age below zero", func(c *emamw.Config) { c.MaxKeyAge = -1 }, "MaxKeyAge"},
		{"key age of a second", func(c *emamw.Config) { c.MaxKeyAge = time.Second }, "MaxKeyAge"},
		{"revocation delay below zero", func(c *emamw.Config) { c.MaxRevocationDelay = -1 }, "MaxRevocationDelay"},
		{"short session key", func(c *emamw.Config) { c.SessionKey = make([]byte, 31) }, "SessionKey"},
		{"short pseudonym key", func(c *emamw.Config) { c.PseudonymKey = make([]byte, 31) }, "PseudonymKey"},
		{"short earlier session key", func(c *emamw.Config) { c.PreviousSessionKeys = [][]byte{make([]byte, 8)} }, "PreviousSessionKeys[0]"},
		{"origin without a host", func(c *emamw.Config) { c.AllowedOrigins = []string{"https://"} }, "AllowedOrigins[0]"},
		{"origin with a path", func(c *emamw.Config) { c.AllowedOrigins = []string{"https://a.example/"} }, "AllowedOrigins[0]"},
		{"origin in upper case", func(c *emamw.Config) { c.AllowedOrigins = []string{"*", "https://A.example"} }, "AllowedOrigins[1]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := good()
			tt.change(&cfg)
			_, err := emamw.New(t.Context(), server.NewMCPServer("s", "1"), cfg)
			if got := fields(t, err); !slices.Equal(got, []string{tt.field}) {
				t.Errorf("got mistakes in %q, want %q", got, tt.field)
			}
		})
	}
}

// A URL with a password in it is refused, and the error goes into a log.
func TestNoPasswordInAMistake(t *testing.T) {
	const url = "https://u:secret@x.example"
	_, err := emamw.New(t.Context(), server.NewMCPServer("s", "1"), emamw.Config{
		Resource:             url,
		AuthorizationServers: []emamw.AuthorizationServer{{Issuer: url, JWKSURL: url}},
		AllowedOrigins:       []string{url},
	})
	if n := len(fields(t, err)); n != 4 || strings.Contains(err.Error(), "secret") {
		t.Errorf("%d mistakes, want 4: %v", n, err)
	}
}

// Where an issuer's access tokens have another typ than at+jwt, or none, the types
// of its other tokens still cannot be taken for one (RFC 8725 section 3.11).
func TestForeignTypesAreRefused(t *testing.T) {
	for _, typ := range []string{
		"oauth-id-jag+jwt", "dpop+jwt", "client-authentication+jwt", "secevent+jwt", "logout+jwt",
		"jwk-set+jwt", "oauth-authz-req+jwt", "token-introspection+jwt",
		"application/logout+jwt", "SECEVENT+JWT",
	} {
		cfg := good()
		cfg.AuthorizationServers[0].TokenTypes = []string{"JWT", "", typ}
		_, err := emamw.New(t.Context(), server.NewMCPServer("s", "1"), cfg)
		if got := fields(t, err); !slices.Equal(got, []string{"AuthorizationServers[0].TokenTypes[2]"}) {
			t.Errorf("%s: mistakes in %q", typ, got)
		}
	}
}

// A deployment is put right in one round.
func TestEveryMistakeAtOnce(t *testing.T) {
	_, err := emamw.New(t.Context(), server.NewMCPServer("s", "1"), emamw.Config{
		Resource:             "mcp",
		AuthorizationServers: []emamw.AuthorizationServer{{}, {Issuer: "http://x.example", Algorithms: []string{"none"}}},
		BaseScopes:           []string{""},
		ClockSkew:            time.Hour,
		SessionKey:           []byte("secret"),
	})
	want := []string{"AuthorizationServers[0].Issuer", "AuthorizationServers[1].Algorithms[0]", "AuthorizationServers[1].Issuer", "BaseScopes[0]", "ClockSkew", "Resource", "SessionKey"}
	got := fields(t, err)
	slices.Sort(got)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if strings.Contains(err.Error(), "secret") {
		t.Error("the error holds a key")
	}
}

func TestZeroConfigIsRefused(t *testing.T) {
	if _, err := emamw.New(t.Context(), server.NewMCPServer("s", "1"), emamw.Config{}); err == nil {
		t.Error("a zero Config was accepted")
	}
	if _, err := emamw.New(t.Context(), nil, good()); err == nil {
		t.Error("no server was accepted")
	}
}

// Two gates in one server would have to agree on every answer.
func TestOneGuardPerServer(t *testing.T) {
	s := server.NewMCPServer("s", "1")
	if _, err := emamw.New(t.Context(), s, emamw.Config{}); err == nil {
		t.Fatal("a zero Config was accepted")
	}
	if _, err := emamw.New(t.Context(), s, good()); err != nil {
		t.Fatalf("after a refused Config: %v", err)
	}
	if _, err := emamw.New(t.Context(), s, good()); err == nil || !strings.HasPrefix(err.Error(), "emamw: ") {
		t.Errorf("got %v for the second New", err)
	}
	if _, err := emamw.New(t.Context(), server.NewMCPServer("s", "1"), good()); err != nil {
		t.Errorf("another server: %v", err)
	}
}

// Slices and maps of a Config may change after New without effect.
func TestConfigIsCopied(t *testing.T) {
	base := []string{"base"}
	b := newBench(t, with(func(c *emamw.Config) { c.BaseScopes = base }))
	base[0] = "other"
	b.wantAnswer(b.post(b.token("base"), message("ping", nil), header("Mcp-Session-Id", b.session(b.token("base")))), 200, "")
}
