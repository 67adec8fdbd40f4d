package idjag_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/idjag"
)

// A server for one identity provider, one client and one MCP server, beside
// which it is mounted.
func Example() {
	key, err := idjag.LoadKeyFile("/etc/authserver/key.pem")
	if err != nil {
		log.Fatal(err)
	}
	as, err := idjag.New(context.Background(), idjag.Config{
		Issuer:            "https://mcp.example.com/auth",
		Resources:         []idjag.Resource{{ID: "https://mcp.example.com/mcp", Scopes: []string{"files:read", "files:write"}}},
		IdentityProviders: []idjag.IdentityProvider{{Issuer: "https://acme.okta.com"}},
		Clients:           []idjag.Client{{ID: "mcp-client", SecretHashes: []string{"sha256:qG5fVM3nq9C0i6n9lZqW6m0S3Yb7m3sDgq3i7c0wzvQ"}}},
		Keys:              idjag.Keys{Current: key},
		GroupScopes:       map[string][]string{"Engineering": {"files:read", "files:write"}, "Everyone": {"files:read"}},
	})
	if err != nil {
		log.Fatal(err) // every mistake in the configuration, one per line
	}
	mux := http.NewServeMux()
	for _, path := range as.Paths() {
		mux.Handle(path, as)
	}
	log.Fatal(http.ListenAndServe(":8443", mux))
}

// A policy is data and its decision a function, so a table of users is a test of
// it.
func ExamplePolicy_Decide() {
	policy, err := idjag.ParsePolicy([]byte(`{"rules": [
		{"name": "staff", "groups": ["Everyone"], "scopes": ["files:read"]},
		{"name": "admins", "groups": ["Admins"], "scopes": ["files:admin"], "max_authentication_age": "15m"}
	]}`))
	if err != nil {
		log.Fatal(err)
	}
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	for _, signedIn := range []time.Duration{time.Minute, time.Hour} {
		decision := policy.Decide(idjag.Request{
			User: claims.Principal{
				Groups:         claims.Groups{Names: []string{"Everyone", "Admins"}, State: claims.GroupsComplete},
				Authentication: claims.Authentication{Time: now.Add(-signedIn)},
			},
			Offered: []string{"files:admin", "files:read"},
			Now:     now,
		})
		fmt.Println(decision.Scopes, decision.Rules)
	}
	// Output:
	// [files:admin files:read] [staff admins]
	// [files:read] [staff]
}
