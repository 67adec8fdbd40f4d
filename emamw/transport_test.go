package emamw_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/scopes"
)

// sseSession opens a legacy SSE stream and returns it with its message path.
func (b *bench) sseSession(ctx context.Context, token string) (*reading, string) {
	r := newRequest(http.MethodGet, token, "", within(ctx))
	r.URL.Path = "/sse"
	stream := openStream(b.handler, r)
	synctest.Wait()
	_, path, _ := strings.Cut(stream.String(), "data: ")
	path, _, _ = strings.Cut(path, "\r\n")
	return stream, path
}

func (b *bench) postTo(path, token, body string) answer {
	r := newRequest(http.MethodPost, token, body)
	r.URL.Path, r.URL.RawQuery, _ = strings.Cut(path, "?")
	return b.do(r)
}

// Legacy SSE answers 202 before it handles, so a denial is an error on the
// stream. The message endpoint takes the session's own caller only.
func TestLegacySSE(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sse, before(furnish))
		ctx, cancel := context.WithCancel(t.Context())
		stream, path := b.sseSession(ctx, b.token())
		if !strings.Contains(path, "sessionId=") {
			t.Fatalf("no endpoint in %q", stream.String())
		}
		for _, tt := range []struct {
			name   string
			token  string
			status int
		}{
			{"nobody", "", 401}, {"another caller", b.tokenOf("mallory", "files:write"), 404}, {"its own", b.token(), 202},
		} {
			if a := b.postTo(path, tt.token, message("ping", nil)); a.Code != tt.status {
				t.Errorf("%s: %d, want %d", tt.name, a.Code, tt.status)
			}
		}
		for _, d := range doors {
			if d.ask == "" {
				continue
			}
			b.postTo(path, b.token(), message(d.method, d.params))
			synctest.Wait()
			if b.runs(d.runs) != 0 {
				t.Errorf("%s ran without its scope", d.name)
			}
			b.postTo(path, b.token(strings.Fields(d.scopes)...), message(d.method, d.params))
			synctest.Wait()
			if d.runs != "" && b.runs(d.runs) != 1 {
				t.Errorf("%s did not run with its scope: %s", d.name, stream.String())
			}
		}
		// The codes are mcp-go's for what is not there: MCP reserves all that it has
		// no meaning for.
		codes := regexp.MustCompile(`"code":(-?[0-9]+)`).FindAllStringSubmatch(stream.String(), -1)
		for _, code := range codes {
			if !slices.Contains([]string{fmt.Sprint(mcp.INVALID_PARAMS), fmt.Sprint(mcp.INVALID_REQUEST), fmt.Sprint(mcp.RESOURCE_NOT_FOUND)}, code[1]) {
				t.Errorf("a denial has the code %s: %s", code[1], stream.String())
			}
		}
		if len(codes) < 8 {
			t.Errorf("only %d denials on the stream: %s", len(codes), stream.String())
		}
		cancel()
		synctest.Wait()
		if a := b.postTo(path, b.tokenOf("mallory"), message("ping", nil)); a.Code != http.StatusBadRequest {
			t.Errorf("a session that ended: %d, want mcp-go's 400", a.Code)
		}
	})
}

// Rules that look at the arguments see them on legacy SSE too.
func TestLegacySSEArguments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sse, before(deployTool))
		ctx, cancel := context.WithCancel(t.Context())
		_, path := b.sseSession(ctx, b.token())
		b.postTo(path, b.token("deploy"), message("tools/call", call("deploy", "to", "production")))
		synctest.Wait()
		if b.runs("deploy") != 0 {
			t.Error("deployed to production without the scope")
		}
		b.postTo(path, b.token("deploy"), message("tools/call", call("deploy", "to", "staging")))
		synctest.Wait()
		if b.runs("deploy") != 1 {
			t.Error("did not deploy to staging")
		}
		cancel()
		synctest.Wait()
	})
}

func deployTool(b *bench) {
	b.mcp.AddTool(mcp.NewTool("deploy", scopes.Where(scopes.When(func(args map[string]any) scopes.Rule {
		if args["to"] == "staging" {
			return scopes.Scope("deploy")
		}
		return scopes.All(scopes.Scope("deploy"), scopes.Scope("deploy:production"))
	}))), b.tool("deploy"))
}

