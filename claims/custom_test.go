package claims_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/claims"
)

// TestFunc lets a mapping's Func try everything there is to try.
func TestFunc(t *testing.T) {
	known := claims.Okta()                                                                                       // groups known, no actor
	unknown := fromJSON(`{"preset": "okta", "groups": [], "client": []}`)                                        // groups and client unknown
	rich := fromJSON(`{"preset": "okta", "permissions": [{"pointer": "/scp"}], "roles": [{"pointer": "/scp"}]}`) // the same names everywhere
	linked := fromJSON(`{"preset": "okta", "identity_provider": [{"pointer": "/iss"}], "provider_subject": [{"pointer": "/uid"}], "assertion": [{"pointer": "/jti"}], "assertion_issued_at": [{"pointer": "/iat"}]}`)
	for _, c := range []struct {
		name    string
		mapping claims.Mapping
		set     object
		do      func(p *claims.Principal)
		changed string // the field that the error names; "" means allowed
	}{
		{"nothing", known, nil, func(*claims.Principal) {}, ""},
		{"fewer scopes", known, nil, func(p *claims.Principal) { p.Scopes = p.Scopes[1:] }, ""},
		{"no scopes", known, nil, func(p *claims.Principal) { p.Scopes = nil }, ""},
		{"fewer permissions and roles", rich, nil, func(p *claims.Principal) { p.Permissions, p.Roles = p.Permissions[1:], nil }, ""},
		{"fewer groups", known, nil, func(p *claims.Principal) { p.Groups.Names = p.Groups.Names[1:] }, ""},
		{"groups that were unknown", unknown, nil, func(p *claims.Principal) {
			p.Groups = claims.Groups{Names: []string{"Admins"}, State: claims.GroupsComplete}
		}, ""},
		{"e-mail and sign-in", known, nil, func(p *claims.Principal) {
			p.Email = claims.Email{Address: "a@example.com", Verified: true}
			p.Authentication.Methods = []string{"mfa"}
		}, ""},
		{"a client that was unknown", unknown, nil, func(p *claims.Principal) { p.ClientID = "c" }, ""},
		{"an actor that was unknown", known, nil, func(p *claims.Principal) { p.Actor = &claims.Actor{Subject: "agent"} }, ""},
		{"a provider that was unknown", known, nil, func(p *claims.Principal) { p.IdentityProvider, p.Assertion = "https://idp.example.com", "a" }, ""},
		{"a person becomes a service", known, nil, func(p *claims.Principal) { p.Kind = claims.Service }, ""},

		{"issuer", known, nil, func(p *claims.Principal) { p.Issuer = "https://evil.example.com" }, "Issuer"},
		{"subject", known, nil, func(p *claims.Principal) { p.Subject = "admin" }, "Subject"},
		{"tenant", known, nil, func(p *claims.Principal) { p.Tenant = "other" }, "Tenant"},
		{"client", known, nil, func(p *claims.Principal) { p.ClientID = "other" }, "ClientID"},
		{"client removed", known, nil, func(p *claims.Principal) { p.ClientID = "" }, "ClientID"},
		{"service becomes a person", known, object{"uid": nil}, func(p *claims.Principal) { p.Kind = claims.User }, "Kind"},
		{"service becomes unknown", known, object{"uid": nil}, func(p *claims.Principal) { p.Kind = "" }, "Kind"},
		{"actor removed", known, object{"act": object{"sub": "agent"}}, func(p *claims.Principal) { p.Actor = nil }, "Actor"},
		{"actor changed in place", known, object{"act": object{"sub": "agent"}}, func(p *claims.Principal) { p.Actor.Subject = "x" }, "Actor"},
		{"provider", linked, nil, func(p *claims.Principal) { p.IdentityProvider = "x" }, "IdentityProvider"},
		{"assertion", linked, nil, func(p *claims.Principal) { p.Assertion = "" }, "Assertion"},
		{"the provider's user", linked, nil, func(p *claims.Principal) { p.ProviderSubject = "x" }, "ProviderSubject"},
		{"a younger assertion", linked, nil, func(p *claims.Principal) { p.AssertionIssuedAt = p.AssertionIssuedAt.Add(time.Hour) }, "AssertionIssuedAt"},
		{"token id", known, nil, func(p *claims.Principal) { p.Token.ID = "x" }, "Token"},
		{"audience", known, nil, func(p *claims.Principal) { p.Token.Audience = nil }, "Token"},
		{"audience in place", known, nil, func(p *claims.Principal) { p.Token.Audience[0] = "x" }, "Token"},
		{"a longer life", known, nil, func(p *claims.Principal) { p.Token.ExpiresAt = p.Token.ExpiresAt.Add(time.Hour) }, "Token"},
		{"issued later", known, nil, func(p *claims.Principal) { p.Token.IssuedAt = p.Token.IssuedAt.Add(time.Hour) }, "Token"},
		{"valid earlier", known, nil, func(p *claims.Principal) { p.Token.NotBefore = p.Token.NotBefore.Add(1) }, "Token"},
		{"another scope", known, nil, func(p *claims.Principal) { p.Scopes = append(p.Scopes, "admin") }, "Scopes"},
		{"another scope in place", known, nil, func(p *claims.Principal) { p.Scopes[0] = "admin" }, "Scopes"},
		{"a permission", known, nil, func(p *claims.Principal) { p.Permissions = []string{"*"} }, "Permissions"},
		{"a role", known, nil, func(p *claims.Principal) { p.Roles = []string{"admin"} }, "Roles"},
		{"another group", known, nil, func(p *claims.Principal) { p.Groups.Names = append(p.Groups.Names, "Admins") }, "Groups"},
		{"known groups made unknown", known, nil, func(p *claims.Principal) { p.Groups = claims.Groups{} }, "Groups"},
		{"another principal", known, nil, func(p *claims.Principal) { *p = claims.Principal{} }, "Issuer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.mapping.Func = func(_ context.Context, _ *claims.Payload, p *claims.Principal) error {
				c.do(p)
				return nil
			}
			p, err := mapToken(t, c.mapping, edited(t, "okta-custom-as.json", c.set))
			if c.changed == "" {
				if err != nil {
					t.Fatal(err)
				}
				if err := p.Decode(new(object)); err != nil {
					t.Errorf("the payload is lost: %v", err)
				}
				return
			}
			if reason, _ := reasonOf(err); reason != claims.Internal || !strings.Contains(err.Error(), " changed "+c.changed+",") {
				t.Errorf("got %v, %v, want %s refused", p, err, c.changed)
			}
		})
	}
}

