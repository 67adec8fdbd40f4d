package claims_test

import (
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/claims"
)

// An issuer of no letters is none: Map must not make a caller of nobody's.
func TestMapWithoutAnIssuer(t *testing.T) {
	for _, iss := range []string{``, `"iss":"",`} {
		_, err := mapToken(t, minimal(), []byte(`{`+iss+`"sub":"alice","aud":"https://mcp.example.com","exp":1790000600}`))
		if reason, claim := reasonOf(err); reason != claims.ClaimMissing || claim != "iss" {
			t.Errorf("%q: %v, want iss to be missed", iss, err)
		}
	}
}

// Where a mapping does not say, the id of a token is its jti (RFC 7519 section
// 4.1.7): what a revocation of one token goes by.
func TestTokenIDByDefault(t *testing.T) {
	p, err := mapToken(t, minimal(), token(`,"jti":"j-1"`))
	if err != nil || p.Token.ID != "j-1" {
		t.Errorf("got %v, %v", p, err)
	}
}

// A step that is named by a claim leads nowhere when the token has no such
// claim, not to the member whose name is empty.
func TestStepOfAnAbsentClaim(t *testing.T) {
	m := with(func(m *claims.Mapping) { m.Roles = ptr("/resource_access/{=azp}/roles") })
	const access = `,"resource_access":{"":{"roles":["admin"]},"agent":{"roles":["reader"]}}`
	for azp, want := range map[string]string{``: "", `,"azp":"agent"`: "reader"} {
		p, err := mapToken(t, m, token(access+azp))
		if err != nil || strings.Join(p.Roles, " ") != want {
			t.Errorf("%q: %v, %v, want %q", azp, p, err, want)
		}
	}
}

// What ties a token to the ID-JAG that it was redeemed for is what a revocation
// of that goes by: a claim that cannot be read must not pass for an absent one.
func TestBirthIsReadStrictly(t *testing.T) {
	for _, member := range []string{`"idp":7`, `"idp_sub":7`, `"assertion_iat":"1790000000"`, `"assertion":7`} {
		_, err := mapToken(t, claims.RFC9068(), token(`,"client_id":"c","iat":1790000000,"jti":"j",`+member))
		if reason, _ := reasonOf(err); reason != claims.ClaimMalformed {
			t.Errorf("%s: %v, want it refused", member, err)
		}
	}
}
