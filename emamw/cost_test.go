//go:build !race

package emamw_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/scopes"
)

// discard is a ResponseWriter that costs nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Flush()                      {}

// The ceilings were measured with go1.26 on linux/amd64; allocations do not
// depend on the machine, but they do on the release.
func TestAllocations(t *testing.T) {
	if !strings.HasPrefix(runtime.Version(), "go1.26") {
		t.Skip("the ceilings are those of go1.26")
	}
	b := newBench(t, stateless, before(func(b *bench) {
		b.mcp.AddTool(mcp.NewTool("free", scopes.Require("files:write")), plainTool)
	}))
	token := b.token("files:write")
	if n := testing.AllocsPerRun(200, func() {
		if _, err := b.guard.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}); n > 2 {
		t.Errorf("a cached verification: %v allocations, at most 2", n)
	}

	bare := server.NewMCPServer("bare", "1", server.WithToolCapabilities(true))
	bare.AddTool(mcp.NewTool("free"), plainTool)
	body := message("tools/call", call("free"))
	unguarded := allocations(server.NewStreamableHTTPServer(bare, server.WithStateLess(true)), token, body, 300)
	guarded := allocations(b.handler, token, body, 300)
	if over := guarded - unguarded; over > 8 {
		t.Errorf("a guarded call: %v allocations over the %v of an unguarded one, at most 8", over, unguarded)
	}
}

func plainTool(_ context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultText("ok"), nil
}

// allocations is what one request costs a handler.
func allocations(h http.Handler, token, body string, runs int) float64 {
	r := newRequest(http.MethodPost, token, "")
	reader := strings.NewReader(body)
	w := &discard{header: http.Header{}}
	return testing.AllocsPerRun(runs, func() {
		reader.Reset(body)
		r.Body = io.NopCloser(reader)
		clear(w.header)
		h.ServeHTTP(w, r)
	})
}

func TestVerificationAllocations(t *testing.T) {
	if !strings.HasPrefix(runtime.Version(), "go1.26") {
		t.Skip("the ceilings are those of go1.26")
	}
	for algorithm, ceiling := range map[string]float64{"ES256": 18, "RS256": 17} {
		b := newBench(t, with(func(c *emamw.Config) { c.TokenCacheEntries = -1 }), signedWith(algorithm))
		groups := strings.Fields("g01 g02 g03 g04 g05 g06 g07 g08 g09 g10 g11 g12 g13 g14 g15 g16 g17 g18 g19 g20")
		token := b.as.Mint(emamwtest.Token{Scopes: []string{"files:read", "files:write"}, Groups: groups, Claims: map[string]any{"email": "alice@example.com"}})
		if n := testing.AllocsPerRun(200, func() {
			if _, err := b.guard.Verify(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		}); n > ceiling {
			t.Errorf("%s: %v allocations, at most %v", algorithm, n, ceiling)
		}
	}
}

// A filter that allocated for each tool would make long lists dear: what a list
// costs over an unguarded one must not grow with it.
func TestListAllocations(t *testing.T) {
	over := func(hide bool, tools int) float64 {
		fill := func(s *server.MCPServer) {
			for i := range tools {
				s.AddTool(mcp.NewTool(fmt.Sprintf("tool%03d", i), scopes.Require("files:read")), plainTool)
			}
		}
		bare := server.NewMCPServer("bare", "1", server.WithToolCapabilities(true))
		fill(bare)
		b := newBench(t, stateless, with(func(c *emamw.Config) { c.HideDenied = hide }), before(func(b *bench) { fill(b.mcp) }))
		token, body := b.token("files:read"), message("tools/list", nil)
		return allocations(b.handler, token, body, 100) - allocations(server.NewStreamableHTTPServer(bare, server.WithStateLess(true)), token, body, 100)
	}
	for _, hide := range []bool{false, true} {
		few, many := over(hide, 10), over(hide, 100)
		t.Logf("hide=%t: %v allocations over an unguarded list of 10 tools, %v of 100", hide, few, many)
		if many > few+2 { // buffers that grow are those of four measurements
			t.Errorf("hide=%t: %v allocations over an unguarded list of 10 tools, and %v of 100", hide, few, many)
		}
	}
}
