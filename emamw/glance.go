package emamw

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"

	"github.com/mark3labs/mcp-go/mcp"
)

// glanceKey marks a message of the gate's own into the server, by which it finds
// out what there is: mcp-go has no getter for templates and task tools. The
// server's own hooks see that message, the gate lets it pass.
type glanceKey struct{}

// glance is what such a message found.
type glance struct {
	guard     *Guard
	seen      bool
	templates []mcp.ResourceTemplate
}

func glanceFrom(ctx context.Context) *glance {
	l, _ := ctx.Value(glanceKey{}).(*glance)
	return l
}

// onGlance takes a list of templates before the hooks of the server's own, which
// may leave out of lists what a read still reaches.
func (g *Guard) onGlance(ctx context.Context, _ any, _ *mcp.ListResourceTemplatesRequest, result *mcp.ListResourceTemplatesResult) {
	if l := glanceFrom(ctx); l != nil && l.guard == g {
		l.seen, l.templates = true, slices.Clone(result.ResourceTemplates)
	}
}

// templates returns the templates of the server, and those of the session. It is
// not complete when the server did not answer, or when they cannot all be seen.
//
// mcp-go cuts its lists after a name, and begins the next page behind that name:
// of several templates with one name, some would be on no page. So each next page
// begins with the last name again, and all that share it are taken from there.
func (g *Guard) templates(ctx context.Context) (found []mcp.ResourceTemplate, complete bool) {
	cursor := ""
	for {
		l := &glance{guard: g}
		next, ok := g.look(ctx, l, mcp.MethodResourcesTemplatesList, cursor)
		if !ok || !l.seen {
			return found, false
		}
		if len(l.templates) == 0 {
			return found, true
		}
		last := l.templates[len(l.templates)-1].Name
		if next == "" {
			// mcp-go's cursor is the last name: where that is empty, a page looks
			// like the last one although there may be more.
			return append(found, l.templates...), last != "" || len(found) == 0 && len(l.templates) == 1
		}
		before := slices.IndexFunc(l.templates, func(t mcp.ResourceTemplate) bool { return t.Name == last })
		if before == 0 || l.templates[before-1].Name == "" {
			return append(found, l.templates...), false // a page of one name, or of none: no cursor leads past it
		}
		found = append(found, l.templates[:before]...)
		cursor = base64.StdEncoding.EncodeToString([]byte(l.templates[before-1].Name))
	}
}

// tools returns the tools of the server, task tools included, as far as its own
// filters show them.
func (g *Guard) tools(ctx context.Context) (found []mcp.Tool) {
	l := &glance{guard: g}
	message := lookMessage(mcp.MethodToolsList, "")
	for {
		response, ok := g.server.HandleMessage(context.WithValue(ctx, glanceKey{}, l), message).(mcp.JSONRPCResponse)
		if !ok {
			return found
		}
		page, ok := response.Result.(mcp.ListToolsResult)
		if !ok {
			return found
		}
		found = append(found, page.Tools...)
		if page.NextCursor == "" {
			return found
		}
		message = lookMessage(mcp.MethodToolsList, string(page.NextCursor))
	}
}

// look sends one message and returns the cursor of the next page.
func (g *Guard) look(ctx context.Context, l *glance, method mcp.MCPMethod, cursor string) (next mcp.Cursor, ok bool) {
	response, ok := g.server.HandleMessage(context.WithValue(ctx, glanceKey{}, l), lookMessage(method, cursor)).(mcp.JSONRPCResponse)
	if !ok {
		return "", false
	}
	page, ok := response.Result.(mcp.ListResourceTemplatesResult)
	return page.NextCursor, ok
}

func lookMessage(method mcp.MCPMethod, cursor string) json.RawMessage {
	message, err := json.Marshal(map[string]any{
		"jsonrpc": mcp.JSONRPC_VERSION,
		"id":      nowhere, // nobody can cancel it
		"method":  method,
		"params":  map[string]any{"cursor": cursor},
	})
	if err != nil {
		panic("emamw: a message of strings does not marshal: " + err.Error())
	}
	return message
}