// Rules see the arguments as mcp-go read them.
func TestArguments(t *testing.T) {
	tests := []struct {
		name   string
		body   string
		status int
	}{
		{"staging", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"deploy","arguments":{"to":"staging"}}}`, 200},
		{"production", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"deploy","arguments":{"to":"production"}}}`, 403},
		{"the last of two counts", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"deploy","arguments":{"to":"staging","to":"production"}}}`, 403},
		{"the last arguments count", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"deploy","arguments":{"to":"staging"},"Arguments":{"to":"production"}}}`, 403},
		{"no arguments", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"deploy"}}`, 403},
		{"arguments of another type", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"deploy","arguments":["staging"]}}`, 403},
	}
	for _, tt := range tests {
		b := newBench(t, stateless, before(deployTool))
		challenge := ""
		if tt.status == 403 {
			challenge = challengeFor("deploy deploy:production")
		}
		b.wantAnswer(b.post(b.token("deploy"), tt.body), tt.status, challenge)
	}
}

// A notification that another request of the session left behind makes mcp-go
// begin an event stream before the gate was asked. The 403 still comes.
func TestEarlyNotificationsDoNotDefeatADenial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, before(furnish), stateful)
		session := b.session(b.token())
		bare, _, _ := strings.Cut(session, ".")
		notify := func() {
			synctest.Wait() // until nothing of the request before can take it
			if err := b.mcp.SendNotificationToSpecificClient(bare, "notifications/own", nil); err != nil {
				t.Fatal(err)
			}
		}
		for range 50 {
			notify()
			notify()
			a := b.post(b.token(), message("tools/call", call("write")), header("Mcp-Session-Id", session))
			b.wantAnswer(a, 403, challengeFor("files:write"))
			if ct := a.Header().Get("Content-Type"); ct != "application/json" {
				t.Fatalf("content type %q", ct)
			}
		}
		notify()
		a := b.post(b.token("files:write"), message("tools/call", call("write")), header("Mcp-Session-Id", session))
		if a.Code != http.StatusOK || !strings.Contains(a.body, "notifications/own") || !strings.Contains(a.body, "ran write") {
			t.Errorf("an allowed call lost its stream: %d %s", a.Code, a.body)
		}
	})
}

func TestBodyLimit(t *testing.T) {
	b := newBench(t, stateless, before(openTool), with(func(c *emamw.Config) { c.MaxRequestBytes = 1000 }))
	fits := message("tools/call", call("open", "text", ""))
	pad := func(n int) string { return fits + strings.Repeat(" ", n-len(fits)) }
	for _, announced := range []bool{true, false} {
		for n, status := range map[int]int{1000: 200, 1001: 413, 100_000: 413} {
			r := newRequest(http.MethodPost, b.token(), pad(n))
			if !announced {
				r.ContentLength = -1
			}
			if a := b.do(r); a.Code != status {
				t.Errorf("%d bytes, announced=%t: %d, want %d: %s", n, announced, a.Code, status, a.body)
			}
		}
	}
	r := newRequest(http.MethodPost, b.token(), pad(100_000), header("Mcp-Protocol-Version", modern))
	r.ContentLength = -1
	if a := b.do(r); a.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("modern: %d, want 413", a.Code)
	}
}

