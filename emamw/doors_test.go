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

// providers complete for any name, and note that they were asked.
type providers struct{ b *bench }

func (p providers) CompletePromptArgument(_ context.Context, name string, _ mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	p.b.note("complete " + name)
	return &mcp.Completion{Values: []string{"secret"}}, nil
}

func (p providers) CompleteResourceArgument(_ context.Context, uri string, _ mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	p.b.note("complete " + uri)
	return &mcp.Completion{Values: []string{"secret"}}, nil
}

// furnish registers an item of every kind, each with the scope of its kind.
func furnish(b *bench) {
	server.WithPromptCompletionProvider(providers{b})(b.mcp)
	server.WithResourceCompletionProvider(providers{b})(b.mcp)
	read := func(_ context.Context, r mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
		b.note(r.Params.URI)
		return []mcp.ResourceContents{mcp.TextResourceContents{URI: r.Params.URI, Text: "text"}}, nil
	}
	b.addTools()
	b.mcp.AddPrompt(mcp.NewPrompt("ask", mcp.WithArgument("about"), scopes.ForPrompt(scopes.Scope("prompts"))), func(context.Context, mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		b.note("ask")
		return mcp.NewGetPromptResult("", nil), nil
	})
	b.mcp.AddPrompt(mcp.NewPrompt("bare"), nil)
	b.mcp.AddResource(mcp.NewResource("file:///fixed", "fixed", scopes.ForResource(scopes.Scope("fixed"))), read)
	b.mcp.AddResource(mcp.NewResource("file:///bare", "bare"), read)
	b.mcp.AddResourceTemplate(mcp.NewResourceTemplate("file:///{name}.txt", "text", scopes.ForTemplate(scopes.Scope("text"))), read)
	b.mcp.AddResourceTemplate(mcp.NewResourceTemplate("file:///secret{rest}", "secrets", scopes.ForTemplate(scopes.Scope("secrets"))), read)
}

// door is one way to something that has a rule.
type door struct {
	name   string
	method string
	params map[string]any
	scopes string // that open it
	ask    string // what its challenge names; "" for one that scopes do not open
	runs   string // what runs behind it
	legacy bool   // gone in the modern era
}

var doors = []door{
	{name: "tool", method: "tools/call", params: call("write"), scopes: "files:write", ask: "files:write", runs: "write"},
	{name: "tool without a rule", method: "tools/call", params: call("unruled"), ask: "", runs: "unruled"},
	{name: "task tool", method: "tools/call", params: map[string]any{"name": "report", "task": map[string]any{}}, scopes: "reports", ask: "reports", legacy: true},
	{name: "prompt", method: "prompts/get", params: map[string]any{"name": "ask"}, scopes: "prompts", ask: "prompts", runs: "ask"},
	{name: "prompt without a rule", method: "prompts/get", params: map[string]any{"name": "bare"}},
	{name: "resource", method: "resources/read", params: map[string]any{"uri": "file:///fixed"}, scopes: "fixed", ask: "fixed", runs: "file:///fixed"},
	{name: "resource without a rule", method: "resources/read", params: map[string]any{"uri": "file:///bare"}, runs: "file:///bare"},
	{name: "template", method: "resources/read", params: map[string]any{"uri": "file:///a.txt"}, scopes: "text", ask: "text", runs: "file:///a.txt"},
	{name: "two templates", method: "resources/read", params: map[string]any{"uri": "file:///secret.txt"}, scopes: "text secrets", ask: "secrets text", runs: "file:///secret.txt"},
	{name: "subscribe", method: "resources/subscribe", params: map[string]any{"uri": "file:///fixed"}, scopes: "fixed", ask: "fixed", legacy: true},
	{name: "subscribe by template", method: "resources/subscribe", params: map[string]any{"uri": "file:///a.txt"}, scopes: "text", ask: "text", legacy: true},
	{name: "subscribe to nothing", method: "resources/subscribe", params: map[string]any{"uri": "file:///none"}, legacy: true},
	{name: "complete a prompt", method: "completion/complete", params: completion("ref/prompt", "name", "ask"), scopes: "prompts", ask: "prompts", runs: "complete ask"},
	{name: "complete no prompt", method: "completion/complete", params: completion("ref/prompt", "name", "none"), runs: "complete none"},
	{name: "complete a template", method: "completion/complete", params: completion("ref/resource", "uri", "file:///{name}.txt"), scopes: "text", ask: "text", runs: "complete file:///{name}.txt"},
	{name: "complete a URI", method: "completion/complete", params: completion("ref/resource", "uri", "file:///secret.txt"), scopes: "text secrets", ask: "secrets text", runs: "complete file:///secret.txt"},
	{name: "complete no resource", method: "completion/complete", params: completion("ref/resource", "uri", "other:///x"), runs: "complete other:///x"},
}

