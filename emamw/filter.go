package emamw

import (
	"context"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/emamw/mcp-ema/scopes"
)

// filterTools is asked by mcp-go for each tools/call, with the one tool that it
// would run, and for each tools/list, with all of them. A tool that it leaves
// out does not run.
func (g *Guard) filterTools(ctx context.Context, tools []mcp.Tool) []mcp.Tool {
	return filter(ctx, g, g.toolsAre, tools)
}

// filterPrompts is the same for prompts/get and prompts/list.
func (g *Guard) filterPrompts(ctx context.Context, prompts []mcp.Prompt) []mcp.Prompt {
	return filter(ctx, g, g.promptsAre, prompts)
}

// filter decides on the one item that is asked for, or on a list. mcp-go hands
// over a slice of its own, so it is filtered in place.
func filter[T any](ctx context.Context, g *Guard, k *kind[T], items []T) []T {
	a, ok := g.asks(ctx, nil)
	if !ok {
		return items
	}
	if c, own := a.expected(); own && c.method == k.one {
		return decideOne(ctx, g, k, a, items, c)
	} else if own && c.method == k.list {
		defer a.settle()
		if !g.hide {
			return k.showAll(items)
		}
		return decideEach(g, k, a, items, true)
	}
	// A message without an exchange of its own, for which nobody can tell a call
	// from a list: each item for itself, and a rule that would look at the
	// arguments, which nobody knows, denies.
	if c, found := g.strays.find(ctx); found && c.method == k.one && len(items) == 1 {
		return decideStray(ctx, g, k, a, items, c)
	}
	return decideEach(g, k, a, items, false)
}

// decideEach leaves in what the caller may use. lists says that the items are
// only to be shown, so that a rule on arguments is asked without any.
func decideEach[T any](g *Guard, k *kind[T], a asked, items []T, lists bool) []T {
	kept := items[:0]
	for i := range items {
		set := k.rules(g, &items[i])
		if !g.decide(a.principal, nil, &set).Allowed || !lists && set.dependent() {
			continue
		}
		k.show(&items[i])
		kept = append(kept, items[i])
	}
	return kept
}

// decideOne decides on the item that mcp-go found for the message.
func decideOne[T any](ctx context.Context, g *Guard, k *kind[T], a asked, items []T, c call) []T {
	what := access{method: c.method, request: c.request, kind: k.label}
	if len(items) != 1 {
		// A filter before this one added to what was asked for. None of it is
		// what the caller named.
		g.record(ctx, a, what, scopes.Decision{}, nil)
		a.deny(scopes.Decision{})
		return nil
	}
	set := k.rules(g, &items[0])
	what.name = set.name
	decision := g.decide(a.principal, c.arguments, &set)
	g.record(ctx, a, what, decision, &set)
	if decision.Allowed {
		if c.task {
			// Who fetches it is asked for the same later. By then the handler, to whom
			// the arguments belong, may have changed them.
			set, _ = set.bind(c.arguments)
		}
		a.x.letThrough(c.method, set)
		return items
	}
	// An item that the caller's lists leave out must answer like one that does
	// not exist. One that only these arguments close is in the lists.
	if g.hide && !g.decide(a.principal, nil, &set).Allowed {
		a.settle()
		return nil
	}
	a.deny(decision)
	return nil
}