func TestOrigins(t *testing.T) {
	allow := func(origins ...string) benchOption {
		return with(func(c *emamw.Config) { c.AllowedOrigins = origins })
	}
	tests := []struct {
		name    string
		allowed []string
		origin  []string
		ok      bool
	}{
		{"no browser", nil, nil, true},
		{"its own", nil, []string{"https://mcp.example"}, true},
		{"its own name over http", nil, []string{"http://mcp.example"}, false},
		{"another", nil, []string{"https://evil.example"}, false},
		{"opaque", nil, []string{"null"}, false},
		{"listed", []string{"https://app.example"}, []string{"https://app.example"}, true},
		{"listed, other port", []string{"https://app.example"}, []string{"https://app.example:444"}, false},
		{"a longer name", []string{"https://app.example"}, []string{"https://app.example.evil.example"}, false},
		{"any", []string{"*"}, []string{"https://any.example"}, true},
		{"two headers", []string{"*"}, []string{"https://a.example", "https://b.example"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, stateless, before(openTool), allow(tt.allowed...))
			origin := func(r *http.Request) {
				if tt.origin != nil {
					r.Header["Origin"] = tt.origin
				}
			}
			for _, token := range []string{"", b.token()} {
				a := b.post(token, message("tools/call", call("open")), origin)
				h := a.Header()
				if refused := a.Code == http.StatusForbidden; refused == tt.ok {
					t.Errorf("status %d", a.Code)
				}
				if !tt.ok && h.Get("WWW-Authenticate")+h.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("a refused origin is told %v", h)
				}
				if tt.ok && tt.origin != nil && (h.Get("Access-Control-Allow-Origin") != tt.origin[0] || !strings.Contains(h.Get("Access-Control-Expose-Headers"), "WWW-Authenticate") || !strings.Contains(h.Get("Vary"), "Origin")) {
					t.Errorf("an allowed origin is told %v", h)
				}
				if h.Get("Access-Control-Allow-Credentials") != "" {
					t.Error("credentials are allowed")
				}
			}
			if tt.origin == nil || len(tt.origin) > 1 {
				return
			}
			r := newRequest(http.MethodOptions, "", "", origin, header("Access-Control-Request-Method", "POST"), header("Access-Control-Request-Headers", "authorization, mcp-param-region, x-evil"))
			a := b.do(r)
			allowed := a.Header().Get("Access-Control-Allow-Headers")
			if (a.Code == http.StatusNoContent) != tt.ok || tt.ok && (!strings.Contains(allowed, "Authorization") || !strings.Contains(allowed, "mcp-param-region") || strings.Contains(allowed, "evil")) {
				t.Errorf("preflight: %d %v", a.Code, a.Header())
			}
		})
	}
}

// The invariant: what the gate never saw is not let out.
func TestUnseenAnswersStayIn(t *testing.T) {
	leaky := func() *server.MCPServer {
		s := server.NewMCPServer("other", "1")
		s.AddTool(mcp.NewTool("leak"), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return mcp.NewToolResultText("secret"), nil
		})
		return s
	}
	b := newBench(t, transported(func(*server.MCPServer) http.Handler {
		return server.NewStreamableHTTPServer(leaky(), server.WithStateLess(true))
	}))
	for range 3 {
		a := b.post(b.token(), message("tools/call", call("leak")))
		if a.Code != http.StatusInternalServerError || strings.Contains(a.body, "secret") {
			t.Errorf("the transport of another server: %d %s", a.Code, a.body)
		}
	}
	if n := strings.Count(b.logs.String(), "belongs to another MCP server"); n != 1 {
		t.Errorf("the cause was logged %d times, want once", n)
	}
}

func TestReplacedHooks(t *testing.T) {
	b := newBench(t, stateless, before(furnish))
	server.WithHooks(&server.Hooks{})(b.mcp)
	for _, d := range doors {
		a := b.post(b.token(strings.Fields(d.scopes)...), message(d.method, d.params))
		if a.Code == http.StatusOK || b.runs(d.runs) > 0 && a.Code < 400 {
			t.Errorf("%s after WithHooks: %d %s", d.name, a.Code, a.body)
		}
	}
	if a := b.post(b.token(), message("tools/list", nil)); a.Code != http.StatusInternalServerError {
		t.Errorf("tools/list after WithHooks: %d", a.Code)
	}
}

// What mcp-go cannot read is the caller's mistake, not a wiring mistake.
func TestUnreadableMessages(t *testing.T) {
	b := newBench(t, stateless, before(openTool))
	one := message("tools/call", call("open"))
	for name, body := range map[string]string{
		"an array of a call":       `[` + one + `]`,
		"an array of two":          `[` + message("ping", nil) + `,` + one + `]`,
		"a message behind another": message("ping", nil) + one,
		"a call behind a line":     message("ping", nil) + "\n" + one,
		"something behind a call":  one + `]`,
		"no version":               `{"id":1,"method":"ping"}`,
		"another version":          `{"jsonrpc":"1.0","id":1,"method":"ping"}`,
		"version as 2":             `{"jsonrpc":2,"id":1,"method":"ping"}`,
		"method as 2":              `{"jsonrpc":"2.0","id":1,"method":2}`,
		"no JSON":                  `{`,
		"nothing":                  ``,
		"an array":                 `[]`,
		"a number":                 `1`,
	} {
		if a := b.post(b.token(), body); a.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s, want 400", name, a.Code, a.body)
		}
	}
	if b.runs("open") != 0 {
		t.Errorf("a call that is not the whole body ran %d times", b.runs("open"))
	}
	if b.wantAnswer(b.post(b.token(), one), 200, ""); b.runs("open") != 1 {
		t.Error("the call alone does not run: the test proves nothing")
	}
	// mcp-go opens a session all the same. Its id is no caller's, and not shown.
	opening := newBench(t, stateful)
	if a := opening.post(opening.token(), `{"jsonrpc":"1.0","id":1,"method":"initialize"}`); a.Code != http.StatusBadRequest || a.Header().Get("Mcp-Session-Id") != "" {
		t.Errorf("a session by another version: %d %v", a.Code, a.Header())
	}
	if strings.Contains(b.logs.String(), "level=ERROR") {
		t.Errorf("a caller can make the guard cry wolf: %s", b.logs.String())
	}
}

