package claims_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/claims"
)

type object = map[string]any

// TestTrapsRefused takes the token of a product, changes what an attacker or a
// misconfigured product would change, and expects the refusal that the preset's
// comment promises.
func TestTrapsRefused(t *testing.T) {
	for _, c := range []struct {
		name    string
		file    string
		mapping claims.Mapping
		set     object
		reason  claims.Reason
		claim   string
	}{
		{"Okta: token of an org authorization server", "okta-custom-as.json", claims.Okta(), object{"iss": "https://acme.okta.com"}, claims.TokenKindNotAllowed, "iss"},
		{"Okta: ID token, which has no cid", "okta-custom-as.json", claims.Okta(), object{"cid": nil}, claims.ClaimMissing, "cid"},
		{"Okta: scp as a string of two", "okta-custom-as.json", claims.Okta(), object{"scp": "openid tools:read"}, claims.ClaimMalformed, "scp"},
		{"Okta: no subject at all", "okta-custom-as.json", claims.Okta(), object{"uid": nil, "sub": nil}, claims.ClaimMissing, "uid"},
		{"Okta: uid null does not fall back to the login name", "okta-custom-as.json", claims.Okta(), object{"uid": json.RawMessage("null")}, claims.ClaimMalformed, "uid"},
		{"Entra: no tid", "entra-v2.json", claims.Entra(), object{"tid": nil}, claims.ClaimMissing, "tid"},
		{"Entra: tid of another tenant than iss", "entra-v2.json", claims.Entra(), object{"tid": "99999999-2222-3333-4444-555555555555"}, claims.TokenKindNotAllowed, "iss"},
		{"Entra: empty tid", "entra-v2.json", claims.Entra(), object{"tid": ""}, claims.ClaimMalformed, "tid"},
		{"Entra: no oid, the pairwise sub is no substitute", "entra-v2.json", claims.Entra(), object{"oid": nil}, claims.ClaimMissing, "oid"},
		{"Entra: no ver", "entra-v2.json", claims.Entra(), object{"ver": nil}, claims.ClaimMissing, "ver"},
		{"Entra: ID token, which names no client", "entra-v2.json", claims.Entra(), object{"azp": nil}, claims.ClaimMissing, "azp"},
		{"Entra: two clients", "entra-v2.json", claims.Entra(), object{"appid": "another"}, claims.ClaimMalformed, "appid"},
		{"Entra: scp as an array", "entra-v2.json", claims.Entra(), object{"scp": []string{"tools.read"}}, claims.ClaimMalformed, "scp"},
		{"Auth0: azp and client_id differ", "auth0.json", auth0, object{"client_id": "another"}, claims.ClaimMalformed, "client_id"},
		{"Auth0: neither", "auth0.json", auth0, object{"azp": nil}, claims.ClaimMissing, "azp"},
		{"Keycloak: ID token", "keycloak.json", keycloak, object{"typ": "ID"}, claims.TokenKindNotAllowed, "typ"},
		{"Keycloak: refresh token", "keycloak.json", keycloak, object{"typ": "Refresh"}, claims.TokenKindNotAllowed, "typ"},
		{"Keycloak: typ in other case", "keycloak.json", keycloak, object{"typ": "bearer"}, claims.TokenKindNotAllowed, "typ"},
		{"Keycloak: typ as an array", "keycloak.json", keycloak, object{"typ": []string{"Bearer"}}, claims.TokenKindNotAllowed, "typ"},
		{"Keycloak: no typ", "keycloak.json", keycloak, object{"typ": nil}, claims.ClaimMissing, "typ"},
		{"Keycloak: no sub", "keycloak.json", keycloak, object{"sub": nil}, claims.ClaimMissing, "sub"},
		{"Keycloak: no aud, azp is no substitute", "keycloak.json", keycloak, object{"aud": nil}, claims.ClaimMissing, "aud"},
		{"Keycloak: resource_access is no object", "keycloak.json", keycloak, object{"resource_access": "mcp-server"}, claims.ClaimMalformed, "/resource_access/{client}/roles"},
		{"Google: ID token as an access token", "google-id-token.json", claims.RFC9068(), nil, claims.ClaimMissing, "client_id"},
		{"JumpCloud: ID token as an access token", "jumpcloud-id-token.json", claims.RFC9068(), nil, claims.ClaimMissing, "client_id"},
		{"Cognito: ID token", "cognito.json", claims.Cognito(), object{"token_use": "id"}, claims.TokenKindNotAllowed, "token_use"},
		{"Cognito: no token_use", "cognito.json", claims.Cognito(), object{"token_use": nil}, claims.ClaimMissing, "token_use"},
		{"Cognito: no client, so no audience", "cognito.json", claims.Cognito(), object{"client_id": nil}, claims.ClaimMissing, "aud"},
		{"WorkOS: session token", "workos-session.json", preset("workos"), nil, claims.ClaimMissing, "aud"},
		{"WorkOS: session token with an audience", "workos-session.json", preset("workos"), object{"aud": "https://mcp.example.com"}, claims.ClaimMissing, "client_id"},
		{"Descope: refresh token", "descope.json", preset("descope"), object{"drn": "DSR"}, claims.TokenKindNotAllowed, "drn"},
		{"Descope: dct is no string", "descope.json", preset("descope"), object{"dct": []string{"T2acme"}}, claims.ClaimMalformed, "dct"},
		{"Stytch: organization is no object", "stytch-b2b.json", preset("stytch"), object{"https://stytch.com/organization": "x"}, claims.ClaimMalformed, "/https:~1~1stytch.com~1organization/organization_id"},
		{"ZITADEL: roles as an array of objects", "zitadel.json", preset("zitadel"), object{"urn:zitadel:iam:org:project:roles": []any{object{"operator": object{}}}}, claims.ClaimMalformed, "urn:zitadel:iam:org:project:roles"},
		{"ZITADEL: role without an object", "zitadel.json", preset("zitadel"), object{"urn:zitadel:iam:org:project:roles": object{"operator": "165000000000000001"}}, claims.ClaimMalformed, "urn:zitadel:iam:org:project:roles"},
		{"Ory: scp and scope differ", "ory-hydra.json", preset("ory"), object{"scope": "openid admin"}, claims.ClaimMalformed, "scope"},
		{"authentik: ID token, which has no scope", "authentik.json", preset("authentik"), object{"scope": nil}, claims.ClaimMissing, "scope"},
		{"Supabase: session token", "supabase-auth.json", preset("supabase"), object{"client_id": nil}, claims.ClaimMissing, "client_id"},
		{"Supabase: anonymous sign-in", "supabase-auth.json", preset("supabase"), object{"is_anonymous": true}, claims.TokenKindNotAllowed, "is_anonymous"},
		{"Supabase: amr object without a method", "supabase-auth.json", preset("supabase"), object{"amr": []any{object{"timestamp": 1}}}, claims.ClaimMalformed, "amr"},
		{"RFC 9068: no client_id", "rfc9068-generic.json", claims.RFC9068(), object{"client_id": nil, "azp": "client-1"}, claims.ClaimMissing, "client_id"},
		{"RFC 9068: no jti", "rfc9068-generic.json", claims.RFC9068(), object{"jti": nil}, claims.ClaimMissing, "jti"},
		{"RFC 9068: empty jti", "rfc9068-generic.json", claims.RFC9068(), object{"jti": ""}, claims.ClaimMalformed, "jti"},
		{"RFC 9068: no iat", "rfc9068-generic.json", claims.RFC9068(), object{"iat": nil}, claims.ClaimMissing, "iat"},
		{"RFC 9068: no exp", "rfc9068-generic.json", claims.RFC9068(), object{"exp": nil}, claims.ClaimMissing, "exp"},
		{"RFC 9068: exp as a string", "rfc9068-generic.json", claims.RFC9068(), object{"exp": "1790000600"}, claims.ClaimMalformed, "exp"},
		{"RFC 9068: no iss", "rfc9068-generic.json", claims.RFC9068(), object{"iss": nil}, claims.ClaimMissing, "iss"},
		{"RFC 9068: iss is no string", "rfc9068-generic.json", claims.RFC9068(), object{"iss": 1}, claims.ClaimMalformed, "iss"},
		{"RFC 9068: iat as a string", "rfc9068-generic.json", claims.RFC9068(), object{"iat": "1"}, claims.ClaimMalformed, "iat"},
		{"RFC 9068: nbf negative", "rfc9068-generic.json", claims.RFC9068(), object{"nbf": -1}, claims.ClaimMalformed, "nbf"},
		{"RFC 9068: auth_time as a string", "rfc9068-generic.json", claims.RFC9068(), object{"auth_time": "1"}, claims.ClaimMalformed, "auth_time"},
		{"RFC 9068: acr is a number", "rfc9068-generic.json", claims.RFC9068(), object{"acr": 1}, claims.ClaimMalformed, "acr"},
		{"RFC 9068: amr holds a number", "rfc9068-generic.json", claims.RFC9068(), object{"amr": []any{1}}, claims.ClaimMalformed, "amr"},
		{"RFC 9068: email is no string", "rfc9068-generic.json", claims.RFC9068(), object{"email": 1}, claims.ClaimMalformed, "email"},
		{"RFC 9068: email_verified as a string", "rfc9068-generic.json", claims.RFC9068(), object{"email_verified": "true"}, claims.ClaimMalformed, "email_verified"},
		{"RFC 9068: no aud", "rfc9068-generic.json", claims.RFC9068(), object{"aud": nil}, claims.ClaimMissing, "aud"},
		{"RFC 9068: empty aud", "rfc9068-generic.json", claims.RFC9068(), object{"aud": []string{}}, claims.ClaimMissing, "aud"},
		{"RFC 9068: aud is a number", "rfc9068-generic.json", claims.RFC9068(), object{"aud": 1}, claims.ClaimMalformed, "aud"},
		{"RFC 9068: scope as an array (section 2.2.3)", "rfc9068-generic.json", claims.RFC9068(), object{"scope": []string{"tools:read"}}, claims.ClaimMalformed, "scope"},
		{"RFC 9068: scp says otherwise than scope", "rfc9068-generic.json", claims.RFC9068(), object{"scp": "admin"}, claims.ClaimMalformed, "scp"},
		{"RFC 9068: azp says otherwise than client_id", "rfc9068-generic.json", claims.RFC9068(), object{"azp": "another"}, claims.ClaimMalformed, "azp"},
		{"RFC 9068: tenant is a number", "rfc9068-generic.json", claims.RFC9068(), object{"tenant": 1}, claims.ClaimMalformed, "tenant"},
		{"RFC 9068: idp is a number", "rfc9068-generic.json", claims.RFC9068(), object{"idp": 1}, claims.ClaimMalformed, "idp"},
		{"RFC 9068: assertion is a number", "rfc9068-generic.json", claims.RFC9068(), object{"assertion": 1}, claims.ClaimMalformed, "assertion"},
		{"RFC 9068: subject with a line break", "rfc9068-generic.json", claims.RFC9068(), object{"sub": "alice\nadmin"}, claims.ClaimMalformed, "sub"},
		{"RFC 9068: group with a NUL", "rfc9068-generic.json", claims.RFC9068(), object{"groups": []string{"a\x00b"}}, claims.ClaimMalformed, "groups"},
		{"RFC 9068: a group is a number", "rfc9068-generic.json", claims.RFC9068(), object{"groups": []any{"a", 1}}, claims.ClaimMalformed, "groups"},
		{"RFC 9068: groups null", "rfc9068-generic.json", claims.RFC9068(), object{"groups": json.RawMessage("null")}, claims.ClaimMalformed, "groups"},
		{"RFC 9068: SCIM group without a value", "rfc9068-generic.json", claims.RFC9068(), object{"groups": []any{object{"display": "a"}}}, claims.ClaimMalformed, "groups"},
		{"RFC 9068: roles is an object", "rfc9068-generic.json", claims.RFC9068(), object{"roles": object{}}, claims.ClaimMalformed, "roles"},
		{"RFC 9068: entitlements is a number", "rfc9068-generic.json", claims.RFC9068(), object{"entitlements": 1}, claims.ClaimMalformed, "entitlements"},
		{"RFC 9068: act is a string", "rfc9068-generic.json", claims.RFC9068(), object{"act": "agent"}, claims.ClaimMalformed, "act"},
		{"RFC 9068: act names nobody", "rfc9068-generic.json", claims.RFC9068(), object{"act": object{}}, claims.ClaimMalformed, "act"},
		{"RFC 9068: act.sub is a number", "rfc9068-generic.json", claims.RFC9068(), object{"act": object{"sub": 1}}, claims.ClaimMalformed, "act"},
		{"RFC 9068: act.sub with a line break", "rfc9068-generic.json", claims.RFC9068(), object{"act": object{"sub": "a\nb"}}, claims.ClaimMalformed, "act"},
		{"RFC 9068: act.act names nobody", "rfc9068-generic.json", claims.RFC9068(), object{"act": object{"sub": "a", "act": object{}}}, claims.ClaimMalformed, "act"},
		{"ID-JAG: no client_id", "okta-id-jag.json", claims.IDJAG(), object{"client_id": nil, "azp": "x"}, claims.ClaimMissing, "client_id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := mapToken(t, c.mapping, edited(t, c.file, c.set))
			if err == nil {
				t.Fatalf("accepted as %+v", *got)
			}
			if reason, claim := reasonOf(err); reason != c.reason || claim != c.claim {
				t.Errorf("refused with %s of %q, want %s of %q (%v)", reason, claim, c.reason, c.claim, err)
			}
			if !strings.HasPrefix(err.Error(), "claims: ") {
				t.Errorf("the error begins without the package: %v", err)
			}
		})
	}
}

