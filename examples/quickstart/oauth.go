package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Identifiers of RFC 8693, RFC 7523 and the ID-JAG draft.
const (
	grantTokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	grantJWTBearer     = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	tokenTypeIDToken   = "urn:ietf:params:oauth:token-type:id_token"
	tokenTypeIDJAG     = "urn:ietf:params:oauth:token-type:id-jag"
	profileIDJAG       = "urn:ietf:params:oauth:grant-profile:id-jag"
)

// resourceMetadata is what the client reads of RFC 9728.
type resourceMetadata struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
}

// issuerMetadata is what the client reads of RFC 8414, and of OpenID Connect
// Discovery.
type issuerMetadata struct {
	Issuer        string   `json:"issuer"`
	TokenEndpoint string   `json:"token_endpoint"`
	Profiles      []string `json:"authorization_grant_profiles_supported"`
}

// tokenAnswer is the answer of a token endpoint (RFC 6749 section 5.1), with
// the member that RFC 8693 adds.
type tokenAnswer struct {
	AccessToken     string `json:"access_token"`
	TokenType       string `json:"token_type"`
	IssuedTokenType string `json:"issued_token_type"`
	Scope           string `json:"scope"`
}

// oauth is the part of an MCP client that comes by tokens.
type oauth struct{ http *http.Client }

// signIn gets an ID token. It is the sign-in shortcut of the dev identity
// provider, in place of the browser that a person would see.
func (o oauth) signIn(ctx context.Context, idp, user, client string) (string, error) {
	var answer struct {
		IDToken string `json:"id_token"`
	}
	form := url.Values{"user": {user}, "client_id": {client}}
	err := o.post(ctx, idp+"/signin", credentials{}, form, &answer)
	return answer.IDToken, err
}

// exchange turns an ID token into an ID-JAG for one authorization server and
// one resource (ID-JAG draft section 4.3).
func (o oauth) exchange(ctx context.Context, endpoint string, me credentials, idToken, audience, resource string, scopes []string) (tokenAnswer, error) {
	var answer tokenAnswer
	err := o.post(ctx, endpoint, me, url.Values{
		"grant_type":           {grantTokenExchange},
		"requested_token_type": {tokenTypeIDJAG},
		"subject_token":        {idToken},
		"subject_token_type":   {tokenTypeIDToken},
		"audience":             {audience},
		"resource":             {resource},
		"scope":                {strings.Join(scopes, " ")},
	}, &answer)
	return answer, err
}

// redeem turns an ID-JAG into an access token (ID-JAG draft section 4.4).
func (o oauth) redeem(ctx context.Context, endpoint string, me credentials, assertion string) (tokenAnswer, error) {
	var answer tokenAnswer
	form := url.Values{"grant_type": {grantJWTBearer}, "assertion": {assertion}}
	err := o.post(ctx, endpoint, me, form, &answer)
	return answer, err
}

func (o oauth) get(ctx context.Context, address string, answer any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	return o.do(r, answer)
}

// post sends a form, authenticated with client_secret_basic unless me is empty.
func (o oauth) post(ctx context.Context, address string, me credentials, form url.Values, answer any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if me.id != "" {
		r.SetBasicAuth(url.QueryEscape(me.id), url.QueryEscape(me.secret)) // RFC 6749 section 2.3.1
	}
	return o.do(r, answer)
}

// do sends r and decodes a 200 into answer.
func (o oauth) do(r *http.Request, answer any) error {
	resp, err := o.http.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		var problem struct {
			Error       string `json:"error"`
			Description string `json:"error_description"`
		}
		_ = json.Unmarshal(body, &problem) // without one, the status must do
		return fmt.Errorf("%s %s answered %s %s %s", r.Method, r.URL, resp.Status, problem.Error, problem.Description)
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("%s %s answered with something that is no JSON object of the kind: %w", r.Method, r.URL, err)
	}
	return nil
}
