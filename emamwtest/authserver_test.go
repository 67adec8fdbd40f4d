package emamwtest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/internal/jose"
)

var everyAlgorithm = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

func newServer(cfg emamwtest.AuthorizationServerConfig) *emamwtest.AuthorizationServer {
	if cfg.Issuer == "" {
		cfg.Issuer = "https://auth.example.com"
	}
	if cfg.Now == nil {
		cfg.Now = standstill
	}
	return emamwtest.NewAuthorizationServer(cfg)
}

// The standard library and the library's own JOSE code must both verify what
// the kit signs, with the keys that it publishes.
func TestEveryAlgorithmVerifies(t *testing.T) {
	as := newServer(emamwtest.AuthorizationServerConfig{Algorithms: everyAlgorithm})
	keys := keysOf(t, as)
	_, body := get(t, as, as.Issuer()+"/jwks")
	vetted, rejected, err := jose.ParseKeys(body)
	if err != nil || len(rejected) != 0 || len(vetted) != len(everyAlgorithm) {
		t.Fatalf("jose.ParseKeys: %d keys, rejected %v, error %v", len(vetted), rejected, err)
	}
	for i, alg := range everyAlgorithm {
		t.Run(alg, func(t *testing.T) {
			token := as.Mint(emamwtest.Token{Algorithm: alg})
			header, _ := read(t, token)
			wantClaims(t, header, object{"alg": alg, "typ": "at+jwt"})
			k := keys[header["kid"].(string)]
			if k.alg != alg || !signedBy(token, alg, k.key) {
				t.Error("crypto: the signature does not verify with the published key")
			}
			parsed, err := jose.Parse(token)
			if err != nil {
				t.Fatal(err)
			}
			if err := parsed.Verify(vetted[i].Key); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMint(t *testing.T) {
	as := newServer(emamwtest.AuthorizationServerConfig{Resource: "https://files.example.com/mcp", Scopes: []string{"files:read"}})
	now := instant.Unix()
	for _, c := range []struct {
		name   string
		token  emamwtest.Token
		header object
		claims object
	}{
		{"zero", emamwtest.Token{},
			object{"alg": "ES256", "kid": "ES256-1", "typ": "at+jwt"},
			object{"iss": "https://auth.example.com", "sub": "alice", "client_id": "mcp-client", "aud": "https://files.example.com/mcp",
				"iat": now, "exp": now + 300, "scope": "files:read",
				"groups": nil, "roles": nil, "tenant": nil, "resource": nil, "nbf": nil}},
		{"every field", emamwtest.Token{
			Subject: "bob", ClientID: "cli", Audience: []string{"a", "b"}, Resource: "r", Scopes: []string{"x", "y"},
			Groups: []string{"g"}, Roles: []string{"r"}, Tenant: "t",
			IssuedAt: instant.Add(-time.Minute), Lifetime: time.Hour, ID: "id",
		}, nil,
			object{"sub": "bob", "client_id": "cli", "aud": []string{"a", "b"}, "resource": "r", "scope": "x y",
				"groups": []string{"g"}, "roles": []string{"r"}, "tenant": "t", "iat": now - 60, "exp": now + 3540, "jti": "id"}},
		{"no scopes", emamwtest.Token{Scopes: []string{}}, nil, object{"scope": nil}},
		{"no groups", emamwtest.Token{Groups: []string{}, Roles: []string{}}, nil, object{"groups": []string{}, "roles": []string{}}},
		{"no audience", emamwtest.Token{Audience: []string{}}, nil, object{"aud": []string{}}},
		{"expired", emamwtest.Token{Lifetime: -time.Minute}, nil, object{"iat": now, "exp": now - 60}},
		{"overridden", emamwtest.Token{
			Header: object{"typ": "JWT", "x": 1, "kid": nil},
			Claims: object{"sub": 7, "jti": nil, "extra": true, "nbf": json.RawMessage("null")},
		}, object{"typ": "JWT", "x": 1, "kid": nil, "alg": "ES256"}, object{"sub": 7, "jti": nil, "extra": true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			header, claims := read(t, as.Mint(c.token))
			wantClaims(t, header, c.header)
			wantClaims(t, claims, c.claims)
		})
	}
	_, claims := read(t, as.Mint(emamwtest.Token{Claims: object{"nbf": json.RawMessage("null")}}))
	if v, present := claims["nbf"]; !present || v != nil {
		t.Error("json.RawMessage(null) must write a null")
	}
	_, first := read(t, as.Mint(emamwtest.Token{}))
	_, second := read(t, as.Mint(emamwtest.Token{}))
	if first["jti"] == second["jti"] || first["jti"] == "" {
		t.Error("two tokens must not share a jti")
	}
}

func TestMintClaims(t *testing.T) {
	as := newServer(emamwtest.AuthorizationServerConfig{Algorithms: []string{"ES256", "EdDSA"}})
	keys := keysOf(t, as)
	given := object{"iss": "https://other.example", "cid": "x"}
	for _, c := range []struct {
		name   string
		header object
		want   object
		key    string
	}{
		{"nil header", nil, object{"alg": "ES256", "kid": "ES256-1", "typ": "JWT"}, "ES256-1"},
		{"alg chooses the key", object{"alg": "EdDSA"}, object{"alg": "EdDSA", "kid": "EdDSA-1", "typ": "JWT"}, "EdDSA-1"},
		{"typ and kid", object{"typ": "at+jwt", "kid": "k"}, object{"alg": "ES256", "kid": "k", "typ": "at+jwt"}, "ES256-1"},
		{"removed", object{"typ": nil, "kid": nil}, object{"alg": "ES256", "kid": nil, "typ": nil}, "ES256-1"},
		{"no algorithm", object{"alg": "none"}, object{"alg": "none", "kid": "ES256-1"}, "ES256-1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			token := as.MintClaims(c.header, given)
			header, claims := read(t, token)
			wantClaims(t, header, c.want)
			if text(t, claims) != text(t, given) {
				t.Errorf("claims %v, want exactly %v", claims, given)
			}
			if k := keys[c.key]; !signedBy(token, k.alg, k.key) {
				t.Errorf("not signed by %s", c.key)
			}
		})
	}
}

func TestAuthorizationServerMetadata(t *testing.T) {
	for _, issuer := range []string{"https://auth.example.com", "https://auth.example.com/", "https://auth.example.com/realms/acme"} {
		as := newServer(emamwtest.AuthorizationServerConfig{Issuer: issuer})
		path := strings.TrimSuffix(strings.TrimPrefix(issuer, "https://auth.example.com"), "/")
		base := "https://auth.example.com"
		for _, url := range []string{
			base + "/.well-known/oauth-authorization-server" + path,
			base + "/.well-known/openid-configuration" + path,
			base + path + "/.well-known/openid-configuration",
		} {
			resp, body := get(t, as, url)
			if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" {
				t.Fatalf("%s: %s, %s", url, resp.Status, resp.Header.Get("Content-Type"))
			}
			var metadata object
			if err := json.Unmarshal(body, &metadata); err != nil {
				t.Fatal(err)
			}
			wantClaims(t, metadata, object{
				"issuer":                           issuer,
				"jwks_uri":                         base + path + "/jwks",
				"token_endpoint":                   base + path + "/token",
				"authorization_endpoint":           base + path + "/authorize",
				"response_types_supported":         []string{"code"},
				"code_challenge_methods_supported": []string{"S256"},
			})
		}
		for url, status := range map[string]int{
			base + path + "/authorize": http.StatusNotImplemented,
			base + path + "/token":     http.StatusBadRequest,
			base + path + "/other":     http.StatusNotFound,
			base + "/x" + path:         http.StatusNotFound,
			base + "/realms/token":     http.StatusNotFound,
		} {
			if resp, _ := get(t, as, url); resp.StatusCode != status {
				t.Errorf("%s: %d, want %d", url, resp.StatusCode, status)
			}
		}
	}
}

// Endpoints lie below the issuer, not beside it.
func TestEndpointsBesideTheIssuer(t *testing.T) {
	as := newServer(emamwtest.AuthorizationServerConfig{Issuer: "https://auth.example.com/realms/acme"})
	for _, path := range []string{"/token", "/jwks", "/.well-known/oauth-authorization-server", "/realms/acme"} {
		if resp, _ := get(t, as, "https://auth.example.com"+path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

func TestRotation(t *testing.T) {
	as := newServer(emamwtest.AuthorizationServerConfig{Algorithms: []string{"ES256", "EdDSA"}})
	before := as.Mint(emamwtest.Token{})
	as.RotateKey()
	after := as.Mint(emamwtest.Token{})

	good := func(token string) bool {
		header, _ := read(t, token)
		k, ok := keysOf(t, as)[header["kid"].(string)]
		return ok && signedBy(token, k.alg, k.key)
	}
	if len(keysOf(t, as)) != 4 || !good(before) || !good(after) {
		t.Error("after a rotation both generations must be published")
	}
	if header, _ := read(t, after); header["kid"] != "ES256-2" {
		t.Errorf("kid %v, want the new key's", header["kid"])
	}
	as.WithdrawKey()
	if len(keysOf(t, as)) != 2 || good(before) || !good(after) {
		t.Error("after the withdrawal only the newest keys must be published")
	}
	if as.KeyFetches() == 0 {
		t.Error("KeyFetches did not count")
	}
}

func TestKeyFetches(t *testing.T) {
	as := newServer(emamwtest.AuthorizationServerConfig{})
	for want := range 3 {
		if got := as.KeyFetches(); got != want {
			t.Errorf("KeyFetches() = %d, want %d", got, want)
		}
		get(t, as, as.Issuer()+"/jwks")
	}
}

func TestStartAuthorizationServer(t *testing.T) {
	as := emamwtest.StartAuthorizationServer(emamwtest.AuthorizationServerConfig{Issuer: "/realms/acme"})
	defer as.Close()
	if !strings.HasPrefix(as.Issuer(), "http://127.0.0.1:") || !strings.HasSuffix(as.Issuer(), "/realms/acme") {
		t.Errorf("issuer %s", as.Issuer())
	}
	token := as.Mint(emamwtest.Token{})
	header, claims := read(t, token)
	k := keysOf(t, as)[header["kid"].(string)]
	if !signedBy(token, k.alg, k.key) {
		t.Error("the token does not verify with the key set on loopback")
	}
	if got := seconds(t, claims["iat"]); time.Since(got).Abs() > time.Minute {
		t.Errorf("iat %v: the default clock is time.Now", got)
	}
	as.Close()
	if _, err := http.Get(as.Issuer() + "/jwks"); err == nil {
		t.Error("the server answers after Close")
	}
}

func TestAuthorizationServerMisuse(t *testing.T) {
	as := newServer(emamwtest.AuthorizationServerConfig{})
	as.Close() // of a mere handler does nothing
	for name, c := range map[string]struct {
		misuse func()
		cure   string
	}{
		"no issuer":               {func() { emamwtest.NewAuthorizationServer(emamwtest.AuthorizationServerConfig{}) }, "absolute"},
		"issuer without scheme":   {func() { newServer(emamwtest.AuthorizationServerConfig{Issuer: "auth.example.com"}) }, "absolute"},
		"issuer that is no URL":   {func() { newServer(emamwtest.AuthorizationServerConfig{Issuer: "https://a b"}) }, "absolute"},
		"issuer with a query":     {func() { newServer(emamwtest.AuthorizationServerConfig{Issuer: "https://a?b"}) }, "without query"},
		"unknown algorithm":       {func() { newServer(emamwtest.AuthorizationServerConfig{Algorithms: []string{"HS256"}}) }, "signs with"},
		"full issuer with Start":  {func() { emamwtest.StartAuthorizationServer(emamwtest.AuthorizationServerConfig{Issuer: "https://a"}) }, "path"},
		"algorithm without key":   {func() { as.Mint(emamwtest.Token{Algorithm: "RS256"}) }, "add it to Algorithms"},
		"claims without key":      {func() { as.MintClaims(object{"alg": "RS256"}, nil) }, "add it to Algorithms"},
		"claims that are no JSON": {func() { as.MintClaims(nil, object{"x": func() {}}) }, "json"},
	} {
		t.Run(name, func(t *testing.T) {
			if message := panics(t, c.misuse); !strings.Contains(message, c.cure) {
				t.Errorf("panic %q does not tell the cure", message)
			}
		})
	}
}
