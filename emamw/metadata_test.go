package emamw_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/emamw"
)

// RFC 9728 section 3.1: the well-known segment goes between host and path.
func TestMetadataPath(t *testing.T) {
	const root = "/.well-known/oauth-protected-resource"
	tests := []struct{ resource, path, url string }{
		{"https://h.example/mcp", root + "/mcp", "https://h.example" + root + "/mcp"},
		{"https://h.example/mcp/", root + "/mcp/", "https://h.example" + root + "/mcp/"},
		{"https://h.example/a/b", root + "/a/b", "https://h.example" + root + "/a/b"},
		{"https://h.example/a%2Fb", root + "/a/b", "https://h.example" + root + "/a%2Fb"},
		{"https://h.example/", root, "https://h.example" + root},
		{"https://h.example", root, "https://h.example" + root},
		{"https://H.example/mcp", root + "/mcp", "https://H.example" + root + "/mcp"},
		{"https://h.example:8443/mcp", root + "/mcp", "https://h.example:8443" + root + "/mcp"},
		{"http://127.0.0.1:8080/mcp", root + "/mcp", "http://127.0.0.1:8080" + root + "/mcp"},
	}
	for _, tt := range tests {
		g, err := emamw.New(t.Context(), server.NewMCPServer("s", "1"), emamw.Config{
			Resource: tt.resource, AuthorizationServers: good().AuthorizationServers, Logger: good().Logger,
		})
		if err != nil {
			t.Fatal(err)
		}
		if g.MetadataPath() != tt.path {
			t.Errorf("%s: path %s, want %s", tt.resource, g.MetadataPath(), tt.path)
		}
		recorder := httptest.NewRecorder()
		g.Handler(http.NotFoundHandler()).ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/anything", nil))
		if want := `Bearer resource_metadata="` + tt.url + `"`; recorder.Header().Get("WWW-Authenticate") != want {
			t.Errorf("%s: challenge %s, want %s", tt.resource, recorder.Header().Get("WWW-Authenticate"), want)
		}
		// Section 3.3: it is found there, and names the resource byte for byte.
		document := httptest.NewRecorder()
		g.Handler(http.NotFoundHandler()).ServeHTTP(document, httptest.NewRequest(http.MethodGet, tt.url, nil))
		var got struct{ Resource string }
		if err := json.Unmarshal(document.Body.Bytes(), &got); err != nil || got.Resource != tt.resource {
			t.Errorf("%s: %d %s", tt.url, document.Code, document.Body)
		}
	}
}

// RFC 9728 section 2, and section 3.2 for what has no value: it is left out.
func TestMetadataDocument(t *testing.T) {
	always := map[string]any{"resource": resource, "authorization_servers": []any{issuer}, "bearer_methods_supported": []any{"header"}}
	tests := []struct {
		name   string
		change func(*emamw.Config)
		more   map[string]any // beside what is always there, or in its place
	}{
		{"nothing more", func(*emamw.Config) {}, nil},
		{"the base scopes", func(c *emamw.Config) { c.BaseScopes = []string{"mcp"} }, map[string]any{"scopes_supported": []any{"mcp"}}},
		{"other scopes to begin with", func(c *emamw.Config) { c.BaseScopes, c.ScopesSupported = []string{"mcp"}, []string{"files:read"} }, map[string]any{"scopes_supported": []any{"files:read"}}},
		{"no scopes to begin with", func(c *emamw.Config) { c.BaseScopes, c.ScopesSupported = []string{"mcp"}, []string{} }, nil},
		// Never offline_access (MCP authorization, "Refresh Tokens").
		{"refresh tokens", func(c *emamw.Config) { c.ScopesSupported = []string{"mcp", "offline_access"} }, map[string]any{"scopes_supported": []any{"mcp"}}},
		{"refresh tokens alone", func(c *emamw.Config) { c.ScopesSupported = []string{"offline_access"} }, nil},
		{"what it is called", func(c *emamw.Config) { c.ResourceName, c.ResourceDocumentation = "Files", "https://docs.example" }, map[string]any{"resource_name": "Files", "resource_documentation": "https://docs.example"}},
		{"two issuers", func(c *emamw.Config) {
			c.AuthorizationServers = append(c.AuthorizationServers, emamw.AuthorizationServer{Issuer: "https://second.example", JWKSURL: issuer + "/jwks"})
		}, map[string]any{"authorization_servers": []any{issuer, "https://second.example"}}},
		// A client fetches what stands there, and a placeholder leads nowhere.
		{"an issuer of several tenants", func(c *emamw.Config) {
			c.AuthorizationServers = append(c.AuthorizationServers, emamw.AuthorizationServer{Issuer: "https://login.example/{tenantid}/v2.0", JWKSURL: issuer + "/jwks", Tenants: []string{"acme", "other"}})
		}, map[string]any{"authorization_servers": []any{issuer, "https://login.example/acme/v2.0", "https://login.example/other/v2.0"}}},
	}
	for _, tt := range tests {
		b := newBench(t, with(tt.change))
		want := maps.Clone(always)
		maps.Copy(want, tt.more)
		for _, path := range []string{b.guard.MetadataPath(), "/.well-known/oauth-protected-resource"} {
			a := b.do(httptest.NewRequest(http.MethodGet, path, nil))
			var got map[string]any
			if err := json.Unmarshal([]byte(a.body), &got); err != nil {
				t.Fatal(err)
			}
			if a.Code != http.StatusOK || a.Header().Get("Content-Type") != "application/json" || !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %s: %d %v, want %v", tt.name, path, a.Code, got, want)
			}
		}
	}
}

