package integration_test

import (
	"fmt"
	"os/exec"
	"sync"
	"testing"
)

// A fositeConfig says how the program of the folder fosite is started: see its
// config.
type fositeConfig struct {
	Address   string            `json:"address,omitempty"`
	Path      string            `json:"path,omitempty"`
	Metadata  []string          `json:"metadata,omitempty"`
	Client    map[string]string `json:"client"`
	Audiences []string          `json:"audiences"`
	Scopes    string            `json:"scopes,omitempty"`
	NoIssuer  bool              `json:"no_iss,omitempty"`
	NoKeyID   bool              `json:"no_kid,omitempty"`
	ClientID  bool              `json:"client_id,omitempty"`
	Type      string            `json:"typ,omitempty"`
}

// fositeProvider is a running server made with fosite.
type fositeProvider struct{ *issuerProcess }

// buildFosite builds it once, in its own module.
var buildFosite = sync.OnceValues(func() (string, error) {
	dir, err := scratch("fosite")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-o", dir, ".")
	build.Dir = "fosite"
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return dir, nil
})

func startFosite(t *testing.T, c fositeConfig) *fositeProvider {
	t.Helper()
	dir, err := buildFosite()
	if err != nil {
		t.Fatal(err)
	}
	c.Client = map[string]string{"id": idpClient, "secret": idpSecret, "redirect": redirectURI}
	return &fositeProvider{startIssuer(t, "", c, dir+"/fosite")}
}
