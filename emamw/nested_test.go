package emamw_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/scopes"
)

// A hook of the server's own may send a message into the server while the gate
// has not decided on the request yet. That message must not become what is
// decided on: an attacker needs only a hook that looks something up.
func TestNestedMessageBeforeTheDecision(t *testing.T) {
	nested := map[string]string{
		"a denied prompt":   message("prompts/get", map[string]any{"name": "ask"}),
		"a denied tool":     message("tools/call", call("both")),
		"an allowed tool":   message("tools/call", call("open")),
		"an unknown tool":   message("tools/call", call("none")),
		"a list of prompts": message("prompts/list", nil),
		"a list of tools":   message("tools/list", nil),
		"a denied resource": message("resources/read", uri("file:///fixed")),
	}
	places := map[string]func(*server.Hooks, func(context.Context)){
		"on initialization": func(h *server.Hooks, do func(context.Context)) {
			h.AddOnRequestInitialization(func(ctx context.Context, _ any, m any) error {
				if strings.Contains(fmt.Sprintf("%s", m), `"write"`) {
					do(ctx)
				}
				return nil
			})
		},
		"before any": func(h *server.Hooks, do func(context.Context)) {
			h.AddBeforeAny(func(ctx context.Context, _ any, _ mcp.MCPMethod, m any) {
				if r, ok := m.(*mcp.CallToolRequest); ok && r.Params.Name == "write" {
					do(ctx)
				}
			})
		},
		"before a call": func(h *server.Hooks, do func(context.Context)) {
			h.AddBeforeCallTool(func(ctx context.Context, _ any, m *mcp.CallToolRequest) {
				if m.Params.Name == "write" {
					do(ctx)
				}
			})
		},
	}
	for name, text := range nested {
		for place, add := range places {
			for _, base := range [][]string{nil, {"base"}} {
				t.Run(name+"/"+place, func(t *testing.T) {
					hooks := &server.Hooks{}
					var b *bench
					add(hooks, func(ctx context.Context) { b.mcp.HandleMessage(ctx, []byte(text)) })
					b = newBench(t, stateless, serverOptions(server.WithHooks(hooks)), before(furnish), with(func(c *emamw.Config) { c.BaseScopes = base }))
					for _, token := range []string{b.token(), b.token(base...)} {
						b.post(token, message("tools/call", call("write")))
					}
					if b.runs("write") != 0 {
						t.Error("the tool ran without its scope")
					}
				})
			}
		}
	}
}

// A hook that opens a stream may be refused something. The refusal is the
// hook's to read: the stream goes on, and shows nothing of it.
func TestNestedDenialLeavesAStreamOpen(t *testing.T) {
	for _, d := range doors {
		synctest.Test(t, func(t *testing.T) {
			var b *bench
			hooks := &server.Hooks{}
			hooks.AddOnRegisterSession(func(ctx context.Context, _ server.ClientSession) {
				b.mcp.HandleMessage(ctx, []byte(message(d.method, d.params)))
			})
			b = newBench(t, stateless, serverOptions(server.WithHooks(hooks)), before(furnish))
			ctx, cancel := context.WithCancel(t.Context())
			stream := openStream(b.handler, newRequest(http.MethodGet, b.token(), "", within(ctx)))
			synctest.Wait()
			b.mcp.SendNotificationToAllClients("notifications/own", nil)
			synctest.Wait()
			cancel()
			synctest.Wait()
			if text := stream.String(); !strings.Contains(text, "notifications/own") || strings.Contains(text, "insufficient") || b.runs(d.runs) != 0 {
				t.Errorf("%s: the stream says %q, what is behind it ran %d times", d.name, text, b.runs(d.runs))
			}
		})
	}
}

// A tool that calls another through the server hands over arguments of its own.
// The rule of the other must not be decided on those of the request: an attacker
// would send the harmless ones and have the tool pass on the others.
func TestNestedCallIsNotDecidedOnTheRequest(t *testing.T) {
	b := newBench(t, stateless, before(func(b *bench) {
		deployTool(b)
		b.mcp.AddTool(mcp.NewTool("outer", scopes.Where(scopes.Authenticated())), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			server.ServerFromContext(ctx).HandleMessage(ctx, []byte(message("tools/call", call("deploy", "to", "production"))))
			return mcp.NewToolResultText("outer"), nil
		})
	}))
	b.wantAnswer(b.post(b.token("deploy"), message("tools/call", call("outer", "to", "staging"))), 200, "")
	if b.runs("deploy") != 0 {
		t.Error("it deployed to production by the arguments of another call")
	}
}

