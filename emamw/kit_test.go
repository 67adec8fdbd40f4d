package emamw_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
)

const (
	resource = "https://mcp.example/mcp"
	issuer   = "https://as.example"
	modern   = mcp.ProtocolVersion20260728
	legacy   = "2025-11-25"
)

// bench is a guarded MCP server with the authorization server that it trusts,
// joined in memory.
type bench struct {
	t       testing.TB
	as      *emamwtest.AuthorizationServer
	mcp     *server.MCPServer
	guard   *emamw.Guard
	handler http.Handler
	logs    *logs

	mu  sync.Mutex
	ran map[string]int // which handlers ran, by name
}

type benchOption func(*benchConfig)

type benchConfig struct {
	config    emamw.Config
	options   []server.ServerOption
	transport func(*server.MCPServer) http.Handler
	before    func(*bench) // with the server made, before New
	algorithm string
}

func with(change func(*emamw.Config)) benchOption {
	return func(c *benchConfig) { change(&c.config) }
}

func serverOptions(options ...server.ServerOption) benchOption {
	return func(c *benchConfig) { c.options = append(c.options, options...) }
}

func transported(by func(*server.MCPServer) http.Handler) benchOption {
	return func(c *benchConfig) { c.transport = by }
}

func stateless(c *benchConfig) {
	c.transport = func(s *server.MCPServer) http.Handler {
		return server.NewStreamableHTTPServer(s, server.WithStateLess(true))
	}
}

func signedWith(algorithm string) benchOption {
	return func(c *benchConfig) { c.algorithm = algorithm }
}

func before(do func(*bench)) benchOption { return func(c *benchConfig) { c.before = do } }

// newBench makes a guarded server. Its tools are added by the test.
func newBench(t testing.TB, options ...benchOption) *bench {
	t.Helper()
	b := &bench{t: t, ran: map[string]int{}, logs: &logs{}}
	c := benchConfig{
		algorithm: "ES256",
		transport: func(s *server.MCPServer) http.Handler { return server.NewStreamableHTTPServer(s) },
		config: emamw.Config{
			Resource:             resource,
			AuthorizationServers: []emamw.AuthorizationServer{{Issuer: issuer}},
			Logger:               slog.New(slog.NewTextHandler(b.logs, nil)),
		},
	}
	for _, option := range options {
		option(&c)
	}
	b.as = emamwtest.NewAuthorizationServer(emamwtest.AuthorizationServerConfig{Issuer: issuer, Resource: resource, Algorithms: []string{c.algorithm}})
	if c.config.HTTPClient == nil {
		c.config.HTTPClient = emamwtest.HTTPClient(map[string]http.Handler{issuer: b.as})
	}
	b.mcp = server.NewMCPServer("bench", "1", append([]server.ServerOption{
		server.WithTaskCapabilities(true, true, true),
		server.WithResourceCapabilities(true, true),
		server.WithPromptCapabilities(true),
		server.WithToolCapabilities(true),
		server.WithCompletions(),
		server.WithLogging(),
	}, c.options...)...)
	if c.before != nil {
		c.before(b)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	var err error
	if b.guard, err = emamw.New(ctx, b.mcp, c.config); err != nil {
		t.Fatal(err)
	}
	b.handler = b.guard.Handler(c.transport(b.mcp))
	if err := b.guard.Ready(t.Context()); err != nil {
		t.Fatal(err, b.logs)
	}
	return b
}

// token mints an access token of the user alice with these scopes.
func (b *bench) token(scopes ...string) string { return b.tokenOf("alice", scopes...) }

func (b *bench) tokenOf(user string, scopes ...string) string {
	return b.as.Mint(emamwtest.Token{Subject: user, Scopes: scopes})
}

// tool returns a handler that notes that it ran.
func (b *bench) tool(name string) server.ToolHandlerFunc {
	return func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		b.note(name)
		return mcp.NewToolResultText("ran " + name), nil
	}
}

func (b *bench) note(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ran[name]++
}

func (b *bench) runs(name string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ran[name]
}

// whatRan names the handlers that ran, since forget.
func (b *bench) whatRan() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.ran))
}

func (b *bench) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.ran)
}

