package emamw

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"sync/atomic"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// glanceKey marks a message of the gate's own into the server, by which it finds
// out what there is: mcp-go has no getter for templates and task tools. The
// server's own hooks see that message, the gate lets it pass.
type glanceKey struct{}

// glance is such a message, and what it found.
type glance struct {
	guard     *Guard
	cursor    mcp.Cursor // that it asks for
	seen      bool
	templates []mcp.ResourceTemplate
	next      mcp.Cursor
	context   atomic.Pointer[context.Context] // that mcp-go made for it
}

// glanceIn returns the glance that a message belongs to, also one that a hook sends
// with the context of it; x is the exchange of the message. To learn that there is
// none, a context is walked to its root: an exchange in which the gate did not look
// around knows without.
func glanceIn(ctx context.Context, x *exchange) *glance {
	if x != nil && !x.looked.Load() {
		return nil
	}
	l, _ := ctx.Value(glanceKey{}).(*glance)
	return l
}

// is reports whether the message with this id and this context is the glance itself,
// and not what a hook sends meanwhile. Filters are not told the id, which nobody can
// guess, and give nil: they know the message by the context that the hooks before
// them were given.
func (l *glance) is(ctx context.Context, g *Guard, id any) bool {
	switch {
	case l == nil, l.guard != g:
		return false
	case id == any(nowhere):
		own := ctx // not ctx itself, which would need memory of the heap for every message
		l.context.Store(&own)
		return true
	}
	own := l.context.Load()
	return id == nil && own != nil && same(*own, ctx)
}

// under returns the context in which the gate looks around.
func (l *glance) under(ctx context.Context) context.Context {
	if x := exchangeFrom(ctx); x != nil {
		x.looked.Store(true)
	}
	return context.WithValue(ctx, glanceKey{}, l)
}

// onGlance takes a list of templates before the hooks of the server's own, which
// may leave out of lists what a read still reaches.
func (g *Guard) onGlance(ctx context.Context, id any, request *mcp.ListResourceTemplatesRequest, result *mcp.ListResourceTemplatesResult) {
	if l := glanceIn(ctx, exchangeFrom(ctx)); l.is(ctx, g, id) && request.Params.Cursor == l.cursor {
		l.seen, l.templates, l.next = true, slices.Clone(result.ResourceTemplates), result.NextCursor
	}
}

// templates returns the templates of the server, and those of the session. It is
// not complete when the server did not answer as mcp-go does.
func (g *Guard) templates(ctx context.Context) (found []mcp.ResourceTemplate, complete bool) {
	page, last, ok := g.page(ctx, "")
	if !ok || last {
		return page, ok
	}
	return g.allTemplates(ctx, page)
}

// allTemplates finds what pages of the list leave out. mcp-go cuts a page behind
// a name, and begins the next one behind that name: of templates that share a
// name, or have none, some can be on no page at all.
//
// But the list is that of a session, whose templates stand in for the server's.
// So it is asked for once more in a session that has all templates which are
// known already, under a name behind every other, and the page has room for the
// ones that are not. When a page shows nothing new, there is nothing new.
func (g *Guard) allTemplates(ctx context.Context, page []mcp.ResourceTemplate) (found []mcp.ResourceTemplate, complete bool) {
	l := newLookout(ctx)
	found = l.note(found, page)
	if own, ok := l.ClientSession.(server.SessionWithResourceTemplates); ok {
		for _, template := range own.GetSessionResourceTemplates() {
			found = l.note(found, []mcp.ResourceTemplate{template.Template})
		}
	}
	ctx = g.server.WithContext(ctx, l)
	for _, cursor := range [...]mcp.Cursor{"", behindKnown} {
		for news := true; news; {
			page, last, ok := g.page(ctx, cursor)
			if !ok {
				return found, false
			}
			before := len(found)
			found = l.note(found, page)
			if news = len(found) > before; last && !news {
				return found, true
			}
		}
	}
	return found, true
}

// knownName is that of a template which was seen before. No template has it, for
// nobody can guess it. It is no UTF-8, so every text comes before it, and what
// comes behind it nevertheless is asked for with behindKnown.
var knownName = "\xff" + nowhere

var behindKnown = mcp.Cursor(base64.StdEncoding.EncodeToString([]byte(knownName)))

// lookout is a session as another, but for its templates.
type lookout struct {
	server.ClientSession
	known map[string]server.ServerResourceTemplate
}

func newLookout(ctx context.Context) *lookout {
	session := server.ClientSessionFromContext(ctx)
	if session == nil {
		session = noSession{}
	}
	return &lookout{session, map[string]server.ServerResourceTemplate{}}
}

// note appends to found what it did not know yet.
func (l *lookout) note(found, page []mcp.ResourceTemplate) []mcp.ResourceTemplate {
	for _, template := range page {
		if template.URITemplate == nil {
			continue // no read matches it
		}
		text := template.URITemplate.Raw()
		if _, known := l.known[text]; known {
			continue
		}
		found = append(found, template)
		template.Name = knownName
		l.known[text] = server.ServerResourceTemplate{Template: template, Handler: notHere}
	}
	return found
}

// notHere is the handler of a template in the lookout, which mcp-go would call for a
// hook that reads a resource meanwhile: the template is known there, but not what
// serves it.
func notHere(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	return nil, errNotApproved
}

// GetSessionResourceTemplates and SetSessionResourceTemplates make the lookout a
// [server.SessionWithResourceTemplates].
func (l *lookout) GetSessionResourceTemplates() map[string]server.ServerResourceTemplate {
	return l.known
}

// SetSessionResourceTemplates does nothing: it is mcp-go's to call for a session
// that is registered.
func (*lookout) SetSessionResourceTemplates(map[string]server.ServerResourceTemplate) {}

// noSession stands for that of a message which has none.
type noSession struct{}

func (noSession) Initialize()                                         {}
func (noSession) Initialized() bool                                   { return false }
func (noSession) NotificationChannel() chan<- mcp.JSONRPCNotification { return nil }
func (noSession) SessionID() string                                   { return "" }

// page asks for one page of the list of templates. It is the last one when mcp-go
// names no next page and a page behind it would have a name: the cursor is the
// last name, so behind a template without one there seems to be no page.
func (g *Guard) page(ctx context.Context, cursor mcp.Cursor) (page []mcp.ResourceTemplate, last, ok bool) {
	l := &glance{guard: g, cursor: cursor}
	message := firstPage
	if cursor != "" {
		message = lookMessage(mcp.MethodResourcesTemplatesList, cursor)
	}
	g.server.HandleMessage(l.under(ctx), message)
	n := len(l.templates)
	return l.templates, l.next == "" && (n == 0 || l.templates[n-1].Name != ""), l.seen
}

// tools returns the tools of the server, task tools included, as far as its own
// filters show them.
func (g *Guard) tools(ctx context.Context) (found []mcp.Tool) {
	cursor := mcp.Cursor("")
	for {
		response, ok := g.server.HandleMessage((&glance{guard: g}).under(ctx), lookMessage(mcp.MethodToolsList, cursor)).(mcp.JSONRPCResponse)
		if !ok {
			return found
		}
		page, ok := response.Result.(mcp.ListToolsResult)
		if !ok {
			return found
		}
		found = append(found, page.Tools...)
		if cursor = page.NextCursor; cursor == "" {
			return found
		}
	}
}

// firstPage is the message that most reads need, made once.
var firstPage = lookMessage(mcp.MethodResourcesTemplatesList, "")

func lookMessage(method mcp.MCPMethod, cursor mcp.Cursor) json.RawMessage {
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
