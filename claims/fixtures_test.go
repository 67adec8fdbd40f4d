package claims_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/claims"
)

// fixture is what one file of testdata/idp-tokens must become. The issuer is
// always the file's iss.
type fixture struct {
	file                    string
	mapping                 claims.Mapping
	kind                    claims.Kind
	subject, tenant, client string
	actor                   string
	scopes                  string // joined by spaces
	groups                  string // joined by "|"
	state                   claims.GroupsState
	roles, permissions      string // joined by spaces
	audience                string // joined by spaces
	id                      string
}

var (
	keycloak = claims.Keycloak("mcp-server")
	auth0    = claims.Auth0("https://example.com/")

	// Mappings for tokens that no preset accepts as access tokens: for a server
	// that logs people in, written as an operator would write them.
	google = fromJSON(`{
		"name": "google login", "token_types": ["JWT"], "kind": "user",
		"subject": [{"pointer": "/sub"}], "tenant": [{"pointer": "/hd"}], "client": [{"pointer": "/azp"}]
	}`)
	jumpCloud = fromJSON(`{
		"name": "jumpcloud login", "token_types": ["JWT"], "kind": "user",
		"subject": [{"pointer": "/sub"}], "groups": [{"pointer": "/groups"}]
	}`)
	workosSession = fromJSON(`{"preset": "workos", "client": [], "service": [], "audience": [{"pointer": "/iss"}]}`)
)

