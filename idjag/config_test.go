package idjag_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/idjag"
)

// mistakes returns the fields that New finds at fault.
func mistakes(t *testing.T, change func(w *world, cfg *idjag.Config)) []string {
	t.Helper()
	w := &world{t: t, clock: &clock{now: begin}, audits: &recorder{}, logs: &logbook{}, net: &network{answers: map[string]http.HandlerFunc{}, asked: map[string]int{}}}
	cfg := w.config()
	change(w, &cfg)
	_, err := idjag.New(t.Context(), cfg)
	return fieldsOf(t, err)
}

func fieldsOf(t *testing.T, err error) (fields []string) {
	t.Helper()
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%v is not a joined error", err)
	}
	for _, err := range joined.Unwrap() {
		var mistake *idjag.ConfigError
		if !errors.As(err, &mistake) {
			t.Fatalf("%v is no *ConfigError", err)
		}
		if !strings.HasPrefix(mistake.Error(), "idjag: "+mistake.Field) || mistake.Reason == "" {
			t.Errorf("error %q does not name its field", mistake)
		}
		if strings.Contains(mistake.Error(), secret) {
			t.Errorf("error %q shows a secret", mistake)
		}
		fields = append(fields, mistake.Field)
	}
	slices.Sort(fields)
	return fields
}

