package emamwtest

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"strings"
	"time"
)

// A Token says what a minted token holds. The zero Token is a good one: an
// access token from [AuthorizationServer.Mint], an ID-JAG from [IdP.Mint].
// Header and Claims come last and override everything else, so that a test can
// mint anything.
type Token struct {
	Subject  string   // default: "alice" for an access token, the IdP's first user for an ID-JAG
	ClientID string   // default: "mcp-client" for an access token, the IdP's first client as it is known at the audience for an ID-JAG
	Audience []string // one is written as a string, several as an array; default: the resource, or for an ID-JAG the first audience's issuer
	Resource string   // the resource claim of an ID-JAG; "" writes none
	Scopes   []string // default: those that the authorization server was configured with; none writes no claim

	Groups []string // nil writes no claim; empty and not nil writes an empty array, which says that there are none
	Roles  []string // as Groups
	Tenant string   // "" writes no claim

	IssuedAt time.Time     // default: now
	Lifetime time.Duration // exp - iat; default: 5 minutes; negative mints a token that expired before it was issued
	ID       string        // jti; default: random

	Algorithm string         // one of the issuer's; default: the first of them
	Header    map[string]any // further header members; a nil value removes one
	Claims    map[string]any // further claims; a nil value removes one, json.RawMessage("null") writes null
}

// Header types of the tokens that this kit mints.
const (
	typeAccessToken = "at+jwt"           // RFC 9068 section 2.1
	typeIDJAG       = "oauth-id-jag+jwt" // draft-ietf-oauth-identity-assertion-authz-grant-04 section 3.1
	typeIDToken     = "JWT"
)

const defaultLifetime = 5 * time.Minute

// claims returns t's claims set. The caller has filled in the defaults that
// depend on who mints.
func (t Token) claims(issuer string, now time.Time) map[string]any {
	if t.IssuedAt.IsZero() {
		t.IssuedAt = now
	}
	if t.Lifetime == 0 {
		t.Lifetime = defaultLifetime
	}
	if t.ID == "" {
		t.ID = rand.Text()
	}
	c := map[string]any{
		"iss":       issuer,
		"sub":       t.Subject,
		"client_id": t.ClientID,
		"aud":       stringOrArray(t.Audience),
		"iat":       t.IssuedAt.Unix(),
		"exp":       t.IssuedAt.Add(t.Lifetime).Unix(),
		"jti":       t.ID,
	}
	if t.Resource != "" {
		c["resource"] = t.Resource
	}
	if len(t.Scopes) > 0 {
		c["scope"] = strings.Join(t.Scopes, " ")
	}
	if t.Groups != nil {
		c["groups"] = t.Groups
	}
	if t.Roles != nil {
		c["roles"] = t.Roles
	}
	if t.Tenant != "" {
		c["tenant"] = t.Tenant
	}
	override(c, t.Claims)
	return c
}

// override copies changes into m; a nil value removes the member.
func override(m, changes map[string]any) {
	maps.Copy(m, changes)
	for name, value := range changes {
		if value == nil {
			delete(m, name)
		}
	}
}

// stringOrArray writes aud as RFC 7519 section 4.1.3 allows: one value as a
// string.
func stringOrArray(values []string) any {
	if len(values) == 1 {
		return values[0]
	}
	return values
}

// compact is the compact serialization of a JWS (RFC 7515 section 7.1).
func compact(header, payload []byte, sign func(input []byte) []byte) string {
	input := base64url(header) + "." + base64url(payload)
	return input + "." + base64url(sign([]byte(input)))
}

// split is the reverse of compact, without decoding.
func split(token string) (header, payload, signature string) {
	header, rest, _ := strings.Cut(token, ".")
	payload, signature, _ = strings.Cut(rest, ".")
	return header, payload, signature
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	must(err)
	return b
}
