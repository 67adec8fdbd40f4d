package scopes_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/scopes"
)

func allowed(t *testing.T, meta *mcp.Meta, held ...string) bool {
	t.Helper()
	rule, ok := scopes.FromMeta(meta)
	if !ok {
		t.Fatal("no rule")
	}
	return rule.Evaluate(scopes.Request{Principal: &claims.Principal{Kind: claims.User, Scopes: held}}).Allowed
}

func TestAnnotations(t *testing.T) {
	require := mcp.NewTool("t", scopes.Require("a", "b")).Meta
	either := mcp.NewTool("t", scopes.RequireAny("a", "b")).Meta
	several := mcp.NewTool("t", scopes.Require("a"), scopes.Where(scopes.Scope("b"))).Meta
	prompt := mcp.NewPrompt("p", scopes.ForPrompt(scopes.Scope("a"))).Meta
	resource := mcp.NewResource("file:///a", "r", scopes.ForResource(scopes.Scope("a"))).Meta
	template := mcp.NewResourceTemplate("file:///{a}", "t", scopes.ForTemplate(scopes.Scope("a"))).Meta

	tests := []struct {
		name string
		meta *mcp.Meta
		held string
		want bool
	}{
		{"require both", require, "a b", true},
		{"require one", require, "a", false},
		{"either first", either, "a", true},
		{"either second", either, "b", true},
		{"either none", either, "c", false},
		{"several both", several, "a b", true},
		{"several first only", several, "a", false},
		{"several second only", several, "b", false},
		{"prompt held", prompt, "a", true},
		{"prompt not held", prompt, "b", false},
		{"resource held", resource, "a", true},
		{"resource not held", resource, "b", false},
		{"template held", template, "a", true},
		{"template not held", template, "b", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := allowed(t, tt.meta, strings.Fields(tt.held)...); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
}

// An annotation that got lost must be gone, so that the item falls under
// Config.Unruled and closes.
func TestLostAnnotations(t *testing.T) {
	tool := mcp.NewTool("t", scopes.Require("a"))
	tool.Meta = mcp.NewMetaFromMap(map[string]any{"other": 1})
	if _, ok := scopes.FromMeta(tool.Meta); ok {
		t.Error("a replaced _meta still has a rule")
	}

	text, err := json.Marshal(mcp.NewTool("t", scopes.Where(scopes.Authenticated())))
	if err != nil {
		t.Fatal(err)
	}
	var restored mcp.Tool
	if err := json.Unmarshal(text, &restored); err != nil {
		t.Fatal(err)
	}
	if _, ok := scopes.FromMeta(restored.Meta); ok {
		t.Error("a rule was read back from JSON")
	}

	forged := mcp.NewMetaFromMap(map[string]any{scopes.MetaKey: scopes.Authenticated()})
	if _, ok := scopes.FromMeta(forged); ok {
		t.Error("a value that no annotation wrote was read as one")
	}
	if _, ok := scopes.FromMeta(nil); ok {
		t.Error("no _meta has a rule")
	}
}

// Two tools may share one Meta value. A rule for one is none for the other.
func TestSharedMeta(t *testing.T) {
	shared := mcp.NewMetaFromMap(map[string]any{"owner": "files"})
	first, second := mcp.Tool{Meta: shared}, mcp.Tool{Meta: shared}
	scopes.Require("a")(&first)
	scopes.Require("b")(&second)
	if !allowed(t, first.Meta, "a") || !allowed(t, second.Meta, "b") {
		t.Error("the rules of two tools with one Meta ran together")
	}
	if len(shared.AdditionalFields) != 1 || first.Meta.AdditionalFields["owner"] != "files" {
		t.Error("an annotation changed a Meta that it did not make, or lost its fields")
	}
}

func TestClientsSeeScopesOnly(t *testing.T) {
	tool := mcp.NewTool("purge", scopes.Where(scopes.All(scopes.Scope("files:write"), scopes.Group("platform-admins"))))
	text, err := json.Marshal(tool)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(text); !strings.Contains(got, `"_meta":{"io.github.emamw/authorization":{"scopes":["files:write"]}}`) || strings.Contains(got, "platform-admins") {
		t.Errorf("got %s", got)
	}
}
