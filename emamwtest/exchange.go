package emamwtest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Identifiers of RFC 8693 and of the ID-JAG draft.
const (
	grantTokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	tokenTypeIDToken   = "urn:ietf:params:oauth:token-type:id_token"
	tokenTypeIDJAG     = "urn:ietf:params:oauth:token-type:id-jag"
)

// serveToken is the token exchange of RFC 8693, with the profile of the ID-JAG
// draft, section 4.3.
func (p *IdP) serveToken(w http.ResponseWriter, r *http.Request) {
	form, f := readForm(w, r)
	if f != nil {
		f.write(w)
		return
	}
	cfg := p.config()
	client, f := authenticate(cfg, r, form)
	if f != nil {
		f.write(w)
		return
	}
	answer, f := p.exchange(cfg, client, form)
	if f != nil {
		f.write(w)
		return
	}
	noStore(w)
	writeJSON(w, http.StatusOK, answer)
}

// exchange decides on a request of an authenticated client, and mints the
// ID-JAG.
func (p *IdP) exchange(cfg IdPConfig, client Client, form url.Values) (map[string]any, *refusal) {
	switch {
	case form.Get("grant_type") == "":
		return nil, bad("invalid_request", "grant_type is missing")
	case form.Get("grant_type") != grantTokenExchange:
		return nil, bad("unsupported_grant_type", "only the token exchange is known here")
	case form.Get("requested_token_type") != tokenTypeIDJAG:
		return nil, bad("invalid_request", "requested_token_type must be "+tokenTypeIDJAG)
	case form.Get("subject_token_type") != tokenTypeIDToken:
		return nil, bad("invalid_request", "subject_token_type must be "+tokenTypeIDToken)
	case form.Has("actor_token"):
		return nil, bad("invalid_request", "actor_token is not supported")
	}
	user, signedIn, ok := p.subjectOf(cfg, client, form.Get("subject_token"))
	if !ok {
		return nil, bad("invalid_request", "subject_token is not a valid ID token of this client")
	}
	audience, clientID, f := target(cfg, client, form)
	if f != nil {
		return nil, f
	}
	if audience.MaxAge > 0 && p.now().Sub(signedIn) > audience.MaxAge {
		f := bad("insufficient_user_authentication", "the user must sign in again")
		f.maxAge = audience.MaxAge
		return nil, f
	}
	scopes, ok := grant(strings.Fields(form.Get("scope")), audience.Scopes, user.Scopes)
	if !ok {
		return nil, bad("invalid_scope", "policy grants none of these scopes")
	}
	return p.answer(user.assert(Token{
		ClientID: clientID,
		Audience: []string{audience.Issuer},
		Scopes:   scopes,
		Lifetime: cfg.Lifetime,
		Claims:   map[string]any{"auth_time": signedIn.Unix(), "resource": resources(form)},
	})), nil
}

// answer is the response of RFC 8693 section 2.2.1.
func (p *IdP) answer(t Token) map[string]any {
	a := map[string]any{
		"issued_token_type": tokenTypeIDJAG,
		"access_token":      p.mint("", typeIDJAG, nil, t.claims(p.id, p.now())),
		"token_type":        "N_A",
		"expires_in":        int64(t.Lifetime.Seconds()),
	}
	if len(t.Scopes) > 0 {
		a["scope"] = strings.Join(t.Scopes, " ")
	}
	return a
}

// target checks audience and resource. What this client may not reach is
// invalid_target (RFC 8693 section 2.2.2).
func target(cfg IdPConfig, client Client, form url.Values) (a Audience, clientID string, f *refusal) {
	if !form.Has("audience") {
		return a, "", bad("invalid_request", "audience is missing: it is the issuer of the authorization server")
	}
	a, ok := cfg.audience(form.Get("audience"))
	if !ok {
		return a, "", bad("invalid_target", "audience is not an authorization server that is known here")
	}
	clientID, ok = a.clientID(client.ID)
	if !ok {
		return a, "", bad("invalid_target", "this client may not reach this audience")
	}
	for _, resource := range form["resource"] {
		u, err := url.Parse(resource)
		if err != nil || !u.IsAbs() || u.Fragment != "" {
			return a, "", bad("invalid_target", "resource must be an absolute URI without a fragment")
		}
		if len(a.Resources) > 0 && !slices.Contains(a.Resources, resource) {
			return a, "", bad("invalid_target", "resource is not known at this audience")
		}
	}
	return a, clientID, nil
}

// resources is the resource claim: a string for one, nil for none.
func resources(form url.Values) any {
	if len(form["resource"]) == 0 {
		return nil
	}
	return stringOrArray(form["resource"])
}

// grant returns those of the scopes asked for that every limit allows, or all
// that the limits allow if none was asked for. It reports false if something
// was asked for and nothing is left. A nil limit is none.
func grant(asked []string, limits ...[]string) ([]string, bool) {
	granted, everything := asked, len(asked) == 0
	for _, limit := range limits {
		switch {
		case limit == nil:
		case everything:
			granted, everything = slices.Clone(limit), false
		default:
			granted = slices.DeleteFunc(slices.Clone(granted), func(s string) bool { return !slices.Contains(limit, s) })
		}
	}
	return granted, len(granted) > 0 || len(asked) == 0
}

// subjectOf validates the ID token (section 4.3.3 of the draft): it must be
// ours, unexpired, and issued to the client that presents it. It returns the
// user and when they signed in; a user who has been removed is no longer found.
func (p *IdP) subjectOf(cfg IdPConfig, client Client, idToken string) (User, time.Time, bool) {
	var claims struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience string `json:"aud"`
		Expires  int64  `json:"exp"`
		SignedIn int64  `json:"auth_time"`
	}
	payload, ok := p.openIDToken(idToken)
	if !ok || json.Unmarshal(payload, &claims) != nil {
		return User{}, time.Time{}, false
	}
	if claims.Issuer != p.id || claims.Audience != client.ID || !p.now().Before(time.Unix(claims.Expires, 0)) {
		return User{}, time.Time{}, false
	}
	user, ok := cfg.subject(claims.Subject)
	return user, time.Unix(claims.SignedIn, 0), ok
}

// openIDToken verifies an ID token of our own and returns its payload. Its typ
// keeps out our ID-JAGs, which are signed with the same keys.
func (p *IdP) openIDToken(token string) ([]byte, bool) {
	head, body, signature := split(token)
	var header struct{ Alg, Kid, Typ string }
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil || json.Unmarshal(raw, &header) != nil || header.Typ != typeIDToken {
		return nil, false
	}
	sig, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		return nil, false
	}
	k, ok := find(p.publishedKeys(), func(k key) bool { return k.id == header.Kid && k.alg == header.Alg })
	if !ok || !k.verify([]byte(head+"."+body), sig) {
		return nil, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(body)
	return payload, err == nil
}
