package integration_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/emamw/mcp-ema/emamwtest"
)

// bridge is an issuer of ID-JAGs whose users sign in elsewhere: it exchanges the
// ID tokens of an OpenID provider. The ID token is verified with libraries that
// this project does not use, at least not so; the ID-JAG is the test kit's.
type bridge struct {
	idp    *emamwtest.IdP
	issuer string // of the ID tokens
	client string // their audience
	keys   jwt.Keyfunc
}

func newBridge(ctx context.Context, t *testing.T, idp *emamwtest.IdP, p *openIDProvider) *bridge {
	t.Helper()
	keys, err := keyfunc.NewDefaultCtx(ctx, []string{p.metadata(t)["jwks_uri"].(string)})
	if err != nil {
		t.Fatal(err)
	}
	return &bridge{idp: idp, issuer: p.issuer, client: idpClient, keys: keys.Keyfunc}
}

// ServeHTTP answers the token exchange itself, and leaves metadata and keys to
// the kit.
func (b *bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/token" {
		b.idp.ServeHTTP(w, r)
		return
	}
	var user struct {
		jwt.RegisteredClaims
		Groups []string `json:"groups"`
	}
	_, err := jwt.ParseWithClaims(r.FormValue("subject_token"), &user, b.keys,
		jwt.WithIssuer(b.issuer), jwt.WithAudience(b.client), jwt.WithExpirationRequired(), jwt.WithValidMethods([]string{"RS256"}))
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		http.Error(w, `{"error":"invalid_request"}`, http.StatusBadRequest)
		return
	}
	assertion := b.idp.Mint(emamwtest.Token{
		Subject:  user.Subject,
		Groups:   user.Groups,
		ClientID: asClient,
		Audience: []string{r.FormValue("audience")},
		Resource: r.FormValue("resource"),
		Scopes:   strings.Fields(r.FormValue("scope")),
	})
	_, _ = w.Write([]byte(`{"issued_token_type":"urn:ietf:params:oauth:token-type:id-jag","token_type":"N_A","expires_in":300,"access_token":"` + assertion + `"}`))
}
