package integration_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/revocation"
)

// An identity provider's event names the person as the provider does, and comes
// when the authorization server, which follows no store here, has not heard of
// it: an ID-JAG that is older than the event still gives a token. Neither the
// token from before nor this one opens anything, and signing in again does.
func TestRevocationFollowsThePerson(t *testing.T) {
	e := newEnterprise(t, setup{})
	idJAG := func() string {
		return accessToken(t, e.idp.Issuer()+"/token", idpClient, idpSecret, url.Values{
			"grant_type":           {"urn:ietf:params:oauth:grant-type:token-exchange"},
			"requested_token_type": {"urn:ietf:params:oauth:token-type:id-jag"},
			"subject_token":        {e.idp.SignIn("alice", idpClient)},
			"subject_token_type":   {"urn:ietf:params:oauth:token-type:id_token"},
			"audience":             {e.issuer}, "resource": {e.resource}, "scope": {readScope},
		})
	}
	redeem := func(assertion string) string {
		return accessToken(t, e.issuer+"/token", asClient, asSecret, url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion},
		})
	}
	before, kept := redeem(idJAG()), idJAG()
	if status := knock(t, e.resource, before); status != http.StatusOK {
		t.Fatalf("before the event: %d", status)
	}
	if err := e.guard.Revoke(t.Context(), revocation.Revocation{Issuer: e.idp.Issuer(), Subject: "alice"}); err != nil {
		t.Fatal(err)
	}
	e.advance(10 * time.Second)
	for name, token := range map[string]string{"the token from before": before, "a token for an ID-JAG from before": redeem(kept)} {
		if status := knock(t, e.resource, token); status != http.StatusUnauthorized {
			t.Errorf("%s: %d, want 401", name, status)
		}
	}
	if status := knock(t, e.resource, redeem(idJAG())); status != http.StatusOK {
		t.Errorf("signed in again: %d, want 200", status)
	}
}
