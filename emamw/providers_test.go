package emamw_test

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"testing"

	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
)

// documented are the configurations of docs/identity-providers.md.
var documented = []struct {
	section string
	server  emamw.AuthorizationServer
}{
	{"Any RFC 9068 server, and our own", emamw.AuthorizationServer{Issuer: "https://auth.example.com", Claims: claims.RFC9068()}},
	{"Okta", emamw.AuthorizationServer{
		Issuer: "https://acme.okta.com/oauth2/aus1example9XyZ0h7",
		Claims: claims.Okta(),
	}},
	{"Microsoft Entra ID", emamw.AuthorizationServer{
		Issuer:    "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0",
		Audiences: []string{"6e74172b-0000-4000-8000-e66a39bb12e3"}, // the API's client id
		Claims:    claims.Entra(),
	}},
	{"Microsoft Entra ID", emamw.AuthorizationServer{
		Issuer:    "https://login.microsoftonline.com/{tenantid}/v2.0",
		Tenants:   []string{"11111111-2222-3333-4444-555555555555"},
		Audiences: []string{"6e74172b-0000-4000-8000-e66a39bb12e3"},
		Claims:    claims.Entra(),
	}},
	{"Auth0", emamw.AuthorizationServer{
		Issuer: "https://acme.us.auth0.com/",
		Claims: claims.Auth0("https://example.com/"), // reads "https://example.com/groups"
	}},
	{"Keycloak", emamw.AuthorizationServer{
		Issuer:    "https://kc.example.com/realms/acme",
		Audiences: []string{"mcp-server"},
		Claims:    claims.Keycloak("mcp-server"),
	}},
	{"PingOne", emamw.AuthorizationServer{
		Issuer: "https://auth.pingone.com/7bd00000-0000-4000-8000-000000000002/as",
		Claims: claims.PingOne(),
	}},
	{"PingFederate", emamw.AuthorizationServer{
		Issuer: "https://sso.example.com",
		Claims: claims.Mapping{Preset: "pingfederate"},
	}},
	{"AWS Cognito", emamw.AuthorizationServer{
		Issuer:    "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_EXAMPLE",
		Audiences: []string{"4abcdexampleclient"}, // client ids: there is no aud
		Claims:    claims.Cognito(),
	}},
	{"WorkOS", emamw.AuthorizationServer{
		Issuer: "https://acme.authkit.app",
		Claims: claims.Mapping{Preset: "workos"},
	}},
	{"Descope", emamw.AuthorizationServer{
		Issuer: "https://api.descope.com/P2example",
		Claims: claims.Mapping{Preset: "descope"},
	}},
	{"Stytch", emamw.AuthorizationServer{
		Issuer:    "https://login.acme.example.com",
		Audiences: []string{"project-test-0000"},
		Claims:    claims.Mapping{Preset: "stytch"},
	}},
	{"ZITADEL", emamw.AuthorizationServer{
		Issuer:    "https://acme.zitadel.cloud",
		Audiences: []string{"69234237810729019"}, // the project id
		Claims:    claims.Mapping{Preset: "zitadel", Vars: map[string]string{"project": "69234237810729019"}},
	}},
	{"Ory Hydra and Ory Network", emamw.AuthorizationServer{
		Issuer: "https://acme.projects.oryapis.com",
		Claims: claims.Mapping{Preset: "ory"},
	}},
	{"authentik", emamw.AuthorizationServer{
		Issuer:    "https://auth.example.com/application/o/mcp/",
		Audiences: []string{"u0mZexampleClientId"},
		Claims:    claims.Mapping{Preset: "authentik"},
	}},
	{"OneLogin", emamw.AuthorizationServer{
		Issuer: "https://acme.onelogin.com/oidc/2",
		Claims: claims.Mapping{Preset: "onelogin"},
	}},
	{"Supabase Auth", emamw.AuthorizationServer{
		Issuer:    "https://abcdefgh.supabase.co/auth/v1",
		Audiences: []string{"authenticated"},
		Claims:    claims.Mapping{Preset: "supabase"},
	}},
	{"Programs that were tried", emamw.AuthorizationServer{
		Issuer: "https://auth.example.com",
		Claims: claims.Mapping{
			Name:       "no-client",
			TokenTypes: []string{"JWT"},
			Require:    []claims.Condition{{Pointer: "/scope"}},
			Subject:    []claims.Source{{Pointer: "/sub"}},
			Scopes:     []claims.Source{{Pointer: "/scope", As: claims.AsSpace}},
		},
	}},
	{"Programs that were tried", emamw.AuthorizationServer{
		Issuer: "https://auth.example.com",
		Claims: claims.Mapping{
			Preset:  "ory",
			Client:  []claims.Source{},    // from nowhere
			Service: []claims.Condition{}, // the preset's compares the subject with the client
			Require: []claims.Condition{{Pointer: "/scp"}},
		},
	}},
	{"A mapping of your own", emamw.AuthorizationServer{
		Issuer: "https://sso.example.com",
		Claims: claims.Mapping{
			Preset: "rfc9068",
			Groups: []claims.Source{{Pointer: "/memberships/teams", TrimPrefix: "team:"}},
		},
	}},
}

// A guard takes each of them, and asks the issuer that is named there.
func TestDocumentedProviders(t *testing.T) {
	for _, tt := range documented {
		t.Run(tt.section, func(t *testing.T) {
			_, err := emamw.New(t.Context(), server.NewMCPServer("files", "1.0.0"), emamw.Config{
				Resource:             "https://mcp.example.com/mcp",
				AuthorizationServers: []emamw.AuthorizationServer{tt.server},
				HTTPClient:           emamwtest.HTTPClient(map[string]http.Handler{}),
				Logger:               slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// The lookup of groups that is documented is one that a mapping takes, and asks
// for those of the caller.
func TestDocumentedGroupsLookup(t *testing.T) {
	graph := directory{}
	mapping := claims.Entra()
	mapping.GroupsLookup = &claims.GroupsLookup{
		Lookup: func(ctx context.Context, p claims.Principal) ([]string, error) {
			// graph is your client with its own credentials; Microsoft Graph has the
			// operation getMemberObjects of a user for this.
			return graph.MemberObjects(ctx, p.Tenant, p.Subject)
		},
	}
	if _, err := mapping.Mapper(); err != nil {
		t.Fatal(err)
	}
	groups, err := mapping.GroupsLookup.Lookup(t.Context(), claims.Principal{Tenant: "tenant", Subject: "alice"})
	if err != nil || !slices.Equal(groups, []string{"tenant", "alice"}) {
		t.Errorf("groups %q, %v", groups, err)
	}
}

// A directory is in the place of a client of the product's own API.
type directory struct{}

func (directory) MemberObjects(_ context.Context, tenant, subject string) ([]string, error) {
	return []string{tenant, subject}, nil
}