func completion(kind, key, value string) map[string]any {
	return map[string]any{"ref": map[string]any{"type": kind, key: value}, "argument": map[string]any{"name": "a", "value": "v"}}
}

// Each door, in each era: closed with the right answer and nothing behind it
// runs; open for a token that has what the challenge named.
func TestDoors(t *testing.T) {
	for _, e := range eras {
		for _, d := range doors {
			if d.legacy && e.name == "modern" {
				continue
			}
			t.Run(e.name+"/"+d.name, func(t *testing.T) {
				b := newBench(t, before(furnish))
				challenge := ""
				if d.ask != "" {
					challenge = challengeFor(d.ask)
				}
				b.wantAnswer(e.send(b, b.token("unrelated"), d.method, d.params), 403, challenge)
				if b.runs(d.runs) != 0 {
					t.Error("what is behind a closed door ran")
				}
				if d.scopes == "" {
					return
				}
				a := e.send(b, b.token(strings.Fields(d.scopes)...), d.method, d.params)
				if _, code := a.result(t); a.Code != http.StatusOK || code != 0 {
					t.Errorf("with %s: %d %s", d.scopes, a.Code, a.body)
				}
				if d.runs != "" && b.runs(d.runs) != 1 {
					t.Errorf("with %s it ran %d times", d.scopes, b.runs(d.runs))
				}
			})
		}
	}
}

// With HideDenied a closed door answers byte for byte like one that is not
// there, apart from the name that was asked for.
func TestHiddenIsUnknown(t *testing.T) {
	unknown := map[string]map[string]any{
		"tool":                call("nope!"),
		"task tool":           {"name": "rep!rt"},
		"prompt":              {"name": "no!"},
		"resource":            {"uri": "file:///fix!d"},
		"template":            {"uri": "file:///a!txt"},
		"subscribe":           {"uri": "file:///fix!d"},
		"complete a prompt":   completion("ref/prompt", "name", "no!"),
		"complete a template": completion("ref/resource", "uri", "file:///{name}!txt"),
	}
	for _, e := range eras {
		for _, d := range doors {
			other, ok := unknown[d.name]
			if !ok || d.legacy && e.name == "modern" {
				continue
			}
			t.Run(e.name+"/"+d.name, func(t *testing.T) {
				b := newBench(t, before(furnish), with(func(c *emamw.Config) { c.HideDenied = true }))
				token := b.token("unrelated")
				if task, ok := d.params["task"]; ok {
					other["task"] = task
				}
				hidden, missing := e.send(b, token, d.method, d.params), e.send(b, token, d.method, other)
				if b.runs(d.runs) != 0 {
					t.Error("what is hidden ran")
				}
				if hidden.Code != missing.Code || hidden.Header().Get("WWW-Authenticate") != "" {
					t.Errorf("hidden %d, unknown %d", hidden.Code, missing.Code)
				}
				want := missing.body
				for key, value := range other {
					if text, isText := value.(string); isText {
						want = strings.ReplaceAll(want, text, d.params[key].(string))
					}
				}
				if strings.Contains(hidden.body, "urn:emamw:") {
					t.Errorf("the answer is about another name than the one that was asked for: %s", hidden.body)
				}
				if hidden.body != want {
					t.Errorf("hidden\n%sunknown\n%s", hidden.body, want)
				}
			})
		}
	}
}

