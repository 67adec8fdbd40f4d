package soak_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/emamw/mcp-ema/emamwtest"
)

// A user is somebody who gets access tokens, as long as they may.
type user struct {
	name   string
	scopes []string
	stay   *bound // until the user is revoked
	token  *bearer
}

func newUser(name string, scopes ...string) *user {
	return &user{name: name, scopes: scopes, stay: &bound{}}
}

// renew gets a new token by the whole flow, if it is time for one. Where that
// fails, because of what is being done to the servers, the old one goes on. It
// reports whether there is a token to use.
func (u *user) renew(w *world) bool {
	if u.token.stale() {
		if t, err := u.redeem(w); err == nil {
			u.token = t
		}
	}
	return u.token != nil && u.token.good(time.Now())
}

// redeem gets an access token for the user.
func (u *user) redeem(w *world) (*bearer, error) {
	s := w.signer.Load()
	status, answer := w.token(u.assertion(w))
	text, _ := answer["access_token"].(string)
	if status != http.StatusOK || text == "" {
		return nil, errors.New("soak: no token")
	}
	if kid := keyOf(text); kid != s.id {
		if s = w.signer.Load(); s.id != kid {
			return nil, errors.New("soak: the key was rotated meanwhile")
		}
	}
	return newBearer(text, s.bound, u.stay)
}

// assertion is an ID-JAG for the user.
func (u *user) assertion(w *world) string {
	return w.idp.Mint(emamwtest.Token{Subject: u.name, ClientID: client, Resource: w.resource(), Scopes: u.scopes})
}

// keyOf is the kid of a token.
func keyOf(token string) string {
	head, _, _ := strings.Cut(token, ".")
	var h struct{ Kid string }
	_ = json.NewDecoder(base64Reader(head)).Decode(&h) // of our own making
	return h.Kid
}

const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// token redeems an ID-JAG. The status is 0 when there is no answer.
func (w *world) token(assertion string) (status int, answer map[string]any) {
	return w.post("/token", url.Values{"grant_type": {jwtBearer}, "assertion": {assertion}})
}

// redeemsAt reports whether this replica of the authorization server gives the
// user a token.
func redeemsAt(as http.Handler, w *world, u *user) bool {
	text := answer(as, w.form("/token", url.Values{"grant_type": {jwtBearer}, "assertion": {u.assertion(w)}}))
	return strings.Contains(string(text), `"access_token"`)
}

// form is a request of the client's to the authorization server.
func (w *world) form(path string, form url.Values) *http.Request {
	r, err := http.NewRequestWithContext(w.shift, http.MethodPost, w.issuer()+path, strings.NewReader(form.Encode()))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(client), url.QueryEscape(secret))
	return r
}

func (w *world) post(path string, form url.Values) (status int, answer map[string]any) {
	resp, err := w.client.Do(w.form(path, form))
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil
	}
	_ = json.Unmarshal(body, &answer) // an answer that is no JSON has no members
	return resp.StatusCode, answer
}