// TestTrapsIgnored changes a token so that a careless reader would grant more,
// and shows that this one does not.
func TestTrapsIgnored(t *testing.T) {
	for _, c := range []struct {
		name    string
		file    string
		mapping claims.Mapping
		set     object
		show    func(*claims.Principal) string
		want    string
	}{
		{"Okta: the login name is not the subject", "okta-custom-as.json", claims.Okta(), object{"sub": "mallory@example.com"}, subject, "00u1exampleAlice0h7"},
		{"Okta: scope is not read beside scp", "okta-custom-as.json", claims.Okta(), object{"scope": "admin"}, scopes, "openid tools:read tools:write"},
		{"Entra: wids are not roles", "entra-v2.json", claims.Entra(), object{"roles": nil}, roles, ""},
		{"Entra: a list beside a sign of overage is not the whole list", "entra-overage.json", claims.Entra(), object{"groups": []string{"admins"}}, groups, "overage:"},
		{"Entra: hasgroups is a sign of overage", "entra-v1.json", claims.Entra(), object{"hasgroups": true}, groups, "overage:"},
		{"Entra: hasgroups false is none", "entra-v1.json", claims.Entra(), object{"hasgroups": false}, groups, ":"},
		{"Entra: _claim_names of something else is none", "entra-v1.json", claims.Entra(), object{"_claim_names": object{"roles": "src1"}}, groups, ":"},
		{"Entra: idtyp app is a service even with scp", "entra-v2.json", claims.Entra(), object{"idtyp": "app"}, kind, "service"},
		{"Entra: no scp is a service even without idtyp", "entra-app-only.json", claims.Entra(), object{"idtyp": nil}, kind, "service"},
		{"Auth0: permissions are not scopes", "auth0.json", auth0, nil, scopes, "openid profile tools:read"},
		{"Auth0: groups of another namespace", "auth0.json", claims.Auth0("https://other.example.com/"), nil, groups, ":"},
		{"Auth0: no namespace, no groups", "auth0.json", claims.Auth0(""), nil, groups, ":"},
		{"Keycloak: roles of another client", "keycloak.json", claims.Keycloak("account"), nil, roles, "view-profile realm:offline_access realm:default-roles-acme realm:operator"},
		{"Keycloak: a client role cannot pose as a realm role", "keycloak.json", keycloak, object{"realm_access": nil, "resource_access": object{"mcp-server": object{"roles": []string{"operator"}}}}, roles, "operator"},
		{"Keycloak: a client id with dots and slashes is one step", "keycloak.json", claims.Keycloak("https://mcp.example.com/a.b"), object{"realm_access": nil, "resource_access": object{"https://mcp.example.com/a.b": object{"roles": []string{"r"}}}}, roles, "r"},
		{"Keycloak: group claim absent", "keycloak.json", keycloak, object{"groups": nil}, groups, ":"},
		{"Keycloak: service account", "keycloak.json", keycloak, object{"clientHost": "10.0.0.1"}, kind, "service"},
		{"PingFederate: a DN is one group", "pingfederate.json", preset("pingfederate"), object{"memberOf": "CN=A,OU=B"}, groups, "complete:CN=A,OU=B"},
		{"PingFederate: scope as a string", "pingfederate.json", preset("pingfederate"), object{"scope": "tools:read tools:write"}, scopes, "tools:read tools:write"},
		{"PingFederate: subject in Username", "pingfederate.json", preset("pingfederate"), object{"sub": nil}, subject, "alice"},
		{"PingOne: groups claim", "pingone.json", claims.PingOne(), object{"memberOfGroupNames": nil, "groups": []string{"G"}}, groups, "complete:G"},
		{"Cognito: no group claim means none", "cognito.json", claims.Cognito(), object{"cognito:groups": nil}, groups, "complete:"},
		{"Cognito: an aud that is there is used", "cognito.json", claims.Cognito(), object{"aud": "https://mcp.example.com"}, audience, "https://mcp.example.com"},
		{"WorkOS: roles win over role", "workos-connect.json", preset("workos"), object{"role": "admin", "roles": []string{"member"}}, roles, "member"},
		{"WorkOS: role alone", "workos-connect.json", preset("workos"), object{"role": "member"}, roles, "member"},
		{"WorkOS: an impersonating administrator is no agent", "workos-connect.json", preset("workos"), object{"act": object{"sub": "admin@example.com"}}, actor, ""},
		{"Descope: the other tenant's roles", "descope.json", preset("descope"), object{"dct": "T2none"}, roles, ""},
		{"Descope: a tenant that is a path", "descope.json", preset("descope"), object{"dct": "T2other/roles", "roles": []string{"project"}}, roles, "project"},
		{"Descope: no current tenant, roles of the project", "descope.json", preset("descope"), object{"dct": nil, "roles": []string{"project"}}, roles, "project"},
		{"Descope: no drn", "descope.json", preset("descope"), object{"drn": nil}, subject, "U2exampleAlice"},
		{"Stytch: roles of the session claim", "stytch-b2b.json", preset("stytch"), object{"https://stytch.com/session": object{"roles": []string{"stytch_member"}}}, roles, "stytch_member"},
		{"ZITADEL: a role held in another organisation", "zitadel.json", preset("zitadel"), object{"urn:zitadel:iam:user:resourceowner:id": "165000000000000002"}, roles, "viewer"},
		{"ZITADEL: no organisation, no roles", "zitadel.json", preset("zitadel"), object{"urn:zitadel:iam:user:resourceowner:id": nil}, roles, ""},
		{"ZITADEL: a role of another project", "zitadel.json", withVars("zitadel", map[string]string{"project": "42"}), nil, roles, ""},
		{"ZITADEL: a role of the project", "zitadel.json", withVars("zitadel", map[string]string{"project": "42"}), object{"urn:zitadel:iam:org:project:42:roles": object{"r": object{"165000000000000001": "x"}}}, roles, "r"},
		{"Ory: both claims, in both shapes, the same", "ory-hydra.json", preset("ory"), object{"scope": "tools:read openid"}, scopes, "openid tools:read"},
		{"Ory: scope alone", "ory-hydra.json", preset("ory"), object{"scp": nil, "scope": "tools:read"}, scopes, "tools:read"},
		{"Ory: groups at the top", "ory-hydra.json", preset("ory"), object{"ext": nil, "groups": []string{"G"}}, groups, "complete:G"},
		{"authentik: groups need the profile scope", "authentik.json", preset("authentik"), object{"groups": nil}, groups, ":"},
		{"OneLogin: client_id", "onelogin-api-authz.json", preset("onelogin"), object{"cid": nil, "client_id": "c"}, client, "c"},
		{"Supabase: user_metadata is never read", "supabase-auth.json", preset("supabase"), object{"app_metadata": object{}}, groups, ":"},
		{"Supabase: role is the database's", "supabase-auth.json", preset("supabase"), object{"role": "admin"}, roles, ""},
		{"RFC 9068: SCIM objects", "rfc9068-generic.json", claims.RFC9068(), object{"groups": []any{object{"value": "g1", "display": "Admins"}, "g2"}}, groups, "complete:g1|g2"},
		{"RFC 9068: a string is a list of one", "rfc9068-generic.json", claims.RFC9068(), object{"groups": "a,b"}, groups, "complete:a,b"},
		{"RFC 9068: an empty list is known", "rfc9068-generic.json", claims.RFC9068(), object{"groups": []string{}}, groups, "complete:"},
		{"RFC 9068: no group claim is unknown", "rfc9068-generic.json", claims.RFC9068(), object{"groups": nil}, groups, ":"},
		{"RFC 9068: an agent as the subject", "rfc9068-generic.json", claims.RFC9068(), object{"sub_profile": "ai_agent"}, kind, "agent"},
		{"RFC 9068: a subject of another profile", "rfc9068-generic.json", claims.RFC9068(), object{"sub_profile": "user"}, kind, "user"},
		{"RFC 9068: a client that calls itself an agent is a service", "rfc9068-generic.json", claims.RFC9068(), object{"sub": "client-1", "sub_profile": "ai_agent"}, kind, "service"},
		{"RFC 9068: subject is the client", "rfc9068-generic.json", claims.RFC9068(), object{"sub": "client-1"}, kind, "service"},
		{"RFC 9068: empty scope", "rfc9068-generic.json", claims.RFC9068(), object{"scope": ""}, scopes, ""},
		{"RFC 9068: scp alone", "rfc9068-generic.json", claims.RFC9068(), object{"scope": nil, "scp": []string{"a", "b"}}, scopes, "a b"},
		{"RFC 9068: actors, outermost first", "rfc9068-generic.json", claims.RFC9068(), object{"act": object{"sub": "a1", "iss": "https://i", "act": object{"sub": "a2"}}}, actor, "a1 < a2"},
		{"RFC 9068: tenant", "rfc9068-generic.json", claims.RFC9068(), object{"tenant": "acme"}, func(p *claims.Principal) string { return p.Tenant }, "acme"},
		{"RFC 9068: identity provider", "rfc9068-generic.json", claims.RFC9068(), object{"idp": "https://acme.okta.com", "assertion": "hash"}, func(p *claims.Principal) string { return p.IdentityProvider + " " + p.Assertion }, "https://acme.okta.com hash"},
		{"RFC 9068: the ID-JAG's user and time", "rfc9068-generic.json", claims.RFC9068(), object{"idp_sub": "00u1", "assertion_iat": 1790000000}, func(p *claims.Principal) string {
			return p.ProviderSubject + " " + p.AssertionIssuedAt.UTC().Format(time.RFC3339)
		}, "00u1 2026-09-21T14:13:20Z"},
		{"RFC 9068: empty email", "rfc9068-generic.json", claims.RFC9068(), object{"email": ""}, func(p *claims.Principal) string { return p.Email.Address }, ""},
		{"ID-JAG: an agent as the subject", "okta-id-jag.json", claims.IDJAG(), object{"sub_profile": "ai_agent"}, kind, "agent"},
		{"ID-JAG: never a service", "okta-id-jag.json", claims.IDJAG(), object{"sub": "mcp-client-at-ras-1"}, kind, "user"},
		{"ID-JAG: tenant", "okta-id-jag.json", claims.IDJAG(), object{"tenant": "acme"}, func(p *claims.Principal) string { return p.Tenant }, "acme"},
		{"JumpCloud: one group as a string", "jumpcloud-id-token.json", jumpCloud, object{"groups": "A, B"}, groups, "complete:A, B"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := mapToken(t, c.mapping, edited(t, c.file, c.set))
			if err != nil {
				t.Fatal(err)
			}
			if got := c.show(p); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func subject(p *claims.Principal) string  { return p.Subject }
func client(p *claims.Principal) string   { return p.ClientID }
func kind(p *claims.Principal) string     { return string(p.Kind) }
func scopes(p *claims.Principal) string   { return strings.Join(p.Scopes, " ") }
func roles(p *claims.Principal) string    { return strings.Join(p.Roles, " ") }
func audience(p *claims.Principal) string { return strings.Join(p.Token.Audience, " ") }
func groups(p *claims.Principal) string {
	return string(p.Groups.State) + ":" + strings.Join(p.Groups.Names, "|")
}
func actor(p *claims.Principal) string {
	var names []string
	for a := p.Actor; a != nil; a = a.Actor {
		names = append(names, a.Subject)
	}
	return strings.Join(names, " < ")
}

func withVars(name string, vars map[string]string) claims.Mapping {
	m, err := claims.Preset(name, vars)
	if err != nil {
		panic(err)
	}
	return m
}
