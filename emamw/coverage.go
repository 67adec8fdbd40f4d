package emamw

import (
	"context"
	"slices"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/emamw/mcp-ema/scopes"
)

// reportUnruled logs, once, what has no rule and therefore falls under
// Config.Unruled. An annotation that got lost shows up here.
func (g *Guard) reportUnruled() {
	g.unruledOnce.Do(func() {
		if names := g.unruledNames(context.Background()); len(names) > 0 {
			g.log.Warn("emamw: these have no rule and fall under Config.Unruled, which denies unless it was set: annotate them with scopes.Require, or with scopes.Authenticated() to open them", "items", names)
		}
	})
}

// unruledNames lists the items without a rule, as "tool purge" or
// "resource file:///secret".
func (g *Guard) unruledNames(ctx context.Context) (names []string) {
	// The server's own hooks see the listing, outside of any request. One that
	// cannot bear that must not keep the server from starting.
	defer func() {
		if recover() != nil {
			g.log.Warn("emamw: a hook of the MCP server panicked while the guard looked for items without a rule; they are denied, but not listed here")
		}
	}()
	add := func(kind, name string, meta *mcp.Meta, central bool) {
		if _, annotated := scopes.FromMeta(meta); !annotated && !central {
			names = append(names, kind+" "+name)
		}
	}
	for _, t := range g.tools(ctx) {
		_, central := g.rules.tools[t.Name]
		add("tool", t.Name, t.Meta, central)
	}
	for _, p := range g.server.ListPrompts() {
		_, central := g.rules.prompts[p.Prompt.Name]
		add("prompt", p.Prompt.Name, p.Prompt.Meta, central)
	}
	for _, r := range g.server.ListResources() {
		add("resource", r.Resource.URI, r.Resource.Meta, len(g.rules.central(r.Resource.URI)) > 0)
	}
	templates, _ := g.templates(ctx)
	for _, t := range templates {
		if t.URITemplate != nil {
			add("template", t.URITemplate.Raw(), t.Meta, len(g.rules.central(t.URITemplate.Raw())) > 0)
		}
	}
	slices.Sort(names)
	return names
}
