package integration_test

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The client of the OpenID provider. Nothing listens at its redirect URI: the
// test reads the code out of the redirect.
const redirectURI = "https://desktop.example.com/callback"

// A providerResource is a resource server that the OpenID provider knows.
type providerResource struct {
	Scope string `json:"scope"`          // all that may be asked for
	Also  string `json:"also,omitempty"` // a second audience
}

// openIDProvider is a running oidc-provider.
type openIDProvider struct{ issuer string }

// startOpenIDProvider starts the provider for the time of the test.
func startOpenIDProvider(t *testing.T, groups map[string][]string, resources map[string]providerResource) *openIDProvider {
	t.Helper()
	dir := npmInstall(t, "oidc-provider", "OIDC_PROVIDER_REQUIRED")
	config, err := json.Marshal(map[string]any{
		"client":    map[string]string{"id": idpClient, "secret": idpSecret, "redirect": redirectURI},
		"groups":    groups,
		"resources": resources,
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "server.mjs", string(config))
	cmd.Dir = dir
	output := &text{}
	cmd.Stderr = output
	in, err := cmd.StdinPipe() // its end, also by a crash of the test, ends the provider
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		force := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer force.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("oidc-provider: %v\n%s", err, output)
		}
	})
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	var ready struct{ Issuer string }
	line, _ := bufio.NewReader(out).ReadBytes('\n')
	if err := json.Unmarshal(line, &ready); err != nil {
		t.Fatalf("oidc-provider is not ready but says %q, and on stderr %s", line, output)
	}
	return &openIDProvider{issuer: ready.Issuer}
}

// signIn signs a user in as a browser and a client do together, by the
// authorization code flow with PKCE, and returns the token response.
func (p *openIDProvider) signIn(t *testing.T, user, scope, resource string) map[string]any {
	t.Helper()
	metadata := p.metadata(t)
	verifier, state := rand.Text()+rand.Text(), rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	answer := p.browse(t, metadata["authorization_endpoint"].(string)+"?"+url.Values{
		"response_type":         {"code"},
		"client_id":             {idpClient},
		"redirect_uri":          {redirectURI},
		"scope":                 {scope},
		"resource":              {resource},
		"state":                 {state},
		"login_hint":            {user},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(challenge[:])},
		"code_challenge_method": {"S256"},
	}.Encode())
	if answer.Get("state") != state || answer.Get("iss") != p.issuer || answer.Get("code") == "" {
		t.Fatalf("the provider sends the browser back with %v", answer)
	}
	status, tokens := postForm(t, metadata["token_endpoint"].(string), url.QueryEscape(idpClient), url.QueryEscape(idpSecret), url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {answer.Get("code")},
		"redirect_uri":  {redirectURI},
		"code_verifier": {verifier},
		"resource":      {resource},
	})
	if status != http.StatusOK {
		t.Fatalf("the provider's token endpoint answers %d %v", status, tokens)
	}
	return tokens
}

// browse follows redirects with cookies until one leads to the client, and
// returns its parameters.
func (p *openIDProvider) browse(t *testing.T, start string) url.Values {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{
		Jar:     jar,
		Timeout: patience,
		CheckRedirect: func(next *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(next.URL.String(), redirectURI+"?") {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
	resp, err := browser.Get(start)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	back, err := resp.Location()
	if err != nil {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<12))
		t.Fatalf("the provider does not send the browser back, but answers %s %s", resp.Status, body)
	}
	return back.Query()
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
