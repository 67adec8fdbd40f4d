package emamw_test

import (
	"context"
	"errors"
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

// The gate finds the rule of a template by asking the server for its list. What
// that list does not show must be closed, and never open for want of a rule.

// uri are the parameters of a message about one resource.
func uri(text string) map[string]any { return map[string]any{"uri": text} }

// reader returns a handler of a resource that notes what was read.
func (b *bench) reader(_ context.Context, r mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	b.note(r.Params.URI)
	return []mcp.ResourceContents{mcp.TextResourceContents{URI: r.Params.URI, Text: "text"}}, nil
}

func (b *bench) addTemplate(text, name, scope string) {
	b.mcp.AddResourceTemplate(mcp.NewResourceTemplate(text, name, scopes.ForTemplate(scopes.Scope(scope))), b.reader)
}

// mcp-go begins a page behind the last name of the one before, so templates that
// share a name can be on no page at all, and which of them is chance. An attacker
// would read each of them until one comes back.
func TestTemplatesThatShareANameStayClosed(t *testing.T) {
	const hosts = "abcde"
	for limit := 1; limit <= 6; limit++ {
		for range 10 {
			b := newBench(t, stateless, serverOptions(server.WithPaginationLimit(limit)), before(func(b *bench) {
				for _, host := range hosts {
					b.addTemplate(string(host)+":///{x}", "document", "docs")
				}
			}))
			for _, host := range hosts {
				read := string(host) + ":///secret"
				if a := b.post(b.token(), message("resources/read", uri(read))); a.Code != http.StatusForbidden || b.runs(read) != 0 {
					t.Fatalf("pages of %d: %s without its scope: %d %s", limit, read, a.Code, a.body)
				}
			}
		}
	}
}

// A template may have no name, and its page then ends where the list begins: no
// cursor leads on. The search ends all the same, and nothing is read.
func TestTemplatesWithoutANameStayClosed(t *testing.T) {
	for limit := 1; limit <= 3; limit++ {
		b := newBench(t, stateless, serverOptions(server.WithPaginationLimit(limit)), before(func(b *bench) {
			for host, name := range map[string]string{"a": "", "b": "x", "c": "x", "d": "x"} {
				b.addTemplate(host+":///{x}", name, "docs")
			}
		}))
		for _, host := range "abcd" {
			read := string(host) + ":///secret"
			if a := b.post(b.token(), message("resources/read", uri(read))); b.runs(read) != 0 {
				t.Errorf("pages of %d: %s without its scope: %d %s", limit, read, a.Code, a.body)
			}
		}
	}
}

// Where pages of the list overlap at a name that several templates share, all of
// them are found, and whoever has their scope reads them.
func TestTemplatesOnSeveralPagesOpen(t *testing.T) {
	for limit := 3; limit <= 8; limit++ {
		b := newBench(t, stateless, serverOptions(server.WithPaginationLimit(limit)), before(func(b *bench) {
			for i, name := range []string{"a", "b", "b", "c", "d", "e", "e"} {
				b.addTemplate(fmt.Sprintf("host%d:///{x}", i), name, fmt.Sprintf("scope%d", i))
			}
		}))
		for i := range 7 {
			read, scope := fmt.Sprintf("host%d:///x", i), fmt.Sprintf("scope%d", i)
			b.wantAnswer(b.post(b.token(), message("resources/read", uri(read))), 403, challengeFor(scope))
			if a := b.post(b.token(scope), message("resources/read", uri(read))); a.Code != http.StatusOK || b.runs(read) != 1 {
				t.Errorf("pages of %d: %s with its scope: %d %s", limit, read, a.Code, a.body)
			}
		}
	}
}

// A hook that leaves a template out of lists, since it is not to be advertised,
// takes its rule out of no decision.
func TestTemplateHiddenByAHook(t *testing.T) {
	for _, hide := range []bool{false, true} {
		hooks := &server.Hooks{}
		hooks.AddAfterListResourceTemplates(func(_ context.Context, _ any, _ *mcp.ListResourceTemplatesRequest, r *mcp.ListResourceTemplatesResult) {
			clear(r.ResourceTemplates) // in place, which must not reach what the gate took
			r.ResourceTemplates = nil
		})
		b := newBench(t, stateless, serverOptions(server.WithHooks(hooks)), with(func(c *emamw.Config) { c.HideDenied = hide }), before(func(b *bench) {
			b.addTemplate("admin:///{x}", "internal", "admin")
		}))
		a := b.post(b.token(), message("resources/read", uri("admin:///x")))
		if b.runs("admin:///x") != 0 || hide != (a.Code == http.StatusOK) {
			t.Errorf("hide=%t, without the scope: %d %s", hide, a.Code, a.body)
		}
		if !hide {
			b.wantAnswer(a, 403, challengeFor("admin"))
		}
		if a := b.post(b.token("admin"), message("resources/read", uri("admin:///x"))); b.runs("admin:///x") != 1 {
			t.Errorf("hide=%t, with the scope: %d %s", hide, a.Code, a.body)
		}
	}
}

// A rate limit of the server's own may refuse the gate's message too. Nobody
// knows then which template matches: an attacker would fill the limit first.
func TestListingThatFailsCloses(t *testing.T) {
	refusing := false
	hooks := &server.Hooks{}
	hooks.AddOnRequestInitialization(func(_ context.Context, _ any, message any) error {
		if refusing && strings.Contains(fmt.Sprintf("%s", message), string(mcp.MethodResourcesTemplatesList)) {
			return errors.New("too many requests")
		}
		return nil
	})
	b := newBench(t, stateless, serverOptions(server.WithHooks(hooks)), before(func(b *bench) {
		b.addTemplate("admin:///{x}", "internal", "admin")
	}), with(func(c *emamw.Config) { c.Unruled = scopes.Authenticated() }))
	for _, method := range []string{"resources/read", "resources/subscribe"} {
		refusing = true
		b.wantAnswer(b.post(b.token("admin"), message(method, uri("admin:///x"))), 403, "")
		refusing = false
		if a := b.post(b.token("admin"), message(method, uri("admin:///x"))); a.Code != http.StatusOK {
			t.Errorf("%s after the limit: %d %s", method, a.Code, a.body)
		}
	}
	if b.runs("admin:///x") != 1 {
		t.Errorf("the template was read %d times, want once", b.runs("admin:///x"))
	}
}

// A hook that writes another URI into the request after the decision cannot lead
// it to a resource that was not decided on.
func TestHookRewritesTheURI(t *testing.T) {
	hooks := &server.Hooks{}
	hooks.AddBeforeReadResource(func(_ context.Context, _ any, m *mcp.ReadResourceRequest) {
		m.Params.URI = strings.ToLower(m.Params.URI)
	})
	b := newBench(t, stateless, serverOptions(server.WithHooks(hooks)), before(furnish), with(func(c *emamw.Config) { c.Unruled = scopes.Authenticated() }))
	for _, spelling := range []string{"FILE:///fixed", "file:///FIXED", "FILE:///A.TXT"} {
		b.post(b.token(), message("resources/read", uri(spelling)))
	}
	for _, read := range []string{"file:///fixed", "file:///a.txt"} {
		if b.runs(read) != 0 {
			t.Errorf("%s was read without its scope", read)
		}
	}
	b.post(b.token("fixed"), message("resources/read", uri("file:///fixed")))
	if b.runs("file:///fixed") != 1 {
		t.Error("with its scope it was not read")
	}
}

// Should the hook that decides be taken out, the handlers stay closed: nothing
// was approved.
func TestDecidingHookTakenOut(t *testing.T) {
	b := newBench(t, stateless, before(furnish))
	b.mcp.GetHooks().OnBeforeAny = nil
	for _, d := range doors {
		b.post(b.token(strings.Fields(d.scopes)...), message(d.method, d.params))
		if d.method == "resources/read" && b.runs(d.runs) != 0 {
			t.Errorf("%s was read, and nothing decided on it", d.name)
		}
	}
}

// The same on legacy SSE, which answers 202 before it handles: neither a session
// that is opened after the hooks were replaced serves anything, nor one before.
func TestReplacedHooksOnLegacySSE(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sse, before(furnish))
		ctx, cancel := context.WithCancel(t.Context())
		_, path := b.sseSession(ctx, b.token())
		server.WithHooks(&server.Hooks{})(b.mcp)
		for _, d := range doors {
			a := b.postTo(path, b.token(), message(d.method, d.params))
			synctest.Wait()
			if a.Code != http.StatusInternalServerError || b.runs(d.runs) != 0 {
				t.Errorf("%s: %d, ran %d times", d.name, a.Code, b.runs(d.runs))
			}
		}
		r := newRequest(http.MethodGet, b.token(), "", within(ctx))
		r.URL.Path = "/sse"
		if a := b.do(r); a.Code != http.StatusInternalServerError {
			t.Errorf("a new session: %d, want 500", a.Code)
		}
		cancel()
		synctest.Wait()
	})
}

// A filter of the server's own that adds to the one tool which was asked for
// would have the gate decide on another.
func TestFilterThatAddsTools(t *testing.T) {
	add := func(_ context.Context, tools []mcp.Tool) []mcp.Tool {
		return append([]mcp.Tool{mcp.NewTool("open", scopes.Where(scopes.Authenticated()))}, tools...)
	}
	b := newBench(t, stateless, before(furnish), serverOptions(server.WithToolFilter(add)))
	b.wantAnswer(b.post(b.token(), message("tools/call", call("write"))), 403, "")
	b.wantAnswer(b.post(b.token("files:write"), message("tools/call", call("write"))), 403, "")
	if b.runs("write") != 0 {
		t.Error("a tool ran by the rule of another")
	}
}
