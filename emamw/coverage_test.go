package emamw_test

import (
	"context"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/scopes"
)

// Handler tells which items no rule is for, and which central rules no item is
// for: each kind once, and nothing of what is in order.
func TestCoverageIsReported(t *testing.T) {
	b := newBench(t, before(func(b *bench) {
		b.mcp.AddTool(mcp.NewTool("ruled", scopes.Require("a")), b.tool("ruled"))
		b.mcp.AddTool(mcp.NewTool("vendor"), b.tool("vendor"))
		b.mcp.AddTool(mcp.NewTool("bare"), b.tool("bare"))
		b.mcp.AddPrompt(mcp.NewPrompt("ask", scopes.ForPrompt(scopes.Scope("a"))), nil)
		b.mcp.AddPrompt(mcp.NewPrompt("naked"), nil)
		b.mcp.AddResource(mcp.NewResource("file:///bare", "bare"), nil)
		b.mcp.AddResource(mcp.NewResource("file:///ruled", "ruled"), nil)
		b.mcp.AddResourceTemplate(mcp.NewResourceTemplate("bare:///{name}", "bare"), nil)
	}), with(func(c *emamw.Config) {
		rule := scopes.Scope("central")
		c.Rules = emamw.Rules{
			Tools:     map[string]scopes.Rule{"vendor": rule, "Vendor": rule, "ruled": rule},
			Prompts:   map[string]scopes.Rule{"ask": rule, "aks": rule},
			Resources: map[string]scopes.Rule{"file:///ruled": rule, "other:///*": rule},
		}
	}))
	b.guard.Handler(b.handler)
	for items, about := range map[string]string{
		`items="[prompt naked resource file:///bare template bare:///{name} tool bare]"`: "no rule",
		`items="[prompt aks tool Vendor]"`:                                               "not registered",
	} {
		var told []string
		for line := range strings.Lines(b.logs.String()) {
			if strings.Contains(line, about) {
				told = append(told, line)
			}
		}
		if len(told) != 1 || !strings.Contains(told[0], items) {
			t.Errorf("about what is %s: %q, want one line with %s", about, told, items)
		}
	}
}

// A hook that cannot bear to be asked outside of a request keeps no server from
// starting, and a filter that shows nothing there makes no rule idle.
func TestCoverageSurvivesTheServersOwn(t *testing.T) {
	hooks := &server.Hooks{}
	hooks.AddBeforeAny(func(_ context.Context, _ any, method mcp.MCPMethod, _ any) {
		if method == mcp.MethodToolsList {
			panic("no request here")
		}
	})
	for name, option := range map[string]server.ServerOption{
		"panicked": server.WithHooks(hooks),
		"":         server.WithToolFilter(func(context.Context, []mcp.Tool) []mcp.Tool { return nil }),
	} {
		b := newBench(t, serverOptions(option), before(func(b *bench) {
			b.mcp.AddTool(mcp.NewTool("vendor"), b.tool("vendor"))
		}), with(func(c *emamw.Config) {
			c.Rules.Tools = map[string]scopes.Rule{"vendor": scopes.Scope("central")}
		}))
		if log := b.logs.String(); !strings.Contains(log, name) || strings.Contains(log, "not registered") {
			t.Errorf("%q: %s", name, log)
		}
	}
}

// What a hook sends into the server while Handler looks for what has no rule is the
// hook's own: nobody calls, and nothing with a rule runs.
func TestHookAsksDuringTheCoverage(t *testing.T) {
	var b *bench
	asking, answered := true, 0
	hooks := &server.Hooks{}
	hooks.AddBeforeAny(func(ctx context.Context, _ any, method mcp.MCPMethod, _ any) {
		if method != mcp.MethodToolsList || !asking {
			return
		}
		asking = false
		for _, d := range doors {
			b.mcp.HandleMessage(ctx, []byte(message(d.method, d.params)))
			answered++
		}
	})
	b = newBench(t, serverOptions(server.WithHooks(hooks)), before(func(outer *bench) {
		b = outer
		furnish(outer)
	}))
	b.guard.Handler(b.handler)
	if answered != len(doors) {
		t.Errorf("the hook asked for %d of %d: the test proves nothing", answered, len(doors))
	}
	for _, d := range doors {
		if d.runs != "" && b.runs(d.runs) != 0 {
			t.Errorf("%s ran for nobody", d.name)
		}
	}
}
