package emamw

import (
	"context"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/emamw/mcp-ema/scopes"
)

// filterTools is asked by mcp-go for each tools/call, with the one tool that it
// would run, and for each tools/list, with all of them. A tool that it leaves
// out does not run. mcp-go hands over a slice of its own, so it is filtered in
// place.
func (g *Guard) filterTools(ctx context.Context, tools []mcp.Tool) []mcp.Tool {
	a, ok := g.asks(ctx)
	if !ok {
		return tools
	}
	return filter(ctx, g, a, tools, ofTools, g.toolRules, func(t *mcp.Tool) {
		if central, ok := g.rules.tools[t.Name]; ok {
			scopes.Where(central)(t)
		}
	})
}

// filterPrompts is the same for prompts/get and prompts/list.
func (g *Guard) filterPrompts(ctx context.Context, prompts []mcp.Prompt) []mcp.Prompt {
	a, ok := g.asks(ctx)
	if !ok {
		return prompts
	}
	return filter(ctx, g, a, prompts, ofPrompts, g.promptRules, func(p *mcp.Prompt) {
		if central, ok := g.rules.prompts[p.Name]; ok {
			scopes.ForPrompt(central)(p)
		}
	})
}

// kind is a kind of item with the two methods whose messages it is filtered for.
type kind struct{ one, list mcp.MCPMethod }

var (
	ofTools   = kind{mcp.MethodToolsCall, mcp.MethodToolsList}
	ofPrompts = kind{mcp.MethodPromptsGet, mcp.MethodPromptsList}
)

// filter decides on one item that is asked for, or on a list. show adds to a
// listed item what clients should know of its central rules.
func filter[T any](ctx context.Context, g *Guard, a asked, items []T, k kind, rules func(*T) ruleSet, show func(*T)) []T {
	var expected call
	own := false
	if a.x != nil {
		expected, own = a.x.expected()
	}
	if own && expected.method == k.one {
		return decideOne(ctx, g, a, items, expected, rules)
	}
	own = own && expected.method == k.list
	if own && !g.hide {
		for i := range items {
			show(&items[i])
		}
		a.settle()
		return items
	}
	// A list that hides what the caller may not use. Or a message without an
	// exchange of its own, for which nobody can tell a call from a list, and
	// whose arguments nobody knows: each item for itself, and a rule that wants
	// to see the arguments sees none.
	kept := items[:0]
	for i := range items {
		set := rules(&items[i])
		if !g.decide(a.principal, nil, &set).Allowed {
			continue
		}
		if !own && set.dependent() {
			continue
		}
		show(&items[i])
		kept = append(kept, items[i])
	}
	if own {
		a.settle()
	}
	return kept
}

// decideOne decides on the item that mcp-go found for the message.
func decideOne[T any](ctx context.Context, g *Guard, a asked, items []T, c call, rules func(*T) ruleSet) []T {
	if len(items) != 1 {
		// A filter before this one added to what was asked for. None of it is
		// what the caller named.
		g.record(ctx, a, access{method: c.method, request: c.request}, scopes.Decision{}, nil)
		a.deny(scopes.Decision{})
		return nil
	}
	set := rules(&items[0])
	decision := g.decide(a.principal, c.arguments, &set)
	g.record(ctx, a, accessTo(&items[0], c), decision, &set)
	if decision.Allowed {
		if tool, ok := any(&items[0]).(*mcp.Tool); ok {
			a.x.run(tool.Name, set)
		}
		a.settle()
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
