package emamw_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
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

// named are templates by their names: as a server may have them, and as mcp-go
// sorts and pages them worst.
var named = map[string][]string{
	"one without a name":        {""},
	"none has a name":           {"", "", "", "", ""},
	"all have one name":         {"a", "a", "a", "a", "a"},
	"each has its own":          {"a", "b", "c", "d", "e"},
	"some share a name":         {"a", "b", "b", "c", "d", "e", "e"},
	"some have none":            {"", "", "", "x", "x", "x", "y"},
	"names that are no text":    {"", "\xff", "\xff", "\xff\xff", "\xff\xff\xff", "\xfe"},
	"a name before every other": {"\x00", "", "\x00", "a"},
}

// mcp-go begins a page behind the last name of the one before, so templates that
// share a name or have none can be on no page at all, and which of them is
// chance. An attacker would read each of them until one comes back. All are found
// all the same, whatever their names and wherever the pages end: each asks for
// its own scope, and opens with it.
func TestTemplatesAreAllFound(t *testing.T) {
	for name, names := range named {
		for limit := range 8 {
			t.Run(fmt.Sprintf("%s, pages of %d", name, limit), func(t *testing.T) {
				options := []benchOption{stateless, before(func(b *bench) {
					for i, name := range names {
						b.addTemplate(fmt.Sprintf("host%d:///{x}", i), name, fmt.Sprintf("scope%d", i))
					}
				})}
				if limit > 0 {
					options = append(options, serverOptions(server.WithPaginationLimit(limit)))
				}
				b := newBench(t, options...)
				for i := range names {
					read, scope := fmt.Sprintf("host%d:///x", i), fmt.Sprintf("scope%d", i)
					b.wantAnswer(b.post(b.token(), message("resources/read", uri(read))), 403, challengeFor(scope))
					b.wantAnswer(b.post(b.token(scope), message("resources/read", uri(read))), 200, "")
					if b.runs(read) != 1 {
						t.Errorf("%s was read %d times, want once", read, b.runs(read))
					}
				}
				if a := b.post(b.token(), message("resources/read", uri("none:///x"))); a.Code != http.StatusOK || !strings.Contains(a.body, "not found") {
					t.Errorf("no template matches: %d %s", a.Code, a.body)
				}
			})
		}
	}
}

// Of templates that match one URI mcp-go takes any, also where only one of them
// is on the page: the rules of all must hold.
func TestOverlapOnSeveralPages(t *testing.T) {
	for limit := 1; limit <= 4; limit++ {
		for _, name := range []string{"", "document"} {
			b := newBench(t, stateless, serverOptions(server.WithPaginationLimit(limit)), before(func(b *bench) {
				for i, text := range []string{"file:///{x}", "file:///{x}.txt", "file:///a{x}"} {
					b.addTemplate(text, name, fmt.Sprintf("scope%d", i))
				}
			}))
			read := message("resources/read", uri("file:///ab.txt"))
			for _, held := range [][]string{nil, {"scope0"}, {"scope1", "scope2"}, {"scope0", "scope2"}, {"scope0", "scope1"}} {
				if a := b.post(b.token(held...), read); a.Code != http.StatusForbidden || b.runs("file:///ab.txt") != 0 {
					t.Errorf("pages of %d, with %q: %d %s", limit, held, a.Code, a.body)
				}
			}
			b.wantAnswer(b.post(b.token("scope0", "scope1", "scope2"), read), 200, "")
		}
	}
}

// What one template opens to services, another that matches the same URI does not: each
// of their rules must hold as it was written.
func TestOverlapOpensNothingToServices(t *testing.T) {
	b := newBench(t, stateless, before(func(b *bench) {
		for text, rule := range map[string]scopes.Rule{
			"file:///{x}": scopes.Service(), "file:///{x}.txt": scopes.Scope("text"), "file:///{x}.csv": scopes.All(scopes.Service(), scopes.Scope("csv")),
		} {
			b.mcp.AddResourceTemplate(mcp.NewResourceTemplate(text, text, scopes.ForTemplate(rule)), b.reader)
		}
	}))
	service := b.as.Mint(emamwtest.Token{Subject: "batch", ClientID: "batch", Scopes: []string{"text", "csv"}})
	for read, status := range map[string]int{"file:///a": 200, "file:///a.csv": 200, "file:///a.txt": 403} {
		b.wantAnswer(b.post(service, message("resources/read", uri(read))), status, "")
		if b.runs(read) != status/200%2 {
			t.Errorf("%s was read %d times", read, b.runs(read))
		}
	}
}

