package integration_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/scopes"
)

// ofTurnedAway are the attributes of a refusal by the guard itself: no message
// was dispatched, so there is no id of one.
const ofTurnedAway = "ema.decision ema.token.type mcp.method.name"

// A turnedAwayRow is a request with a good token that is refused for what it is,
// and not for what it asks for.
type turnedAwayRow struct {
	reason claims.Reason
	name   string
	change func(*guardedSetup) // of the server; nil for none
	send   func(*guarded) *httptest.ResponseRecorder
	status int
	method string // mcp.method.name
}

const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`

var turnedAwayRows = []turnedAwayRow{
	{claims.RequestTooLarge, "announced", smallBodies, body(long, nil), 413, "_OTHER"},
	{claims.RequestTooLarge, "read by the guard", smallBodies, body(long, func(r *http.Request) {
		r.ContentLength = -1
		r.Header.Set("Mcp-Protocol-Version", modern)
	}), 413, "_OTHER"},
	{claims.RequestTooLarge, "read by mcp-go", smallBodies, body(long, func(r *http.Request) { r.ContentLength = -1 }), 413, "_OTHER"},
	{claims.RequestMalformed, "a body that breaks off", nil, body(ping, func(r *http.Request) {
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"`), broken{}))
		r.Header.Set("Mcp-Protocol-Version", modern)
	}), 400, "_OTHER"},
	{claims.RequestMalformed, "no JSON-RPC", nil, func(g *guarded) *httptest.ResponseRecorder {
		return g.sendLegacy(g.token(), `{"jsonrpc":"1.0","id":1,"method":"ping"}`)
	}, 400, "_OTHER"},
	{claims.RequestMalformed, "a modern cancellation", nil, body(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, func(r *http.Request) {
		r.Header.Set("Mcp-Protocol-Version", modern)
	}), 202, "notifications/cancelled"},
	{claims.RequestMalformed, "a stream over legacy SSE", nil, listenOverSSE, 400, "subscriptions/listen"},
	{claims.Ungated, "hooks that were replaced", nil, func(g *guarded) *httptest.ResponseRecorder {
		server.WithHooks(&server.Hooks{})(g.mcp)
		return g.send(g.token(), listTools)
	}, 500, "_OTHER"},
	{claims.Ungated, "the transport of another server", nil, func(g *guarded) *httptest.ResponseRecorder {
		other := server.NewStreamableHTTPServer(server.NewMCPServer("other", "1"), server.WithStateLess(true))
		return serve(g.guard.Handler(other), rawPost(g.token(), ping))
	}, 500, "_OTHER"},
}

func smallBodies(s *guardedSetup) { s.config.MaxRequestBytes = 1000 }

// long is a message that is larger than smallBodies allow.
var long = `{"jsonrpc":"2.0","id":1,"method":"ping"` + strings.Repeat(" ", 2000) + `}`

// body sends one, after a change of the request.
func body(text string, change func(*http.Request)) func(*guarded) *httptest.ResponseRecorder {
	return func(g *guarded) *httptest.ResponseRecorder {
		r := rawPost(g.token(), text)
		if change != nil {
			change(r)
		}
		return serve(g.handler, r)
	}
}

// broken is a connection that is lost.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection lost") }

// listenOverSSE asks for a stream in a legacy SSE session, where nothing would
// end it.
func listenOverSSE(g *guarded) *httptest.ResponseRecorder {
	handler := g.guard.Handler(server.NewSSEServer(g.mcp))
	site := httptest.NewServer(handler)
	g.t.Cleanup(site.Close)
	ctx, cancel := context.WithCancel(g.t.Context())
	g.t.Cleanup(cancel)
	token := g.token()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, site.URL+"/sse", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	stream, err := http.DefaultClient.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = stream.Body.Close() })
	path := ""
	for lines := bufio.NewScanner(stream.Body); path == "" && lines.Scan(); {
		path, _ = strings.CutPrefix(lines.Text(), "data: ")
		if !strings.Contains(path, "sessionId=") {
			path = ""
		}
	}
	_, query, found := strings.Cut(path, "?")
	if !found {
		g.t.Fatalf("the stream names no address for messages: %q", path)
	}
	g.forget()
	post := rawPost(token, `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{}}`)
	post.URL.Path, post.URL.RawQuery = "/message", query
	return serve(handler, post)
}

