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

// obtain makes an access token for scopes the one in use: sign in, exchange the
// ID token for an ID-JAG (RFC 8693), redeem that (RFC 7523). Where the endpoints
// are is known here; the quickstart shows how a client finds them.
func (c *noteClient) obtain(ctx context.Context, scopes ...string) error {
	w := c.world
	idToken, err := post(ctx, c.toIdP, w.idp.Issuer()+"/signin", credentials{}, "id_token", url.Values{
		"user": {user}, "client_id": {w.atIdP.id},
	})
	if err != nil {
		return err
	}
	assertion, err := post(ctx, c.toIdP, w.idp.Issuer()+"/token", w.atIdP, "access_token", url.Values{
		"grant_type":           {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"requested_token_type": {"urn:ietf:params:oauth:token-type:id-jag"},
		"subject_token":        {idToken},
		"subject_token_type":   {"urn:ietf:params:oauth:token-type:id_token"},
		"audience":             {w.issuer},
		"resource":             {w.resource},
		"scope":                {strings.Join(scopes, " ")},
	})
	if err != nil {
		return err
	}
	token, err := post(ctx, c.toServers, w.issuer+"/token", w.atAS, "access_token", url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion},
	})
	if err != nil {
		return err
	}
	c.bearer.use(token)
	return nil
}

// post sends a form, with client_secret_basic unless me is empty, and returns
// one member of the answer.
func post(ctx context.Context, client *http.Client, address string, me credentials, member string, form url.Values) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if me.id != "" {
		r.SetBasicAuth(url.QueryEscape(me.id), url.QueryEscape(me.secret)) // RFC 6749 section 2.3.1
	}
	resp, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	var body map[string]any
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&body); err != nil {
		return "", fmt.Errorf("%s answered %s with no JSON object: %w", address, resp.Status, err)
	}
	value, ok := body[member].(string)
	if resp.StatusCode != http.StatusOK || !ok {
		return "", fmt.Errorf("%s answered %s with the error %v", address, resp.Status, body["error"])
	}
	return value, nil
}
