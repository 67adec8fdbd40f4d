package emamw_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/emamw/mcp-ema/scopes"
)

// Bodies that a reader of its own would take for a call of the tool "safe", or
// for no call at all, while mcp-go runs "admin": encoding/json matches keys
// without regard to case, folds Unicode, and takes the last of two.
var smuggled = map[string]string{
	"another case of name":    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"safe","NAME":"admin"%s}}`,
	"name twice":              `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"safe","name":"admin"%s}}`,
	"name escaped":            `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"safe","n\u0061me":"admin"%s}}`,
	"params twice":            `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"safe"},"params":{"name":"admin"%s}}`,
	"params with a long s":    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"safe"},"paramſ":{"name":"admin"%s}}`,
	"another case of method":  `{"jsonrpc":"2.0","id":1,"method":"tools/list","METHOD":"tools/call","params":{"name":"admin"%s}}`,
	"method twice":            `{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{"name":"admin"%s}}`,
	"the value escaped":       `{"jsonrpc":"2.0","id":1,"method":"tools\/call","params":{"name":"\u0061dmin"%s}}`,
	"blanks and a byte order": ` {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"admin"%s}} `,
}

func TestSmuggledNames(t *testing.T) {
	meta := fmt.Sprintf(`,"_meta":{%q:%q,%q:{"name":"c","version":"1"},%q:{}}`, mcp.MetaKeyProtocolVersion, modern, mcp.MetaKeyClientInfo, mcp.MetaKeyClientCapabilities)
	for name, body := range smuggled {
		for _, mode := range []struct {
			name, meta string
			options    []requestOption
		}{
			{"legacy", "", []requestOption{header("Mcp-Protocol-Version", legacy), header("Mcp-Method", "tools/list"), header("Mcp-Name", "safe")}},
			{"modern, header says safe", meta, []requestOption{header("Mcp-Protocol-Version", modern), header("Mcp-Method", "tools/call"), header("Mcp-Name", "safe")}},
			{"modern, header says admin", meta, []requestOption{header("Mcp-Protocol-Version", modern), header("Mcp-Method", "tools/call"), header("Mcp-Name", "admin")}},
		} {
			t.Run(name+"/"+mode.name, func(t *testing.T) {
				b := newBench(t, stateless)
				b.mcp.AddTool(mcp.NewTool("safe", scopes.Require("a")), b.tool("safe"))
				b.mcp.AddTool(mcp.NewTool("admin", scopes.Require("admin")), b.tool("admin"))
				text := fmt.Sprintf(body, mode.meta)

				a := b.post(b.token("a"), text, mode.options...)
				if b.runs("admin") != 0 {
					t.Errorf("the tool ran without its scope: %d %s", a.Code, a.body)
				}
				if mode.name == "legacy" && a.Code != http.StatusForbidden {
					t.Errorf("status %d, want 403: %s", a.Code, a.body)
				}
				// The test bites only if the body does reach the tool with its scope.
				b.post(b.token("a", "admin"), text, mode.options...)
				if mode.name != "modern, header says safe" && b.runs("admin") != 1 {
					t.Error("with its scope the tool did not run: the body is no smuggler")
				}
			})
		}
	}
}

// The same of all else that names an item: the one that mcp-go goes on to serve is
// the one that is decided on. Each body names what its caller may have first, or in
// the spelling of the specification.
func TestSmuggledItems(t *testing.T) {
	tests := []struct{ name, method, params, scope, serves string }{
		{"prompt", "prompts/get", `"name":"free","Name":"ask"`, "prompts", "ask"},
		{"resource", "resources/read", `"uri":"file:///free","URI":"file:///fixed"`, "fixed", "file:///fixed"},
		{"resource twice", "resources/read", `"uri":"file:///free","uri":"file:///fixed"`, "fixed", "file:///fixed"},
		{"template", "resources/read", `"uri":"file:///free","Uri":"file:///a.txt"`, "text", "file:///a.txt"},
		{"reference", "completion/complete", `"ref":{"type":"ref/prompt","name":"free"},"Ref":{"type":"ref/prompt","name":"ask"},"argument":{"name":"a","value":"v"}`, "prompts", "complete ask"},
		{"name in a reference", "completion/complete", `"ref":{"type":"ref/prompt","name":"free","NAME":"ask"},"argument":{"name":"a","value":"v"}`, "prompts", "complete ask"},
		{"type of a reference", "completion/complete", `"ref":{"type":"ref/prompt","TYPE":"ref/resource","name":"free","uri":"file:///fixed"},"argument":{"name":"a","value":"v"}`, "fixed", "complete file:///fixed"},
	}
	for _, tt := range tests {
		b := newBench(t, stateless, before(func(b *bench) {
			furnish(b)
			b.mcp.AddPrompt(mcp.NewPrompt("free", scopes.ForPrompt(scopes.Authenticated())), nil)
			b.mcp.AddResource(mcp.NewResource("file:///free", "free", scopes.ForResource(scopes.Authenticated())), b.reader)
		}))
		body := `{"jsonrpc":"2.0","id":1,"method":"` + tt.method + `","params":{` + tt.params + `}}`
		a := b.post(b.token(), body)
		if ran := b.whatRan(); slices.Contains(ran, tt.serves) {
			t.Errorf("%s: %q ran without its scope: %d %s", tt.name, ran, a.Code, a.body)
		}
		if b.post(b.token(tt.scope), body); b.runs(tt.serves) != 1 {
			t.Errorf("%s: with its scope %q ran: the body is no smuggler", tt.name, b.whatRan())
		}
	}
}
