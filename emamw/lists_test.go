package emamw_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/scopes"
)

// listing is a list of the protocol: where its items are, and what names one.
type listing struct{ method, items, key string }

var listings = []listing{
	{"tools/list", "tools", "name"},
	{"prompts/list", "prompts", "name"},
	{"resources/list", "resources", "uri"},
	{"resources/templates/list", "resourceTemplates", "uriTemplate"},
}

func (l listing) read(t *testing.T, a answer) (names []string, next string, result map[string]any) {
	t.Helper()
	result, code := a.result(t)
	if a.Code != http.StatusOK || code != 0 {
		t.Fatalf("%s: %d %s", l.method, a.Code, a.body)
	}
	for _, item := range result[l.items].([]any) {
		names = append(names, item.(map[string]any)[l.key].(string))
	}
	next, _ = result["nextCursor"].(string)
	return names, next, result
}

// Without HideDenied lists show everything, with the scopes to ask for and
// nothing else of the rules; with it, what this caller may use.
func TestLists(t *testing.T) {
	all := map[string][]string{
		"tools/list":               {"both", "open", "purge", "report", "unruled", "write"},
		"prompts/list":             {"ask", "bare"},
		"resources/list":           {"file:///bare", "file:///fixed"},
		"resources/templates/list": {"file:///secret{rest}", "file:///{name}.txt"},
	}
	own := map[string][]string{ // of a caller with files:write, prompts, fixed and text
		"tools/list":               {"open", "write"},
		"prompts/list":             {"ask"},
		"resources/list":           {"file:///fixed"},
		"resources/templates/list": {"file:///{name}.txt"},
	}
	for _, e := range eras {
		for _, hide := range []bool{false, true} {
			b := newBench(t, before(furnish), with(func(c *emamw.Config) { c.HideDenied = hide }))
			token := b.token("files:write", "prompts", "fixed", "text")
			want := all
			if hide {
				want = own
			}
			for _, l := range listings {
				a := e.send(b, token, l.method, nil)
				names, _, _ := l.read(t, a)
				if slices.Sort(names); !slices.Equal(names, want[l.method]) {
					t.Errorf("%s, hide=%t: %s lists %q, want %q", e.name, hide, l.method, names, want[l.method])
				}
				if strings.Contains(a.body, "admins") {
					t.Errorf("%s shows the name of a group", l.method)
				}
			}
			if a := e.send(b, token, "tools/list", nil); !strings.Contains(a.body, `"_meta":{"io.github.emamw/authorization":{"scopes":["files:write"]}}`) {
				t.Errorf("%s: the scopes of write are not shown: %s", e.name, a.body)
			}
		}
	}
}

// Rules from the configuration are shown like those in the code.
func TestListsShowCentralScopes(t *testing.T) {
	for _, e := range eras {
		b := newBench(t, before(furnish), with(func(c *emamw.Config) {
			c.Rules = emamw.Rules{
				Tools:     map[string]scopes.Rule{"unruled": scopes.Scope("central:tool"), "write": scopes.Scope("central:write")},
				Prompts:   map[string]scopes.Rule{"bare": scopes.Scope("central:prompt")},
				Resources: map[string]scopes.Rule{"file:///b*": scopes.Scope("central:resource"), "file:///{name}.txt": scopes.Scope("central:template")},
			}
		}))
		for method, want := range map[string]string{
			"tools/list": `["files:write","central:write"]`, "prompts/list": `["central:prompt"]`,
			"resources/list": `["central:resource"]`, "resources/templates/list": `["text","central:template"]`,
		} {
			if a := e.send(b, b.token(), method, nil); !strings.Contains(a.body, want) {
				t.Errorf("%s %s does not show %s: %s", e.name, method, want, a.body)
			}
			// What is shown must not have become part of the rule itself.
			if a := e.send(b, b.token(), method, nil); strings.Count(a.body, want) != 1 {
				t.Errorf("%s %s: listing changes what is listed", e.name, method)
			}
		}
	}
}

// What one caller was given must not serve another out of a shared cache (MCP
// 2026-07-28, caching), whatever the server's own hints say.
func TestResultsArePrivate(t *testing.T) {
	for _, hide := range []bool{false, true} {
		b := newBench(t, before(furnish), with(func(c *emamw.Config) { c.HideDenied = hide }), serverOptions(server.WithCacheHints(60_000, mcp.CacheScopePublic), server.WithPaginationLimit(1)))
		e := eras[1]
		for _, l := range listings {
			pages := 0
			for cursor := ""; pages == 0 || cursor != ""; {
				_, next, result := l.read(t, e.send(b, b.token("files:write", "fixed"), l.method, map[string]any{"cursor": cursor}))
				if pages++; result["cacheScope"] != "private" {
					t.Fatalf("hide=%t: page %d of %s is marked %v", hide, pages, l.method, result["cacheScope"])
				}
				cursor = next
			}
			if !hide && pages < 2 {
				t.Errorf("%s has one page: that all are alike is not shown", l.method)
			}
		}
		result, _ := e.send(b, b.token("fixed"), "resources/read", map[string]any{"uri": "file:///fixed"}).result(t)
		if result["cacheScope"] != "private" {
			t.Errorf("hide=%t: a resource is marked %v", hide, result["cacheScope"])
		}
	}
}

