package idjag_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/idjag"
	"github.com/emamw/mcp-ema/internal/jose"
	"github.com/emamw/mcp-ema/revocation"
)

func (w *world) get(path string) answer {
	w.t.Helper()
	return w.send(httptest.NewRequest(http.MethodGet, "https://auth.example.com"+path, nil))
}

func TestMetadata(t *testing.T) {
	w := newWorld(t, func(w *world, cfg *idjag.Config) {
		cfg.Resources = append(cfg.Resources, idjag.Resource{ID: otherMCP, Scopes: []string{"files:read", "mail:send"}})
		cfg.Revocations = revocation.NewMemory(0, w.clock.Now)
		cfg.ClientDocuments.Origins = []string{"https://client.example.com"}
		cfg.Policy = &idjag.Policy{Rules: []idjag.Rule{{Name: "a", Scopes: []string{"files:read"}, ACRValues: []string{"phr"}}}}
	})
	a := w.get("/.well-known/oauth-authorization-server")
	methods := []any{"client_secret_basic", "client_secret_post", "private_key_jwt"}
	algorithms := []any{"RS256", "PS256", "ES256", "EdDSA"}
	want := claimSet{
		"issuer":                                 ownIssuer,
		"authorization_endpoint":                 ownIssuer + "/authorize",
		"token_endpoint":                         ownIssuer + "/token",
		"jwks_uri":                               ownIssuer + "/jwks",
		"revocation_endpoint":                    ownIssuer + "/revoke",
		"scopes_supported":                       []any{"files:admin", "files:read", "files:write", "mail:send"},
		"response_types_supported":               []any{"code"},
		"grant_types_supported":                  []any{grantType},
		"authorization_grant_profiles_supported": []any{"urn:ietf:params:oauth:grant-profile:id-jag"},
		"code_challenge_methods_supported":       []any{"S256"},
		"token_endpoint_auth_methods_supported":  methods, "token_endpoint_auth_signing_alg_values_supported": algorithms,
		"revocation_endpoint_auth_methods_supported": methods, "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
		"client_id_metadata_document_supported": true,
		"protected_resources":                   []any{resourceID, otherMCP},
		"acr_values_supported":                  []any{"phr"},
		"subject_types_supported":               []any{"public"},
		"id_token_signing_alg_values_supported": []any{"ES256"},
	}
	if !reflect.DeepEqual(a.body, want) {
		t.Errorf("metadata\n%v, want\n%v", a.body, want)
	}
	if strings.Contains(a.raw, "idp.example.com") {
		t.Error("the metadata names an identity provider")
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=300"} {
		if got := a.header.Get(name); got != value {
			t.Errorf("%s %q, want %q", name, got, value)
		}
	}
	if strings.Contains(a.raw, "null") || strings.Contains(a.raw, "[]") {
		t.Error("a member without a value is in the document (RFC 8414 section 3.2)")
	}
}

// TestMinimalMetadata: what is not there is not published.
func TestMinimalMetadata(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *idjag.Config) { cfg.Resources[0].Scopes = nil })
	a := w.get("/.well-known/openid-configuration")
	for _, name := range []string{"revocation_endpoint", "revocation_endpoint_auth_methods_supported", "scopes_supported", "client_id_metadata_document_supported", "acr_values_supported"} {
		if value, ok := a.body[name]; ok {
			t.Errorf("%s is %v, want it absent", name, value)
		}
	}
	if strings.Contains(a.raw, "null") || strings.Contains(a.raw, "[]") {
		t.Errorf("a member without a value is in the document (RFC 8414 section 3.2): %s", a.raw)
	}
	if a := w.send(httptest.NewRequest(http.MethodPost, ownIssuer+"/revoke", nil)); a.status != http.StatusNotFound {
		t.Errorf("the revocation endpoint answers %d", a.status)
	}
	w = newWorld(t, func(_ *world, cfg *idjag.Config) {
		cfg.Clients = append(cfg.Clients, idjag.Client{ID: "open", DangerouslyPublic: true})
	})
	methods, _ := w.get("/.well-known/openid-configuration").body["token_endpoint_auth_methods_supported"].([]any)
	if !slices.Contains(methods, any("none")) {
		t.Errorf("methods %v do not tell that public clients are served", methods)
	}
}

