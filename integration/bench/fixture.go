package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/internal/jose"
	"github.com/emamw/mcp-ema/scopes"
)

const (
	issuer   = "https://auth.example.com"
	resource = "https://mcp.example.com/mcp"
)

var algorithms = []string{"RS256", "PS256", "ES256", "EdDSA"}

// fixture is what all ops work on: one issuer with a key of each kind, a token
// of each, and one MCP server with a guard, with a guard that caches nothing,
// and with none.
type fixture struct {
	jwks   []byte
	keys   map[string]jose.PublicKey // by algorithm
	tokens map[string]string         // by algorithm
	stale  string                    // expired, ES256
	alien  string                    // of an issuer that nobody trusts, ES256
	astray string                    // for another server, ES256

	cold, warm *emamw.Guard
	bare       http.Handler
	coldMCP    http.Handler
	warmMCP    http.Handler

	bareList, warmList http.Handler // of servers with a hundred tools

	bareServer, warmServer *httptest.Server
	cancel                 context.CancelFunc
}

func newFixture(ctx context.Context) (*fixture, error) {
	as := emamwtest.NewAuthorizationServer(emamwtest.AuthorizationServerConfig{
		Issuer: issuer, Resource: resource, Scopes: []string{"files:read", "files:write"}, Algorithms: algorithms,
	})
	f := &fixture{keys: map[string]jose.PublicKey{}, tokens: map[string]string{}}
	answer := httptest.NewRecorder()
	as.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, issuer+"/jwks", nil))
	f.jwks = answer.Body.Bytes()
	keys, rejected, err := jose.ParseKeys(f.jwks)
	if err != nil || len(rejected) > 0 {
		return nil, errors.Join(err, fmt.Errorf("%d keys were rejected", len(rejected)))
	}
	for _, key := range keys {
		f.keys[key.Algorithm] = key
	}
	for _, alg := range algorithms {
		f.tokens[alg] = as.Mint(typical(alg))
	}
	expired := typical("ES256")
	expired.IssuedAt = time.Now().Add(-48 * time.Hour)
	f.stale = as.Mint(expired)
	astray := typical("ES256")
	astray.Audience = []string{"https://other.example.com/mcp"}
	f.astray = as.Mint(astray)
	alien := emamwtest.NewAuthorizationServer(emamwtest.AuthorizationServerConfig{Issuer: "https://alien.example.com", Resource: resource})
	f.alien = alien.Mint(typical("ES256"))

	ctx, f.cancel = context.WithCancel(ctx)
	f.bare, f.bareList = transport(newMCPServer(1)), transport(newMCPServer(100))
	if f.cold, f.coldMCP, err = guarded(ctx, as, newMCPServer(1), -1); err != nil {
		return nil, err
	}
	if f.warm, f.warmMCP, err = guarded(ctx, as, newMCPServer(1), 0); err != nil {
		return nil, err
	}
	if _, f.warmList, err = guarded(ctx, as, newMCPServer(100), 0); err != nil {
		return nil, err
	}
	f.bareServer, f.warmServer = httptest.NewServer(f.bare), httptest.NewServer(f.warmMCP)
	return f, nil
}

func (f *fixture) close() {
	f.bareServer.Close()
	f.warmServer.Close()
	f.cancel()
}

// typical is a token of the size that products send: twenty groups make it about
// a kilobyte.
func typical(alg string) emamwtest.Token {
	groups := make([]string, 20)
	for i := range groups {
		groups[i] = fmt.Sprintf("department-%02d", i)
	}
	return emamwtest.Token{
		Subject: "00u1a2b3c4d5e6f7g8h9", ClientID: "0oa9z8y7x6w5v4u3t2s1", Groups: groups, Algorithm: alg,
		Lifetime: time.Hour, Claims: map[string]any{"email": "alice@example.com"},
	}
}

// newMCPServer has this many tools, of which read_file is one.
func newMCPServer(tools int) *server.MCPServer {
	s := server.NewMCPServer("bench", "1.0.0")
	for i := range tools {
		name := "read_file"
		if i > 0 {
			name = fmt.Sprintf("read_file_%d", i)
		}
		s.AddTool(mcp.NewTool(name, mcp.WithString("path"), scopes.Require("files:read")),
			func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				return mcp.NewToolResultText("the text"), nil
			})
	}
	return s
}

func transport(s *server.MCPServer) http.Handler {
	return server.NewStreamableHTTPServer(s, server.WithStateLess(true))
}

func guarded(ctx context.Context, as *emamwtest.AuthorizationServer, s *server.MCPServer, cache int) (*emamw.Guard, http.Handler, error) {
	guard, err := emamw.New(ctx, s, emamw.Config{
		Resource:             resource,
		AuthorizationServers: []emamw.AuthorizationServer{{Issuer: issuer}},
		TokenCacheEntries:    cache,
		HTTPClient:           emamwtest.HTTPClient(map[string]http.Handler{issuer: as}),
		Logger:               slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, nil, err
	}
	ready, done := context.WithTimeout(ctx, 10*time.Second)
	defer done()
	return guard, guard.Handler(transport(s)), guard.Ready(ready)
}

// callBody is a tools/call of a common size.
var callBody = []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file","arguments":{"path":"` +
	strings.Repeat("a", 183) + `"}}}`)

var listBody = []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)

// call returns an op that sends a tools/call to h, inside the process.
func call(name string, h http.Handler, token string) *op { return message(name, h, token, callBody) }

// message returns an op that sends a message to h, inside the process.
func message(name string, h http.Handler, token string, text []byte) *op {
	header := callHeader(token)
	return &op{name: name, do: func() {
		r := &http.Request{
			Method: http.MethodPost, URL: resourceURL, Host: resourceURL.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: header.Clone(), Body: body{bytes.NewReader(text)}, ContentLength: int64(len(text)),
			RequestURI: resourceURL.Path, RemoteAddr: "192.0.2.1:1234",
		}
		w := &discard{header: http.Header{}}
		h.ServeHTTP(w, r)
		w.want(http.StatusOK)
		runtime.Gosched() // lets the goroutine end that mcp-go has for each request; a server does so when it waits for the next one
	}}
}

func callHeader(token string) http.Header {
	return http.Header{
		"Authorization": {"Bearer " + token},
		"Content-Type":  {"application/json"},
		"Accept":        {"application/json, text/event-stream"},
	}
}

type body struct{ *bytes.Reader }

func (body) Close() error { return nil }

// discard is a response writer that keeps the status and nothing else.
type discard struct {
	header http.Header
	status int
	bytes  int
}

func (w *discard) Header() http.Header { return w.header }

func (w *discard) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *discard) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.bytes += len(b)
	return len(b), nil
}

func (w *discard) Flush() {}

func (w *discard) want(status int) {
	if w.status != status || w.bytes == 0 {
		panic(fmt.Sprintf("bench: answered with %d and %d bytes, want %d", w.status, w.bytes, status))
	}
}

func must(err error) {
	if err != nil {
		panic("bench: " + err.Error())
	}
}
