package integration_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/idjag"
	"github.com/emamw/mcp-ema/scopes"
)

const (
	readScope   = "files:read"
	writeScope  = "files:write"
	reportScope = "reports:run"

	idpClient, idpSecret = "desktop", "the secret that the identity provider knows"
	asClient, asSecret   = "desktop-mcp", "the secret+of/the authorization server"
)

// Protocol versions of MCP, one of each era.
const (
	modern = mcp.ProtocolVersion20260728
	legacy = mcp.ProtocolVersion20251125
)

// enterprise is an identity provider, an authorization server and a guarded MCP
// server, each on a loopback port, with one clock.
type enterprise struct {
	idp      *emamwtest.IdP
	issuer   string
	resource string
	guard    *emamw.Guard

	tokenRequests *requests // to the authorization server's token endpoint
	exchanges     *requests // to the identity provider's
	calls         *requests // to the MCP server

	ahead atomic.Int64 // how far the clock was moved
	mu    sync.Mutex
	ran   []string // the tools that ran, in order
}

type setup struct {
	scopes    []string // what the identity provider grants a client that asks for none
	transport func(*server.MCPServer) http.Handler
	guard     func(*emamw.Config)
	as        func(http.Handler) http.Handler // in front of the authorization server
}

func stateful(s *server.MCPServer) http.Handler { return server.NewStreamableHTTPServer(s) }

func stateless(s *server.MCPServer) http.Handler {
	return server.NewStreamableHTTPServer(s, server.WithStateLess(true))
}