func TestConfigMistakes(t *testing.T) {
	type config = idjag.Config
	idp := func(change func(p *idjag.IdentityProvider)) func(*config) {
		return func(c *config) { change(&c.IdentityProviders[0]) }
	}
	client := func(change func(c *idjag.Client)) func(*config) {
		return func(c *config) { change(&c.Clients[0]) }
	}
	tests := []struct {
		name   string
		change func(c *config)
		fields []string
	}{
		{"none", func(*config) {}, nil},
		{"issuer empty", func(c *config) { c.Issuer = "" }, []string{"Issuer"}},
		{"issuer http", func(c *config) { c.Issuer = "http://auth.example.com" }, []string{"Issuer"}},
		{"issuer http on loopback", func(c *config) { c.Issuer = "http://127.0.0.1:8081" }, nil},
		{"issuer http, dangerously", func(c *config) { c.Issuer, c.DangerouslyAllowHTTP = "http://auth.internal", true }, nil},
		{"issuer with a query", func(c *config) { c.Issuer += "?a=b" }, []string{"Issuer"}},
		{"issuer with an empty query", func(c *config) { c.Issuer += "?" }, []string{"Issuer"}},
		{"issuer with a fragment", func(c *config) { c.Issuer += "#a" }, []string{"Issuer"}},
		{"issuer relative", func(c *config) { c.Issuer = "auth.example.com" }, []string{"Issuer"}},
		{"no resource", func(c *config) { c.Resources = nil }, []string{"Resources"}},
		{"resource relative", func(c *config) { c.Resources[0].ID = "/mcp" }, []string{"Resources[0].ID"}},
		{"resource twice", func(c *config) { c.Resources = append(c.Resources, idjag.Resource{ID: resourceID}) }, []string{"Resources[1].ID"}},
		{"scope with a space", func(c *config) { c.Resources[0].Scopes[1] = "a b" }, []string{"Resources[0].Scopes[1]"}},
		{"no provider", func(c *config) { c.IdentityProviders = nil }, []string{"IdentityProviders"}},
		{"provider is this server", idp(func(p *idjag.IdentityProvider) { p.Issuer = ownIssuer }), []string{"IdentityProviders[0].Issuer"}},
		{"provider without issuer", idp(func(p *idjag.IdentityProvider) { p.Issuer = "" }), []string{"IdentityProviders[0].Issuer"}},
		{"provider twice", func(c *config) { c.IdentityProviders = append(c.IdentityProviders, c.IdentityProviders[0]) }, []string{"IdentityProviders[1].Issuer"}},
		{"issuer with a password", func(c *config) { c.Issuer = "https://svc:" + secret + "@auth.example.com" }, []string{"Issuer"}},
		{"keys behind a password", idp(func(p *idjag.IdentityProvider) { p.JWKSURL = "https://svc:" + secret + "@idp.example.com/jwks" }), []string{"IdentityProviders[0].JWKSURL"}},
		{"provider over http", idp(func(p *idjag.IdentityProvider) { p.Issuer = "http://idp.example.com" }), []string{"IdentityProviders[0].Issuer"}},
		{"keys over http", idp(func(p *idjag.IdentityProvider) { p.JWKSURL = "http://idp.example.com/jwks" }), []string{"IdentityProviders[0].JWKSURL"}},
		{"none as algorithm", idp(func(p *idjag.IdentityProvider) { p.Algorithms = []string{"RS256", "none"} }), []string{"IdentityProviders[0].Algorithms[1]"}},
		{"HS256 as algorithm", idp(func(p *idjag.IdentityProvider) { p.Algorithms = []string{"HS256"} }), []string{"IdentityProviders[0].Algorithms[0]"}},
		{"no algorithm", idp(func(p *idjag.IdentityProvider) { p.Algorithms = []string{} }), []string{"IdentityProviders[0].Algorithms"}},
		{"life too long", idp(func(p *idjag.IdentityProvider) { p.MaxLifetime = 2 * time.Hour }), []string{"IdentityProviders[0].MaxLifetime"}},
		{"tenant empty", idp(func(p *idjag.IdentityProvider) { p.Tenants = []string{""} }), []string{"IdentityProviders[0].Tenants"}},
		{"tenants and any", idp(func(p *idjag.IdentityProvider) { p.Tenants, p.DangerouslyAnyTenant = []string{"a"}, true }), []string{"IdentityProviders[0].DangerouslyAnyTenant"}},
		{"verbatim subject", idp(func(p *idjag.IdentityProvider) { p.Subject = idjag.VerbatimSubject }), nil},
		{"verbatim subject over tenants", idp(func(p *idjag.IdentityProvider) { p.Subject, p.Tenants = idjag.VerbatimSubject, []string{"a", "b"} }), []string{"IdentityProviders[0].Subject"}},
		{"verbatim subject over any tenants", idp(func(p *idjag.IdentityProvider) { p.Subject, p.DangerouslyAnyTenant = idjag.VerbatimSubject, true }), []string{"IdentityProviders[0].Subject"}},
		{"verbatim subject of two providers", func(c *config) {
			c.IdentityProviders[0].Subject = idjag.VerbatimSubject
			c.IdentityProviders = append(c.IdentityProviders, idjag.IdentityProvider{Issuer: "https://second.example.com"})
		}, []string{"IdentityProviders[0].Subject"}},
		{"unknown subject form", idp(func(p *idjag.IdentityProvider) { p.Subject = "email" }), []string{"IdentityProviders[0].Subject"}},
		{"e-mail domain", idp(func(p *idjag.IdentityProvider) { p.EmailDomains = []string{"@example.com"} }), []string{"IdentityProviders[0].EmailDomains[0]"}},
		{"no e-mail domain", idp(func(p *idjag.IdentityProvider) { p.EmailDomains = []string{""} }), []string{"IdentityProviders[0].EmailDomains[0]"}},
		{"mapping", idp(func(p *idjag.IdentityProvider) { p.Claims = claims.Mapping{Name: "x", Preset: "no such preset"} }), []string{"IdentityProviders[0].Claims"}},
		{"provider's unknown client", idp(func(p *idjag.IdentityProvider) { p.Clients = []string{"nobody"} }), []string{"IdentityProviders[0].Clients[0]"}},
		{"provider's unknown resource", idp(func(p *idjag.IdentityProvider) { p.Resources = []string{otherMCP} }), []string{"IdentityProviders[0].Resources[0]"}},
		{"no client", func(c *config) { c.Clients = nil }, []string{"Clients"}},
		{"client without id", client(func(c *idjag.Client) { c.ID = "" }), []string{"Clients[0].ID"}},
		{"client twice", func(c *config) { c.Clients = append(c.Clients, c.Clients[0]) }, []string{"Clients[1].ID"}},
		{"client without credentials", client(func(c *idjag.Client) { c.SecretHashes = nil }), []string{"Clients[0]"}},
		{"client with the secret itself", client(func(c *idjag.Client) { c.SecretHashes = []string{secret} }), []string{"Clients[0].SecretHashes[0]"}},
		{"client with an empty secret", client(func(c *idjag.Client) { c.SecretHashes = []string{idjag.HashSecret("")} }), []string{"Clients[0].SecretHashes[0]"}},
		{"client public, with a secret", client(func(c *idjag.Client) { c.DangerouslyPublic = true }), []string{"Clients[0].DangerouslyPublic"}},
		{"client with bad keys", client(func(c *idjag.Client) { c.JWKS = []byte(`{"keys":[]}`) }), []string{"Clients[0].JWKS"}},
		{"client with two sets of keys", client(func(c *idjag.Client) { c.JWKS, c.JWKSURL = jwks(clientKey), "https://a.example.com" }), []string{"Clients[0].JWKS"}},
		{"client with keys over http", client(func(c *idjag.Client) { c.JWKSURL = "http://a.example.com" }), []string{"Clients[0].JWKSURL"}},
		{"client's unknown resource", client(func(c *idjag.Client) { c.Resources = []string{otherMCP} }), []string{"Clients[0].Resources[0]"}},
		{"documents from http", func(c *config) { c.ClientDocuments.Origins = []string{"http://a.example.com"} }, []string{"ClientDocuments.Origins[0]"}},
		{"documents from a path", func(c *config) { c.ClientDocuments.Origins = []string{"https://a.example.com/x"} }, []string{"ClientDocuments.Origins[0]"}},
		{"public documents from nowhere", func(c *config) { c.ClientDocuments.DangerouslyPublic = true }, []string{"ClientDocuments.DangerouslyPublic"}},
		{"origin with a slash", func(c *config) { c.AllowedOrigins = []string{"https://app.example.com/"} }, []string{"AllowedOrigins[0]"}},
		{"origin in upper case", func(c *config) { c.AllowedOrigins = []string{"https://App.example.com"} }, []string{"AllowedOrigins[0]"}},
		{"origin star", func(c *config) { c.AllowedOrigins = []string{"*"} }, []string{"AllowedOrigins[0]"}},
		{"policy and groups", func(c *config) {
			c.Policy = &idjag.Policy{Rules: []idjag.Rule{{Name: "a", Scopes: []string{"files:read"}}}}
			c.GroupScopes = map[string][]string{"a": {"files:read"}}
		}, []string{"GroupScopes"}},
		{"a group's scope that is none", func(c *config) {
			c.GroupScopes = map[string][]string{"a": {"files:read"}, "b": {"files:read", "no:such"}}
		}, []string{`GroupScopes["b"].Scopes[1]`}},
		{"groups taken away", func(c *config) { c.GroupScopes = map[string][]string{} }, []string{"GroupScopes"}},
		{"token life", func(c *config) { c.TokenLifetime = time.Hour + 1 }, []string{"TokenLifetime"}},
		{"token life too short", func(c *config) { c.TokenLifetime = time.Millisecond }, []string{"TokenLifetime"}},
		{"provider's tenants taken away", idp(func(p *idjag.IdentityProvider) { p.Tenants = []string{} }), []string{"IdentityProviders[0].Tenants"}},
		{"provider's clients taken away", idp(func(p *idjag.IdentityProvider) { p.Clients = []string{} }), []string{"IdentityProviders[0].Clients"}},
		{"provider's resources taken away", idp(func(p *idjag.IdentityProvider) { p.Resources = []string{} }), []string{"IdentityProviders[0].Resources"}},
		{"client's resources taken away", client(func(c *idjag.Client) { c.Resources = []string{} }), []string{"Clients[0].Resources"}},
		{"token life negative", func(c *config) { c.TokenLifetime = -1 }, []string{"TokenLifetime"}},
		{"skew", func(c *config) { c.ClockSkew = time.Hour }, []string{"ClockSkew"}},
		{"pseudonym key", func(c *config) { c.PseudonymKey = []byte("short") }, []string{"PseudonymKey"}},
		{"no key", func(c *config) { c.Keys = idjag.Keys{} }, []string{"Keys.Current"}},
		{"a key with another algorithm", func(c *config) { c.Keys.Current.Algorithm = "RS256" }, []string{"Keys.Current"}},
		{"a key twice", func(c *config) { next := c.Keys.Current; c.Keys.Next = &next }, []string{"Keys.Next"}},
		{"everything at once", func(c *config) { *c = config{} }, []string{"Clients", "IdentityProviders", "Issuer", "Keys.Current", "Resources"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mistakes(t, func(_ *world, cfg *idjag.Config) { tt.change(cfg) })
			if !slices.Equal(got, tt.fields) {
				t.Errorf("mistakes in %v, want %v", got, tt.fields)
			}
		})
	}
}

