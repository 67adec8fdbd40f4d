package emamw_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/scopes"
)

// What is registered after New, while the server serves, is behind the same
// doors.
func TestDoorsOfWhatCameLater(t *testing.T) {
	for _, e := range eras {
		b := newBench(t)
		for _, d := range doors { // nothing is there yet
			if a := e.send(b, b.token(), d.method, d.params); strings.Contains(a.body, `"result"`) {
				t.Errorf("%s %s before: %d %s", e.name, d.name, a.Code, a.body)
			}
		}
		furnish(b)
		for _, d := range doors {
			if d.legacy && e.name == "modern" || d.ask == "" {
				continue
			}
			b.wantAnswer(e.send(b, b.token(), d.method, d.params), 403, challengeFor(d.ask))
			if b.runs(d.runs) != 0 {
				t.Errorf("%s %s ran without its scope", e.name, d.name)
			}
			b.wantAnswer(e.send(b, b.token(strings.Fields(d.scopes)...), d.method, d.params), 200, "")
		}
		// A stricter template beside one that matched before.
		b.addTemplate("file:///a{rest}", "later", "later")
		b.wantAnswer(e.send(b, b.token("text"), "resources/read", uri("file:///a.txt")), 403, challengeFor("later text"))
		// A tool in place of another, whose rule was replaced or got lost.
		for _, later := range []mcp.Tool{mcp.NewTool("open", scopes.Require("later")), {Name: "open"}} {
			b.mcp.AddTool(later, b.tool("open"))
			if a := e.send(b, b.token(), "tools/call", call("open")); a.Code != http.StatusForbidden || b.runs("open") != 0 {
				t.Errorf("%s: a tool in place of another: %d %s", e.name, a.Code, a.body)
			}
		}
	}
}

// A session may have tools of its own, which stand before the server's. Middlewares
// do not tell them apart, and a look by name finds the other.
func TestToolsOfASession(t *testing.T) {
	b := newBench(t, stateful, before(furnish))
	session := b.session(b.token())
	bare, _, _ := strings.Cut(session, ".")
	for name, rule := range map[string]scopes.Rule{"own": scopes.Scope("own"), "open": scopes.Scope("own"), "write": scopes.Authenticated()} {
		if err := b.mcp.AddSessionTool(bare, mcp.NewTool(name, scopes.Where(rule)), b.tool("own "+name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.mcp.AddSessionTool(bare, mcp.NewTool("unruled own"), b.tool("own unruled")); err != nil {
		t.Fatal(err)
	}
	in := header("Mcp-Session-Id", session)
	for _, name := range []string{"own", "open"} {
		b.wantAnswer(b.post(b.token(), message("tools/call", call(name)), in), 403, challengeFor("own"))
		if b.runs("own "+name)+b.runs(name) != 0 {
			t.Errorf("%s ran without its scope", name)
		}
		b.wantAnswer(b.post(b.token("own"), message("tools/call", call(name)), in), 200, "")
		if b.runs("own "+name) != 1 {
			t.Errorf("%s ran %d times with its scope, want once", name, b.runs("own "+name))
		}
	}
	b.wantAnswer(b.post(b.token("own"), message("tools/call", call("unruled own")), in), 403, "")
	b.wantAnswer(b.post(b.token(), message("tools/call", call("write")), in), 200, "")
	if b.runs("own write") != 1 || b.runs("write") != 0 {
		t.Error("the session's own tool is not the one that ran")
	}
}

// A refused request leaves nothing behind: no subscription, which a server keeps by
// a hook or in the session, and no task.
func TestRefusedRequestsLeaveNothing(t *testing.T) {
	subscribed := ""
	hooks := &server.Hooks{}
	hooks.AddAfterSubscribe(func(_ context.Context, _ any, m *mcp.SubscribeRequest, _ *mcp.EmptyResult) {
		subscribed += "[" + m.Params.URI + "]"
	})
	for _, hide := range []bool{false, true} {
		b := newBench(t, stateful, serverOptions(server.WithHooks(hooks)), before(furnish), with(func(c *emamw.Config) { c.HideDenied = hide }))
		token, subscribed := b.token("fixed", "reports"), func() string { defer func() { subscribed = "" }(); return subscribed }
		in := header("Mcp-Session-Id", b.session(token))
		tasks := func() string { return b.post(token, message("tasks/list", nil), in).body }
		refused := []string{message("resources/subscribe", uri("file:///fixed")), message("tools/call", map[string]any{"name": "report", "task": map[string]any{}})}
		for _, body := range refused {
			b.post(b.token(), body, in)
		}
		if got := subscribed(); got != "" {
			t.Errorf("hide=%t: a subscription is left: %s", hide, got)
		}
		if got := tasks(); !strings.Contains(got, `"tasks":[]`) {
			t.Errorf("hide=%t: a task is left: %s", hide, got)
		}
		for _, body := range refused {
			b.wantAnswer(b.post(token, body, in), 200, "")
		}
		if got := subscribed() + tasks(); !strings.Contains(got, "[file:///fixed]") || !strings.Contains(got, `"taskId"`) {
			t.Errorf("the test proves nothing: %s", got)
		}
	}
}

// A transport that was mounted without the guard, as StreamableHTTPServer.Start
// does, denies what has a rule, in both eras, whoever's token comes with it.
func TestTransportMountedWithoutGuard(t *testing.T) {
	for _, e := range eras {
		for _, hide := range []bool{false, true} {
			b := newBench(t, before(furnish), with(func(c *emamw.Config) { c.HideDenied = hide }))
			b.handler = server.NewStreamableHTTPServer(b.mcp)
			for _, d := range doors {
				a := e.send(b, b.token(strings.Fields(d.scopes)...), d.method, d.params)
				if strings.Contains(a.body, `"result":{`) && d.method != "resources/subscribe" || b.runs(d.runs) != 0 {
					t.Errorf("%s %s: %d %s, ran %d times", e.name, d.name, a.Code, a.body, b.runs(d.runs))
				}
			}
			if !strings.Contains(b.logs.String(), "guard.Handler") {
				t.Errorf("the mistake is not reported: %q", b.logs)
			}
		}
	}
}
