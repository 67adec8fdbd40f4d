package main

import (
	"context"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/scopes"
)

// The scopes of the notes server.
const (
	readScope  = "notes:read"
	writeScope = "notes:write"
)

// newNotesServer is the MCP server of this example: a tool to read and one to
// write.
func (w *world) newNotesServer() *server.MCPServer {
	s := server.NewMCPServer("notes", "0.1.0", server.WithToolCapabilities(false), w.tracing())
	s.AddTool(mcp.NewTool("read_note", scopes.Require(readScope)), answer("Water the plants."))
	s.AddTool(mcp.NewTool("write_note", scopes.Require(readScope, writeScope)), answer("Noted."))
	return s
}

func answer(text string) server.ToolHandlerFunc {
	return func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText(text), nil
	}
}
