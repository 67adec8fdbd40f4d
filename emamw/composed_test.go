package emamw_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/mark3labs/mcp-go/tracing"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/scopes"
)

// tracer counts the spans of mcp-go.
type tracer struct {
	tracing.Tracer
	b *bench
}

func (tr tracer) Start(ctx context.Context, name string, kind tracing.SpanKind, attributes ...tracing.Attribute) (context.Context, tracing.Span) {
	tr.b.note("span " + name)
	return tr.Tracer.Start(ctx, name, kind, attributes...)
}

// A server with hooks, filters, middlewares, recovery and a tracer of its own,
// added before New and after, keeps all of them working.
func TestComposed(t *testing.T) {
	var b *bench
	middleware := func(name string) server.ToolHandlerMiddleware {
		return func(next server.ToolHandlerFunc) server.ToolHandlerFunc {
			return func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				b.note("middleware " + name)
				return next(ctx, r)
			}
		}
	}
	hide := func(hidden string) server.ToolFilterFunc {
		return func(_ context.Context, tools []mcp.Tool) []mcp.Tool {
			return slices.DeleteFunc(tools, func(tool mcp.Tool) bool { return tool.Name == hidden })
		}
	}
	hooks := &server.Hooks{}
	hook := func(name string) server.BeforeAnyHookFunc {
		return func(_ context.Context, _ any, method mcp.MCPMethod, message any) {
			b.note("hook " + name + " " + string(method))
			if read, ok := message.(*mcp.ReadResourceRequest); ok {
				b.note("hook saw " + read.Params.URI)
			}
		}
	}
	hooks.AddBeforeAny(hook("before"))
	b = newBench(t, stateless, serverOptions(server.WithHooks(hooks), server.WithToolHandlerMiddleware(middleware("before")), server.WithToolFilter(hide("filtered before")), server.WithRecovery()),
		before(func(b *bench) {
			server.WithTracer(tracer{tracing.NoopTracer(), b})(b.mcp)
			furnish(b)
			for _, name := range []string{"filtered before", "filtered after"} {
				b.mcp.AddTool(mcp.NewTool(name, scopes.Where(scopes.Authenticated())), b.tool(name))
			}
			b.mcp.AddTool(mcp.NewTool("panics", scopes.Where(scopes.Authenticated())), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) { panic("boom") })
		}))
	b.mcp.Use(middleware("after"))
	server.WithToolFilter(hide("filtered after"))(b.mcp)
	b.mcp.GetHooks().AddBeforeAny(hook("after"))

	b.wantAnswer(b.post(b.token(), message("tools/call", call("write"))), 403, challengeFor("files:write"))
	if b.runs("middleware before")+b.runs("middleware after") != 0 {
		t.Error("a middleware ran for a denied call")
	}
	b.wantAnswer(b.post(b.token("files:write"), message("tools/call", call("write"))), 200, "")
	for _, name := range []string{"filtered before", "filtered after"} {
		if a := b.post(b.token(), message("tools/call", call(name))); !strings.Contains(a.body, "not found") || b.runs(name) != 0 {
			t.Errorf("%s: %d %s", name, a.Code, a.body)
		}
	}
	if a := b.post(b.token(), message("tools/call", call("panics"))); !strings.Contains(a.body, "boom") {
		t.Errorf("recovery: %d %s", a.Code, a.body)
	}
	b.post(b.token(), message("resources/read", map[string]any{"uri": "file:///fixed"}))
	for name, want := range map[string]int{
		"middleware before": 2, "middleware after": 2, "span mcp.tools/call": 5,
		"hook before tools/call": 5, "hook after tools/call": 5, "hook saw file:///fixed": 0,
	} {
		if b.runs(name) != want {
			t.Errorf("%s: %d, want %d", name, b.runs(name), want)
		}
	}
}

// A hook of the server's own that stops a message must not look like a wiring
// mistake.
func TestHookThatRefuses(t *testing.T) {
	hooks := &server.Hooks{}
	hooks.AddOnRequestInitialization(func(context.Context, any, any) error { return context.Canceled })
	b := newBench(t, stateless, before(furnish), serverOptions(server.WithHooks(hooks)))
	if a := b.post(b.token("files:write"), message("tools/call", call("write"))); a.Code != http.StatusOK || !strings.Contains(a.body, "-32600") || b.runs("write") != 0 {
		t.Errorf("%d %s", a.Code, a.body)
	}
}

// A context function of the transport that drops the request's context loses
// the verdict: closed, and said so.
func TestContextIsDropped(t *testing.T) {
	b := newBench(t, before(furnish), transported(func(s *server.MCPServer) http.Handler {
		return server.NewStreamableHTTPServer(s, server.WithStateLess(true), server.WithHTTPContextFunc(func(context.Context, *http.Request) context.Context {
			return context.Background()
		}))
	}))
	if a := b.post(b.token("files:write"), message("tools/call", call("write"))); a.Code != http.StatusInternalServerError || b.runs("write") != 0 {
		t.Errorf("%d %s", a.Code, a.body)
	}
}

// A context function may add to the context, but not change who decides.
func TestContextFunctionCannotElevate(t *testing.T) {
	b := newBench(t, before(furnish), transported(func(s *server.MCPServer) http.Handler {
		return server.NewStreamableHTTPServer(s, server.WithStateLess(true), server.WithHTTPContextFunc(func(ctx context.Context, _ *http.Request) context.Context {
			return claims.NewContext(ctx, claims.Principal{Subject: "root", Kind: claims.User, Scopes: []string{"files:write"}})
		}))
	}))
	b.wantAnswer(b.post(b.token(), message("tools/call", call("write"))), 403, challengeFor("files:write"))
}