// TestPaths: the issuer's path is inserted, not appended (RFC 8414 section 3.1).
func TestPaths(t *testing.T) {
	tests := []struct {
		issuer string
		paths  []string
		tokens string
	}{
		{"https://auth.example.com", []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/authorize", "/jwks", "/token"}, "https://auth.example.com/token"},
		{"https://auth.example.com/", []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/authorize", "/jwks", "/token"}, "https://auth.example.com/token"},
		{"https://auth.example.com/acme/as", []string{
			"/.well-known/oauth-authorization-server/acme/as", "/.well-known/openid-configuration/acme/as",
			"/acme/as/.well-known/openid-configuration", "/acme/as/authorize", "/acme/as/jwks", "/acme/as/token",
		}, "https://auth.example.com/acme/as/token"},
	}
	for _, tt := range tests {
		t.Run(tt.issuer, func(t *testing.T) {
			w := newWorld(t, func(_ *world, cfg *idjag.Config) { cfg.Issuer = tt.issuer })
			if got := w.Paths(); !slices.Equal(got, tt.paths) {
				t.Errorf("paths %v, want %v", got, tt.paths)
			}
			for _, path := range w.Paths() {
				if !strings.Contains(path, "/.well-known/") {
					continue
				}
				if a := w.get(path); a.body["issuer"] != tt.issuer || a.body["token_endpoint"] != tt.tokens {
					t.Errorf("%s: issuer %v, token endpoint %v", path, a.body["issuer"], a.body["token_endpoint"])
				}
			}
			for _, path := range []string{"/", "/tokens", "/token/", "/acme/.well-known/oauth-authorization-server", "//token"} {
				if a := w.get(path); a.status != http.StatusNotFound {
					t.Errorf("%s answers %d", path, a.status)
				}
			}
			mux := http.NewServeMux()
			for _, path := range w.Paths() {
				mux.Handle(path, w) // no two of them collide
			}
		})
	}
}

func TestPublicDocumentMethods(t *testing.T) {
	w := newWorld(t, nil)
	for _, path := range []string{"/.well-known/oauth-authorization-server", "/jwks"} {
		for method, status := range map[string]int{"GET": 200, "HEAD": 200, "OPTIONS": 204, "POST": 405, "PUT": 405} {
			a := w.send(httptest.NewRequest(method, ownIssuer+path, nil))
			if a.status != status || a.header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s %s: %d, want %d, readable from every origin", method, path, a.status, status)
			}
		}
	}
}

func TestAuthorizationEndpoint(t *testing.T) {
	w := newWorld(t, nil)
	a := w.get("/authorize")
	if a.status != 200 || !strings.Contains(a.raw, "identity provider") || !strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("answered %d %s", a.status, a.raw)
	}
	a = w.get("/authorize?response_type=code&redirect_uri=https%3A%2F%2Fevil.example.com&state=%3Cscript%3Ecanary")
	if a.status != http.StatusBadRequest || a.header.Get("Location") != "" || strings.Contains(a.raw, "canary") || strings.Contains(a.raw, "evil") {
		t.Errorf("answered %d, Location %q, %s", a.status, a.header.Get("Location"), a.raw)
	}
	if a := w.send(httptest.NewRequest(http.MethodPost, ownIssuer+"/authorize", nil)); a.status != http.StatusMethodNotAllowed {
		t.Errorf("POST answers %d", a.status)
	}
}

// TestCORS: a browser may show an answer of the token endpoint to scripts of the
// configured origins only.
func TestCORS(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *idjag.Config) { cfg.AllowedOrigins = []string{"https://app.example.com"} })
	for origin, allowed := range map[string]string{
		"https://app.example.com":      "https://app.example.com",
		"https://app.example.com.evil": "",
		"https://evil.example.com":     "",
		"null":                         "",
		"":                             "",
	} {
		preflight := httptest.NewRequest(http.MethodOptions, ownIssuer+"/token", nil)
		preflight.Header.Set("Origin", origin)
		preflight.Header.Set("Access-Control-Request-Method", "POST")
		r := tokenRequest(form(w.mint(nil)))
		r.SetBasicAuth(clientID, secret)
		r.Header.Set("Origin", origin)
		for _, a := range []answer{w.send(preflight), w.send(r)} {
			if got := a.header.Get("Access-Control-Allow-Origin"); got != allowed {
				t.Errorf("origin %q: allowed %q, want %q", origin, got, allowed)
			}
			if a.header.Get("Vary") != "Origin" || a.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("origin %q: Vary %q, credentials %q", origin, a.header.Get("Vary"), a.header.Get("Access-Control-Allow-Credentials"))
			}
		}
	}
}