// What has no item is answered when the token is good and has the base scopes,
// and by the guard when not.
func TestBaseScopes(t *testing.T) {
	plain := []struct {
		era    string
		method string
		params map[string]any
	}{
		{"legacy", "ping", nil}, {"legacy", "tools/list", nil}, {"legacy", "prompts/list", nil}, {"legacy", "resources/list", nil},
		{"legacy", "resources/templates/list", nil}, {"legacy", "tasks/list", nil}, {"legacy", "logging/setLevel", map[string]any{"level": "debug"}},
		{"legacy", "resources/unsubscribe", map[string]any{"uri": "file:///x"}},
		{"modern", "server/discover", nil}, {"modern", "tools/list", nil}, {"modern", "prompts/list", nil}, {"modern", "resources/list", nil}, {"modern", "resources/templates/list", nil},
	}
	for _, e := range eras {
		for _, tt := range plain {
			if tt.era != e.name {
				continue
			}
			t.Run(e.name+"/"+tt.method, func(t *testing.T) {
				b := newBench(t, before(furnish), with(func(c *emamw.Config) { c.BaseScopes = []string{"base"} }))
				b.wantAnswer(e.send(b, b.token("files:write"), tt.method, tt.params), 403, challengeFor("base"))
				a := e.send(b, b.token("base"), tt.method, tt.params)
				if a.Code != http.StatusOK || strings.Contains(a.body, `"error"`) && tt.method != "logging/setLevel" {
					t.Errorf("with the base scope: %d %s", a.Code, a.body)
				}
			})
		}
	}
}

// All that an operation needs stands in one challenge, the base scopes too.
func TestBaseScopesWithRule(t *testing.T) {
	for _, e := range eras {
		for _, hide := range []bool{false, true} {
			b := newBench(t, before(furnish), stateless, with(func(c *emamw.Config) { c.BaseScopes, c.HideDenied = []string{"base"}, hide }))
			for _, d := range doors {
				if d.ask == "" || d.legacy && e.name == "modern" {
					continue
				}
				all := challengeFor("base " + d.ask)
				if hide { // what the rule asks for would tell that there is one
					all = challengeFor("base")
				}
				b.wantAnswer(e.send(b, b.token(), d.method, d.params), 403, all)
				b.wantAnswer(e.send(b, b.token(strings.Fields(d.scopes)...), d.method, d.params), 403, all)
				if b.runs(d.runs) != 0 {
					t.Errorf("%s ran without the base scope", d.name)
				}
			}
		}
	}
}

// A task asks for what its tool did, also of its maker. Of another's nothing is
// told but what every request needs.
func TestBaseScopesWithTheRuleOfATask(t *testing.T) {
	b := newBench(t, before(furnish), stateless, with(func(c *emamw.Config) { c.BaseScopes = []string{"base"} }))
	params := call("report")
	params["task"] = map[string]any{}
	result, _ := b.post(b.token("base", "reports"), message("tools/call", params)).result(t)
	id := map[string]any{"taskId": result["task"].(map[string]any)["taskId"].(string)}
	for _, method := range []string{"tasks/get", "tasks/result", "tasks/cancel"} {
		for _, held := range []string{"", "base", "reports"} {
			b.wantAnswer(b.post(b.token(held), message(method, id)), 403, challengeFor("base reports"))
		}
		b.wantAnswer(b.post(b.tokenOf("mallory"), message(method, id)), 403, challengeFor("base"))
	}
	if a := b.post(b.token("base", "reports"), message("tasks/result", id)); !strings.Contains(a.body, "result of report") {
		t.Errorf("with both: %d %s", a.Code, a.body)
	}
}

