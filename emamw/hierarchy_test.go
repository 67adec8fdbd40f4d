package emamw_test

import (
	"testing"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/scopes"
)

// A broad scope is as good as those it implies, for the rule of a tool and for the
// base scopes, and a challenge does not name what is implied by another that it
// names.
func TestHierarchy(t *testing.T) {
	tests := []struct {
		name    string
		granted []string
		missing string // "" runs
	}{
		{"the scopes themselves", []string{"base", "files:write"}, ""},
		{"a broad one for the tool", []string{"base", "files:admin"}, ""},
		{"one above that", []string{"base", "admin"}, ""},
		{"a broad one for the base", []string{"all", "files:write"}, ""},
		{"one that is no broader", []string{"base", "files:read"}, "base files:write"},
		{"one whose name is only longer", []string{"base", "files:write:x"}, "base files:write"},
		{"the broad one in another case", []string{"base", "Files:admin"}, "base files:write"},
		{"none for the base", []string{"files:admin"}, "base files:write"},
	}
	for _, e := range eras {
		b := newBench(t, stateless, before(func(b *bench) {
			b.mcp.AddTool(mcp.NewTool("write", scopes.Require("files:write")), b.tool("write"))
		}), with(func(c *emamw.Config) {
			c.BaseScopes = []string{"base"}
			c.Hierarchy = scopes.Hierarchy{"files:admin": {"files:write"}, "admin": {"files:admin"}, "all": {"base"}}
		}))
		ran := 0
		for _, tt := range tests {
			a := e.send(b, b.token(tt.granted...), "tools/call", call("write"))
			if tt.missing != "" {
				b.wantAnswer(a, 403, challengeFor(tt.missing))
			} else {
				ran++
				b.wantAnswer(a, 200, "")
			}
			if b.runs("write") != ran {
				t.Errorf("%s, %s: it ran %d times, want %d", e.name, tt.name, b.runs("write"), ran)
			}
		}
	}
}
