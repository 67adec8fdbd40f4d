package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamwtest"
)

// presetTest is a token of one product, and what whoami must say of it.
type presetTest struct {
	preset, file, vars string
	issuer             string // path of the issuer, where the product's has a shape
	audience           string
	typ                any // header; nil for none
	subject            string
	tenant             string
	kind               claims.Kind
	client             string
	groups             string // joined by "|"
	state              string
	roles              string // joined by " "
}

var presetTests = []presetTest{
	{preset: "rfc9068", file: "rfc9068-generic", typ: "at+jwt", audience: "https://mcp.example.com", subject: "user-123", kind: "user", client: "client-1", groups: "engineering", state: "complete", roles: "operator"},
	{preset: "okta", file: "okta-custom-as", issuer: "/oauth2/aus1", audience: "https://mcp.example.com", subject: "00u1exampleAlice0h7", kind: "user", client: "0oa1exampleClient0h7", groups: "Everyone|Engineering", state: "complete"},
	{preset: "okta", file: "okta-custom-as-service", issuer: "/oauth2/aus1", audience: "https://mcp.example.com", subject: "0oa1exampleSvc0h7", kind: "service", client: "0oa1exampleSvc0h7", state: "absent"},
	{preset: "entra", file: "entra-v2", issuer: "/11111111-2222-3333-4444-555555555555/v2.0", typ: "JWT", audience: "6e74172b-0000-4000-8000-e66a39bb12e3", subject: "690222be-0000-4000-8000-7e4f7d38e474", tenant: "11111111-2222-3333-4444-555555555555", kind: "user", client: "75dbe77f-0000-4000-8000-8c127544f17c", groups: "8a1d0000-0000-4000-8000-00000000000a|8a1d0000-0000-4000-8000-00000000000b", state: "complete", roles: "Mcp.Operator"},
	{preset: "entra", file: "entra-overage", issuer: "/11111111-2222-3333-4444-555555555555/v2.0", typ: "JWT", audience: "6e74172b-0000-4000-8000-e66a39bb12e3", subject: "690222be-0000-4000-8000-7e4f7d38e474", tenant: "11111111-2222-3333-4444-555555555555", kind: "user", client: "75dbe77f-0000-4000-8000-8c127544f17c", state: "overage", roles: "Mcp.Operator"},
	{preset: "auth0", vars: "ns=https://example.com/", file: "auth0", issuer: "/", typ: "JWT", audience: "https://mcp.example.com", subject: "okta|acme|00u1exampleAlice0h7", tenant: "org_9ybsU1dN2dKfDkBi", kind: "user", client: "AbCdExampleClient", groups: "Engineering", state: "complete"},
	{preset: "keycloak", vars: "client=mcp-server", file: "keycloak", issuer: "/realms/acme", typ: "JWT", audience: "mcp-server", subject: "36fa0f91-f94d-4a0c-afed-6b7d952e47da", kind: "user", client: "vscode-mcp", groups: "engineering/platform|mcp users", state: "complete", roles: "tool-runner realm:offline_access realm:default-roles-acme realm:operator"},
	{preset: "pingone", file: "pingone", audience: "https://mcp.example.com", subject: "b1f00000-0000-4000-8000-000000000004", tenant: "7bd00000-0000-4000-8000-000000000002", kind: "user", client: "3af00000-0000-4000-8000-000000000001", groups: "Engineering", state: "complete"},
	{preset: "pingfederate", file: "pingfederate", audience: "https://mcp.example.com", subject: "alice", kind: "user", client: "mcp-client", groups: "CN=Engineering,OU=Groups,DC=example,DC=com", state: "complete"},
	{preset: "cognito", file: "cognito", audience: "4abcdexampleclient", subject: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", kind: "user", client: "4abcdexampleclient", groups: "engineering", state: "complete"},
	{preset: "workos", file: "workos-connect", audience: "https://mcp.example.com", subject: "user_01HBEQKA6K4QJAS93VPE39W1JT", tenant: "org_01HRDMC6CM357W30QMHMQ96Q0S", kind: "user", client: "client_01EXAMPLE", state: "absent"},
	{preset: "descope", file: "descope", audience: "https://mcp.example.com", subject: "U2exampleAlice", tenant: "T2acme", kind: "user", client: "UEx0exampleClient", state: "absent", roles: "Operator"},
	{preset: "stytch", file: "stytch-b2b", audience: "project-test-0000", subject: "member-test-16d9ba61-97a1-4ba4-9720-b03761dc50c6", tenant: "organization-test-07971b06", kind: "user", client: "connected-app-test-d731954d", state: "absent"},
	{preset: "zitadel", file: "zitadel", audience: "69234237810729019", subject: "77776025198584418", tenant: "165000000000000001", kind: "user", client: "69234237810729234", state: "absent", roles: "operator viewer"},
	{preset: "ory", file: "ory-hydra", audience: "https://mcp.example.com", subject: "a7000000-0000-4000-8000-000000000003", kind: "user", client: "9f3e0000-0000-4000-8000-000000000001", groups: "engineering", state: "complete"},
	{preset: "authentik", file: "authentik", issuer: "/application/o/mcp/", typ: "JWT", audience: "u0mZexampleClientId", subject: "6d0b8a5fexamplehasheduserid", kind: "user", client: "u0mZexampleClientId", groups: "authentik Admins|engineering", state: "complete", roles: "tool-runner"},
	{preset: "onelogin", file: "onelogin-api-authz", audience: "https://mcp.example.com", subject: "35666371", kind: "user", client: "78d1d040-example", groups: "Engineering", state: "complete"},
	{preset: "supabase", file: "supabase-auth", issuer: "/auth/v1", typ: "JWT", audience: "authenticated", subject: "d0000000-0000-4000-8000-000000000001", kind: "user", client: "f0000000-0000-4000-8000-000000000003", groups: "engineering", state: "complete"},
}

func TestWhoamiByPreset(t *testing.T) {
	covered := map[string]bool{"id-jag": true} // never an access token
	for _, tt := range presetTests {
		covered[tt.preset] = true
		t.Run(tt.preset+"/"+tt.file, func(t *testing.T) { tt.run(t) })
	}
	for _, preset := range claims.Presets() {
		if !covered[preset] {
			t.Errorf("preset %s has no row", preset)
		}
	}
}

func (tt presetTest) run(t *testing.T) {
	as := emamwtest.StartAuthorizationServer(emamwtest.AuthorizationServerConfig{Issuer: tt.issuer})
	defer as.Close()
	args := []string{"-issuer", as.Issuer(), "-preset", tt.preset, "-audience", tt.audience, "-stateless"}
	if tt.vars != "" {
		args = append(args, "-preset-var", tt.vars)
	}
	base := start(t, args...)

	token := as.MintClaims(map[string]any{"typ": tt.typ}, fixture(t, tt.file, as.Issuer()))
	status, body := post(t, base, token, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami"}}`)
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	var answer struct {
		Result struct {
			StructuredContent identity `json:"structuredContent"`
		} `json:"result"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	got := answer.Result.StructuredContent
	if got.Issuer != as.Issuer() || got.Subject != tt.subject || got.Tenant != tt.tenant || got.Kind != tt.kind || got.ClientID != tt.client ||
		strings.Join(got.Groups, "|") != tt.groups || got.GroupsState != tt.state || strings.Join(got.Roles, " ") != tt.roles {
		t.Errorf("whoami says %+v", got)
	}
}

type identity struct {
	Issuer      string      `json:"issuer"`
	Subject     string      `json:"subject"`
	Tenant      string      `json:"tenant"`
	Kind        claims.Kind `json:"kind"`
	ClientID    string      `json:"client_id"`
	Scopes      []string    `json:"scopes"`
	Groups      []string    `json:"groups"`
	GroupsState string      `json:"groups_state"`
	Roles       []string    `json:"roles"`
	Permissions []string    `json:"permissions"`
}

// fixture is a product's payload, as if issued now by issuer.
func fixture(t *testing.T, name, issuer string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "claims", "testdata", "idp-tokens", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var payload map[string]any
	if err := json.Unmarshal(text, &payload); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	payload["iss"] = issuer
	payload["exp"] = now.Add(5 * time.Minute).Unix()
	for _, name := range []string{"iat", "nbf"} {
		if _, there := payload[name]; there {
			payload[name] = now.Unix()
		}
	}
	return payload
}