// What mcp-go would do without asking a hook is refused before it: a
// notification's handler, a session.
func TestBaseScopesBeforeMCP(t *testing.T) {
	notified, opened := 0, 0
	b := newBench(t, with(func(c *emamw.Config) { c.BaseScopes = []string{"base"} }), before(func(b *bench) {
		b.mcp.AddNotificationHandler("notifications/own", func(context.Context, mcp.JSONRPCNotification) { notified++ })
		hooks := &server.Hooks{}
		hooks.AddOnRegisterSession(func(context.Context, server.ClientSession) { opened++ })
		server.WithHooks(hooks)(b.mcp)
	}))
	for name, body := range map[string]string{
		"notification":          `{"jsonrpc":"2.0","method":"notifications/own"}`,
		"null id":               `{"jsonrpc":"2.0","id":null,"method":"notifications/own"}`,
		"method in upper case":  `{"jsonrpc":"2.0","METHOD":"notifications/own"}`,
		"initialize":            message("initialize", map[string]any{"protocolVersion": legacy}),
		"initialize in two":     `{"jsonrpc":"2.0","id":1,"method":"tools/call","Method":"initialize","params":{}}`,
		"a response":            `{"jsonrpc":"2.0","id":1,"result":{}}`,
		"a call with a result":  `{"jsonrpc":"2.0","id":1,"method":"tools/call","result":{"a":1}}`,
		"an unknown method":     message("own/method", nil),
		"no JSON":               `{`,
		"an array of a message": `[` + message("ping", nil) + `]`,
	} {
		b.wantAnswer(b.post(b.token("other"), body), 403, challengeFor("base"))
		if notified+opened != 0 {
			t.Fatalf("%s had an effect without the base scope", name)
		}
	}
	if a := b.do(newRequest(http.MethodGet, b.token("other"), "")); a.Code != http.StatusForbidden {
		t.Errorf("a GET stream without the base scope: %d", a.Code)
	}
	if a := b.do(newRequest(http.MethodDelete, b.token("other"), "")); a.Code != http.StatusForbidden {
		t.Errorf("DELETE without the base scope: %d", a.Code)
	}
	b.post(b.token("base"), `{"jsonrpc":"2.0","method":"notifications/own"}`, header("Mcp-Session-Id", b.session(b.token("base"))))
	if notified != 1 {
		t.Error("with the base scope the notification had no effect: the test proves nothing")
	}
}

// Unknown names and methods are mcp-go's to answer, with the status and the code
// that each era has for them (MCP 2026-07-28, streamable HTTP).
func TestUnknown(t *testing.T) {
	type wants struct{ status, code int }
	tests := []struct {
		method         string
		params         map[string]any
		legacy, modern wants
	}{
		{"tools/call", call("none"), wants{200, mcp.INVALID_PARAMS}, wants{400, mcp.INVALID_PARAMS}},
		{"prompts/get", map[string]any{"name": "none"}, wants{200, mcp.INVALID_PARAMS}, wants{400, mcp.INVALID_PARAMS}},
		{"resources/read", map[string]any{"uri": "other:///none"}, wants{200, mcp.RESOURCE_NOT_FOUND}, wants{400, mcp.INVALID_PARAMS}},
		{"own/method", nil, wants{200, mcp.METHOD_NOT_FOUND}, wants{404, mcp.METHOD_NOT_FOUND}},
	}
	for _, e := range eras {
		b := newBench(t, before(furnish))
		for _, tt := range tests {
			want := tt.legacy
			if e.name == "modern" {
				want = tt.modern
			}
			a := e.send(b, b.token(), tt.method, tt.params)
			if _, code := a.result(t); a.Code != want.status || code != want.code {
				t.Errorf("%s %s: %d %s, want %+v", e.name, tt.method, a.Code, a.body, want)
			}
		}
	}
}
