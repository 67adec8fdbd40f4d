package integration_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9/logging"

	"github.com/emamw/mcp-ema/redisstore"
	"github.com/emamw/mcp-ema/redisstore/redistest"
)

// The client of Redis writes each failed connection to a log of its own, and
// here they fail by the hundred.
func init() { logging.Disable() }

// quiet is for servers whose complaints a test provokes.
var quiet = slog.New(slog.DiscardHandler)

// roundRobin is a proxy in front of replicas. Each request goes to the next of
// them.
type roundRobin struct {
	replicas []http.Handler
	turn     atomic.Uint64
}

func (p *roundRobin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.replicas[p.turn.Add(1)%uint64(len(p.replicas))].ServeHTTP(w, r)
}

// newStore returns a store of its own for one replica.
func newStore(t *testing.T, redis *redistest.Server) *redisstore.Store {
	t.Helper()
	s, err := redisstore.New(redisstore.Config{Addr: redis.Addr, Poll: storePoll, Timeout: storeTimeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// A revocation reaches every replica within the sum of the two.
const (
	storePoll    = 100 * time.Millisecond
	storeTimeout = time.Second
)

// knock sends what every client begins with, in one plain request, and returns
// the status of the answer.
func knock(t *testing.T, resource, token string) int {
	t.Helper()
	status, _ := knockFor(t.Context(), t, resource, token)
	return status
}

func knockFor(ctx context.Context, t *testing.T, resource, token string) (int, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, resource, strings.NewReader(
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"`+legacy+`","capabilities":{},"clientInfo":{"name":"knock","version":"1"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header
}