// Paging through a filtered list ends, shows everything that is the caller's
// and names nothing else: mcp-go's own cursor is the name of the last item.
func TestCursorsNameNothingHidden(t *testing.T) {
	b := newBench(t, with(func(c *emamw.Config) { c.HideDenied = true }), serverOptions(server.WithPaginationLimit(2)), before(func(b *bench) {
		for i := range 12 {
			rule := scopes.Scope("mine")
			if i%3 != 0 {
				rule = scopes.Scope("other")
			}
			name := fmt.Sprintf("item%02d", i)
			b.mcp.AddResource(mcp.NewResource("file:///"+name, name, scopes.ForResource(rule)), nil)
			b.mcp.AddResourceTemplate(mcp.NewResourceTemplate("file:///"+name+"/{x}", name, scopes.ForTemplate(rule)), nil)
			b.mcp.AddTool(mcp.NewTool(name, scopes.Where(rule)), nil)
			b.mcp.AddPrompt(mcp.NewPrompt(name, scopes.ForPrompt(rule)), nil)
		}
	}))
	for _, e := range eras {
		for _, l := range listings {
			var names []string
			cursor := ""
			for pages := 0; ; pages++ {
				if pages > 12 {
					t.Fatalf("%s does not end", l.method)
				}
				page, next, _ := l.read(t, e.send(b, b.token("mine"), l.method, map[string]any{"cursor": cursor}))
				names = append(names, page...)
				plain, _ := base64.StdEncoding.DecodeString(next)
				for i := range 12 {
					if name := fmt.Sprintf("item%02d", i); i%3 != 0 && (strings.Contains(next, name) || strings.Contains(string(plain), name)) {
						t.Errorf("%s: a cursor names %s", l.method, name)
					}
				}
				if cursor = next; cursor == "" {
					break
				}
			}
			if len(names) != 4 {
				t.Errorf("%s %s: pages show %q, want 4 items", e.name, l.method, names)
			}
		}
	}
}

// Without HideDenied nothing is sealed, and the pages of a list follow each other by
// the cursors of mcp-go.
func TestCursorsWithoutHiding(t *testing.T) {
	b := newBench(t, serverOptions(server.WithPaginationLimit(1)), before(func(b *bench) {
		for _, name := range []string{"a", "b", "c"} {
			b.mcp.AddResource(mcp.NewResource("file:///"+name, name, scopes.ForResource(scopes.Authenticated())), nil)
			b.mcp.AddResourceTemplate(mcp.NewResourceTemplate("file:///"+name+"/{x}", name, scopes.ForTemplate(scopes.Authenticated())), nil)
		}
	}))
	for _, e := range eras {
		for _, l := range listings[2:] {
			var names []string
			cursor := ""
			for range 3 {
				page, next, _ := l.read(t, e.send(b, b.token(), l.method, map[string]any{"cursor": cursor}))
				names, cursor = append(names, page...), next
			}
			if len(slices.Compact(names)) != 3 {
				t.Errorf("%s %s: three pages show %q", e.name, l.method, names)
			}
		}
	}
}

// A cursor is good for the caller and the list that it was made for.
func TestCursorsAreSealed(t *testing.T) {
	b := newBench(t, with(func(c *emamw.Config) { c.HideDenied = true }), serverOptions(server.WithPaginationLimit(1)), before(func(b *bench) {
		for _, name := range []string{"a", "b", "c"} {
			b.mcp.AddResource(mcp.NewResource("file:///"+name, name, scopes.ForResource(scopes.Authenticated())), nil)
			b.mcp.AddResourceTemplate(mcp.NewResourceTemplate("file:///"+name+"/{x}", name, scopes.ForTemplate(scopes.Authenticated())), nil)
		}
	}))
	e := eras[0]
	_, cursor, _ := listings[2].read(t, e.send(b, b.token(), "resources/list", nil))
	if cursor == "" {
		t.Fatal("no cursor")
	}
	tests := []struct{ name, user, method, cursor string }{
		{"another caller", "mallory", "resources/list", cursor},
		{"another list", "alice", "resources/templates/list", cursor},
		{"mcp-go's own", "alice", "resources/list", base64.StdEncoding.EncodeToString([]byte("a"))},
		{"cut", "alice", "resources/list", cursor[:8]},
		{"changed", "alice", "resources/list", string(cursor[0]^1) + cursor[1:]},
		{"no base64", "alice", "resources/list", "%%%"},
	}
	for _, tt := range tests {
		a := e.send(b, b.tokenOf(tt.user), tt.method, map[string]any{"cursor": tt.cursor})
		if _, code := a.result(t); code != mcp.INVALID_PARAMS {
			t.Errorf("%s: %d %s", tt.name, a.Code, a.body)
		}
	}
}

// Lists on a transport without the guard are empty.
func TestListsWithoutGuard(t *testing.T) {
	b := newBench(t, before(furnish))
	for _, l := range listings {
		response, ok := b.mcp.HandleMessage(context.Background(), []byte(message(l.method, nil))).(mcp.JSONRPCResponse)
		if !ok {
			t.Fatalf("%s: no response", l.method)
		}
		text := fmt.Sprintf("%+v", response.Result)
		if strings.Contains(text, "file:///") || strings.Contains(text, "write") || strings.Contains(text, "ask") {
			t.Errorf("%s lists %s", l.method, text)
		}
	}
}
