// Package before is a notes server whose bearer check was written by hand: the
// state from which docs/migration.md starts. It is made of what such checks have
// in common, and every hole in it is one that its author would not see in a test
// with good clients. Do not copy it.
package before

import (
	"context"
	"fmt"
	"net/http"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// scopeOf is what each tool needs.
var scopeOf = map[string]string{
	"list_notes":  "notes:read",
	"delete_note": "notes:write",
}

// New serves the notes to callers with a token of the issuer, whose keys are at
// jwksURL.
func New(issuer, jwksURL string, client *http.Client) http.Handler {
	s := server.NewMCPServer("notes", "1.0.0",
		server.WithResourceCapabilities(false, false), server.WithTaskCapabilities(true, true, true))
	s.AddTool(mcp.NewTool("list_notes"), listNotes)
	s.AddTool(mcp.NewTool("delete_note"), deleteNote)
	s.AddTool(mcp.NewTool("purge_notes"), purgeNotes)
	s.AddTaskTool(mcp.NewTool("export_notes", mcp.WithTaskSupport(mcp.TaskSupportRequired)), exportNotes)
	s.AddResource(mcp.NewResource("notes://archive", "archive"), readArchive)

	check := &bearerCheck{issuer: issuer, keys: &keyCache{url: jwksURL, client: client}}
	return check.protect(server.NewStreamableHTTPServer(s))
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

// userOf is the subject of the caller's token.
func userOf(ctx context.Context) string {
	return fmt.Sprint(claimsOf(ctx)["sub"])
}