// The templates of a session are found beside those of the server, and one that
// both have is the session's: mcp-go looks there first.
func TestTemplatesOfASessionOnSeveralPages(t *testing.T) {
	for limit := 1; limit <= 7; limit++ {
		b := newBench(t, serverOptions(server.WithPaginationLimit(limit)), before(func(b *bench) {
			for _, host := range []string{"both", "server1", "server2"} {
				b.addTemplate(host+":///{x}", "", "server")
			}
		}))
		session := &desk{templates: map[string]server.ServerResourceTemplate{"broken": {}}}
		for _, host := range []string{"both", "own1", "own2"} {
			session.templates[host+":///{x}"] = server.ServerResourceTemplate{Template: mcp.NewResourceTemplate(host+":///{x}", "", scopes.ForTemplate(scopes.Scope("own"))), Handler: b.reader}
		}
		for host, scope := range map[string]string{"both": "own", "own1": "own", "own2": "own", "server1": "server", "server2": "server"} {
			read := host + ":///x"
			for held, runs := range map[string]int{"none": 0, scope: 1} {
				b.forget()
				b.mcp.HandleMessage(b.mcp.WithContext(user(held), session), []byte(message("resources/read", uri(read))))
				if b.runs(read) != runs {
					t.Errorf("pages of %d: %s with %s was read %d times, want %d", limit, read, held, b.runs(read), runs)
				}
			}
		}
	}
}

// The list that the gate asks for is a message which the server's own hooks see.
// One that answers it with messages of its own must not have them pass for the
// gate's: an attacker needs only a hook that looks something up.
func TestHookAsksDuringTheListing(t *testing.T) {
	var b *bench
	asking := false
	hooks := &server.Hooks{}
	hooks.AddAfterListResourceTemplates(func(ctx context.Context, _ any, _ *mcp.ListResourceTemplatesRequest, _ *mcp.ListResourceTemplatesResult) {
		if !asking {
			return
		}
		asking = false // what it asks makes the gate list once more
		for _, d := range doors {
			b.mcp.HandleMessage(ctx, []byte(message(d.method, d.params)))
		}
	})
	b = newBench(t, stateless, serverOptions(server.WithHooks(hooks)), before(furnish))
	for token, challenge := range map[string]string{b.token(): challengeFor("text"), b.token("text"): ""} {
		asking = true
		status := http.StatusForbidden
		if challenge == "" {
			status = http.StatusOK
		}
		b.wantAnswer(b.post(token, message("resources/read", uri("file:///a.txt"))), status, challenge)
		for _, d := range doors {
			if d.runs != "" && b.runs(d.runs) != 0 && d.scopes != "text" {
				t.Errorf("%s ran without its scope", d.name)
			}
		}
	}
	if asking || b.runs("file:///a.txt") != 2 {
		t.Errorf("the hook asked for nothing: the test proves nothing, %d", b.runs("file:///a.txt"))
	}
}