// The document is public: no token, any origin, HEAD like GET, and to be kept for
// an hour.
func TestMetadataMethods(t *testing.T) {
	b := newBench(t)
	tests := []struct {
		method string
		status int
		body   bool
	}{
		{http.MethodGet, 200, true}, {http.MethodHead, 200, false}, {http.MethodOptions, 204, false},
		{http.MethodPost, 405, false}, {http.MethodPut, 405, false}, {http.MethodDelete, 405, false},
	}
	for _, tt := range tests {
		for name, handler := range map[string]http.Handler{"guard": b.handler, "its own handler": b.guard.MetadataHandler()} {
			recorder := httptest.NewRecorder()
			r := httptest.NewRequest(tt.method, b.guard.MetadataPath(), nil)
			r.Header.Set("Origin", "https://elsewhere.example")
			handler.ServeHTTP(recorder, r)
			if recorder.Code != tt.status || (recorder.Body.Len() > 0) != tt.body || recorder.Header().Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s %s: %d, %d bytes, %v", name, tt.method, recorder.Code, recorder.Body.Len(), recorder.Header())
			}
			if kept := recorder.Header().Get("Cache-Control") == "public, max-age=3600"; kept != (tt.status == 200) {
				t.Errorf("%s %s: Cache-Control %q", name, tt.method, recorder.Header().Get("Cache-Control"))
			}
		}
	}
}

// The names of this server come from its configuration. A Host header is the
// caller's to choose.
func TestMetadataIgnoresHost(t *testing.T) {
	b := newBench(t)
	r := newRequest(http.MethodPost, "", "{}")
	r.Host = "evil.example"
	r.Header.Set("X-Forwarded-Host", "evil.example")
	b.wantAnswer(b.do(r), 401, `Bearer `+whereToAsk)
	r.Method, r.URL.Path = http.MethodGet, b.guard.MetadataPath()
	if a := b.do(r); a.Code != http.StatusOK || !strings.Contains(a.body, `"resource":"`+resource+`"`) || strings.Contains(a.body, "evil") {
		t.Errorf("the document: %d %s", a.Code, a.body)
	}
}

// What is only near the path is not the document, and needs a token.
func TestMetadataPathIsExact(t *testing.T) {
	b := newBench(t)
	for _, path := range []string{"/.well-known/oauth-protected-resource/", "/.well-known/oauth-protected-resource/mcp/", "/.well-known/oauth-protected-resource/mcp/x", "/mcp/.well-known/oauth-protected-resource"} {
		if a := b.do(httptest.NewRequest(http.MethodGet, path, nil)); a.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d, want 401", path, a.Code)
		}
	}
}