// TestEmptyIsNotRelative: what was left out is called that.
func TestEmptyIsNotRelative(t *testing.T) {
	_, err := idjag.New(t.Context(), idjag.Config{Resources: []idjag.Resource{{}}})
	if err == nil || !strings.Contains(err.Error(), "Resources[0].ID is empty") {
		t.Errorf("%v", err)
	}
}

// TestNoPasswordInAMistake: the error goes into a log.
func TestNoPasswordInAMistake(t *testing.T) {
	const url = "https://u:secret@x.example"
	_, err := idjag.New(t.Context(), idjag.Config{
		Issuer:            url,
		Resources:         []idjag.Resource{{ID: url}},
		IdentityProviders: []idjag.IdentityProvider{{Issuer: url + "/idp", JWKSURL: url}},
		Clients:           []idjag.Client{{ID: "c", JWKSURL: url}},
		AllowedOrigins:    []string{url},
		ClientDocuments:   idjag.ClientDocuments{Origins: []string{url}},
		Keys:              idjag.Keys{Current: idjag.DangerouslyEphemeralKey()},
	})
	if n := strings.Count(err.Error(), "\n") + 1; n != 7 || strings.Contains(err.Error(), "secret") {
		t.Errorf("%d mistakes, want 7: %v", n, err)
	}
}

