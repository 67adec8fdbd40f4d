package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// peeked is what a person would like to know of a token: a look at its header
// and claims, with nothing verified. A client must not rely on it. The walk only
// tells it, and checks it as an onlooker would.
type peeked struct {
	Type      string `json:"typ"`
	Algorithm string `json:"alg"`

	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience string   `json:"aud"`
	Client   string   `json:"client_id"`
	Scope    string   `json:"scope"`
	Groups   []string `json:"groups"`
	IssuedAt int64    `json:"iat"`
	Expires  int64    `json:"exp"`
}

func peek(token string) (p peeked, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return p, errors.New("a token is not a signed JWT: it has not three parts")
	}
	for _, part := range parts[:2] {
		raw, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			return p, errors.New("a token is not a signed JWT: it is not base64url")
		}
		if json.Unmarshal(raw, &p) != nil {
			return p, errors.New("a token's header or payload is not the JSON object that was expected")
		}
	}
	return p, nil
}

// String tells the token without its signature, so that what is printed opens
// nothing.
func (p peeked) String() string {
	s := fmt.Sprintf("%s (%s) about %s for %s", p.Type, p.Algorithm, p.Subject, p.Audience)
	if p.Client != "" {
		s += ", client " + p.Client
	}
	if len(p.Groups) > 0 {
		s += ", groups " + strings.Join(p.Groups, " ")
	}
	if p.Scope != "" {
		s += ", scope " + p.Scope
	}
	return fmt.Sprintf("%s, good for %d minutes", s, (p.Expires-p.IssuedAt)/60)
}

// forge writes one more scope into a token and leaves the rest, the signature
// included, as it was.
func forge(token, scope string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("a token is not a signed JWT: it has not three parts")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	var claims map[string]any
	if err := json.Unmarshal(raw, &claims); err != nil {
		return "", err
	}
	claims["scope"] = fmt.Sprint(claims["scope"], " ", scope)
	if raw, err = json.Marshal(claims); err != nil {
		return "", err
	}
	parts[1] = base64.RawURLEncoding.EncodeToString(raw)
	return strings.Join(parts, "."), nil
}
