package emamwtest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/emamw/mcp-ema/emamwtest"
)

// An identity provider of one user and one client, asked for an ID-JAG as an MCP
// client asks (RFC 8693). Everything happens in memory, under the names that
// production would have.
func ExampleIdP() {
	idp := emamwtest.NewIdP(emamwtest.IdPConfig{
		Issuer:  "https://idp.example.com",
		Users:   []emamwtest.User{{Name: "alice", Groups: []string{"engineering"}}},
		Clients: []emamwtest.Client{{ID: "agent", Secret: "secret"}},
		Audiences: []emamwtest.Audience{{
			Issuer:    "https://auth.example.com",
			Resources: []string{"https://mcp.example.com/mcp"},
			Scopes:    []string{"files:read"},
		}},
	})
	client := emamwtest.HTTPClient(map[string]http.Handler{idp.Issuer(): idp})

	exchange := func(idToken string) {
		resp, err := client.PostForm("https://idp.example.com/token", url.Values{
			"grant_type":           {"urn:ietf:params:oauth:grant-type:token-exchange"},
			"requested_token_type": {"urn:ietf:params:oauth:token-type:id-jag"},
			"subject_token_type":   {"urn:ietf:params:oauth:token-type:id_token"},
			"subject_token":        {idToken},
			"audience":             {"https://auth.example.com"},
			"resource":             {"https://mcp.example.com/mcp"},
			"scope":                {"files:read files:write"},
			"client_id":            {"agent"},
			"client_secret":        {"secret"},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		defer resp.Body.Close()
		var answer struct{ Scope, Error string }
		_ = json.NewDecoder(resp.Body).Decode(&answer)
		fmt.Printf("%d %s%s\n", resp.StatusCode, answer.Scope, answer.Error)
	}
	idToken := idp.SignIn("alice", "agent")
	exchange(idToken)

	// Alice leaves the company.
	idp.Update(func(cfg *emamwtest.IdPConfig) { cfg.Users = nil })
	exchange(idToken)
	// Output:
	// 200 files:read
	// 400 invalid_request
}

// A token of any product: what its claims are called is up to the test.
func ExampleAuthorizationServer_MintClaims() {
	as := emamwtest.NewAuthorizationServer(emamwtest.AuthorizationServerConfig{
		Issuer: "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0",
	})
	token := as.MintClaims(map[string]any{"typ": "JWT"}, map[string]any{
		"iss": as.Issuer(),
		"aud": "6e74172b-0000-4000-8000-e66a39bb12e3",
		"oid": "690222be-0000-4000-8000-7e4f7d38e474",
		"scp": "tools.read tools.write",
	})
	fmt.Println(len(token) > 0)
	// Output: true
}
