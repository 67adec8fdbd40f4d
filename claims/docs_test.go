package claims_test

import (
	"os"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/claims"
)

// TestIdentityProvidersPage holds docs/identity-providers.md to the presets: each
// is there. What stands there is compiled and tried in emamw.TestDocumentedProviders.
func TestIdentityProvidersPage(t *testing.T) {
	text, err := os.ReadFile("../docs/identity-providers.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	functions := map[string]string{
		"rfc9068": "claims.RFC9068()", "id-jag": "claims.IDJAG()", "okta": "claims.Okta()", "entra": "claims.Entra()", "auth0": `claims.Auth0("https://`,
		"keycloak": `claims.Keycloak("`, "pingone": "claims.PingOne()", "cognito": "claims.Cognito()",
	}
	for _, name := range claims.Presets() {
		want, ok := functions[name]
		if !ok {
			want = `claims.Mapping{Preset: "` + name + `"`
		}
		if !strings.Contains(page, want) {
			t.Errorf("preset %s: %s is not on the page", name, want)
		}
	}
}
