package integration_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// postForm sends a form as curl -u id:secret -d … does, and returns the JSON
// object of the answer.
func postForm(t *testing.T, address, id, secret string, form url.Values) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if id != "" {
		r.SetBasicAuth(id, secret)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

// accessToken is postForm for a token endpoint that must answer with a token.
func accessToken(t *testing.T, address, id, secret string, form url.Values) string {
	t.Helper()
	status, answer := postForm(t, address, id, secret, form)
	token, ok := answer["access_token"].(string)
	if status != http.StatusOK || !ok {
		t.Fatalf("%s answered %d with %v and %v", address, status, answer["error"], answer["error_description"])
	}
	return token
}
