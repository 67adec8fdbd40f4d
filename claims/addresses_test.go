package claims_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/emamw/mcp-ema/claims"
)

// RFC 7519 section 4.1.3: the one who reads the token must be among its audience,
// compared byte for byte. Ours may have several names.
func TestAddresses(t *testing.T) {
	m, err := claims.RFC9068().Mapper()
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"https://mcp.example.com/mcp", "api://files"}
	for _, tt := range []struct {
		payload string
		want    bool
		reason  claims.Reason
	}{
		{`{"aud":"https://mcp.example.com/mcp"}`, true, ""},
		{`{"aud":["https://mcp.example.com/mcp"]}`, true, ""},
		{`{"aud":["https://other.example.com","api://files"]}`, true, ""},
		{`{"aud":["1","2","3","4","5","6","7","8","9","api://files"]}`, true, ""},
		{`{"aud":"https://mcp.example.com/mcp/"}`, false, ""},
		{`{"aud":"HTTPS://mcp.example.com/mcp"}`, false, ""},
		{`{"aud":"https://mcp.example.com/mcp api://files"}`, false, ""},
		{`{"aud":["https://other.example.com"]}`, false, ""},
		{`{"aud":[""]}`, false, ""},
		{`{"aud":[]}`, false, claims.ClaimMissing},
		{`{}`, false, claims.ClaimMissing},
		{`{"AUD":"api://files"}`, false, claims.ClaimMissing},
		{`{"aud":null}`, false, claims.ClaimMalformed},
		{`{"aud":{"api://files":true}}`, false, claims.ClaimMalformed},
		{`{"aud":["api://files",1]}`, false, claims.ClaimMalformed},
	} {
		got, err := m.Addresses(parse(t, tt.payload), names)
		var refused *claims.Error
		if errors.As(err, &refused) != (tt.reason != "") || refused != nil && refused.Reason != tt.reason || got != tt.want {
			t.Errorf("%s: %t, %v", tt.payload, got, err)
		}
	}
	if got, err := m.Addresses(parse(t, `{"aud":""}`), nil); got || err != nil {
		t.Errorf("a server without a name is nobody's audience: %t, %v", got, err)
	}
}

// The short lists of a Principal stand side by side in memory; what one owner
// appends must not reach another list.
func TestListsDoNotShareRoom(t *testing.T) {
	m, err := claims.RFC9068().Mapper()
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Map(t.Context(), parse(t, `{"iss":"i","sub":"s","aud":"a","exp":1790000000,"iat":1790000000,"jti":"j","client_id":"c","scope":"x y"}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = append(p.Token.Audience, "appended")
	_ = append(p.Scopes, "appended", "appended")
	if !slices.Equal(p.Scopes, []string{"x", "y"}) || !slices.Equal(p.Token.Audience, []string{"a"}) {
		t.Errorf("scopes %q, audience %q", p.Scopes, p.Token.Audience)
	}
}