// keyIDs are those of the published set.
func (w *world) keyIDs() (ids []string) {
	w.t.Helper()
	keys, rejected, err := jose.ParseKeys([]byte(w.get("/jwks").raw))
	if err != nil || len(rejected) > 0 {
		w.t.Fatalf("key set: %v, %v", err, rejected)
	}
	for _, key := range keys {
		ids = append(ids, key.ID)
	}
	return ids
}

// TestRotation: a key is announced, then used, then kept until its last token
// has expired, and then gone.
func TestRotation(t *testing.T) {
	named := func(id string) idjag.SigningKey {
		key := idjag.DangerouslyEphemeralKey()
		key.ID = id
		return key
	}
	first, second := named("first"), named("second")
	w := newWorld(t, func(_ *world, cfg *idjag.Config) { cfg.Keys = idjag.Keys{Current: first, Next: &second} })
	check := func(step string, published []string, signs string) {
		t.Helper()
		if got := w.keyIDs(); !slices.Equal(got, published) {
			t.Errorf("%s: published %v, want %v", step, got, published)
		}
		a := w.redeem(w.mint(nil))
		w.granted(a)
		token, err := jose.Parse(a.body["access_token"].(string))
		if err != nil || token.Header.KeyID != signs {
			t.Errorf("%s: signed by %q, want %q", step, token.Header.KeyID, signs)
		}
	}
	check("announced", []string{"first", "second"}, "first")
	if err := w.SetKeys(idjag.Keys{Current: second, Previous: []idjag.SigningKey{first}}); err != nil {
		t.Fatal(err)
	}
	check("in use", []string{"second", "first"}, "second")
	w.clock.advance(time.Hour)
	check("the last token may live", []string{"second", "first"}, "second")
	set := func(keys idjag.Keys) {
		t.Helper()
		if err := w.SetKeys(keys); err != nil {
			t.Fatal(err)
		}
	}
	set(idjag.Keys{Current: second, Previous: []idjag.SigningKey{first}})
	check("the same keys, read again", []string{"second", "first"}, "second")
	w.clock.advance(5*time.Minute + time.Second)
	check("it cannot", []string{"second"}, "second")
	set(idjag.Keys{Current: second, Previous: []idjag.SigningKey{first}})
	check("the same keys do not bring it back", []string{"second"}, "second")
	another := idjag.DangerouslyEphemeralKey()
	another.ID = first.ID
	set(idjag.Keys{Current: second, Previous: []idjag.SigningKey{another}})
	check("another key of its name", []string{"second", "first"}, "second")
	set(idjag.Keys{Current: first, Previous: []idjag.SigningKey{second}})
	set(idjag.Keys{Current: second, Previous: []idjag.SigningKey{first}})
	check("in use again in between", []string{"second", "first"}, "second")
	if err := w.SetKeys(idjag.Keys{Current: first}); err != nil {
		t.Fatal(err)
	}
	check("leaked and replaced", []string{"first"}, "first")
	if err := w.SetKeys(idjag.Keys{}); !slices.Equal(fieldsOf(t, err), []string{"Keys.Current"}) {
		t.Errorf("no key at all: %v", err)
	}
	check("after a mistake", []string{"first"}, "first")
}

// TestKeysAreDiscovered: without JWKSURL the provider's own metadata says where
// its keys are.
func TestKeysAreDiscovered(t *testing.T) {
	w := newWorld(t, func(w *world, cfg *idjag.Config) {
		cfg.IdentityProviders[0].JWKSURL = ""
		w.net.serve(idpIssuer+"/.well-known/openid-configuration", marshal(claimSet{"issuer": idpIssuer, "jwks_uri": idpIssuer + "/keys"}))
		w.net.serve(idpIssuer+"/keys", jwks(w.idp))
	})
	w.granted(w.redeem(w.mint(nil)))
}

// TestPublishedKeysArePublic
func TestPublishedKeysArePublic(t *testing.T) {
	w := newWorld(t, nil)
	var set struct{ Keys []claimSet }
	if err := json.Unmarshal([]byte(w.get("/jwks").raw), &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("key set %v, %v", set, err)
	}
	for _, private := range []string{"d", "p", "q", "k"} {
		if _, ok := set.Keys[0][private]; ok {
			t.Errorf("the published key has a member %q", private)
		}
	}
}