// A transport of this server that was put behind another server's guard lets in
// whom that one lets in. Their tokens name another resource: nothing opens.
func TestBehindAnotherGuard(t *testing.T) {
	elsewhere := with(func(c *emamw.Config) { c.Resource = "https://other.example/mcp" })
	all := []string{"files:write", "prompts", "fixed", "text", "secrets"}
	t.Run("streamable", func(t *testing.T) {
		other := newBench(t, before(furnish), elsewhere)
		b := newBench(t, transported(func(*server.MCPServer) http.Handler {
			return server.NewStreamableHTTPServer(other.mcp, server.WithStateLess(true))
		}))
		for _, d := range doors {
			if a := b.post(b.token(all...), message(d.method, d.params)); a.Code < 400 || other.runs(d.runs) != 0 {
				t.Errorf("%s: %d %s, ran %d times", d.name, a.Code, a.body, other.runs(d.runs))
			}
		}
		if !strings.Contains(other.logs.String(), "transport without the guard") {
			t.Errorf("the mistake is not reported: %q", other.logs)
		}
	})
	t.Run("legacy SSE", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			other := newBench(t, before(furnish), elsewhere)
			b := newBench(t, transported(func(*server.MCPServer) http.Handler { return server.NewSSEServer(other.mcp) }))
			ctx, cancel := context.WithCancel(t.Context())
			_, path := b.sseSession(ctx, b.token(all...))
			for _, d := range doors {
				b.postTo(path, b.token(all...), message(d.method, d.params))
				synctest.Wait()
				if d.runs != "" && other.runs(d.runs) != 0 {
					t.Errorf("%s ran", d.name)
				}
			}
			cancel()
			synctest.Wait()
		})
	})
}

// A guard lists its own server's templates to find a rule. A hook that sends a
// message into another guarded server meanwhile carries that context there, and
// must not pass for the other guard's own message.
func TestGlanceIsGoodForOneGuard(t *testing.T) {
	inner := newBench(t, before(furnish))
	listed := ""
	hooks := &server.Hooks{}
	hooks.AddOnRequestInitialization(func(ctx context.Context, _ any, m any) error { // as a gateway would
		if raw, ok := m.(json.RawMessage); ok && strings.Contains(string(raw), "templates/list") {
			text, err := json.Marshal(inner.mcp.HandleMessage(ctx, raw))
			listed += fmt.Sprint(string(text), err)
		}
		return nil
	})
	hooks.AddAfterListResourceTemplates(func(ctx context.Context, _ any, _ *mcp.ListResourceTemplatesRequest, _ *mcp.ListResourceTemplatesResult) {
		for _, d := range doors {
			inner.mcp.HandleMessage(ctx, []byte(message(d.method, d.params)))
		}
	})
	outer := newBench(t, stateless, serverOptions(server.WithHooks(hooks)))
	outer.post(outer.token(), message("resources/read", uri("x:///y")))
	for _, d := range doors {
		if d.runs != "" && inner.runs(d.runs) != 0 {
			t.Errorf("%s ran for nobody", d.name)
		}
	}
	if listed == "" || strings.Contains(listed, "file:///") {
		t.Errorf("nobody lists %s", listed)
	}
}

