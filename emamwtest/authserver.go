package emamwtest

import (
	"net/http"
	"slices"
	"time"
)

// AuthorizationServerConfig configures an [AuthorizationServer]. The zero value
// is good for [StartAuthorizationServer].
type AuthorizationServerConfig struct {
	// Issuer is the issuer identifier, byte for byte. With
	// StartAuthorizationServer it is a path or empty, and the loopback address
	// is put before it.
	Issuer string

	// Resource is the audience of the tokens: the MCP server's identifier.
	// Default: "https://mcp.example.com/mcp".
	Resource string

	// Scopes are those of a token that names none. Default: none.
	Scopes []string

	// Algorithms are the signature algorithms: each has its own key, and the
	// first is the default. Default: ES256 alone, whose keys are quick to make.
	Algorithms []string

	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// An AuthorizationServer is the issuer that an MCP server trusts. It publishes
// metadata (RFC 8414) and keys over HTTP, and mints access tokens (RFC 9068) by
// a method call: it has no grant of its own. To redeem real ID-JAGs, run the
// server of package idjag.
type AuthorizationServer struct {
	*issuer
	resource string
	scopes   []string
}

// NewAuthorizationServer returns an authorization server that is only an
// [http.Handler], for [HTTPClient] or a server of one's own. It panics if
// cfg.Issuer is not an absolute URL, or an algorithm is unknown.
func NewAuthorizationServer(cfg AuthorizationServerConfig) *AuthorizationServer {
	as := &AuthorizationServer{
		issuer:   newIssuer(cfg.Issuer, cfg.Algorithms, cfg.Now),
		resource: cfg.Resource,
		scopes:   slices.Clone(cfg.Scopes),
	}
	if as.resource == "" {
		as.resource = "https://mcp.example.com/mcp"
	}
	as.metadata = as.describe
	as.routes = map[string]http.HandlerFunc{
		"/authorize": as.serveAuthorize,
		"/token":     as.serveToken,
	}
	return as
}

// StartAuthorizationServer is [NewAuthorizationServer] on a loopback port. Call
// Close when done.
func StartAuthorizationServer(cfg AuthorizationServerConfig) *AuthorizationServer {
	var as *AuthorizationServer
	start(cfg.Issuer, func(id string) *issuer {
		cfg.Issuer = id
		as = NewAuthorizationServer(cfg)
		return as.issuer
	})
	return as
}

// Mint returns a signed access token. The zero Token is one that a server with
// this issuer and this resource accepts, for five minutes from now.
func (as *AuthorizationServer) Mint(t Token) string {
	t = as.complete(t)
	return as.mint(t.Algorithm, typeAccessToken, t.Header, t.claims(as.id, as.now()))
}

// complete fills in the defaults.
func (as *AuthorizationServer) complete(t Token) Token {
	if t.Subject == "" {
		t.Subject = "alice"
	}
	if t.ClientID == "" {
		t.ClientID = "mcp-client"
	}
	if t.Audience == nil {
		t.Audience = []string{as.resource}
	}
	if t.Scopes == nil {
		t.Scopes = as.scopes
	}
	return t
}

// describe is the metadata of RFC 8414 section 2. The two endpoints and what
// belongs to them are there because clients refuse metadata without them.
func (as *AuthorizationServer) describe() map[string]any {
	return map[string]any{
		"authorization_endpoint":                as.url("/authorize"),
		"token_endpoint":                        as.url("/token"),
		"response_types_supported":              []string{"code"},
		"code_challenge_methods_supported":      []string{"S256"},
		"token_endpoint_auth_methods_supported": []string{"none"},
	}
}

func (as *AuthorizationServer) serveAuthorize(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "This is the test authorization server of emamwtest. It has no sign-in page:\n"+
		"the test that runs it mints the access tokens.", http.StatusNotImplemented)
}

func (as *AuthorizationServer) serveToken(w http.ResponseWriter, _ *http.Request) {
	bad("unsupported_grant_type", "this test server mints tokens by a method call only").write(w)
}
