package emamw

import (
	"context"
	"sync"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/scopes"
)

// strays are calls of tools and prompts without an exchange of their own: on a
// transport without the guard, or sent into the server by a handler. They are
// kept from the hook that is shown the message to the filter that is shown the
// item, so that what is recorded names both.
//
// All that the two have in common is the context that mcp-go makes for each
// message, and that is known by its Done channel. No decision rests on it: an item
// is decided alike with and without it, and should a record name another request
// one day, the item and the caller in it would still be those of the decision.
type strays struct{ calls sync.Map } // <-chan struct{} -> call

func (s *strays) note(ctx context.Context, c call) {
	done := ctx.Done()
	if done == nil {
		return
	}
	s.calls.Store(done, c)
	context.AfterFunc(ctx, func() { s.calls.Delete(done) })
}

func (s *strays) find(ctx context.Context) (c call, found bool) {
	value, found := s.calls.Load(ctx.Done())
	if found {
		c, _ = value.(call)
	}
	return c, found
}

// decideStray is decideEach for the one item of a stray, with a record of it. A
// rule that would look at the arguments denies for the way that the message took.
func decideStray[T any](ctx context.Context, g *Guard, k *kind[T], a asked, items []T, c call) []T {
	set := k.rules(g, &items[0])
	decision := g.decide(a.principal, nil, &set)
	if decision.Allowed && set.dependent() {
		decision = scopes.Decision{Reason: claims.Unguarded}
	}
	g.record(ctx, a, access{method: c.method, request: c.request, kind: k.label, name: set.name}, decision, &set)
	if !decision.Allowed {
		return nil
	}
	return items
}
