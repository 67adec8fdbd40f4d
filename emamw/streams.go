package emamw

import (
	"context"
	"sync"
	"time"

	"github.com/emamw/mcp-ema/claims"
)

// streams ends what outlives a request: a GET stream, a subscriptions/listen, a
// legacy SSE session. Each ends when the token that opened it expires, or when
// its caller is revoked; the client comes back with another token.
type streams struct {
	guard *Guard

	mu   sync.Mutex
	open map[*stream]struct{}
}

type stream struct {
	id     *identity
	cancel context.CancelFunc
}

func newStreams(ctx context.Context, g *Guard) *streams {
	s := &streams{guard: g, open: map[*stream]struct{}{}}
	go s.watch(ctx)
	return s
}

// begin returns a context that ends with the caller's token. end must be called
// when the stream is over.
func (s *streams) begin(parent context.Context, id *identity) (ctx context.Context, end func()) {
	ctx, cancel := context.WithCancel(parent)
	st := &stream{id: id, cancel: cancel}
	// A timer and not a deadline: the guard's clock may be another than the
	// context's, and mcp-go takes an ended context as a client that left.
	timer := time.AfterFunc(id.expires.Add(s.guard.skew).Sub(s.guard.now()), cancel)
	s.mu.Lock()
	s.open[st] = struct{}{}
	s.mu.Unlock()
	if s.ended(st) {
		cancel() // revoked between its verification and here
	}
	return ctx, func() {
		timer.Stop()
		cancel()
		s.mu.Lock()
		delete(s.open, st)
		s.mu.Unlock()
	}
}

// watch ends the streams of those who are revoked, until ctx ends.
func (s *streams) watch(ctx context.Context) {
	view := s.guard.revoked.view
	for {
		news := view.Watch() // first, so that nothing is missed
		s.sweep()
		select {
		case <-news:
		case <-ctx.Done():
			return
		}
	}
}

func (s *streams) sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for st := range s.open {
		if s.ended(st) {
			st.cancel()
		}
	}
}

func (s *streams) ended(st *stream) bool {
	return s.guard.revoked.named(st.id.principal) == claims.TokenRevoked
}