func TestTelemetryOfRequestsTurnedAway(t *testing.T) {
	for _, row := range turnedAwayRows {
		t.Run(string(row.reason)+", "+row.name, func(t *testing.T) {
			g := newGuarded(t, newWatch(t), func(s *guardedSetup) {
				if row.change != nil {
					row.change(s)
				}
			})
			g.forget()
			a := row.send(g)
			if a.Code != row.status {
				t.Errorf("answered %d %s, want %d", a.Code, a.Body, row.status)
			}
			more := aCaller
			if row.reason == claims.Ungated {
				more += " " + ofErrors
			}
			if got := valueOf(g.span("ema.authenticate"), "ema.decision"); got != "allow" {
				t.Errorf("the authentication is recorded as %q", got)
			}
			g.checkDecision(ofTurnedAway, authorizeRow{reason: row.reason, keys: more, values: map[string]string{"mcp.method.name": row.method}})
		})
	}
}

// A cursor that was sealed for another caller, or by nobody, is refused by mcp-go
// as one that it did not make. The operator learns more.
func TestTelemetryOfForeignCursors(t *testing.T) {
	g := newGuarded(t, newWatch(t))
	g.sendLegacy(g.token(), `{"jsonrpc":"2.0","id":1,"method":"tasks/list","params":{"cursor":"c4n4ry"}}`)
	g.checkAuthorization(authorizeRow{reason: claims.OwnerMismatch, keys: aCaller, values: map[string]string{"mcp.method.name": "tasks/list"}})
}

// A hook of the server's own that changes what is read, after the gate has
// decided, gets nowhere, and leaves a record.
func TestTelemetryOfChangedReads(t *testing.T) {
	hooks := &server.Hooks{}
	hooks.AddBeforeReadResource(func(_ context.Context, _ any, m *mcp.ReadResourceRequest) { m.Params.URI = "file:///write" })
	g := newGuarded(t, newWatch(t), func(s *guardedSetup) { s.options = append(s.options, server.WithHooks(hooks)) })
	addItems(g)
	g.forget()
	g.send(g.token(), resourceRead("file:///read"))
	decisions := map[string]string{}
	for _, s := range g.named("ema.authorize") {
		decisions[valueOf(s, "mcp.resource.uri")] = valueOf(s, "ema.decision") + " " + valueOf(s, "ema.reason")
	}
	if decisions["file:///read"] != "allow " || decisions["file:///write"] != "error ungated" {
		t.Errorf("recorded: %v", decisions)
	}
}

// What every request is answered with, when it was refused for its form, is told
// before the answer: no record would be an attacker's way to try in silence.
func TestTelemetryOfBarredStreams(t *testing.T) {
	g := newGuarded(t, newWatch(t), func(s *guardedSetup) { s.config.BaseScopes = []string{"mcp:use"} })
	g.forget()
	r := httptest.NewRequest(http.MethodGet, watchedResource, nil)
	r.Header.Set("Authorization", "Bearer "+g.token())
	if a := serve(g.handler, r); a.Code != http.StatusForbidden {
		t.Errorf("answered %d", a.Code)
	}
	g.checkDecision(ofTurnedAway, authorizeRow{reason: claims.ScopeMissing, keys: aCaller + " " + ofScopes, values: map[string]string{"mcp.method.name": "_OTHER"}})
}

// someone gives a message a caller, as a stdio server would.
func someone(granted ...string) context.Context {
	return claims.NewContext(context.Background(), claims.Principal{Issuer: "stdio", Subject: "alice", Kind: claims.User, Scopes: granted})
}

// What is recorded of a caller whom no token names: who it is, and no issuer.
const aPrincipal = "user.hash ema.principal.kind ema.groups.state"

