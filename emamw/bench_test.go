package emamw_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/scopes"
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

// What a read costs among 10,000 fixed resources, and among none but templates.
func BenchmarkRead(b *testing.B) {
	for _, fixed := range []int{0, 10_000} {
		for _, through := range []string{"fixed", "template"} {
			b.Run(fmt.Sprintf("%d/%s", fixed, through), func(b *testing.B) {
				as := emamwtest.NewAuthorizationServer(emamwtest.AuthorizationServerConfig{Issuer: issuer, Resource: resource})
				s := server.NewMCPServer("s", "1")
				text := func(_ context.Context, r mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
					return []mcp.ResourceContents{mcp.TextResourceContents{URI: r.Params.URI}}, nil
				}
				open := scopes.ForResource(scopes.Authenticated())
				for i := range fixed {
					s.AddResource(mcp.NewResource(fmt.Sprintf("file:///other/%d", i), "other", open), text)
				}
				s.AddResource(mcp.NewResource("file:///fixed", "fixed", open), text)
				s.AddResourceTemplate(mcp.NewResourceTemplate("note:///{id}", "note", scopes.ForTemplate(scopes.Authenticated())), text)
				g, err := emamw.New(b.Context(), s, emamw.Config{
					Resource:             resource,
					AuthorizationServers: []emamw.AuthorizationServer{{Issuer: issuer}},
					HTTPClient:           emamwtest.HTTPClient(map[string]http.Handler{issuer: as}),
					Logger:               slog.New(slog.DiscardHandler),
				})
				if err != nil {
					b.Fatal(err)
				}
				h, token := g.Handler(server.NewStreamableHTTPServer(s, server.WithStateLess(true))), as.Mint(emamwtest.Token{})
				read := message("resources/read", uri(map[string]string{"fixed": "file:///fixed", "template": "note:///1"}[through]))
				b.ReportAllocs()
				for b.Loop() {
					a := httptest.NewRecorder()
					if h.ServeHTTP(a, newRequest(http.MethodPost, token, read)); a.Code != http.StatusOK {
						b.Fatal(a.Code, a.Body)
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