func newEnterprise(t *testing.T, s setup) *enterprise {
	t.Helper()
	if s.transport == nil {
		s.transport = stateful
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	e := &enterprise{tokenRequests: &requests{}, exchanges: &requests{}, calls: &requests{}}

	asServer, mcpServer := httptest.NewUnstartedServer(nil), httptest.NewUnstartedServer(nil)
	e.issuer = "http://" + asServer.Listener.Addr().String()
	e.resource = "http://" + mcpServer.Listener.Addr().String() + "/mcp"
	e.startIdP(t, s.scopes)

	var as http.Handler = e.newAuthorizationServer(ctx, t)
	if s.as != nil {
		as = s.as(as)
	}
	asServer.Config.Handler = e.tokenRequests.note(as)
	asServer.Start()
	t.Cleanup(asServer.Close)

	mcpServer.Config.Handler = e.calls.note(e.newMCPServer(ctx, t, s))
	mcpServer.Start()
	t.Cleanup(func() {
		mcpServer.CloseClientConnections() // streams would hold Close up
		mcpServer.Close()
	})

	ready, done := context.WithTimeout(ctx, 10*time.Second)
	defer done()
	if err := e.guard.Ready(ready); err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *enterprise) now() time.Time { return time.Now().Add(time.Duration(e.ahead.Load())) }

// advance moves the clock of all servers.
func (e *enterprise) advance(d time.Duration) { e.ahead.Add(int64(d)) }

func (e *enterprise) startIdP(t *testing.T, granted []string) {
	front := httptest.NewUnstartedServer(nil)
	e.idp = emamwtest.NewIdP(emamwtest.IdPConfig{
		Issuer:  "http://" + front.Listener.Addr().String(),
		Users:   []emamwtest.User{{Name: "alice", Groups: []string{"engineering", "on-call"}}, {Name: "bob"}},
		Clients: []emamwtest.Client{{ID: idpClient, Secret: idpSecret}},
		Audiences: []emamwtest.Audience{{
			Issuer: e.issuer, Resources: []string{e.resource}, Scopes: granted,
			ClientIDs: map[string]string{idpClient: asClient},
		}},
		Now: e.now,
	})
	front.Config.Handler = e.exchanges.note(e.idp)
	front.Start()
	t.Cleanup(front.Close)
}

func (e *enterprise) newAuthorizationServer(ctx context.Context, t *testing.T) *idjag.Server {
	as, err := idjag.New(ctx, idjag.Config{
		Issuer:            e.issuer,
		Resources:         []idjag.Resource{{ID: e.resource, Scopes: []string{readScope, writeScope, reportScope}}},
		IdentityProviders: []idjag.IdentityProvider{{Issuer: e.idp.Issuer(), Subject: idjag.VerbatimSubject}},
		Clients:           []idjag.Client{{ID: asClient, SecretHashes: []string{idjag.HashSecret(asSecret)}}},
		Keys:              idjag.Keys{Current: idjag.DangerouslyEphemeralKey()},
		Now:               e.now,
		Logger:            slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return as
}

func (e *enterprise) newMCPServer(ctx context.Context, t *testing.T, s setup) http.Handler {
	m := server.NewMCPServer("files", "1.0.0",
		server.WithToolCapabilities(true), server.WithTaskCapabilities(true, true, true), server.WithResourceCapabilities(true, false))
	m.AddTool(mcp.NewTool("whoami", scopes.Where(scopes.Authenticated())), e.run(whoami))
	m.AddTool(mcp.NewTool("read_file", scopes.Require(readScope)), e.run(done))
	m.AddTool(mcp.NewTool("write_file", scopes.Require(writeScope)), e.run(done))
	m.AddTool(mcp.NewTool("purge", scopes.Where(scopes.Group("platform-admins"))), e.run(done))
	m.AddPrompt(mcp.NewPrompt("summarize", scopes.ForPrompt(scopes.Scope(readScope))), summarize)
	m.AddPrompt(mcp.NewPrompt("rewrite", scopes.ForPrompt(scopes.Scope(writeScope))), summarize)
	m.AddResource(mcp.NewResource("file:///readme", "readme", scopes.ForResource(scopes.Scope(readScope))), readResource)
	m.AddResource(mcp.NewResource("file:///secret", "secret", scopes.ForResource(scopes.Scope(writeScope))), readResource)

	cfg := emamw.Config{
		Resource:             e.resource,
		AuthorizationServers: []emamw.AuthorizationServer{{Issuer: e.issuer}},
		Now:                  e.now,
		Logger:               slog.New(slog.DiscardHandler),
	}
	if s.guard != nil {
		s.guard(&cfg)
	}
	guard, err := emamw.New(ctx, m, cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.guard = guard
	return guard.Handler(s.transport(m))
}

// run notes that a tool ran, whatever its answer becomes on the way out.
func (e *enterprise) run(tool server.ToolHandlerFunc) server.ToolHandlerFunc {
	return func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		e.mu.Lock()
		e.ran = append(e.ran, r.Params.Name)
		e.mu.Unlock()
		return tool(ctx, r)
	}
}

// hasRun reports how often a tool ran.
func (e *enterprise) hasRun(tool string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, name := range e.ran {
		if name == tool {
			n++
		}
	}
	return n
}

func whoami(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	p, ok := claims.FromContext(ctx)
	if !ok {
		return mcp.NewToolResultError("nobody"), nil
	}
	if r.Header.Get("Authorization") != "" {
		return mcp.NewToolResultError("the token was passed on to the handler"), nil
	}
	scopes := slices.Sorted(slices.Values(p.Scopes))
	return mcp.NewToolResultText(p.Subject + " of " + strings.Join(p.Groups.Names, "+") + " with " + strings.Join(scopes, "+")), nil
}

func done(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultText("done: " + r.Params.Name), nil
}

func summarize(context.Context, mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	return mcp.NewGetPromptResult("", []mcp.PromptMessage{mcp.NewPromptMessage(mcp.RoleUser, mcp.NewTextContent("Summarize it."))}), nil
}

func readResource(_ context.Context, r mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	return []mcp.ResourceContents{mcp.TextResourceContents{URI: r.Params.URI, Text: "the text of " + r.Params.URI}}, nil
}

// requests notes what reaches a server, and how it is answered.
type requests struct {
	mu  sync.Mutex
	all []request
}

type request struct {
	method, path string
	header       http.Header
	body         string
	status       int
	challenge    string
}

func (r *requests) note(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			http.Error(w, "the body broke off", http.StatusBadRequest)
			return
		}
		q.Body = io.NopCloser(bytes.NewReader(body))
		r.mu.Lock()
		i := len(r.all)
		r.all = append(r.all, request{method: q.Method, path: q.URL.Path, header: q.Header.Clone(), body: string(body)})
		r.mu.Unlock()
		next.ServeHTTP(&statusWriter{ResponseWriter: w, set: func(status int, challenge string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.all[i].status, r.all[i].challenge = status, challenge
		}}, q)
	})
}

// to returns the requests with this method and path, so far.
func (r *requests) to(method, path string) []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	var some []request
	for _, q := range r.all {
		if q.method == method && q.path == path {
			some = append(some, q)
		}
	}
	return some
}

func (q request) form(t *testing.T) url.Values {
	t.Helper()
	form, err := url.ParseQuery(q.body)
	if err != nil {
		t.Fatal(err)
	}
	return form
}

type statusWriter struct {
	http.ResponseWriter
	set  func(status int, challenge string)
	once sync.Once
}

func (w *statusWriter) WriteHeader(status int) {
	w.once.Do(func() { w.set(status, w.Header().Get("WWW-Authenticate")) })
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	w.once.Do(func() { w.set(http.StatusOK, "") })
	return w.ResponseWriter.Write(b)
}

// Flush keeps streams going through the writer.
func (w *statusWriter) Flush() { w.ResponseWriter.(http.Flusher).Flush() }
