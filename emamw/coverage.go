package emamw

import (
	"context"
	"maps"
	"slices"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/emamw/mcp-ema/scopes"
)

// reportCoverage logs, once, what has no rule and therefore falls under
// Config.Unruled, where an annotation that got lost shows up, and the central
// rules that are for nothing.
func (g *Guard) reportCoverage() {
	g.coverageOnce.Do(func() {
		unruled, idle := g.coverage(context.Background())
		if len(unruled) > 0 {
			g.log.Warn("emamw: these have no rule and fall under Config.Unruled, which denies unless it was set: annotate them with scopes.Require, ForPrompt, ForResource or ForTemplate, or add them to Config.Rules; scopes.Authenticated() opens one on purpose", "items", unruled)
		}
		if len(idle) > 0 {
			g.log.Warn("emamw: Config.Rules names what is not registered, so that what it was meant for may be without this rule: compare the spelling, unless it is added later", "items", idle)
		}
	})
}

// coverage lists the items without a rule, as "tool purge" or "resource
// file:///secret", and the central rules whose tool or prompt is not there. Of
// these nobody else would notice a misspelled one, where the item has an annotation
// as well or Unruled opens it. URIs are left out of them: a provider may answer
// for some that nothing was registered for.
func (g *Guard) coverage(ctx context.Context) (unruled, idle []string) {
	// The server's own hooks see the listing, outside of any request. One that
	// cannot bear that must not keep the server from starting.
	defer func() {
		if recover() != nil {
			g.log.Warn("emamw: a hook of the MCP server panicked while the guard looked for items without a rule; they are denied, but not listed here")
		}
	}()
	add := func(kind, name string, meta *mcp.Meta, central bool) {
		if _, annotated := scopes.FromMeta(meta); !annotated && !central {
			unruled = append(unruled, kind+" "+name)
		}
	}
	tools, prompts := maps.Clone(g.rules.tools), maps.Clone(g.rules.prompts)
	for _, t := range g.tools(ctx) {
		_, central := g.rules.tools[t.Name]
		add("tool", t.Name, t.Meta, central)
		delete(tools, t.Name)
	}
	for _, p := range g.server.ListPrompts() {
		_, central := g.rules.prompts[p.Prompt.Name]
		add("prompt", p.Prompt.Name, p.Prompt.Meta, central)
		delete(prompts, p.Prompt.Name)
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
	for name := range tools {
		if g.server.GetTool(name) == nil { // the server's own filter may have left it out
			idle = append(idle, "tool "+name)
		}
	}
	for name := range prompts {
		idle = append(idle, "prompt "+name)
	}
	slices.Sort(unruled)
	slices.Sort(idle)
	return unruled, idle
}
