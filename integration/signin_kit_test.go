package integration_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

// authorizationCode signs a user in as a browser and a client do together, by the
// authorization code flow with PKCE, and returns the token response. Both
// requests carry what is wanted.
func (p *issuerProcess) authorizationCode(t *testing.T, authorize, token, user string, wanted url.Values) map[string]any {
	t.Helper()
	verifier, state := rand.Text()+rand.Text(), rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"response_type":         {"code"},
		"client_id":             {idpClient},
		"redirect_uri":          {redirectURI},
		"state":                 {state},
		"login_hint":            {user},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(challenge[:])},
		"code_challenge_method": {"S256"},
	}
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"redirect_uri":  {redirectURI},
		"code_verifier": {verifier},
	}
	for name, values := range wanted {
		query[name], form[name] = values, values
	}
	answer := browse(t, authorize+"?"+query.Encode())
	if iss := answer.Get("iss"); answer.Get("state") != state || iss != "" && iss != p.issuer || answer.Get("code") == "" {
		t.Fatalf("the provider sends the browser back with %v", answer)
	}
	form.Set("code", answer.Get("code"))
	status, tokens := postForm(t, token, url.QueryEscape(idpClient), url.QueryEscape(idpSecret), form)
	if status != http.StatusOK {
		t.Fatalf("the provider's token endpoint answers %d %v", status, tokens)
	}
	return tokens
}

// browse follows redirects with cookies until one leads to the client, and
// returns its parameters.
func browse(t *testing.T, start string) url.Values {
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
