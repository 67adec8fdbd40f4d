package integration_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/idjag"
)

// The shapes in which clients send the token request, byte by byte and over a
// real connection. What each of them does is allowed, or was common before it
// was not.
func TestRequestShapesOfRealClients(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	front, documents := httptest.NewUnstartedServer(nil), httptest.NewUnstartedServer(nil)
	issuer, document := origin(front), origin(documents)+"/client.json"
	startServer(t, documents, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"client_id": document, "client_name": "Desktop", "redirect_uris": []string{"http://127.0.0.1/callback"},
			"grant_types": []string{"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "token_endpoint_auth_method": "none",
		})
	}))
	idp := emamwtest.StartIdP(emamwtest.IdPConfig{Audiences: []emamwtest.Audience{{Issuer: issuer}}, Clients: []emamwtest.Client{{ID: asClient}}})
	t.Cleanup(idp.Close)
	const urlClient = "https://client.example.com/oauth/metadata.json"
	as, err := idjag.New(ctx, idjag.Config{
		Issuer:            issuer,
		Resources:         []idjag.Resource{{ID: redeemResource, Scopes: []string{readScope, writeScope}}},
		IdentityProviders: []idjag.IdentityProvider{{Issuer: idp.Issuer()}},
		Clients: []idjag.Client{
			{ID: asClient, SecretHashes: []string{idjag.HashSecret(asSecret)}}, {ID: urlClient, SecretHashes: []string{idjag.HashSecret(asSecret)}},
		},
		ClientDocuments: idjag.ClientDocuments{Origins: []string{origin(documents)}, DangerouslyPublic: true},
		Keys:            idjag.Keys{Current: idjag.DangerouslyEphemeralKey()},
		Logger:          quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	startServer(t, front, as)

	const grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
	narrowed := "&scope=files%3Aread&resource=" + url.QueryEscape(redeemResource)
	basic := func(id, secret string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
	}
	for _, tt := range []struct {
		name, client, header, more, scope string
	}{
		{"golang.org/x/oauth2: post, with an empty code", asClient, "", "&code=&client_id=" + asClient + "&client_secret=" + url.QueryEscape(asSecret), readScope + " " + writeScope},
		{"the TypeScript SDK: Basic, not encoded, with scope and resource", asClient, basic(asClient, asSecret), narrowed, readScope},
		{"by RFC 6749: Basic, encoded, with scope and resource", asClient, basic(url.QueryEscape(asClient), url.QueryEscape(asSecret)), narrowed, readScope},
		{"Basic of a URL, not encoded", urlClient, basic(urlClient, asSecret), narrowed, readScope},
		{"Basic of a URL, encoded", urlClient, basic(url.QueryEscape(urlClient), url.QueryEscape(asSecret)), narrowed, readScope},
		{"EMA's own example: a metadata document and nothing else", document, "", "&client_id=" + url.QueryEscape(document) + narrowed, readScope},
	} {
		t.Run(tt.name, func(t *testing.T) {
			assertion := idp.Mint(emamwtest.Token{ClientID: tt.client, Resource: redeemResource, Scopes: []string{readScope, writeScope}})
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, issuer+"/token", strings.NewReader(grant+"&assertion="+assertion+tt.more))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if tt.header != "" {
				r.Header.Set("Authorization", tt.header)
			}
			answer, err := object(http.DefaultClient.Do(r))
			if err != nil {
				t.Fatal(err)
			}
			if answer["scope"] != tt.scope || answer["resource"] != redeemResource || answer["token_type"] != "Bearer" {
				t.Errorf("answered %v", answer)
			}
		})
	}
}
