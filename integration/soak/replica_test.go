package soak_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/redisstore"
	"github.com/emamw/mcp-ema/scopes"
)

// A replica is one guarded MCP server. All of them share a session key and Redis.
type replica struct {
	guard   *emamw.Guard
	handler http.Handler
	life    context.Context
	end     context.CancelFunc
	store   *redisstore.Store
	client  *http.Client
	mcp     *server.StreamableHTTPServer
}

func (w *world) newReplica() (*replica, error) {
	store, err := w.newStore()
	if err != nil {
		return nil, err
	}
	r := &replica{store: store, client: &http.Client{Transport: &http.Transport{}}}
	r.life, r.end = context.WithCancel(w.life)
	m := server.NewMCPServer("files", "1.0.0", server.WithToolCapabilities(true))
	for name, option := range map[string]mcp.ToolOption{
		"whoami":     scopes.Where(scopes.Authenticated()),
		"read_file":  scopes.Require(readScope),
		"write_file": scopes.Require(writeScope),
		"forgotten":  func(*mcp.Tool) {}, // has no rule
	} {
		m.AddTool(mcp.NewTool(name, option), w.run(name))
	}
	r.guard, err = emamw.New(r.life, m, emamw.Config{
		Resource:             w.resource(),
		AuthorizationServers: []emamw.AuthorizationServer{{Issuer: w.issuer(), MaxAge: maxTokenAge}},
		SessionKey:           bytes.Repeat([]byte("k"), 32),
		ClockSkew:            clockSkew,
		TokenCacheEntries:    512,
		Revocations:          store,
		MaxRevocationDelay:   maxDelay,
		HTTPClient:           r.client,
		Logger:               w.log.logger(),
	})
	if err != nil {
		return nil, err
	}
	r.mcp = server.NewStreamableHTTPServer(m, server.WithSessionIdleTTL(30*time.Second), server.WithStreamableHTTPLogger(w.log.logger()))
	r.handler = r.guard.Handler(r.mcp)
	return r, nil
}

// run is every tool. It is the last to see a mistake of the guard's.
func (w *world) run(tool string) server.ToolHandlerFunc {
	needs := map[string]string{"read_file": readScope, "write_file": writeScope}
	return func(ctx context.Context, q mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		p, ok := claims.FromContext(ctx)
		need := needs[tool]
		if !ok || tool == "forgotten" || need != "" && !slices.Contains(p.Scopes, need) || q.Params.Name != tool {
			w.ledger.note(&w.ledger.wrongAllows, tool+" ran for a caller who may not use it")
		}
		if q.Header.Get("Authorization") != "" {
			w.ledger.fault("%s was handed the token", tool)
		}
		return mcp.NewToolResultText(p.Subject + " ran " + tool), nil
	}
}

// ServeHTTP ends what is under way when the replica ends, as a process does.
func (r *replica) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if q.Method != http.MethodGet { // answers are waited for
		r.handler.ServeHTTP(w, q)
		return
	}
	ctx, cancel := context.WithCancel(q.Context())
	defer cancel()
	defer context.AfterFunc(r.life, cancel)()
	r.handler.ServeHTTP(w, q.WithContext(ctx))
}

func (r *replica) retire() {
	r.end()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = r.mcp.Shutdown(ctx)
	_ = r.store.Close()
	r.client.CloseIdleConnections()
}

// serveMCP is the proxy: each request goes to the next replica.
func (w *world) serveMCP(rw http.ResponseWriter, r *http.Request) {
	w.replicas[w.turn.Add(1)%uint64(len(w.replicas))].Load().ServeHTTP(rw, r)
}

// everyGuard reports whether something holds for the guard of each replica.
func (w *world) everyGuard(holds func(context.Context, *emamw.Guard) bool) bool {
	for i := range w.replicas {
		if !holds(w.life, w.replicas[i].Load().guard) {
			return false
		}
	}
	return true
}

func accepts(token string) func(context.Context, *emamw.Guard) bool {
	return func(ctx context.Context, g *emamw.Guard) bool {
		_, err := g.Verify(ctx, token)
		return err == nil
	}
}

func refuses(token string) func(context.Context, *emamw.Guard) bool {
	return func(ctx context.Context, g *emamw.Guard) bool {
		_, err := g.Verify(ctx, token)
		var refused *emamw.TokenError
		return errors.As(err, &refused) && !refused.Reason.Undecided()
	}
}
