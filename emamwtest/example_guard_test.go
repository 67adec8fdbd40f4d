package emamwtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/scopes"
)

const files = "https://mcp.example.com/mcp"

// protect is the server under test: one tool, one scope.
func protect(ctx context.Context, as *emamwtest.AuthorizationServer) (*emamw.Guard, http.Handler) {
	s := server.NewMCPServer("files", "1.0.0")
	s.AddTool(mcp.NewTool("delete_file", scopes.Require("files:write")), deleteFile)
	guard, err := emamw.New(ctx, s, emamw.Config{
		Resource:             files,
		AuthorizationServers: []emamw.AuthorizationServer{{Issuer: as.Issuer()}},
		HTTPClient:           emamwtest.HTTPClient(map[string]http.Handler{as.Issuer(): as}),
		Logger:               slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	return guard, guard.Handler(server.NewStreamableHTTPServer(s, server.WithStateLess(true)))
}

func deleteFile(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	caller, _ := claims.FromContext(ctx)
	return mcp.NewToolResultText("deleted for " + caller.Subject), nil
}

// A test of one's own server: tokens that differ in what matters, and what the
// server makes of them.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	as := emamwtest.NewAuthorizationServer(emamwtest.AuthorizationServerConfig{Issuer: "https://auth.example.com", Resource: files})
	_, handler := protect(ctx, as)
	client := emamwtest.HTTPClient(map[string]http.Handler{files: handler})

	call := func(token string) {
		r, _ := http.NewRequestWithContext(ctx, http.MethodPost, files, strings.NewReader(
			`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_file"}}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := client.Do(r)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		fmt.Println(resp.StatusCode)
	}
	call(as.Mint(emamwtest.Token{Scopes: []string{"files:write"}}))
	call(as.Mint(emamwtest.Token{Scopes: []string{"files:read"}}))
	call(as.Mint(emamwtest.Token{Lifetime: -time.Hour}))
	call(as.Mint(emamwtest.Token{Audience: []string{"https://other.example.com/mcp"}}))
	// Output:
	// 200
	// 403
	// 401
	// 401
}

// Every hostile token must be refused, and for the right reason.
func ExampleDefects() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	as := emamwtest.NewAuthorizationServer(emamwtest.AuthorizationServerConfig{Issuer: "https://auth.example.com", Resource: files})
	guard, _ := protect(ctx, as)

	if _, err := guard.Verify(ctx, as.Mint(emamwtest.Token{})); err != nil {
		fmt.Println("a good token is refused:", err)
	}
	for _, defect := range emamwtest.Defects(as) {
		_, err := guard.Verify(ctx, defect.Token)
		var refused *emamw.TokenError
		if !errors.As(err, &refused) || refused.Reason != defect.Reason {
			fmt.Printf("%s: got %v, want %s\n", defect.Name, err, defect.Reason)
		}
	}
	fmt.Println("done")
	// Output: done
}
