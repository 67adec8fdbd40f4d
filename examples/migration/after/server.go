// Package after is the server of package before, with the guard in place of the
// check that was written by hand.
package after

import (
	"context"
	"net/http"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/scopes"
)

// New serves the notes to callers whose token the issuer made for resource. The
// keys are found through the issuer's metadata; ctx ends their refresh.
func New(ctx context.Context, issuer, resource string, client *http.Client) (http.Handler, error) {
	s := server.NewMCPServer("notes", "1.0.0",
		server.WithResourceCapabilities(false, false), server.WithTaskCapabilities(true, true, true))
	s.AddTool(mcp.NewTool("list_notes", scopes.Require("notes:read")), listNotes)
	s.AddTool(mcp.NewTool("delete_note", scopes.Require("notes:write")), deleteNote)
	s.AddTool(mcp.NewTool("purge_notes"), purgeNotes) // without a rule: denied, and logged
	s.AddTaskTool(mcp.NewTool("export_notes", mcp.WithTaskSupport(mcp.TaskSupportRequired), scopes.Require("notes:read")), exportNotes)
	s.AddResource(mcp.NewResource("notes://archive", "archive", scopes.ForResource(scopes.Scope("notes:admin"))), readArchive)

	guard, err := emamw.New(ctx, s, emamw.Config{
		Resource:             resource,
		AuthorizationServers: []emamw.AuthorizationServer{{Issuer: issuer}},
		HTTPClient:           client,
	})
	if err != nil {
		return nil, err
	}
	return guard.Handler(server.NewStreamableHTTPServer(s)), nil
}

func listNotes(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultText("notes of " + userOf(ctx)), nil
}

func deleteNote(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultText("deleted for " + userOf(ctx)), nil
}

func purgeNotes(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultText("purged for " + userOf(ctx)), nil
}

func exportNotes(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CreateTaskResult, error) {
	return &mcp.CreateTaskResult{Content: []mcp.Content{mcp.NewTextContent("export for " + userOf(ctx))}}, nil
}

func readArchive(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	return []mcp.ResourceContents{mcp.TextResourceContents{URI: "notes://archive", Text: "the archive"}}, nil
}

// userOf is the subject of the caller. It is stable within the caller's issuer
// and tenant; where there are several, Principal.Key is the name to store.
func userOf(ctx context.Context) string {
	caller, _ := claims.FromContext(ctx)
	return caller.Subject
}
