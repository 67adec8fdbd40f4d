package emamw

import (
	"context"
	"maps"
	"slices"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/scopes"
)

// extension is the id under which a server declares that it takes part in
// Enterprise-Managed Authorization.
const extension = "io.modelcontextprotocol/enterprise-managed-authorization"

// install puts the gate into the MCP server.
//
// It decides where mcp-go itself names what is asked for, because any second
// reading of the message can be made to differ: mcp-go matches JSON keys
// without regard to case, and takes the last of two. The filters see the very
// tool and prompt, also for task tools and session tools, which skip the
// handler middlewares. BeforeAny is given the pointer to the request that the
// handler then reads, so a refused request is emptied there.
//
// The hooks go before those of the server's own code, which would otherwise see
// what is about to be refused, and could stop the chain before it.
func (g *Guard) install() {
	hooks := g.server.GetHooks()
	if hooks == nil {
		hooks = &server.Hooks{}
		server.WithHooks(hooks)(g.server)
	}
	hooks.OnRequestInitialization = slices.Insert(hooks.OnRequestInitialization, 0, g.onRequestInitialization)
	hooks.OnBeforeAny = slices.Insert(hooks.OnBeforeAny, 0, g.onBeforeAny)
	hooks.OnError = slices.Insert(hooks.OnError, 0, g.onError)
	hooks.OnRegisterSession = slices.Insert(hooks.OnRegisterSession, 0, g.onRegisterSession)
	hooks.OnUnregisterSession = append(hooks.OnUnregisterSession, g.onUnregisterSession)
	hooks.OnAfterListResourceTemplates = slices.Insert(hooks.OnAfterListResourceTemplates, 0, g.onGlance)
	g.hooks = hooks

	// After a list was made, the gate has the last word on it: a hook of the
	// server's own could add to what was left out.
	hooks.AddAfterInitialize(g.onAfterInitialize)
	hooks.AddAfterDiscover(g.onAfterDiscover)
	hooks.AddAfterListTools(g.onAfterListTools)
	hooks.AddAfterListPrompts(g.onAfterListPrompts)
	hooks.AddAfterListResources(g.onAfterListResources)
	hooks.AddAfterListResourceTemplates(g.onAfterListTemplates)
	hooks.AddAfterReadResource(g.onAfterReadResource)
	hooks.AddAfterListTasks(g.onAfterListTasks)
	hooks.AddAfterCallTool(g.onAfterCallTool)

	server.WithToolFilter(g.filterTools)(g.server)
	server.WithPromptFilter(g.filterPrompts)(g.server)
	server.WithResourceHandlerMiddleware(g.guardResource)(g.server)
}

// asked is one message at the gate: who asks, and the exchange to answer on.
type asked struct {
	principal *claims.Principal // nil for nobody
	caller    string
	x         *exchange // nil on a transport without the guard
	own       bool      // it is what x answers, and was not sent into the server meanwhile
	request   any       // the JSON-RPC id; nil in filters, whose call has it
}

// asks returns who asks, and false when the message is not the gate's business:
// its own, or one of another server that shares the hooks. Filters do not know
// the message's id, and give nil.
func (g *Guard) asks(ctx context.Context, id any) (asked, bool) {
	if s := server.ServerFromContext(ctx); s != nil && s != g.server {
		return asked{}, false
	}
	x := exchangeFrom(ctx)
	switch {
	case glanceIn(ctx, x).is(ctx, g, id):
		return asked{}, false
	case x == nil:
	case x.guard != g:
		// The transport of this server behind another's guard. Whom that let in,
		// it let in there: the token names another resource.
		g.raise(unguardedAlarm)
		return asked{}, true
	default:
		return asked{principal: x.id.principal, caller: x.id.caller, x: x, own: x.answers(ctx)}, true
	}
	// A transport without the guard. Somebody may have said who uses it.
	if p, ok := claims.FromContext(ctx); ok {
		return asked{principal: &p, caller: callerKey(&p)}, true
	}
	g.raise(unguardedAlarm)
	return asked{}, true
}

// settle lets the answer out.
func (a *asked) settle() {
	if a.own {
		a.x.settle()
	}
}

// deny refuses the message.
func (a *asked) deny(d scopes.Decision) {
	if a.own {
		a.x.deny(d)
	}
}

// approve lets the handler of a resource run.
func (a *asked) approve(read approval) {
	if a.x != nil {
		a.x.approve(read)
	}
}

// conceal puts a name back into mcp-go's answer to its stand-in.
func (a *asked) conceal(name, original string) {
	if a.own {
		a.x.conceal(name, original)
	}
}

func (g *Guard) onRequestInitialization(ctx context.Context, id any, _ any) error {
	if a, ok := g.asks(ctx, id); ok && a.x != nil {
		a.x.see()
	}
	return nil
}