// TestFuncSeesThePayload: the payload is there for claims without a field, and
// nothing of a failure's text gets out.
func TestFuncSeesThePayload(t *testing.T) {
	m := claims.Okta()
	m.Func = func(_ context.Context, payload *claims.Payload, p *claims.Principal) error {
		version, ok := payload.Lookup("ver")
		if !ok || string(version) != "1" {
			return errors.New("no ver")
		}
		p.Email.Address = p.Subject + "@example.com"
		return nil
	}
	p, err := mapToken(t, m, readFixture(t, "okta-custom-as.json"))
	if err != nil || p.Email.Address != "00u1exampleAlice0h7@example.com" {
		t.Errorf("got %v, %v", p, err)
	}
	for _, c := range []struct {
		err    error
		cancel bool
		want   claims.Reason
	}{
		{errors.New("canary"), false, claims.Internal},
		{&claims.Error{Reason: claims.TenantNotAllowed, Claim: "org"}, false, claims.TenantNotAllowed},
		{context.Canceled, true, claims.Canceled},
		{context.Canceled, false, claims.Internal},
	} {
		m.Func = func(context.Context, *claims.Payload, *claims.Principal) error { return c.err }
		mapper, err := m.Mapper()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		if c.cancel {
			cancel()
		}
		_, err = mapper.Map(ctx, parse(t, string(readFixture(t, "okta-custom-as.json"))))
		cancel()
		if reason, _ := reasonOf(err); reason != c.want || strings.Contains(err.Error(), "canary") {
			t.Errorf("%v becomes %v, want %s", c.err, err, c.want)
		}
	}
	if got := (&claims.Error{Reason: claims.TenantNotAllowed, Claim: "org"}).Error(); got != "claims: org: tenant_not_allowed" {
		t.Errorf("Error() = %q", got)
	}
}

// TestFuncOfTheZeroMapping: a Func alone still sits on RFC 9068.
func TestFuncOfTheZeroMapping(t *testing.T) {
	ran := false
	m := claims.Mapping{Func: func(context.Context, *claims.Payload, *claims.Principal) error { ran = true; return nil }}
	if _, err := mapToken(t, m, readFixture(t, "rfc9068-generic.json")); err != nil || !ran {
		t.Errorf("ran = %v, %v", ran, err)
	}
}