var fixtures = []fixture{
	{file: "okta-custom-as.json", mapping: claims.Okta(), kind: claims.User, subject: "00u1exampleAlice0h7", client: "0oa1exampleClient0h7", scopes: "openid tools:read tools:write", groups: "Everyone|Engineering", state: claims.GroupsComplete, audience: "https://mcp.example.com", id: "AT.k1Yx0exampleexampleexample"},
	{file: "okta-custom-as-service.json", mapping: claims.Okta(), kind: claims.Service, subject: "0oa1exampleSvc0h7", client: "0oa1exampleSvc0h7", scopes: "tools:read", audience: "https://mcp.example.com", id: "AT.svc0example"},
	{file: "okta-id-jag.json", mapping: claims.IDJAG(), kind: claims.User, actor: "wlp1exampleAgent698 ai_agent", subject: "00u1exampleAlice0h7", client: "mcp-client-at-ras-1", scopes: "tools:read tools:write", audience: "https://auth.mcp.example.com/", id: "IDAAG.jrdExampleExample"},
	{file: "okta-id-jag-saml.json", mapping: claims.IDJAG(), kind: claims.User, actor: "wlp1exampleAgent698 ai_agent", subject: "00u1exampleAlice0h7", client: "mcp-client-at-ras-1", scopes: "tools:read", audience: "https://auth.mcp.example.com/", id: "IDAAG.samlExample"},
	{file: "claude-id-jag.json", mapping: claims.IDJAG(), kind: claims.User, subject: "user_opaque_example", client: "claude-at-ras", scopes: "tools:read", audience: "https://auth.mcp.example.com/", id: "b4000000-0000-4000-8000-000000000001"},
	{file: "entra-v2.json", mapping: claims.Entra(), kind: claims.User, subject: "690222be-0000-4000-8000-7e4f7d38e474", tenant: "11111111-2222-3333-4444-555555555555", client: "75dbe77f-0000-4000-8000-8c127544f17c", scopes: "tools.read tools.write", groups: "8a1d0000-0000-4000-8000-00000000000a|8a1d0000-0000-4000-8000-00000000000b", state: claims.GroupsComplete, roles: "Mcp.Operator", audience: "6e74172b-0000-4000-8000-e66a39bb12e3", id: "fqiBqXLPj0eQa82S-IYFAA"},
	{file: "entra-v1.json", mapping: claims.Entra(), kind: claims.User, subject: "690222be-0000-4000-8000-7e4f7d38e474", tenant: "11111111-2222-3333-4444-555555555555", client: "75dbe77f-0000-4000-8000-8c127544f17c", scopes: "tools.read", audience: "api://mcp.example.com", id: "FVsGxYXI30-TuikuuUoFAA"},
	{file: "entra-overage.json", mapping: claims.Entra(), kind: claims.User, subject: "690222be-0000-4000-8000-7e4f7d38e474", tenant: "11111111-2222-3333-4444-555555555555", client: "75dbe77f-0000-4000-8000-8c127544f17c", scopes: "tools.read tools.write", state: claims.GroupsOverage, roles: "Mcp.Operator", audience: "6e74172b-0000-4000-8000-e66a39bb12e3", id: "fqiBqXLPj0eQa82S-IYFAA"},
	{file: "entra-app-only.json", mapping: claims.Entra(), kind: claims.Service, subject: "5d000000-0000-4000-8000-00000000000d", tenant: "11111111-2222-3333-4444-555555555555", client: "5c000000-0000-4000-8000-00000000000c", roles: "Tools.Read.All", audience: "6e74172b-0000-4000-8000-e66a39bb12e3", id: "m5RaaRnoFUyp2TbSCAAAAA"},
	{file: "auth0.json", mapping: auth0, kind: claims.User, subject: "okta|acme|00u1exampleAlice0h7", tenant: "org_9ybsU1dN2dKfDkBi", client: "AbCdExampleClient", scopes: "openid profile tools:read", groups: "Engineering", state: claims.GroupsComplete, permissions: "tools:read tools:write", audience: "https://mcp.example.com https://acme.us.auth0.com/userinfo"},
	{file: "auth0-rfc9068.json", mapping: auth0, kind: claims.User, subject: "auth0|6553da60a54af58e29493993", tenant: "org_9ybsU1dN2dKfDkBi", client: "AbCdExampleClient", scopes: "tools:read", audience: "https://mcp.example.com", id: "73WakrfVbNJBaAmhQtEeDv"},
	{file: "auth0-m2m.json", mapping: auth0, kind: claims.Service, subject: "awZdExampleClient@clients", client: "awZdExampleClient", scopes: "tools:read", audience: "https://mcp.example.com"},
	{file: "keycloak.json", mapping: keycloak, kind: claims.User, subject: "36fa0f91-f94d-4a0c-afed-6b7d952e47da", client: "vscode-mcp", scopes: "openid email tools:read", groups: "engineering/platform|mcp users", state: claims.GroupsComplete, roles: "tool-runner realm:offline_access realm:default-roles-acme realm:operator", audience: "mcp-server account", id: "onrtac:d58f5dc8-fd8f-462b-8a19-716f8f83985b"},
	{file: "pingone.json", mapping: claims.PingOne(), kind: claims.User, subject: "b1f00000-0000-4000-8000-000000000004", tenant: "7bd00000-0000-4000-8000-000000000002", client: "3af00000-0000-4000-8000-000000000001", scopes: "tools:read", groups: "Engineering", state: claims.GroupsComplete, audience: "https://mcp.example.com", id: "c3000000-0000-4000-8000-000000000003"},
	{file: "pingfederate.json", mapping: preset("pingfederate"), kind: claims.User, subject: "alice", client: "mcp-client", scopes: "tools:read tools:write", groups: "CN=Engineering,OU=Groups,DC=example,DC=com", state: claims.GroupsComplete, audience: "https://mcp.example.com", id: "ZAexample"},
	{file: "google-id-token.json", mapping: google, kind: claims.User, subject: "110169484474386276334", tenant: "example.com", client: "1234987819200-example.apps.googleusercontent.com", audience: "1234987819200-example.apps.googleusercontent.com"},
	{file: "cognito.json", mapping: claims.Cognito(), kind: claims.User, subject: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", client: "4abcdexampleclient", scopes: "openid mcp.example.com/tools.read", groups: "engineering", state: claims.GroupsComplete, audience: "4abcdexampleclient", id: "0d000000-0000-4000-8000-000000000003"},
	{file: "workos-connect.json", mapping: preset("workos"), kind: claims.User, subject: "user_01HBEQKA6K4QJAS93VPE39W1JT", tenant: "org_01HRDMC6CM357W30QMHMQ96Q0S", client: "client_01EXAMPLE", scopes: "openid tools:read", audience: "https://mcp.example.com", id: "01HQSXZXPPFPKMDD32RKTFY6PV"},
	{file: "workos-session.json", mapping: workosSession, kind: claims.User, subject: "user_01HBEQKA6K4QJAS93VPE39W1JT", tenant: "org_01HRDMC6CM357W30QMHMQ96Q0S", roles: "member", permissions: "tools:read", audience: "https://api.workos.com", id: "01HQSXZXPPFPKMDD32RKTFY6PV"},
	{file: "descope.json", mapping: preset("descope"), kind: claims.User, subject: "U2exampleAlice", tenant: "T2acme", client: "UEx0exampleClient", scopes: "tools:read", roles: "Operator", permissions: "tools.write", audience: "https://mcp.example.com"},
	{file: "stytch-b2b.json", mapping: preset("stytch"), kind: claims.User, subject: "member-test-16d9ba61-97a1-4ba4-9720-b03761dc50c6", tenant: "organization-test-07971b06", client: "connected-app-test-d731954d", scopes: "openid email tools:read", audience: "project-test-0000", id: "LOe49j3s9d9dmacslUvrb15Z"},
	{file: "zitadel.json", mapping: preset("zitadel"), kind: claims.User, subject: "77776025198584418", tenant: "165000000000000001", client: "69234237810729234", roles: "operator viewer", audience: "69234237810729234 69234237810729019", id: "V2_69234237813329048-at_1"},
	{file: "ory-hydra.json", mapping: preset("ory"), kind: claims.User, subject: "a7000000-0000-4000-8000-000000000003", client: "9f3e0000-0000-4000-8000-000000000001", scopes: "openid tools:read", groups: "engineering", state: claims.GroupsComplete, audience: "https://mcp.example.com", id: "f1000000-0000-4000-8000-000000000002"},
	{file: "authentik.json", mapping: preset("authentik"), kind: claims.User, subject: "6d0b8a5fexamplehasheduserid", client: "u0mZexampleClientId", scopes: "openid profile email entitlements", groups: "authentik Admins|engineering", state: claims.GroupsComplete, roles: "tool-runner", permissions: "tool-runner", audience: "u0mZexampleClientId"},
	{file: "jumpcloud-id-token.json", mapping: jumpCloud, kind: claims.User, subject: "5f0000000000000000000001", groups: "Engineering", state: claims.GroupsComplete, audience: "c0000000-0000-4000-8000-000000000001"},
	{file: "onelogin-api-authz.json", mapping: preset("onelogin"), kind: claims.User, subject: "35666371", client: "78d1d040-example", scopes: "tools:read", groups: "Engineering", state: claims.GroupsComplete, audience: "https://mcp.example.com", id: "uQexample"},
	{file: "supabase-auth.json", mapping: preset("supabase"), kind: claims.User, subject: "d0000000-0000-4000-8000-000000000001", client: "f0000000-0000-4000-8000-000000000003", groups: "engineering", state: claims.GroupsComplete, audience: "authenticated"},
	{file: "rfc9068-generic.json", mapping: claims.RFC9068(), kind: claims.User, subject: "user-123", client: "client-1", scopes: "tools:read", groups: "engineering", state: claims.GroupsComplete, roles: "operator", permissions: "e1", audience: "https://mcp.example.com", id: "j-1"},
}

// TestFixtures maps a token of every product to the values that can be read off
// the file by eye.
func TestFixtures(t *testing.T) {
	for _, f := range fixtures {
		t.Run(f.file, func(t *testing.T) {
			raw := readFixture(t, f.file)
			got, err := mapToken(t, f.mapping, raw)
			if err != nil {
				t.Fatal(err)
			}
			var times struct{ Iat, Exp, Nbf int64 }
			var text struct{ Iss string }
			if err := errors.Join(json.Unmarshal(raw, &times), json.Unmarshal(raw, &text)); err != nil {
				t.Fatal(err)
			}
			actor := ""
			if got.Actor != nil {
				actor = got.Actor.Subject + " " + got.Actor.Profile
			}
			for _, c := range []struct{ field, got, want string }{
				{"Issuer", got.Issuer, text.Iss},
				{"Kind", string(got.Kind), string(f.kind)},
				{"Subject", got.Subject, f.subject},
				{"Tenant", got.Tenant, f.tenant},
				{"ClientID", got.ClientID, f.client},
				{"Actor", actor, f.actor},
				{"Scopes", strings.Join(got.Scopes, " "), f.scopes},
				{"Groups.Names", strings.Join(got.Groups.Names, "|"), f.groups},
				{"Groups.State", string(got.Groups.State), string(f.state)},
				{"Roles", strings.Join(got.Roles, " "), f.roles},
				{"Permissions", strings.Join(got.Permissions, " "), f.permissions},
				{"Token.Audience", strings.Join(got.Token.Audience, " "), f.audience},
				{"Token.ID", got.Token.ID, f.id},
				{"IdentityProvider", got.IdentityProvider, ""},
				{"Assertion", got.Assertion, ""},
			} {
				if c.got != c.want {
					t.Errorf("%s = %q, want %q", c.field, c.got, c.want)
				}
			}
			if got.Token.ExpiresAt.Unix() != times.Exp {
				t.Errorf("ExpiresAt = %v, want %d", got.Token.ExpiresAt, times.Exp)
			}
			if iat := got.Token.IssuedAt; times.Iat == 0 && !iat.IsZero() || times.Iat != 0 && iat.Unix() != times.Iat {
				t.Errorf("IssuedAt = %v, want %d", iat, times.Iat)
			}
			if nbf := got.Token.NotBefore; times.Nbf == 0 && !nbf.IsZero() || times.Nbf != 0 && nbf.Unix() != times.Nbf {
				t.Errorf("NotBefore = %v, want %d", nbf, times.Nbf)
			}
		})
	}
	files, err := filepath.Glob("testdata/idp-tokens/*.json")
	if err != nil || len(files) != len(fixtures) {
		t.Errorf("%d files and %d rows (%v): every file has a row", len(files), len(fixtures), err)
	}
}

// TestSignIn reads the claims of the sign-in, whose shapes differ most.
func TestSignIn(t *testing.T) {
	for _, c := range []struct {
		file     string
		mapping  claims.Mapping
		time     int64
		context  string
		methods  []string
		email    string
		verified bool
	}{
		{"rfc9068-generic.json", claims.RFC9068(), 1789999995, "urn:mfa", []string{"mfa"}, "", false},
		{"entra-v1.json", claims.Entra(), 0, "1", []string{"pwd", "mfa"}, "", false}, // upn is no e-mail address
		{"supabase-auth.json", preset("supabase"), 0, "aal2", []string{"password", "totp"}, "alice@example.com", false},
		{"keycloak.json", keycloak, 1789999940, "1", nil, "alice@example.com", true},
		{"authentik.json", preset("authentik"), 1789999970, "goauthentik.io/providers/oauth2/default", []string{"pwd", "mfa"}, "alice@example.com", false},
		{"auth0.json", auth0, 0, "", nil, "alice@example.com", false},
		{"okta-id-jag.json", claims.IDJAG(), 1789999880, "", []string{"mfa", "pwd"}, "alice@example.com", false},
	} {
		t.Run(c.file, func(t *testing.T) {
			got, err := mapToken(t, c.mapping, readFixture(t, c.file))
			if err != nil {
				t.Fatal(err)
			}
			a := got.Authentication
			if c.time == 0 && !a.Time.IsZero() || c.time != 0 && a.Time.Unix() != c.time {
				t.Errorf("Time = %v, want %d", a.Time, c.time)
			}
			if a.Context != c.context || !slices.Equal(a.Methods, c.methods) {
				t.Errorf("Context, Methods = %q, %q, want %q, %q", a.Context, a.Methods, c.context, c.methods)
			}
			if got.Email.Address != c.email || got.Email.Verified != c.verified {
				t.Errorf("Email = %+v, want %s %v", got.Email, c.email, c.verified)
			}
		})
	}
}

func readFixture(tb testing.TB, file string) []byte {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "idp-tokens", file))
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// mapToken runs raw through m, from bytes to principal.
func mapToken(tb testing.TB, m claims.Mapping, raw []byte) (*claims.Principal, error) {
	tb.Helper()
	mapper, err := m.Mapper()
	if err != nil {
		tb.Fatal(err)
	}
	p, err := claims.ParsePayload(raw)
	if err != nil {
		return nil, err
	}
	return mapper.Map(tb.Context(), p)
}

// edited returns a fixture with some members set; a nil value removes one.
func edited(tb testing.TB, file string, set map[string]any) []byte {
	tb.Helper()
	var all map[string]any
	if err := json.Unmarshal(readFixture(tb, file), &all); err != nil {
		tb.Fatal(err)
	}
	for name, value := range set {
		if value == nil {
			delete(all, name)
			continue
		}
		all[name] = value
	}
	// The numbers of the fixtures are whole and below 2^53, so float64 keeps them.
	raw, err := json.Marshal(all)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func preset(name string) claims.Mapping {
	m, err := claims.Preset(name, nil)
	if err != nil {
		panic(err)
	}
	return m
}

func fromJSON(text string) claims.Mapping {
	var m claims.Mapping
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		panic(err)
	}
	return m
}

// reasonOf returns the reason and the claim of an error of this package.
func reasonOf(err error) (claims.Reason, string) {
	var e *claims.Error
	if !errors.As(err, &e) {
		return "", ""
	}
	return e.Reason, e.Claim
}