// answer is what came back.
type answer struct {
	*httptest.ResponseRecorder
	body string
}

// result decodes the JSON-RPC answer, out of an event stream too.
func (a answer) result(t testing.TB) (result map[string]any, code int) {
	t.Helper()
	text := a.body
	if strings.HasPrefix(a.Header().Get("Content-Type"), "text/event-stream") {
		events := strings.Split(strings.TrimSpace(text), "\n\n")
		_, text, _ = strings.Cut(events[len(events)-1], "data: ")
	}
	var message struct {
		Result map[string]any `json:"result"`
		Error  struct {
			Code int `json:"code"`
		} `json:"error"`
	}
	if err := json.Unmarshal([]byte(text), &message); err != nil {
		t.Fatalf("no JSON-RPC in %d %q: %v", a.Code, text, err)
	}
	return message.Result, message.Error.Code
}

func (b *bench) do(r *http.Request) answer {
	b.t.Helper()
	recorder := httptest.NewRecorder()
	b.handler.ServeHTTP(recorder, r)
	return answer{recorder, recorder.Body.String()}
}

type requestOption func(*http.Request)

func header(name string, values ...string) requestOption {
	return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = values }
}

func within(ctx context.Context) requestOption {
	return func(r *http.Request) { *r = *r.WithContext(ctx) }
}

func newRequest(method, token, body string, options ...requestOption) *http.Request {
	r := httptest.NewRequest(method, resource, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, option := range options {
		option(r)
	}
	return r
}

// post sends a raw body.
func (b *bench) post(token, body string, options ...requestOption) answer {
	b.t.Helper()
	return b.do(newRequest(http.MethodPost, token, body, options...))
}

// era is a protocol generation: how a message is put on the wire.
type era struct {
	name string
	send func(b *bench, token, method string, params map[string]any, options ...requestOption) answer
}

// Both eras of the protocol that the server speaks at once.
var eras = []era{
	{"legacy", func(b *bench, token, method string, params map[string]any, options ...requestOption) answer {
		b.t.Helper()
		return b.post(token, message(method, params), append([]requestOption{header("Mcp-Protocol-Version", legacy), header("Mcp-Session-Id", b.session(token))}, options...)...)
	}},
	{"modern", func(b *bench, token, method string, params map[string]any, options ...requestOption) answer {
		b.t.Helper()
		all := map[string]any{"_meta": map[string]any{
			mcp.MetaKeyProtocolVersion:    modern,
			mcp.MetaKeyClientInfo:         map[string]any{"name": "c", "version": "1"},
			mcp.MetaKeyClientCapabilities: map[string]any{},
		}}
		for name, value := range params {
			all[name] = value
		}
		own := []requestOption{header("Mcp-Protocol-Version", modern), header("Mcp-Method", method)}
		if name, ok := params["name"].(string); ok {
			own = append(own, header("Mcp-Name", name))
		}
		if uri, ok := params["uri"].(string); ok {
			own = append(own, header("Mcp-Name", uri))
		}
		return b.post(token, message(method, all), append(own, options...)...)
	}},
}

func message(method string, params map[string]any) string {
	text, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// session opens a legacy session for the holder of the token and returns its id.
func (b *bench) session(token string) string {
	b.t.Helper()
	a := b.post(token, message("initialize", map[string]any{"protocolVersion": legacy, "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "c", "version": "1"}}))
	if a.Code != http.StatusOK {
		return ""
	}
	return a.Header().Get("Mcp-Session-Id")
}

func call(name string, args ...any) map[string]any {
	arguments := map[string]any{}
	for i := 0; i+1 < len(args); i += 2 {
		arguments[args[i].(string)] = args[i+1]
	}
	return map[string]any{"name": name, "arguments": arguments}
}

// logs is a log that a test can read.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// taskTool returns a handler for a task that notes that it ran.
func (b *bench) taskTool(name string) server.TaskToolHandlerFunc {
	return func(context.Context, mcp.CallToolRequest) (*mcp.CreateTaskResult, error) {
		b.note(name)
		return &mcp.CreateTaskResult{Content: []mcp.Content{mcp.NewTextContent("result of " + name)}}, nil
	}
}