// What a hook sends before the request is decided is decided for itself, and the
// request as if nothing had been sent. An attacker would else send the arguments with
// which the rule of the other tool holds; and a tool that ran although its answer is a
// refusal runs again when the client tries again.
func TestNestedMessageIsNotTheRequests(t *testing.T) {
	nested := map[string]string{
		"a denied tool":      message("tools/call", call("write")),
		"an allowed tool":    message("tools/call", call("open")),
		"other arguments":    message("tools/call", call("deploy", "to", "production")),
		"an unknown tool":    message("tools/call", call("none")),
		"a list of tools":    message("tools/list", nil),
		"a list of prompts":  message("prompts/list", nil),
		"a denied prompt":    message("prompts/get", map[string]any{"name": "ask"}),
		"a denied resource":  message("resources/read", uri("file:///fixed")),
		"an unknown method":  message("none", nil),
		"a list of tasks":    message("tasks/list", map[string]any{"cursor": "forged"}),
		"a denied reference": message("completion/complete", map[string]any{"ref": map[string]any{"type": "ref/prompt", "name": "ask"}, "argument": map[string]any{"name": "about", "value": ""}}),
	}
	for name, text := range nested {
		t.Run(name, func(t *testing.T) {
			hooks := &server.Hooks{}
			var b *bench
			hooks.AddBeforeCallTool(func(ctx context.Context, _ any, m *mcp.CallToolRequest) {
				if m.Params.Name == "outer" {
					b.mcp.HandleMessage(ctx, []byte(text))
				}
			})
			b = newBench(t, stateless, serverOptions(server.WithHooks(hooks)), before(func(b *bench) {
				furnish(b)
				deployTool(b)
				b.mcp.AddTool(mcp.NewTool("outer", scopes.Require("deploy")), b.tool("outer"))
			}))
			outer := message("tools/call", call("outer", "to", "staging"))
			b.wantAnswer(b.post(b.token(), outer), 403, challengeFor("deploy"))
			if b.runs("outer") != 0 {
				t.Error("the tool ran without its scope")
			}
			b.wantAnswer(b.post(b.token("deploy"), outer), 200, "")
			if b.runs("outer") != 1 {
				t.Errorf("the tool ran %d times, want once", b.runs("outer"))
			}
			for _, other := range b.whatRan() {
				if other != "outer" && (other != "open" || name != "an allowed tool") {
					t.Errorf("%s ran by the arguments or the scopes of another call", other)
				}
			}
		})
	}
}

// With HideDenied a refused name is put back into the answer. That of another message
// must not take its place, or the caller could tell a hidden resource from none.
func TestNestedRefusalLeavesTheNameAlone(t *testing.T) {
	ask := func(nested, read string) answer {
		hooks := &server.Hooks{}
		var b *bench
		hooks.AddBeforeReadResource(func(ctx context.Context, _ any, _ *mcp.ReadResourceRequest) {
			if nested != "" {
				text := message("resources/read", uri(nested))
				nested = ""
				b.mcp.HandleMessage(ctx, []byte(text))
			}
		})
		b = newBench(t, stateless, serverOptions(server.WithHooks(hooks)), before(furnish), with(func(c *emamw.Config) { c.HideDenied = true }))
		return b.post(b.token(), message("resources/read", uri(read)))
	}
	for _, read := range []string{"file:///a.txt", "file:///none"} {
		if got, want := ask("file:///fixed", read), ask("", read); got.body != want.body || !strings.Contains(got.body, read) {
			t.Errorf("%s: %q, and %q where the hook asks for nothing", read, got.body, want.body)
		}
	}
}

// listed is a context that Go cannot compare, as a propagator may make it.
type listed struct {
	context.Context
	spans []string
}

type spanLister struct{}

func (spanLister) Inject(context.Context, http.Header) {}

func (spanLister) Extract(ctx context.Context, _ http.Header) context.Context {
	return listed{ctx, []string{"span"}}
}

// The request is told from what was sent meanwhile also where contexts are of such a
// type: it is neither a panic nor a decision.
func TestNestedMessageInAContextOfAnotherType(t *testing.T) {
	hooks := &server.Hooks{}
	var b *bench
	hooks.AddBeforeCallTool(func(ctx context.Context, _ any, m *mcp.CallToolRequest) {
		if m.Params.Name == "outer" {
			b.mcp.HandleMessage(ctx, []byte(message("tools/call", call("deploy", "to", "production"))))
		}
	})
	b = newBench(t, stateless, serverOptions(server.WithHooks(hooks), server.WithPropagator(spanLister{})), before(func(b *bench) {
		deployTool(b)
		b.mcp.AddTool(mcp.NewTool("outer", scopes.Require("deploy")), b.tool("outer"))
	}))
	outer := message("tools/call", call("outer", "to", "staging"))
	b.wantAnswer(b.post(b.token(), outer), 403, challengeFor("deploy"))
	b.wantAnswer(b.post(b.token("deploy"), outer), 200, "")
	if b.runs("outer") != 1 || b.runs("deploy") != 0 {
		t.Errorf("the tool ran %d times, and the other %d", b.runs("outer"), b.runs("deploy"))
	}
}
