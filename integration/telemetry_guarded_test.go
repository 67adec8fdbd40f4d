package integration_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
)

// Where the servers of the telemetry tests say that they are. They are joined in
// memory.
const (
	watchedResource = "https://mcp.example/mcp"
	watchedIssuer   = "https://auth.example"
	watchedIdP      = "https://idp.example"
)

// guarded is an MCP server with a guard, and everything that the guard tells.
type guarded struct {
	*watch
	as      *emamwtest.AuthorizationServer
	mcp     *server.MCPServer
	guard   *emamw.Guard
	handler http.Handler // the guard's
	bare    http.Handler // the same transport without it
	network *outbound
}

// guardedSetup is what a test may change of one.
type guardedSetup struct {
	config  emamw.Config
	options []server.ServerOption
	issuer  http.Handler // in place of the test kit's
	cold    bool         // the keys cannot be had from the start
}

func newGuarded(t *testing.T, w *watch, changes ...func(*guardedSetup)) *guarded {
	t.Helper()
	g := &guarded{watch: w}
	g.as = emamwtest.NewAuthorizationServer(emamwtest.AuthorizationServerConfig{Issuer: watchedIssuer, Resource: watchedResource})
	s := guardedSetup{issuer: g.as, config: emamw.Config{
		Resource:             watchedResource,
		AuthorizationServers: []emamw.AuthorizationServer{{Issuer: watchedIssuer}},
		Logger:               w.logger(),
		Audit:                w.auditor(),
		TracerProvider:       w.traces,
		MeterProvider:        w.meters,
	}}
	for _, change := range changes {
		change(&s)
	}
	if s.cold {
		g.as.Fail(emamwtest.Unreachable)
	}
	g.network = &outbound{next: emamwtest.HTTPClient(map[string]http.Handler{watchedIssuer: s.issuer}).Transport}
	s.config.HTTPClient = &http.Client{Transport: g.network}
	g.mcp = server.NewMCPServer("watched", "1", append([]server.ServerOption{
		server.WithToolCapabilities(true), server.WithPromptCapabilities(true), server.WithResourceCapabilities(true, true),
		server.WithTaskCapabilities(true, true, true), server.WithCompletions(), server.WithLogging(),
	}, s.options...)...)
	ctx, cancel := context.WithCancel(w.starting())
	t.Cleanup(cancel)
	var err error
	if g.guard, err = emamw.New(ctx, g.mcp, s.config); err != nil {
		t.Fatal(err)
	}
	transport := server.NewStreamableHTTPServer(g.mcp)
	g.bare, g.handler = transport, g.guard.Handler(transport)
	if err := g.guard.Ready(t.Context()); err != nil && !s.cold {
		t.Fatal(err)
	}
	return g
}

// token mints a good token for alice, with changes.
func (g *guarded) token(changes ...func(*emamwtest.Token)) string {
	t := emamwtest.Token{Scopes: []string{"files:read"}, Groups: []string{"engineering"}}
	for _, change := range changes {
		change(&t)
	}
	return g.as.Mint(t)
}

// message is a request of the newest protocol, which needs no session.
type message struct {
	id     any // 1 when nil
	method string
	params map[string]any
	meta   map[string]any
	header http.Header
	ctx    context.Context
}

func toolCall(name string) message {
	return message{method: "tools/call", params: map[string]any{"name": name, "arguments": map[string]any{}}}
}

func (m message) request(token string) *http.Request {
	meta := map[string]any{
		mcp.MetaKeyProtocolVersion:    modern,
		mcp.MetaKeyClientInfo:         map[string]any{"name": "client", "version": "1"},
		mcp.MetaKeyClientCapabilities: map[string]any{},
	}
	maps.Copy(meta, m.meta)
	params := map[string]any{"_meta": meta}
	maps.Copy(params, m.params)
	if m.id == nil {
		m.id = 1
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": m.id, "method": m.method, "params": params})
	if err != nil {
		panic(err)
	}
	r := rawPost(token, string(body))
	r.Header.Set("Mcp-Protocol-Version", modern)
	r.Header.Set("Mcp-Method", m.method)
	for _, key := range []string{"name", "uri"} {
		if name, ok := m.params[key].(string); ok {
			r.Header.Set("Mcp-Name", name)
		}
	}
	maps.Copy(r.Header, m.header)
	if m.ctx != nil {
		r = r.WithContext(m.ctx)
	}
	return r
}

// rawPost is a request with this body, in no era of the protocol.
func rawPost(token, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, watchedResource, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

// send sends a message through the guard.
func (g *guarded) send(token string, m message) *httptest.ResponseRecorder {
	return serve(g.handler, m.request(token))
}

// outbound notes the requests that leave a server: where to, and with which
// headers. The path is left out, since a client's metadata document is at the
// URL that names the client.
type outbound struct {
	next    http.RoundTripper
	headers lines
}

// RoundTrip implements http.RoundTripper.
func (o *outbound) RoundTrip(r *http.Request) (*http.Response, error) {
	for name, values := range r.Header {
		_, _ = o.headers.Write([]byte(name + ": " + strings.Join(values, ", ") + "\n"))
	}
	_, _ = o.headers.Write([]byte(r.URL.Host + "\n"))
	return o.next.RoundTrip(r)
}

func answerOK(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultText("ok"), nil
}

// session opens a session of the older protocol, and returns its id as the
// client holds it.
func (g *guarded) session(token string) string {
	g.t.Helper()
	a := serve(g.handler, rawPost(token, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"`+legacy+
		`","capabilities":{},"clientInfo":{"name":"client","version":"1"}}}`))
	id := a.Header().Get("Mcp-Session-Id")
	if a.Code != http.StatusOK || id == "" {
		g.t.Fatalf("initialize was answered with %d %s and no session", a.Code, a.Body)
	}
	return id
}

// inSession is a request of the older protocol.
func inSession(token, session, body string) *http.Request {
	r := rawPost(token, body)
	r.Header.Set("Mcp-Protocol-Version", legacy)
	r.Header.Set("Mcp-Session-Id", session)
	return r
}

// sendLegacy sends one message in a session of its own.
func (g *guarded) sendLegacy(token, body string) *httptest.ResponseRecorder {
	g.t.Helper()
	session := g.session(token)
	g.forget()
	return serve(g.handler, inSession(token, session, body))
}
