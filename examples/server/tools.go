package main

import (
	"context"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/scopes"
)

// files are what the tools and resources of this example are about. They live
// in memory and are the same for everybody.
var files = map[string]string{
	"readme":      "This text is for everybody with files:read.",
	"notes/today": "Water the plants.",
	"secret":      "The safe is behind the painting.",
}

// newMCPServer registers every kind of item that has a rule.
func newMCPServer() *server.MCPServer {
	s := server.NewMCPServer("mcp-ema example", "0.1.0",
		server.WithTaskCapabilities(true, true, true),
		server.WithResourceCapabilities(true, false),
		server.WithRecovery(),
	)
	s.AddTool(mcp.NewTool("whoami", mcp.WithDescription("Tells who you are to this server"), scopes.Where(scopes.Authenticated())), whoami)
	s.AddTool(mcp.NewTool("read_file", mcp.WithString("path", mcp.Required()), scopes.Require("files:read")), readFile)
	s.AddTool(mcp.NewTool("write_file", mcp.WithString("path", mcp.Required()), mcp.WithString("text", mcp.Required()), scopes.Require("files:write")), writeFile)
	s.AddTool(mcp.NewTool("purge", mcp.WithDescription("Deletes everything"), scopes.Where(scopes.All(scopes.Scope("files:write"), scopes.Group("platform-admins")))), purge)
	s.AddTaskTool(mcp.NewTool("run_report", mcp.WithTaskSupport(mcp.TaskSupportRequired), scopes.Require("reports:run")), runReport)

	s.AddPrompt(mcp.NewPrompt("summarize", mcp.WithArgument("path"), scopes.ForPrompt(scopes.Scope("files:read"))), summarize)

	s.AddResource(mcp.NewResource("file:///readme", "readme", scopes.ForResource(scopes.Scope("files:read"))), readResource)
	s.AddResource(mcp.NewResource("file:///secret", "secret", scopes.ForResource(scopes.Scope("files:admin"))), readResource)
	s.AddResourceTemplate(mcp.NewResourceTemplate("file:///{+path}", "files", scopes.ForTemplate(scopes.Scope("files:read"))), readTemplate)
	return s
}

// whoami answers with the identity as the guard read it from the token. A
// handler that keeps data for a caller should key it by Principal.Key.
func whoami(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	p, ok := claims.FromContext(ctx)
	if !ok {
		return mcp.NewToolResultError("nobody was authenticated"), nil
	}
	return mcp.NewToolResultStructured(map[string]any{
		"issuer":       p.Issuer,
		"subject":      p.Subject,
		"tenant":       p.Tenant,
		"kind":         p.Kind,
		"client_id":    p.ClientID,
		"scopes":       listed(p.Scopes),
		"groups":       listed(p.Groups.Names),
		"groups_state": stateName(p.Groups.State),
		"roles":        listed(p.Roles),
		"permissions":  listed(p.Permissions),
	}, "You are "+p.Subject+" of "+p.Issuer+"."), nil
}

// listed writes an empty list as [] and not as null.
func listed(values []string) []string {
	if values == nil {
		return []string{}
	}
	return values
}

func stateName(s claims.GroupsState) string {
	if s == claims.GroupsAbsent {
		return "absent"
	}
	return string(s)
}

func readFile(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	text, ok := open(r.GetString("path", ""))
	if !ok {
		return mcp.NewToolResultError("no such file"), nil
	}
	return mcp.NewToolResultText(text), nil
}

// open finds a file that everybody with files:read may read. The rule is on the
// tool's name alone, so what the path may name is for the handler to check: the
// secret has a resource, and a rule, of its own.
func open(path string) (string, bool) {
	if path == "secret" {
		return "", false
	}
	text, ok := files[path]
	return text, ok
}

func writeFile(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultText("wrote " + r.GetString("path", "")), nil
}

func purge(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultText("purged"), nil
}

// runReport runs as a task. mcp-go ends the context of a task as soon as the
// call that made it is answered, so work that goes on needs one without that
// end; the caller is still in it.
func runReport(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CreateTaskResult, error) {
	ctx = context.WithoutCancel(ctx)
	p, _ := claims.FromContext(ctx)
	return &mcp.CreateTaskResult{Content: []mcp.Content{mcp.NewTextContent("report for " + p.Subject)}}, nil
}

func summarize(_ context.Context, r mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	return mcp.NewGetPromptResult("Summarize a file", []mcp.PromptMessage{
		mcp.NewPromptMessage(mcp.RoleUser, mcp.NewTextContent("Summarize the file "+r.Params.Arguments["path"]+".")),
	}), nil
}

func readResource(_ context.Context, r mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	return content(r.Params.URI, files[strings.TrimPrefix(r.Params.URI, "file:///")]), nil
}

// readTemplate serves what the template matches. The rule was checked on the URI
// as it is written, so the path is used as it is written too: a handler that
// decoded %73ecret, or cleaned a/../secret, would open what the rule for
// file:///secret closes.
func readTemplate(_ context.Context, r mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	text, ok := open(strings.TrimPrefix(r.Params.URI, "file:///"))
	if !ok {
		return nil, nil
	}
	return content(r.Params.URI, text), nil
}

func content(uri, text string) []mcp.ResourceContents {
	return []mcp.ResourceContents{mcp.TextResourceContents{URI: uri, MIMEType: "text/plain", Text: text}}
}
