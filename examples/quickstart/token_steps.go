package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/client/transport"

	"github.com/emamw/mcp-ema/internal/challenge"
)

// knock lets the client begin as it would anywhere. A client of the newest
// protocol asks twice: a 401 does not tell it that its version is understood.
func (w *walk) knock(ctx context.Context) (string, error) {
	_, err := w.connect(ctx)
	var refused *transport.AuthorizationRequiredError
	if !errors.As(err, &refused) {
		return "", fmt.Errorf("a request without a token was not answered with 401 but: %w", orSuccess(err))
	}
	params, err := w.challenged(http.StatusUnauthorized)
	if err != nil {
		return "", err
	}
	if code, ok := params["error"]; ok {
		return "", fmt.Errorf("a request without a token is told error=%q, and should be told none", code)
	}
	w.metadataURL = refused.ResourceMetadataURL
	w.asked = strings.Fields(params["scope"])
	return fmt.Sprintf("Not without a token, and no blame either. The challenge says what to ask for (%s), and where to read on.", params["scope"]), nil
}

func (w *walk) readResource(ctx context.Context) (string, error) {
	var m resourceMetadata
	if err := w.oauth.get(ctx, w.metadataURL, &m); err != nil {
		return "", err
	}
	// RFC 9728 section 3.3: metadata of another resource must not be used.
	if m.Resource != w.world.resource {
		return "", fmt.Errorf("the metadata is about %q, want %q", m.Resource, w.world.resource)
	}
	if !slices.Equal(m.AuthorizationServers, []string{w.world.issuer}) {
		return "", fmt.Errorf("the metadata names the authorization servers %q, want %q alone", m.AuthorizationServers, w.world.issuer)
	}
	w.issuer.Issuer = m.AuthorizationServers[0]
	return m.Resource + " takes tokens of " + w.issuer.Issuer + ".", nil
}

func (w *walk) readIssuer(ctx context.Context) (string, error) {
	want := w.issuer.Issuer
	if err := w.oauth.get(ctx, want+"/.well-known/oauth-authorization-server", &w.issuer); err != nil {
		return "", err
	}
	if w.issuer.Issuer != want {
		return "", fmt.Errorf("the metadata is that of %q, want %q", w.issuer.Issuer, want)
	}
	if !slices.Contains(w.issuer.Profiles, profileIDJAG) {
		return "", fmt.Errorf("the authorization server does not announce %s", profileIDJAG)
	}
	return "It redeems ID-JAGs, so nobody has to be sent to a consent page.", nil
}

// signIn is the one step in which a person takes part.
func (w *walk) signIn(ctx context.Context) (string, error) {
	var m issuerMetadata
	idp := w.world.idp.Issuer()
	if err := w.oauth.get(ctx, idp+"/.well-known/openid-configuration", &m); err != nil {
		return "", err
	}
	if m.Issuer != idp {
		return "", fmt.Errorf("the metadata is that of %q, want %q", m.Issuer, idp)
	}
	w.exchangeAt = m.TokenEndpoint
	idToken, err := w.oauth.signIn(ctx, idp, user, w.world.atIdP.id)
	if err != nil {
		return "", err
	}
	p, err := peek(idToken)
	if err != nil {
		return "", err
	}
	w.idToken = idToken
	w.show(p)
	return "The usual single sign-on, shortened. The ID token is for the client alone: no server takes it for access.", nil
}

func (w *walk) exchange(ctx context.Context) (string, error) {
	answer, err := w.oauth.exchange(ctx, w.exchangeAt, w.world.atIdP, w.idToken, w.issuer.Issuer, w.world.resource, w.asked)
	if err != nil {
		return "", err
	}
	if answer.IssuedTokenType != tokenTypeIDJAG || answer.TokenType != "N_A" {
		return "", fmt.Errorf("the exchange gave a %q of the type %q, want an ID-JAG", answer.TokenType, answer.IssuedTokenType)
	}
	p, err := peek(answer.AccessToken)
	if err != nil {
		return "", err
	}
	if p.Type != "oauth-id-jag+jwt" || p.Audience != w.issuer.Issuer || p.Client != w.world.atAS.id {
		return "", fmt.Errorf("the ID-JAG is %q for %q and the client %q", p.Type, p.Audience, p.Client)
	}
	w.idJAG = answer.AccessToken
	w.show(p)
	return "Here the company's administrators decide: this user, this client, this server. It opens nothing yet.", nil
}

func (w *walk) redeem(ctx context.Context) (string, error) {
	p, err := w.obtain(ctx)
	if err != nil {
		return "", err
	}
	if want := w.asked; !slices.Equal(strings.Fields(p.Scope), want) {
		return "", fmt.Errorf("the access token has the scopes %q, want %q", p.Scope, want)
	}
	w.first = p
	return "An access token for this one server, with " + p.Scope + " and no more. No consent page on the way.", nil
}

// obtain redeems the ID-JAG, and makes the access token the one in use.
func (w *walk) obtain(ctx context.Context) (peeked, error) {
	answer, err := w.oauth.redeem(ctx, w.issuer.TokenEndpoint, w.world.atAS, w.idJAG)
	if err != nil {
		return peeked{}, err
	}
	p, err := peek(answer.AccessToken)
	if err != nil {
		return peeked{}, err
	}
	if p.Type != "at+jwt" || p.Audience != w.world.resource || answer.TokenType != "Bearer" || answer.Scope != p.Scope {
		return peeked{}, fmt.Errorf("the access token is a %s %s for %q, and its scope %q was announced as %q", answer.TokenType, p.Type, p.Audience, p.Scope, answer.Scope)
	}
	w.current = answer.AccessToken
	w.wire.use(w.current)
	w.show(p)
	return p, nil
}

// challenged checks that the latest answer has this status, and a challenge that
// can be read. It returns the challenge's parameters.
func (w *walk) challenged(status int) (map[string]string, error) {
	x := w.wire.last()
	if x.status != status {
		return nil, fmt.Errorf("%s %s was answered with %d, want %d", x.method, x.message, x.status, status)
	}
	scheme, params, err := challenge.Parse(x.challenge)
	if err != nil || !strings.EqualFold(scheme, "Bearer") {
		return nil, fmt.Errorf("the %d has no Bearer challenge that can be read", status)
	}
	return params, nil
}

// orSuccess names the absence of an error, where there should have been one.
func orSuccess(err error) error {
	if err == nil {
		return errors.New("success")
	}
	return err
}
