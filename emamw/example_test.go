package emamw_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/revocation"
	"github.com/emamw/mcp-ema/scopes"
)

func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	s := server.NewMCPServer("files", "1.0.0")
	s.AddTool(mcp.NewTool("delete_file", scopes.Require("files:write")), deleteFile)

	guard, err := emamw.New(ctx, s, emamw.Config{
		Resource:             "https://mcp.example.com/mcp",
		AuthorizationServers: []emamw.AuthorizationServer{{Issuer: "https://auth.example.com"}},
		HTTPClient:           network, // for this example: the test kit in place of the network
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := guard.Handler(server.NewStreamableHTTPServer(s, server.WithStateLess(true)))

	// A client without a token is told where to get one; one whose token lacks
	// the scope, which scope it lacks; and one that has it is served.
	ask(handler, "")
	ask(handler, authserver.Mint(emamwtest.Token{Subject: "alice", Scopes: []string{"files:read"}}))
	ask(handler, authserver.Mint(emamwtest.Token{Subject: "alice", Scopes: []string{"files:write"}, Groups: []string{"engineering"}}))
	// Output:
	// 401 Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"
	// 403 Bearer error="insufficient_scope", error_description="the access token lacks a scope that this operation needs", scope="files:write", resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"
	// 200 deleted for alice, an engineer
}

// A person leaves, or a laptop is lost: whatever tells so names the issuer and the
// subject as the token has them, or as the identity provider behind the ID-JAG does.
// With a store that they share, one guard tells all.
func ExampleGuard_Revoke() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	guard, err := emamw.New(ctx, server.NewMCPServer("files", "1.0.0"), emamw.Config{
		Resource:             "https://mcp.example.com/mcp",
		AuthorizationServers: []emamw.AuthorizationServer{{Issuer: "https://auth.example.com"}},
		HTTPClient:           network,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	token := authserver.Mint(emamwtest.Token{Subject: "alice"})
	_, err = guard.Verify(ctx, token)
	fmt.Println(err)

	err = guard.Revoke(ctx, revocation.Revocation{Issuer: "https://auth.example.com", Subject: "alice"})
	fmt.Println(err)
	_, err = guard.Verify(ctx, token)
	fmt.Println(err)
	// Output:
	// <nil>
	// <nil>
	// emamw: token refused: token_revoked
}

func deleteFile(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	caller, ok := claims.FromContext(ctx)
	if !ok {
		return nil, claims.ErrNoPrincipal
	}
	who := caller.Subject // stable within caller.Issuer and caller.Tenant; caller.Key() is all three
	if caller.Groups.Has("engineering") {
		who += ", an engineer"
	}
	return mcp.NewToolResultText("deleted for " + who), nil
}

// Claims that Principal has no field for are decoded from the verified token.
func Example_claims() {
	type ownClaims struct {
		Department string `json:"department"`
	}
	handle := func(ctx context.Context) {
		own, err := claims.As[ownClaims](ctx)
		fmt.Println(own.Department, err)
	}
	token := authserver.Mint(emamwtest.Token{Claims: map[string]any{"department": "Research"}})
	caller, err := verifier().Verify(context.Background(), token)
	if err != nil {
		fmt.Println(err)
		return
	}
	handle(claims.NewContext(context.Background(), *caller))
	// Output: Research <nil>
}

// Rules combine, and may look at the arguments of a call.
func Example_rules() {
	s := server.NewMCPServer("deploy", "1.0.0")
	s.AddTool(mcp.NewTool("purge", scopes.Where(scopes.All(
		scopes.Scope("files:write"),
		scopes.Group("platform-admins"),
	))), deleteFile)
	s.AddTool(mcp.NewTool("deploy", scopes.Where(scopes.When(func(args map[string]any) scopes.Rule {
		if args["environment"] == "staging" {
			return scopes.Scope("deploy")
		}
		return scopes.All(scopes.Scope("deploy"), scopes.Scope("deploy:production"))
	}))), deleteFile)
	fmt.Println(len(s.ListTools()))
	// Output: 2
}

// A transport that is served by itself skips the guard. Nothing is open then:
// everything with a rule is denied, and a line in the log says why.
func Example_incorrect() {
	s := server.NewMCPServer("files", "1.0.0")
	s.AddTool(mcp.NewTool("delete_file", scopes.Require("files:write")), deleteFile)
	if _, err := emamw.New(context.Background(), s, config()); err != nil {
		fmt.Println(err)
		return
	}
	ask(server.NewStreamableHTTPServer(s, server.WithStateLess(true)), authserver.Mint(emamwtest.Token{Scopes: []string{"files:write"}}))
	// Output: 200 tool 'delete_file' not found: tool not found
}

// authserver stands for the team's authorization server, and network for the
// way to it.
var (
	authserver = emamwtest.NewAuthorizationServer(emamwtest.AuthorizationServerConfig{Issuer: "https://auth.example.com", Resource: "https://mcp.example.com/mcp"})
	network    = emamwtest.HTTPClient(map[string]http.Handler{authserver.Issuer(): authserver})
)

func config() emamw.Config {
	return emamw.Config{
		Resource:             "https://mcp.example.com/mcp",
		AuthorizationServers: []emamw.AuthorizationServer{{Issuer: "https://auth.example.com"}},
		HTTPClient:           network,
	}
}

func verifier() *emamw.Guard {
	guard, err := emamw.New(context.Background(), server.NewMCPServer("files", "1.0.0"), config())
	if err != nil {
		panic(err)
	}
	return guard
}

// ask calls delete_file and prints what a client would look at.
func ask(handler http.Handler, token string) {
	r := httptest.NewRequest(http.MethodPost, "/mcp", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_file"}}`))
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, r)
	fmt.Println(recorder.Code, recorder.Header().Get("WWW-Authenticate")+said(recorder.Body.String()))
}

// said is the text in an answer.
func said(body string) string {
	for _, key := range []string{`"text":"`, `"message":"`} {
		if _, text, ok := strings.Cut(body, key); ok {
			text, _, _ = strings.Cut(text, `"`)
			return text
		}
	}
	return ""
}
