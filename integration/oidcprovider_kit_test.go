package integration_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"testing"
)

// The client of the OpenID provider. Nothing listens at its redirect URI: the
// test reads the code out of the redirect.
const redirectURI = "https://desktop.example.com/callback"

// A providerConfig says how the OpenID provider is started: see its server.mjs.
type providerConfig struct {
	Client    map[string]string           `json:"client"`
	Groups    map[string][]string         `json:"groups,omitempty"`
	Resources map[string]providerResource `json:"resources"`
	Port      string                      `json:"port,omitempty"` // to listen on; default: any
	Path      string                      `json:"path,omitempty"` // of the issuer
	KeyID     string                      `json:"kid,omitempty"`  // of the key for access tokens; default: its thumbprint
}

// A providerResource is a resource server that the OpenID provider knows.
type providerResource struct {
	Scope string `json:"scope"`          // all that may be asked for
	Also  string `json:"also,omitempty"` // a second audience

	Audience string         `json:"audience,omitempty"` // default: the resource
	Format   string         `json:"format,omitempty"`   // "opaque"; default: "jwt"
	JWT      map[string]any `json:"jwt,omitempty"`      // how it is signed and encrypted; default: signed with ES256
	Seconds  int            `json:"seconds,omitempty"`  // to live
	Header   map[string]any `json:"header,omitempty"`   // what is put in, or taken out by null
	Payload  map[string]any `json:"payload,omitempty"`
}

// openIDProvider is a running oidc-provider.
type openIDProvider struct{ *issuerProcess }

// startOpenIDProvider starts the provider for the time of the test.
func startOpenIDProvider(t *testing.T, groups map[string][]string, resources map[string]providerResource) *openIDProvider {
	t.Helper()
	return startOpenIDProviderWith(t, providerConfig{Groups: groups, Resources: resources})
}

func startOpenIDProviderWith(t *testing.T, c providerConfig) *openIDProvider {
	t.Helper()
	c.Client = map[string]string{"id": idpClient, "secret": idpSecret, "redirect": redirectURI}
	return &openIDProvider{startIssuer(t, npmProgram(t, "oidc-provider"), c, "node", "server.mjs")}
}

// signIn signs a user in and returns the token response.
func (p *openIDProvider) signIn(t *testing.T, user, scope, resource string) map[string]any {
	t.Helper()
	metadata := p.metadata(t)
	return p.authorizationCode(t, metadata["authorization_endpoint"].(string), metadata["token_endpoint"].(string),
		user, url.Values{"scope": {scope}, "resource": {resource}})
}

func (p *openIDProvider) metadata(t *testing.T) map[string]any {
	t.Helper()
	resp, err := http.Get(p.issuer + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var document map[string]any
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&document); err != nil {
		t.Fatal(err)
	}
	if document["issuer"] != p.issuer {
		t.Fatalf("the metadata of %s is that of %v", p.issuer, document["issuer"])
	}
	return document
}
