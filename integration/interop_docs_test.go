package integration_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The page on identity providers says which programs were tried, and in which
// version. It must be these.
func TestTriedPrograms(t *testing.T) {
	page, err := os.ReadFile("../docs/identity-providers.md")
	if err != nil {
		t.Fatal(err)
	}
	tried := map[string]string{}
	for _, program := range []string{"oidc-provider", "oauth2-mock-server"} {
		text, err := os.ReadFile(filepath.Join("testdata", program, "package.json"))
		if err != nil {
			t.Fatal(err)
		}
		var manifest struct{ Dependencies map[string]string }
		if err := json.Unmarshal(text, &manifest); err != nil {
			t.Fatal(err)
		}
		tried[program] = manifest.Dependencies[program]
	}
	mod, err := os.ReadFile("fosite/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`github\.com/(ory/fosite) v(\S+)`).FindSubmatch(mod); found != nil {
		tried["ory/fosite"] = string(found[2])
	}
	for _, program := range []string{"oidc-provider", "oauth2-mock-server", "ory/fosite"} {
		if row := "| `" + program + "` " + tried[program] + " |"; tried[program] == "" || !strings.Contains(string(page), row) {
			t.Errorf("the page has no row that begins with %q", row)
		}
	}
}
