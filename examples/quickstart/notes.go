package main

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/scopes"
)

// The scopes of the notes server.
const (
	readScope  = "notes:read"
	writeScope = "notes:write"
)

// notebook is what the tools of the server work on.
type notebook struct {
	mu      sync.Mutex
	written []string
}

func (n *notebook) add(line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.written = append(n.written, line)
}

func (n *notebook) lines() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.written)
}

// newNotesServer is the MCP server of this example: two tools, and beside each
// the scope that it needs.
func newNotesServer(n *notebook) *server.MCPServer {
	s := server.NewMCPServer("notes", "0.1.0", server.WithToolCapabilities(false))
	s.AddTool(mcp.NewTool("greet",
		mcp.WithDescription("Greets you by name"),
		scopes.Require(readScope)), greet)
	s.AddTool(mcp.NewTool("write_note",
		mcp.WithDescription("Writes a note"),
		mcp.WithString("text", mcp.Required()),
		scopes.Require(writeScope)), n.write)
	return s
}

// greet reads who calls from the context. The guard has put it there, out of a
// token that it verified.
func greet(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	caller, ok := claims.FromContext(ctx)
	if !ok {
		return mcp.NewToolResultError("nobody was authenticated"), nil
	}
	return mcp.NewToolResultText(greeting(caller.Subject, caller.Groups)), nil
}

func greeting(name string, groups claims.Groups) string {
	switch {
	case !groups.Known():
		return "Hello " + name + ", your groups are not known here."
	case len(groups.Names) == 0:
		return "Hello " + name + " of no group."
	}
	return "Hello " + name + " of " + strings.Join(groups.Names, " and ") + "."
}

func (n *notebook) write(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	caller, ok := claims.FromContext(ctx)
	if !ok {
		return mcp.NewToolResultError("nobody was authenticated"), nil
	}
	text := r.GetString("text", "")
	n.add(text)
	return mcp.NewToolResultText(caller.Subject + " noted: " + text), nil
}
