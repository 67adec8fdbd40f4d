package emamw_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/scopes"
)

// The guard declares its extension beside the server's own, keeps the settings
// of one that the server declared itself, and leaves the server's map alone.
func TestExtensionsAreDeclared(t *testing.T) {
	const ema = "io.modelcontextprotocol/enterprise-managed-authorization"
	tests := []struct {
		name string
		own  map[string]any
		want string
	}{
		{"none", nil, `{"` + ema + `":{}}`},
		{"another", map[string]any{"com.example/own": map[string]any{"a": 1}}, `{"com.example/own":{"a":1},"` + ema + `":{}}`},
		{"the same", map[string]any{ema: map[string]any{"a": 1}}, `{"` + ema + `":{"a":1}}`},
	}
	for _, tt := range tests {
		count := len(tt.own)
		b := newBench(t, serverOptions(server.WithExtensions(tt.own)))
		for range 2 {
			for name, a := range map[string]answer{
				"initialize": b.post(b.token(), message("initialize", map[string]any{"protocolVersion": legacy, "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "c", "version": "1"}})),
				"discover":   eras[1].send(b, b.token(), "server/discover", nil),
			} {
				result, _ := a.result(t)
				capabilities, _ := result["capabilities"].(map[string]any)
				got, err := json.Marshal(capabilities["extensions"])
				if err != nil || string(got) != tt.want {
					t.Errorf("%s, %s: declared %s, want %s", tt.name, name, got, tt.want)
				}
			}
		}
		if len(tt.own) != count {
			t.Errorf("%s: the server's own map was written to", tt.name)
		}
	}
}

// A cursor is mcp-go's name of the last item of a page, which may be hidden. The
// length of the cursor must not tell the length of that name.
func TestCursorLengthSaysNothing(t *testing.T) {
	b := newBench(t, stateless, with(func(c *emamw.Config) { c.HideDenied = true }), serverOptions(server.WithPaginationLimit(1)), before(func(b *bench) {
		for i, length := range []int{1, 20, 60, 120} {
			name := strings.Repeat(fmt.Sprint(i), length)
			b.mcp.AddResource(mcp.NewResource("file:///"+name, name, scopes.ForResource(scopes.Scope("other"))), nil)
			b.mcp.AddResourceTemplate(mcp.NewResourceTemplate("file:///"+name+"/{x}", name, scopes.ForTemplate(scopes.Scope("other"))), nil)
		}
	}))
	for _, l := range listings[2:] {
		lengths := map[int]bool{}
		cursor := ""
		for range 4 {
			_, next, _ := l.read(t, b.post(b.token(), message(l.method, map[string]any{"cursor": cursor})))
			lengths[len(next)], cursor = true, next
		}
		if len(lengths) != 1 || lengths[0] {
			t.Errorf("%s: cursors of lengths %v", l.method, lengths)
		}
	}
}

// A completion may name a hidden template or one that is not there, and no list
// of a caller is null: clients read an array.
func TestEmptyListsAreLists(t *testing.T) {
	hooks := &server.Hooks{}
	hooks.AddAfterListTasks(func(_ context.Context, _ any, _ *mcp.ListTasksRequest, result *mcp.ListTasksResult) {
		result.Tasks = nil // as a hook of the server's own may leave the list
	})
	for _, hide := range []bool{false, true} {
		b := newBench(t, stateless, with(func(c *emamw.Config) { c.HideDenied = hide }), serverOptions(server.WithHooks(hooks)))
		for _, l := range append([]listing{{"tasks/list", "tasks", "taskId"}}, listings...) {
			if a := b.post(b.token(), message(l.method, nil)); a.Code != http.StatusOK || !strings.Contains(a.body, `"`+l.items+`":[]`) {
				t.Errorf("hide=%t, %s: %d %s", hide, l.method, a.Code, a.body)
			}
		}
	}
}