// Calls that no exchange answers: on a transport without the guard, for nobody or
// for a caller whom the server's own code named.
var strayRows = []struct {
	name   string
	ctx    context.Context
	method string
	item   string
	reason claims.Reason
	keys   string
}{
	{"a tool, for nobody", context.Background(), "tools/call", "read", claims.Unguarded, ""},
	{"a tool without a rule, for nobody", context.Background(), "tools/call", "unruled", claims.Unguarded, ""},
	{"a prompt, for nobody", context.Background(), "prompts/get", "read", claims.Unguarded, ""},
	{"a resource, for nobody", context.Background(), "resources/read", "file:///read", claims.Unguarded, ""},
	{"a tool, allowed", someone("files:read"), "tools/call", "read", "", aPrincipal},
	{"a tool, denied", someone("files:read"), "tools/call", "write", claims.ScopeMissing, aPrincipal + " " + ofScopes},
	{"a tool without a rule", someone("files:read"), "tools/call", "unruled", claims.Unruled, aPrincipal},
	{"a tool whose rule asks for arguments", someone("c4n4ry"), "tools/call", "depends", claims.Unguarded, aPrincipal},
	{"a prompt, allowed", someone("files:read"), "prompts/get", "read", "", aPrincipal},
	{"a prompt, denied", someone("files:read"), "prompts/get", "write", claims.ScopeMissing, aPrincipal + " " + ofScopes},
	{"a resource, denied", someone("files:read"), "resources/read", "file:///write", claims.ScopeMissing, aPrincipal + " " + ofScopes},
}

func TestTelemetryOfStrays(t *testing.T) {
	g := newGuarded(t, newWatch(t))
	addItems(g)
	for _, row := range strayRows {
		t.Run(row.name, func(t *testing.T) {
			g.t = t
			g.forget()
			g.mcp.HandleMessage(row.ctx, []byte(`{"jsonrpc":"2.0","id":7,"method":"`+row.method+`","params":{"name":"`+row.item+`","uri":"`+row.item+`"}}`))
			want := authorizeRow{reason: row.reason, keys: row.keys, values: map[string]string{"mcp.method.name": row.method}, spans: map[string]string{"jsonrpc.request.id": "7"}}
			switch row.method {
			case "tools/call":
				want.keys, want.values["gen_ai.tool.name"] = row.keys+" "+aTool, row.item
			case "prompts/get":
				want.keys, want.values["gen_ai.prompt.name"] = row.keys+" "+aPrompt, row.item
			default:
				want.keys, want.spans["mcp.resource.uri"] = row.keys+" "+aResource, row.item
			}
			g.checkAuthorization(want)
		})
	}
}

// A list is no decision here either, also where there is one tool in it.
func TestTelemetryOfStrayLists(t *testing.T) {
	g := newGuarded(t, newWatch(t))
	g.mcp.AddTool(mcp.NewTool("read", scopes.Require("files:read")), answerOK)
	for _, ctx := range []context.Context{context.Background(), someone("files:read")} {
		g.forget()
		g.mcp.HandleMessage(ctx, []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`))
		if n := len(g.named("ema.authorize")); n > 0 {
			t.Errorf("%d decisions", n)
		}
	}
}

// A handler that calls a tool through the server does so for its caller, and each
// call has its own record, with its own id, in the same trace.
func TestTelemetryOfNestedCalls(t *testing.T) {
	g := newGuarded(t, newWatch(t))
	addItems(g)
	g.mcp.AddTool(mcp.NewTool("outer", scopes.Require("files:read")), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		for i, tool := range []string{"read", "write"} {
			server.ServerFromContext(ctx).HandleMessage(ctx, []byte(`{"jsonrpc":"2.0","id":10`+string(rune('0'+i))+`,"method":"tools/call","params":{"name":"`+tool+`"}}`))
		}
		return mcp.NewToolResultText("ok"), nil
	})
	g.forget()
	g.send(g.token(), toolCall("outer"))
	want := map[string]string{"outer 1": "", "read 100": "", "write 101": string(claims.ScopeMissing)}
	spans := g.named("ema.authorize")
	if len(spans) != len(want) {
		t.Errorf("%d decisions, want %d", len(spans), len(want))
	}
	for _, s := range spans {
		call := valueOf(s, "gen_ai.tool.name") + " " + valueOf(s, "jsonrpc.request.id")
		if reason, known := want[call]; !known || valueOf(s, "ema.reason") != reason {
			t.Errorf("%s: %s", call, valueOf(s, "ema.reason"))
		}
		if s.Parent().SpanID() != g.span("ema.authenticate").SpanContext().SpanID() || valueOf(s, "ema.token.id_hash") == "" {
			t.Errorf("%s is not tied to its caller", call)
		}
	}
}
