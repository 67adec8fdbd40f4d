package emamw

import (
	"github.com/mark3labs/mcp-go/mcp"

	"github.com/emamw/mcp-ema/internal/telemetry"
	"github.com/emamw/mcp-ema/scopes"
)

// kind is what tools and prompts differ in. mcp-go filters both, for two methods
// each: one asks for an item by its name, the other for the list.
type kind[T any] struct {
	one, list mcp.MCPMethod
	label     telemetry.ItemKind
	identify  func(*T) (name string, meta *mcp.Meta)
	annotate  func(*T, scopes.Rule) // shows clients what a central rule asks for
	central   map[string]scopes.Rule
}

func (g *Guard) toolKind() *kind[mcp.Tool] {
	return &kind[mcp.Tool]{
		one: mcp.MethodToolsCall, list: mcp.MethodToolsList, label: telemetry.Tool,
		identify: func(t *mcp.Tool) (string, *mcp.Meta) { return t.Name, t.Meta },
		annotate: func(t *mcp.Tool, rule scopes.Rule) { scopes.Where(rule)(t) },
		central:  g.rules.tools,
	}
}

func (g *Guard) promptKind() *kind[mcp.Prompt] {
	return &kind[mcp.Prompt]{
		one: mcp.MethodPromptsGet, list: mcp.MethodPromptsList, label: telemetry.Prompt,
		identify: func(p *mcp.Prompt) (string, *mcp.Meta) { return p.Name, p.Meta },
		annotate: func(p *mcp.Prompt, rule scopes.Rule) { scopes.ForPrompt(rule)(p) },
		central:  g.rules.prompts,
	}
}

// rules are all that must hold for an item.
func (k *kind[T]) rules(g *Guard, item *T) (set ruleSet) {
	name, meta := k.identify(item)
	set.name = name
	if central, ok := k.central[name]; ok {
		set.item(g, meta, central)
		return set
	}
	set.item(g, meta)
	return set
}

// show adds to a listed item what clients should know of its central rule.
func (k *kind[T]) show(item *T) {
	name, _ := k.identify(item)
	if central, ok := k.central[name]; ok {
		k.annotate(item, central)
	}
}

// showAll is show for a list, of which nothing is looked at when there are no
// central rules.
func (k *kind[T]) showAll(items []T) []T {
	if len(k.central) > 0 {
		for i := range items {
			k.show(&items[i])
		}
	}
	return items
}