// A hook of the server's own that cuts its list, and says that it is complete,
// cuts no rule from a decision.
func TestHookThatCutsTheList(t *testing.T) {
	hooks := &server.Hooks{}
	hooks.AddBeforeListResourceTemplates(func(_ context.Context, _ any, m *mcp.ListResourceTemplatesRequest) {
		if m.Params.Cursor == "" {
			m.Params.Cursor = mcp.Cursor(base64.StdEncoding.EncodeToString([]byte("strict")))
		}
	})
	hooks.AddAfterListResourceTemplates(func(_ context.Context, _ any, _ *mcp.ListResourceTemplatesRequest, r *mcp.ListResourceTemplatesResult) {
		r.NextCursor = ""
	})
	for limit := 1; limit <= 3; limit++ {
		b := newBench(t, stateless, serverOptions(server.WithHooks(hooks), server.WithPaginationLimit(limit)), before(func(b *bench) {
			b.addTemplate("file:///{x}.txt", "strict", "strict")
			b.addTemplate("file:///{x}", "work", "lax")
		}))
		for range 20 {
			b.wantAnswer(b.post(b.token("lax"), message("resources/read", uri("file:///a.txt"))), 403, "")
		}
		if b.runs("file:///a.txt") != 0 {
			t.Error("it was read by the rule of one template of two")
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

// The same when it refuses one of the messages that several pages take: what was
// found until then is not all.
func TestListingThatFailsMidwayCloses(t *testing.T) {
	for refused := 1; refused <= 4; refused++ {
		count := 0
		hooks := &server.Hooks{}
		hooks.AddOnRequestInitialization(func(_ context.Context, _ any, message any) error {
			if strings.Contains(fmt.Sprintf("%s", message), string(mcp.MethodResourcesTemplatesList)) {
				if count++; count == refused {
					return errors.New("too many requests")
				}
			}
			return nil
		})
		b := newBench(t, stateless, serverOptions(server.WithHooks(hooks), server.WithPaginationLimit(1)), before(func(b *bench) {
			b.addTemplate("file:///{x}", "document", "lax")
			b.addTemplate("file:///{x}.txt", "document", "strict")
		}))
		for range 20 {
			count = 0
			if a := b.post(b.token("lax"), message("resources/read", uri("file:///a.txt"))); a.Code != http.StatusForbidden || b.runs("file:///a.txt") != 0 {
				t.Fatalf("message %d refused: %d %s", refused, a.Code, a.body)
			}
		}
		if count != refused {
			t.Errorf("%d messages, want %d: the test proves nothing", count, refused)
		}
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

// A server that replaces its resources takes them out and puts them back. What was
// decided meanwhile by the rule of a template that matches the same URI is not
// good for the resource.
func TestResourceComesBackAfterTheDecision(t *testing.T) {
	var b *bench
	hooks := &server.Hooks{}
	hooks.AddBeforeReadResource(func(_ context.Context, _ any, m *mcp.ReadResourceRequest) {
		if m.Params.URI == "file:///strict" {
			b.mcp.SetResources(server.ServerResource{Resource: mcp.NewResource("file:///strict", "strict", scopes.ForResource(scopes.Scope("strict"))), Handler: b.reader})
		}
	})
	b = newBench(t, stateless, serverOptions(server.WithHooks(hooks)), before(func(b *bench) {
		b.addTemplate("file:///{x}", "lax", "lax")
	}))
	for range 2 {
		b.post(b.token("lax"), message("resources/read", uri("file:///strict")))
		if b.runs("file:///strict") != 0 {
			t.Fatal("it was read by the rule of a template")
		}
	}
	b.wantAnswer(b.post(b.token("lax"), message("resources/read", uri("file:///other"))), 200, "")
	b.wantAnswer(b.post(b.token("strict"), message("resources/read", uri("file:///strict"))), 200, "")
	if b.runs("file:///strict") != 1 || b.runs("file:///other") != 1 {
		t.Error("with its scope it was not read")
	}
}

// The other way round: what was decided by the rule of a resource is not good for a
// template that matches its URI, and serves it once the resource is gone.
func TestResourceGoesAfterTheDecision(t *testing.T) {
	var b *bench
	hooks := &server.Hooks{}
	hooks.AddBeforeReadResource(func(_ context.Context, _ any, m *mcp.ReadResourceRequest) {
		if m.Params.URI == "file:///lax" {
			b.mcp.DeleteResources(m.Params.URI)
		}
	})
	b = newBench(t, stateless, serverOptions(server.WithHooks(hooks)), before(func(b *bench) {
		b.addTemplate("file:///{x}", "strict", "strict")
	}))
	lax := server.ServerResource{Resource: mcp.NewResource("file:///lax", "lax", scopes.ForResource(scopes.Scope("lax"))), Handler: b.reader}
	b.mcp.AddResources(lax)
	b.post(b.token("lax"), message("resources/read", uri("file:///lax")))
	if b.runs("file:///lax") != 0 {
		t.Error("a template served it by the rule of the resource")
	}
	b.wantAnswer(b.post(b.token("strict"), message("resources/read", uri("file:///lax"))), 200, "")
	lax.Resource.URI = "file:///stays"
	b.mcp.AddResources(lax)
	b.wantAnswer(b.post(b.token("lax"), message("resources/read", uri("file:///stays"))), 200, "")
	if b.runs("file:///lax") != 1 || b.runs("file:///stays") != 1 {
		t.Error("with its scope it was not read")
	}
}

// Nor is what was decided by the rule of one resource good for another that takes its
// place: a new one, or the server's own behind one of the session, which the caller may
// have a tool to close.
func TestResourceIsReplacedAfterTheDecision(t *testing.T) {
	made := func(scope string) server.ServerResource {
		return server.ServerResource{Resource: mcp.NewResource("file:///x", scope, scopes.ForResource(scopes.Scope(scope))), Handler: func(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			return []mcp.ResourceContents{mcp.TextResourceContents{URI: "file:///x", Text: "text of " + scope}}, nil
		}}
	}
	var b *bench
	var between func()
	hooks := &server.Hooks{}
	hooks.AddBeforeReadResource(func(context.Context, any, *mcp.ReadResourceRequest) { between() })
	b = newBench(t, stateful, serverOptions(server.WithHooks(hooks)))
	session := b.session(b.token())
	bare, _, _ := strings.Cut(session, ".")
	add := func() {
		if err := b.mcp.AddSessionResources(bare, made("lax")); err != nil {
			t.Fatal(err)
		}
	}
	remove := func() {
		if err := b.mcp.DeleteSessionResources(bare, "file:///x"); err != nil {
			t.Fatal(err)
		}
	}
	nothing := func() {}
	for _, tt := range []struct {
		name            string
		before, between func()
		held, text      string
	}{
		{"it stays", func() { b.mcp.SetResources(made("lax")) }, nothing, "lax", "text of lax"},
		{"a new one", func() { b.mcp.SetResources(made("lax")) }, func() { b.mcp.SetResources(made("strict")) }, "lax", ""},
		{"the session's stays", add, nothing, "lax", "text of lax"},
		{"the server's behind the session's", nothing, remove, "lax", ""},
		{"the server's, with its scope", nothing, nothing, "strict", "text of strict"},
	} {
		tt.before()
		between = tt.between
		a := b.post(b.token(tt.held), message("resources/read", uri("file:///x")), header("Mcp-Session-Id", session))
		if strings.Contains(a.body, "text of") != (tt.text != "") || !strings.Contains(a.body, tt.text) {
			t.Errorf("%s: %d %s", tt.name, a.Code, a.body)
		}
	}
}

// A middleware of the server's own that drops the context loses who asks. The
// handler stays closed, as it is for nobody.
func TestMiddlewareThatDropsTheContext(t *testing.T) {
	drop := func(next server.ResourceHandlerFunc) server.ResourceHandlerFunc {
		return func(_ context.Context, r mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			return next(context.Background(), r)
		}
	}
	b := newBench(t, stateless, before(furnish), serverOptions(server.WithResourceHandlerMiddleware(drop)))
	for _, read := range []string{"file:///fixed", "file:///a.txt"} {
		a := b.post(b.token("fixed", "text"), message("resources/read", uri(read)))
		if b.runs(read) != 0 || strings.Contains(a.body, `"result"`) {
			t.Errorf("%s was read for nobody: %d %s", read, a.Code, a.body)
		}
	}
}

// Should the hook that decides be taken out, the handlers stay closed, for nothing was
// approved, and what needs none is not answered. The log says so, once.
func TestDecidingHookTakenOut(t *testing.T) {
	b := newBench(t, stateless, before(furnish))
	task := b.startTask(b.token("reports"), call("report"))
	b.mcp.GetHooks().OnBeforeAny = nil
	for _, d := range append(doors, door{name: "task", method: "tasks/result", params: task}, door{name: "list", method: "tools/list"}) {
		for _, user := range []string{"alice", "mallory"} {
			a := b.post(b.tokenOf(user, strings.Fields(d.scopes)...), message(d.method, d.params))
			if strings.Contains(a.body, `"result"`) {
				t.Errorf("%s was answered, and nothing decided on it: %d %s", d.name, a.Code, a.body)
			}
		}
		if d.method == "resources/read" && b.runs(d.runs) != 0 {
			t.Errorf("%s was read, and nothing decided on it", d.name)
		}
	}
	if a := b.post(b.token(), message("ping", nil)); a.Code != http.StatusInternalServerError || strings.Count(b.logs.String(), "the gate never saw") != 1 {
		t.Errorf("ping: %d %s, %s", a.Code, a.body, b.logs)
	}
	// An event before the answer makes a stream of it.
	b.mcp.AddTool(mcp.NewTool("loud", scopes.Where(scopes.Authenticated())), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText("loud"), b.mcp.SendNotificationToClient(ctx, "notifications/own", nil)
	})
	if a := b.post(b.token(), message("tools/call", call("loud"))); a.Code != http.StatusInternalServerError {
		t.Errorf("a stream: %d %s", a.Code, a.body)
	}
	if a := b.post(b.token(), message("none", nil)); a.Code != http.StatusOK || !strings.Contains(a.body, `"error"`) {
		t.Errorf("an unknown method: %d %s", a.Code, a.body)
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

// A hook may also come back over HTTP while the gate looks around, with the context of
// the look. That is a request of its own, decided like any other; where the pages show
// templates that the gate put there itself, what a hook reads is refused.
func TestRequestDuringTheListing(t *testing.T) {
	for limit := range 3 {
		var b *bench
		asking := false
		hooks := &server.Hooks{}
		hooks.AddAfterListResourceTemplates(func(ctx context.Context, _ any, _ *mcp.ListResourceTemplatesRequest, _ *mcp.ListResourceTemplatesResult) {
			if !asking {
				return
			}
			asking = false // a request may make the gate look once more
			defer func() { asking = true }()
			for _, d := range doors {
				b.mcp.HandleMessage(ctx, []byte(message(d.method, d.params)))
				for held, ok := range map[string]bool{"none": false, d.scopes: d.scopes != ""} {
					if d.scopes == "" && held == "" {
						continue
					}
					a := b.do(newRequest(http.MethodPost, b.tokenOf("bob", strings.Fields(held)...), message(d.method, d.params), within(ctx)))
					if ok != (a.Code == http.StatusOK) || !ok && a.Code != http.StatusForbidden {
						t.Errorf("pages of %d: %s with %q: %d %s", limit, d.name, held, a.Code, a.body)
					}
				}
			}
		})
		options := []server.ServerOption{server.WithHooks(hooks)}
		if limit > 0 {
			options = append(options, server.WithPaginationLimit(limit))
		}
		b = newBench(t, stateless, serverOptions(options...), before(furnish))
		asking = true
		b.wantAnswer(b.post(b.token("text"), message("resources/read", uri("file:///a.txt"))), 200, "")
		b.wantAnswer(b.post(b.token(), message("resources/read", uri("file:///a.txt"))), 403, challengeFor("text"))
	}
}

// A read is decided once, and in front of its handler only compared with that: rules may
// be dear, and each look for templates is a message that the server's hooks see.
func TestReadIsDecidedOnce(t *testing.T) {
	looks, asked := 0, 0
	hooks := &server.Hooks{}
	hooks.AddAfterListResourceTemplates(func(context.Context, any, *mcp.ListResourceTemplatesRequest, *mcp.ListResourceTemplatesResult) {
		looks++
	})
	rule := scopes.When(func(map[string]any) scopes.Rule { asked++; return scopes.Authenticated() })
	b := newBench(t, stateless, serverOptions(server.WithHooks(hooks)), before(func(b *bench) {
		b.mcp.AddResource(mcp.NewResource("file:///x", "x", scopes.ForResource(rule)), b.reader)
		b.mcp.AddResourceTemplate(mcp.NewResourceTemplate("file:///{x}.txt", "text", scopes.ForTemplate(rule)), b.reader)
	}))
	for read, want := range map[string]int{"file:///x": 0, "file:///x.txt": 1} {
		looks, asked = 0, 0
		b.wantAnswer(b.post(b.token(), message("resources/read", uri(read))), 200, "")
		if looks != want || asked != 1 || b.runs(read) != 1 {
			t.Errorf("%s: %d looks, want %d; the rule was asked %d times, want once", read, looks, want, asked)
		}
	}
}

// A hook that leads an approved read to another resource is not followed, though the
// caller may read that one too: what is on record is the first.
func TestHookLeadsAnApprovedReadAway(t *testing.T) {
	hooks := &server.Hooks{}
	hooks.AddBeforeReadResource(func(_ context.Context, _ any, m *mcp.ReadResourceRequest) { m.Params.URI = "file:///fixed" })
	b := newBench(t, stateless, serverOptions(server.WithHooks(hooks)), before(furnish))
	b.post(b.token("text", "fixed"), message("resources/read", uri("file:///a.txt")))
	b.wantAnswer(b.post(b.token("text", "fixed"), message("resources/read", uri("file:///fixed"))), 200, "")
	if b.runs("file:///fixed") != 1 {
		t.Errorf("it was read %d times, want once", b.runs("file:///fixed"))
	}
}