// Servers that share their hooks do not decide for each other.
func TestSharedHooks(t *testing.T) {
	hooks := &server.Hooks{}
	first := newBench(t, stateless, before(furnish), serverOptions(server.WithHooks(hooks)))
	second := newBench(t, stateless, before(furnish), serverOptions(server.WithHooks(hooks)), with(func(c *emamw.Config) { c.HideDenied = true }))
	for _, b := range []*bench{first, second} {
		b.wantAnswer(b.post(b.token("files:write"), message("tools/call", call("write"))), 200, "")
		b.wantAnswer(b.post(b.token("fixed"), message("resources/read", map[string]any{"uri": "file:///fixed"})), 200, "")
	}
	first.wantAnswer(first.post(first.token(), message("resources/read", map[string]any{"uri": "file:///fixed"})), 403, challengeFor("fixed"))
	if a := second.post(second.token(), message("resources/read", map[string]any{"uri": "file:///fixed"})); a.Code != http.StatusOK || !strings.Contains(a.body, "not found") {
		t.Errorf("%d %s", a.Code, a.body)
	}
	// Nor for a server without a guard.
	bare := server.NewMCPServer("bare", "1", server.WithHooks(hooks), server.WithResourceCapabilities(true, true))
	bare.AddResource(mcp.NewResource("file:///own", "own"), nil)
	bare.AddResourceTemplate(mcp.NewResourceTemplate("file:///own/{x}", "own"), nil)
	for _, method := range []string{"resources/list", "resources/templates/list"} {
		if text := jsonOf(t, bare.HandleMessage(t.Context(), []byte(message(method, nil)))); !strings.Contains(text, "file:///own") {
			t.Errorf("%s: %s", method, text)
		}
	}
}

// Streamable HTTP, legacy SSE and SSE's two handlers mounted apart serve one
// server at once, each behind the guard.
func TestSeveralTransports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, stateless, before(furnish))
		old := server.NewSSEServer(b.mcp, server.WithDynamicBasePath(func(*http.Request, string) string { return "/" }))
		apart := http.NewServeMux()
		apart.Handle("/sse", b.guard.Handler(old.SSEHandler()))
		apart.Handle("/message", b.guard.Handler(old.MessageHandler()))
		apart.Handle("/mcp", b.handler)
		b.handler = apart
		ctx, cancel := context.WithCancel(t.Context())
		stream, path := b.sseSession(ctx, b.token())
		b.postTo(path, b.token("files:write"), message("tools/call", call("write")))
		synctest.Wait()
		b.postTo(path, b.token(), message("tools/call", call("write")))
		synctest.Wait()
		if b.runs("write") != 1 || !strings.Contains(stream.String(), "ran write") {
			t.Errorf("by SSE it ran %d times: %s", b.runs("write"), stream.String())
		}
		b.wantAnswer(b.post(b.token(), message("tools/call", call("write"))), 403, challengeFor("files:write"))
		cancel()
		synctest.Wait()
	})
}

// After its stream ended with the token, a client comes back with a new one and
// resumes where the event store has kept what it missed.
func TestResumeWithANewToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, transported(func(s *server.MCPServer) http.Handler {
			return server.NewStreamableHTTPServer(s, server.WithStateful(true), server.WithEventStore(server.NewInMemoryEventStore()))
		}))
		short := b.as.Mint(emamwtest.Token{Lifetime: time.Minute})
		session := b.session(short)
		bare, _, _ := strings.Cut(session, ".")
		done := make(chan struct{})
		stream := &reading{header: http.Header{}}
		go func() {
			defer close(done)
			b.handler.ServeHTTP(stream, newRequest(http.MethodGet, short, "", header("Mcp-Session-Id", session), within(t.Context())))
		}()
		synctest.Wait()
		notify := func(text string) {
			if err := b.mcp.SendNotificationToSpecificClient(bare, "notifications/own", map[string]any{"text": text}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		notify("first")
		_, last, ok := strings.Cut(stream.String(), "id: ")
		last, _, _ = strings.Cut(last, "\n")
		if !ok {
			t.Fatalf("no event id in %q", stream.String())
		}
		time.Sleep(2 * time.Minute)
		<-done
		notify("missed")

		r := newRequest(http.MethodGet, b.tokenOf("mallory"), "", header("Mcp-Session-Id", session), header("Last-Event-ID", last))
		if a := b.do(r); a.Code != http.StatusNotFound {
			t.Errorf("another caller resumes: %d", a.Code)
		}
		ctx, cancel := context.WithCancel(t.Context())
		again := openStream(b.handler, newRequest(http.MethodGet, b.token(), "", header("Mcp-Session-Id", session), header("Last-Event-ID", last), within(ctx)))
		synctest.Wait()
		if !strings.Contains(again.String(), "missed") || strings.Contains(again.String(), "first") {
			t.Errorf("resumed with %q", again.String())
		}
		cancel()
		synctest.Wait()
		b.do(newRequest(http.MethodDelete, b.token(), "", header("Mcp-Session-Id", session)))
		synctest.Wait()
	})
}