// A transport without the guard denies everything with a rule, says how to give
// it a caller, and then decides by that caller.
func TestTransportsWithoutGuard(t *testing.T) {
	b := newBench(t, before(func(b *bench) { furnish(b); deployTool(b) }))
	for _, d := range doors {
		b.mcp.HandleMessage(context.Background(), []byte(message(d.method, d.params)))
		if d.runs != "" && b.runs(d.runs) != 0 {
			t.Errorf("%s ran without a caller", d.name)
		}
	}
	if !strings.Contains(b.logs.String(), "claims.NewContext") {
		t.Errorf("no word of how to give a caller: %q", b.logs.String())
	}
	ctx := claims.NewContext(context.Background(), claims.Principal{Issuer: "stdio", Subject: "alice", Kind: claims.User, Scopes: []string{"files:write", "prompts", "fixed", "text", "secrets"}})
	for _, d := range doors {
		b.mcp.HandleMessage(ctx, []byte(message(d.method, d.params)))
		if want := d.scopes != "" && d.runs != ""; (b.runs(d.runs) > 0) != want && d.runs != "" {
			t.Errorf("%s with a caller: ran %d times", d.name, b.runs(d.runs))
		}
	}
	// The arguments are not known there, so a rule that asks for them denies.
	all := claims.NewContext(context.Background(), claims.Principal{Issuer: "stdio", Subject: "alice", Kind: claims.User, Scopes: []string{"deploy", "deploy:production"}})
	b.mcp.HandleMessage(all, []byte(message("tools/call", call("deploy", "to", "staging"))))
	if b.runs("deploy") != 0 {
		t.Error("a rule on arguments was decided without them")
	}
}

// A tool that calls another through the server is decided for the same caller,
// and its answer stays what it is.
func TestNestedCalls(t *testing.T) {
	b := newBench(t, stateless, before(func(b *bench) {
		b.addTools()
		b.mcp.AddTool(mcp.NewTool("outer", scopes.Where(scopes.Authenticated())), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			server.ServerFromContext(ctx).HandleMessage(ctx, []byte(message("tools/call", call("write"))))
			server.ServerFromContext(ctx).HandleMessage(ctx, []byte(message("tools/call", call("open"))))
			return mcp.NewToolResultText("outer"), nil
		})
	}))
	b.wantAnswer(b.post(b.token(), message("tools/call", call("outer"))), 200, "")
	if b.runs("write") != 0 || b.runs("open") != 1 {
		t.Errorf("write ran %d times, open %d", b.runs("write"), b.runs("open"))
	}
}

// A notification arrives over a real connection while its call still runs.
func TestOverTheWire(t *testing.T) {
	step := make(chan struct{})
	b := newBench(t, stateless, before(func(b *bench) {
		b.mcp.AddTool(mcp.NewTool("steps", scopes.Where(scopes.Authenticated())), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			_ = server.ServerFromContext(ctx).SendNotificationToClient(ctx, "notifications/own", nil)
			<-step
			return mcp.NewToolResultText("done"), nil
		})
	}))
	ts := httptest.NewServer(b.handler)
	defer ts.Close()
	r := newRequest(http.MethodPost, b.token(), message("tools/call", call("steps")))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, ts.URL+"/mcp", r.Body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = r.Header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	first := make([]byte, 512)
	n, err := resp.Body.Read(first) // arrives while the tool still runs
	if err != nil || !strings.Contains(string(first[:n]), "notifications/own") {
		t.Fatalf("%q %v", first[:n], err)
	}
	close(step)
	rest, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(rest), "done") {
		t.Errorf("%q %v", rest, err)
	}
}
