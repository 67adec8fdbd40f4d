package claims_test

import (
	"encoding/json"
	"go/parser"
	gotoken "go/token"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/claims"
)

// TestIdentityProvidersPage holds docs/identity-providers.md to the presets:
// each is there, and what stands there can be copied.
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
	blocks := regexp.MustCompile("(?s)```(\\w+)\n(.*?)```").FindAllStringSubmatch(page, -1)
	if len(blocks) < len(claims.Presets()) {
		t.Fatalf("%d examples, want at least one for each preset", len(blocks))
	}
	for _, block := range blocks {
		language, code := block[1], block[2]
		switch language {
		case "go":
			source := "package p\nfunc f() { _ = " + code + "}"
			if strings.Contains(code, ":=") {
				source = "package p\nfunc f() {\n" + code + "}"
			}
			if _, err := parser.ParseFile(gotoken.NewFileSet(), "", source, 0); err != nil {
				t.Errorf("%v in\n%s", err, code)
			}
		case "json":
			var m claims.Mapping
			if err := json.Unmarshal([]byte(code), &m); err != nil {
				t.Errorf("%v in\n%s", err, code)
			}
			if _, err := m.Mapper(); err != nil {
				t.Errorf("%v in\n%s", err, code)
			}
		default:
			t.Errorf("an example in %q", language)
		}
	}
}