// onBeforeAny decides on everything but tools and prompts, whose filters do.
// message is the pointer that the handler goes on to read.
func (g *Guard) onBeforeAny(ctx context.Context, id any, method mcp.MCPMethod, message any) {
	a, ok := g.asks(ctx, id)
	if !ok {
		return
	}
	a.request = id
	a.own = a.x != nil && a.x.take(ctx)
	switch m := message.(type) {
	case *mcp.CallToolRequest:
		g.expect(ctx, &a, call{id, method, m.GetArguments(), m.Params.Task != nil})
	case *mcp.GetPromptRequest:
		g.expect(ctx, &a, call{id, method, promptArguments(m), false})
	case *mcp.ListToolsRequest, *mcp.ListPromptsRequest:
		a.expect(call{method: method})
	case *mcp.ReadResourceRequest:
		g.gateRead(ctx, a, m)
	case *mcp.SubscribeRequest:
		g.gateSubscribe(ctx, a, m)
	case *mcp.CompleteRequest:
		g.gateComplete(ctx, a, m)
	case *mcp.SubscriptionsListenRequest:
		g.gateListen(ctx, a, m)
	case *mcp.ListResourcesRequest:
		g.openCursor(ctx, a, method, &m.Params.Cursor)
	case *mcp.ListResourceTemplatesRequest:
		g.openCursor(ctx, a, method, &m.Params.Cursor)
	case *mcp.ListTasksRequest:
		g.openCursor(ctx, a, method, &m.Params.Cursor)
	case *mcp.GetTaskRequest:
		g.gateTask(ctx, a, method, &m.Params.TaskId)
	case *mcp.TaskResultRequest:
		g.gateTask(ctx, a, method, &m.Params.TaskId)
	case *mcp.CancelTaskRequest:
		g.gateTask(ctx, a, method, &m.Params.TaskId)
	case *mcp.InitializeRequest, *mcp.PingRequest, *mcp.DiscoverRequest, *mcp.SetLevelRequest, *mcp.UnsubscribeRequest:
		// They name no item. The base scopes were asked for before mcp-go.
		a.settle()
	default:
		// A method that this package has not been taught. Its answer stays in.
		g.record(ctx, a, access{method: method, request: id}, scopes.Decision{Reason: claims.Unruled}, nil)
		a.deny(scopes.Decision{Reason: claims.Unruled})
	}
}

// expect notes which call the filter is to decide on.
func (g *Guard) expect(ctx context.Context, a *asked, c call) {
	if a.expect(c); !a.own && g.telemetry != nil {
		c.arguments = nil // not for longer than the message
		g.strays.note(ctx, c)
	}
}

// expect notes what the filter is to decide on.
func (a *asked) expect(c call) {
	if a.own {
		a.x.expect(c)
	}
}

// expected returns what the filter is to decide on, and false when the message is
// not the exchange's own.
func (a *asked) expected() (call, bool) {
	if !a.own {
		return call{}, false
	}
	return a.x.expected(), true
}

func (a *asked) rulesOf(tool string) (ruleSet, bool) {
	if a.x == nil {
		return ruleSet{}, false
	}
	return a.x.rulesOf(tool)
}

func promptArguments(m *mcp.GetPromptRequest) map[string]any {
	if len(m.Params.Arguments) == 0 {
		return nil
	}
	args := make(map[string]any, len(m.Params.Arguments))
	for name, value := range m.Params.Arguments {
		args[name] = value
	}
	return args
}

// onError lets an answer out that mcp-go gave before the gate was asked: an
// unknown name, parameters that it could not read.
func (g *Guard) onError(ctx context.Context, id any, _ mcp.MCPMethod, _ any, _ error) {
	if a, ok := g.asks(ctx, id); ok {
		a.settle()
	}
}

// onRegisterSession notes whose a legacy SSE session is. Those of streamable HTTP
// carry their owner in their id.
func (g *Guard) onRegisterSession(ctx context.Context, session server.ClientSession) {
	x := exchangeFrom(ctx)
	if _, streamable := session.(server.SessionWithStreamableHTTPConfig); streamable || x == nil || x.guard != g {
		return
	}
	g.sessions.legacy.Store(session.SessionID(), x.id.caller)
}

func (g *Guard) onUnregisterSession(_ context.Context, session server.ClientSession) {
	g.sessions.legacy.Delete(session.SessionID())
}

func (g *Guard) onAfterInitialize(ctx context.Context, id any, _ *mcp.InitializeRequest, result *mcp.InitializeResult) {
	if _, ok := g.asks(ctx, id); ok {
		result.Capabilities.Extensions = withExtension(result.Capabilities.Extensions)
	}
}

func (g *Guard) onAfterDiscover(ctx context.Context, id any, _ *mcp.DiscoverRequest, result *mcp.DiscoverResult) {
	if _, ok := g.asks(ctx, id); ok {
		result.Capabilities.Extensions = withExtension(result.Capabilities.Extensions)
	}
}

// withExtension declares the extension beside the server's own, in a copy: the
// map is the server's and every answer shares it.
func withExtension(own map[string]any) map[string]any {
	extensions := make(map[string]any, len(own)+1)
	maps.Copy(extensions, own)
	if _, declared := extensions[extension]; !declared {
		extensions[extension] = map[string]any{}
	}
	return extensions
}
