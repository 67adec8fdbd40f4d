package redisstore_test

import (
	"context"
	"crypto/tls"
	"log"
	"os"

	"github.com/emamw/mcp-ema/idjag"
	"github.com/emamw/mcp-ema/redisstore"
)

// One replica of an authorization server. The MCP servers behind it are given a
// store of the same Redis as their Config.Revocations.
func Example() {
	store, err := redisstore.New(redisstore.Config{
		Addr:     "redis.example.com:6380",
		Username: "authserver",
		Password: os.Getenv("REDIS_PASSWORD"),
		TLS:      &tls.Config{MinVersion: tls.VersionTLS12},
	})
	if err != nil {
		log.Fatal(err) // every mistake in the configuration, one per line
	}
	key, err := idjag.LoadKeyFile("/etc/authserver/key.pem") // the same for every replica
	if err != nil {
		log.Fatal(err)
	}
	as, err := idjag.New(context.Background(), idjag.Config{
		Issuer:            "https://auth.example.com",
		Resources:         []idjag.Resource{{ID: "https://mcp.example.com/mcp", Scopes: []string{"files:read", "files:write"}}},
		IdentityProviders: []idjag.IdentityProvider{{Issuer: "https://acme.okta.com"}},
		Clients:           []idjag.Client{{ID: "mcp-client", SecretHashes: []string{"sha256:qG5fVM3nq9C0i6n9lZqW6m0S3Yb7m3sDgq3i7c0wzvQ"}}},
		Keys:              idjag.Keys{Current: key},
		Replay:            store,
		Revocations:       store,
	})
	if err != nil {
		log.Fatal(err)
	}
	_ = as // an http.Handler
}
