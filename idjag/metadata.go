package idjag

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/jose"
)

const grantProfile = "urn:ietf:params:oauth:grant-profile:id-jag"

// metadata is the document of RFC 8414 section 2. It never names identity
// providers: whom a server trusts is not for the public (ID-JAG draft section
// 9.4).
//
// Three members describe something that is not there. authorization_endpoint,
// response_types_supported and code_challenge_methods_supported are demanded by
// real clients, which refuse the whole document without them, although only the
// code flow needs them; grant_types_supported says that there is none. For the
// same reason the last two, which OpenID Connect Discovery section 3 requires,
// stand here: one document is served at both well-known paths.
type metadata struct {
	Issuer                string `json:"issuer"`
	AuthorizationEndpoint string `json:"authorization_endpoint"`
	TokenEndpoint         string `json:"token_endpoint"`
	JWKSURI               string `json:"jwks_uri"`
	RevocationEndpoint    string `json:"revocation_endpoint,omitempty"`

	ScopesSupported        []string `json:"scopes_supported,omitempty"`
	ResponseTypesSupported []string `json:"response_types_supported"`
	GrantTypesSupported    []string `json:"grant_types_supported"`
	GrantProfilesSupported []string `json:"authorization_grant_profiles_supported"`
	CodeChallengeMethods   []string `json:"code_challenge_methods_supported"`

	TokenAuthMethods         []string `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgorithms      []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationAuthMethods    []string `json:"revocation_endpoint_auth_methods_supported,omitempty"`
	RevocationAuthAlgorithms []string `json:"revocation_endpoint_auth_signing_alg_values_supported,omitempty"`

	ClientDocuments    bool     `json:"client_id_metadata_document_supported,omitempty"`
	ProtectedResources []string `json:"protected_resources"`
	ACRValuesSupported []string `json:"acr_values_supported,omitempty"`

	SubjectTypesSupported      []string `json:"subject_types_supported"`
	IDTokenAlgorithmsSupported []string `json:"id_token_signing_alg_values_supported"`
}

// describe builds the metadata. It is built anew for every reader: it depends
// on the policy and the current key, both of which may be replaced, and it is
// read once per client and hour.
func (s *Server) describe() metadata {
	m := metadata{
		Issuer:                     s.issuer,
		AuthorizationEndpoint:      s.endpoint("/authorize"),
		TokenEndpoint:              s.tokenEndpoint,
		JWKSURI:                    s.endpoint("/jwks"),
		ResponseTypesSupported:     []string{"code"},
		GrantTypesSupported:        []string{grantType},
		GrantProfilesSupported:     []string{grantProfile},
		CodeChallengeMethods:       []string{"S256"},
		TokenAuthMethods:           s.authMethods(),
		TokenAuthAlgorithms:        defaultAlgorithms,
		ClientDocuments:            s.documents != nil,
		SubjectTypesSupported:      []string{"public"},
		IDTokenAlgorithmsSupported: []string{s.ring.Load().current.Algorithm},
	}
	known := make(map[string]struct{})
	for _, r := range s.resources {
		m.ProtectedResources = append(m.ProtectedResources, r.ID)
		for _, scope := range r.Scopes {
			known[scope] = struct{}{}
		}
	}
	m.ScopesSupported = slices.Sorted(maps.Keys(known))
	if p := s.policy.Load(); p != nil {
		m.ACRValuesSupported = p.acrValues()
	}
	if s.revoked != nil {
		m.RevocationEndpoint = s.endpoint("/revoke")
		m.RevocationAuthMethods, m.RevocationAuthAlgorithms = m.TokenAuthMethods, m.TokenAuthAlgorithms
	}
	return m
}

func (s *Server) serveMetadata(w http.ResponseWriter, r *http.Request) {
	s.servePublic(w, r, func() ([]byte, error) { return json.Marshal(s.describe()) })
}

func (s *Server) serveKeys(w http.ResponseWriter, r *http.Request) {
	s.servePublic(w, r, func() ([]byte, error) {
		return jose.PublicJWKS(s.ring.Load().published(s.now())...)
	})
}

// servePublic answers with a document that everybody may read and keep for five
// minutes: short enough that a new key is seen in time, long enough that a fleet
// of resource servers costs nothing.
func (s *Server) servePublic(w http.ResponseWriter, r *http.Request, document func() ([]byte, error)) {
	shareWithAll(w)
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodOptions:
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		w.Header().Set("Access-Control-Allow-Methods", "GET, HEAD")
		w.Header().Set("Access-Control-Allow-Headers", "*")
		w.WriteHeader(http.StatusNoContent)
		return
	default:
		methodNotAllowed(w, "GET, HEAD, OPTIONS")
		return
	}
	raw, err := document()
	if err != nil {
		s.logger.ErrorContext(r.Context(), "idjag: document could not be written", "error", err)
		writeRefusal(w, refuse(claims.Internal))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(raw) // a failed write means that nobody reads
}

// endpoint returns the URL of an endpoint of this server: below the issuer.
func (s *Server) endpoint(path string) string { return strings.TrimSuffix(s.issuer, "/") + path }

// routes maps the paths of this server to what answers there. The well-known
// ones are those that clients try, in their order: RFC 8414 section 3.1, the
// same for OpenID Connect (section 5), and OpenID Connect Discovery section 4.
func (s *Server) routes(issuer *url.URL) map[string]http.HandlerFunc {
	base := strings.TrimSuffix(issuer.EscapedPath(), "/")
	routes := map[string]http.HandlerFunc{
		"/.well-known/oauth-authorization-server" + base: s.serveMetadata,
		"/.well-known/openid-configuration" + base:       s.serveMetadata,
		base + "/.well-known/openid-configuration":       s.serveMetadata,
		base + "/authorize":                              s.serveAuthorize,
		base + "/token":                                  s.serveToken,
		base + "/jwks":                                   s.serveKeys,
	}
	if s.revoked != nil {
		routes[base+"/revoke"] = s.serveRevoke
	}
	return routes
}
