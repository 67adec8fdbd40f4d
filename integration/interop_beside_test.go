package integration_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
)

// One guard trusts all three. What is configured for one opens nothing at
// another, and none can speak for another: the mock server signs whatever it is
// told to.
func TestProgramsSideBySide(t *testing.T) {
	honest := startOpenIDProvider(t, nil, map[string]providerResource{
		files:           filesResource(providerResource{}),
		variant("JWT"):  filesResource(providerResource{Header: map[string]any{"typ": "JWT"}}),
		variant("bare"): filesResource(providerResource{Payload: map[string]any{"client_id": nil}}),
	})
	ory := startFosite(t, fositeConfig{Audiences: []string{files}})
	mock := startMockServer(t, mockConfig{Payload: map[string]any{"aud": files}})
	liar := func(header map[string]any) string {
		header["typ"] = "at+jwt"
		p := startMockServer(t, mockConfig{Header: header, Payload: map[string]any{
			"iss": honest.issuer, "aud": files, "client_id": idpClient, "jti": "1",
		}})
		return p.password(t, "alice")["access_token"].(string)
	}
	theirs := func(resource string) string {
		return honest.signIn(t, "alice", "openid "+readScope, resource)["access_token"].(string)
	}

	g, err := emamw.New(t.Context(), server.NewMCPServer("files", "1.0.0"), emamw.Config{
		Resource: files,
		AuthorizationServers: []emamw.AuthorizationServer{
			with(honest.issuer), with(ory.issuer, oryPreset, noSource), with(mock.issuer, allowType("JWT"), noClient),
		},
		Logger: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	keys := honest.keyIDs(t)
	for name, c := range map[string]struct {
		token string
		want  claims.Reason
	}{
		"oidc-provider":      {theirs(files), ""},
		"fosite":             {ory.signIn(t, "alice", files)["access_token"].(string), ""},
		"oauth2-mock-server": {mock.password(t, "alice")["access_token"].(string), ""},

		"oidc-provider, with a type that others may have":        {theirs(variant("JWT")), claims.TypeNotAllowed},
		"oidc-provider, without the client that others may lack": {theirs(variant("bare")), claims.ClaimMissing},

		"another's issuer, own key":               {liar(map[string]any{}), claims.KeyUnknown},
		"another's issuer, its kid":               {liar(map[string]any{"kid": keys["RS256"]}), claims.SignatureInvalid},
		"another's issuer, kid of another type":   {liar(map[string]any{"kid": keys["ES256"]}), claims.AlgorithmNotAllowed},
		"another's issuer, kid of encryption key": {liar(map[string]any{"kid": keys["ECDH-ES"]}), claims.KeyUnknown},
		"another's issuer, no kid":                {liar(map[string]any{"kid": nil}), claims.SignatureInvalid},
	} {
		if _, got := verdict(t, g, c.token); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// keyIDs are the kids of the provider's published keys, by algorithm.
func (p *openIDProvider) keyIDs(t *testing.T) map[string]string {
	t.Helper()
	resp, err := http.Get(p.metadata(t)["jwks_uri"].(string))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var set struct {
		Keys []struct{ Kid, Alg string }
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&set); err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for _, key := range set.Keys {
		ids[key.Alg] = key.Kid
	}
	for _, alg := range []string{"RS256", "ES256", "ECDH-ES"} {
		if ids[alg] == "" {
			t.Fatalf("no key for %s is published: %v", alg, ids)
		}
	}
	return ids
}