// TestConfigIsCopied: what a caller changes after New changes nothing.
func TestConfigIsCopied(t *testing.T) {
	var kept *idjag.Config
	w := newWorld(t, func(_ *world, cfg *idjag.Config) {
		cfg.Resources[0].Scopes = []string{"files:read"}
		cfg.IdentityProviders[0].Algorithms = []string{"ES256"}
		cfg.IdentityProviders[0].Clients = []string{clientID}
		cfg.IdentityProviders[0].Resources = []string{resourceID}
		cfg.IdentityProviders[0].Tenants = []string{"acme"}
		cfg.Clients[0].Resources = []string{resourceID}
		cfg.GroupScopes = map[string][]string{"Engineering": {"files:read"}}
		kept = cfg
	})
	kept.IdentityProviders[0].Clients[0], kept.IdentityProviders[0].Resources[0], kept.IdentityProviders[0].Tenants[0] = "x", "x", "x"
	kept.Clients[0].Resources[0], kept.GroupScopes["Engineering"][0] = "x", "x"
	kept.Resources[0].Scopes[0] = "root"
	kept.IdentityProviders[0].Algorithms[0] = "RS256"
	if got := w.granted(w.redeem(w.mint(with(claimSet{"tenant": "acme", "groups": []string{"Engineering"}}))))["scope"]; got != "files:read" {
		t.Errorf("scope %v", got)
	}
}
