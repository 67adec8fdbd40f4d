package emamw_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
)

func BenchmarkVerify(b *testing.B) {
	for _, mode := range []struct {
		name    string
		entries int
	}{{"cached", 0}, {"uncached", -1}} {
		for _, algorithm := range []string{"ES256", "RS256"} {
			b.Run(mode.name+"/"+algorithm, func(b *testing.B) {
				g, as := benchGuard(b, algorithm, func(c *emamw.Config) { c.TokenCacheEntries = mode.entries })
				token := as.Mint(emamwtest.Token{Scopes: []string{"files:read", "files:write"}, Groups: strings.Fields("g01 g02 g03 g04 g05 g06 g07 g08 g09 g10 g11 g12 g13 g14 g15 g16 g17 g18 g19 g20"), Claims: map[string]any{"email": "alice@example.com"}})
				b.ReportAllocs()
				for b.Loop() {
					if _, err := g.Verify(b.Context(), token); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func benchGuard(b *testing.B, algorithm string, change func(*emamw.Config)) (*emamw.Guard, *emamwtest.AuthorizationServer) {
	b.Helper()
	as := emamwtest.NewAuthorizationServer(emamwtest.AuthorizationServerConfig{Issuer: issuer, Resource: resource, Algorithms: []string{algorithm}})
	cfg := emamw.Config{
		Resource:             resource,
		AuthorizationServers: []emamw.AuthorizationServer{{Issuer: issuer}},
		HTTPClient:           emamwtest.HTTPClient(map[string]http.Handler{issuer: as}),
		Logger:               slog.New(slog.DiscardHandler),
	}
	change(&cfg)
	g, err := emamw.New(b.Context(), server.NewMCPServer("s", "1"), cfg)
	if err != nil {
		b.Fatal(err)
	}
	if err := g.Ready(b.Context()); err != nil {
		b.Fatal(err)
	}
	return g, as
}
