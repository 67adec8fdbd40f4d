package emamw_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/scopes"
)

const insufficient = `Bearer error="insufficient_scope", error_description="the access token lacks a scope that this operation needs", scope="%s", resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp"`

func challengeFor(scope string) string { return strings.Replace(insufficient, "%s", scope, 1) }

// The rule of a tool decides, in both eras, and a refused tool does not run.
func TestToolCalls(t *testing.T) {
	tests := []struct {
		name      string
		tool      string
		token     emamwtest.Token
		status    int
		challenge string
	}{
		{"scope held", "write", emamwtest.Token{Scopes: []string{"files:write"}}, 200, ""},
		{"scope missing", "write", emamwtest.Token{Scopes: []string{"files:read"}}, 403, challengeFor("files:write")},
		{"no scope at all", "write", emamwtest.Token{}, 403, challengeFor("files:write")},
		{"two scopes, one held", "both", emamwtest.Token{Scopes: []string{"a"}}, 403, challengeFor("a b")},
		{"two scopes, both held", "both", emamwtest.Token{Scopes: []string{"b", "a"}}, 200, ""},
		{"group held", "purge", emamwtest.Token{Scopes: []string{"files:write"}, Groups: []string{"admins"}}, 200, ""},
		{"group missing", "purge", emamwtest.Token{Scopes: []string{"files:write"}, Groups: []string{}}, 403, ""},
		{"group unknown", "purge", emamwtest.Token{Scopes: []string{"files:write"}}, 403, ""},
		{"group missing beside a scope", "purge", emamwtest.Token{Groups: []string{}}, 403, ""},
		{"scope missing beside a group", "purge", emamwtest.Token{Groups: []string{"admins"}}, 403, challengeFor("files:write")},
		{"open on purpose", "open", emamwtest.Token{}, 200, ""},
		{"no rule", "unruled", emamwtest.Token{Scopes: []string{"files:write"}}, 403, ""},
		{"task tool, scope held", "report", emamwtest.Token{Scopes: []string{"reports"}}, 200, ""},
		{"task tool, scope missing", "report", emamwtest.Token{}, 403, challengeFor("reports")},
	}
	for _, e := range eras {
		for _, mode := range []struct {
			name   string
			option benchOption
		}{{"stateful", func(*benchConfig) {}}, {"stateless", stateless}} {
			for _, tt := range tests {
				t.Run(e.name+"/"+mode.name+"/"+tt.name, func(t *testing.T) {
					b := newBench(t, mode.option)
					b.addTools()
					params := call(tt.tool)
					if tt.tool == "report" {
						params["task"] = map[string]any{}
					}
					a := e.send(b, b.as.Mint(tt.token), "tools/call", params)
					b.wantAnswer(a, tt.status, tt.challenge)
					if want := tt.status == 200; tt.tool != "report" && (b.runs(tt.tool) == 1) != want {
						t.Errorf("the handler ran %d times", b.runs(tt.tool))
					}
				})
			}
		}
	}
}

func (b *bench) addTools() {
	b.mcp.AddTool(mcp.NewTool("write", scopes.Require("files:write")), b.tool("write"))
	b.mcp.AddTool(mcp.NewTool("both", scopes.Require("a", "b")), b.tool("both"))
	b.mcp.AddTool(mcp.NewTool("purge", scopes.Where(scopes.All(scopes.Scope("files:write"), scopes.Group("admins")))), b.tool("purge"))
	b.mcp.AddTool(mcp.NewTool("open", scopes.Where(scopes.Authenticated())), b.tool("open"))
	b.mcp.AddTool(mcp.NewTool("unruled"), b.tool("unruled"))
	b.mcp.AddTaskTool(mcp.NewTool("report", mcp.WithTaskSupport(mcp.TaskSupportRequired), scopes.Require("reports")), b.taskTool("report"))
}

// wantAnswer checks status, challenge and, for a refusal, that the body says no
// more than the code.
func (b *bench) wantAnswer(a answer, status int, challenge string) {
	b.t.Helper()
	if a.Code != status {
		b.t.Fatalf("status %d, want %d: %s", a.Code, status, a.body)
	}
	if got := a.Header().Get("WWW-Authenticate"); got != challenge {
		b.t.Errorf("challenge\n%s, want\n%s", got, challenge)
	}
	if status == http.StatusForbidden {
		want := `{"error":"insufficient_scope"}` + "\n"
		if challenge == "" {
			want = `{"error":"access_denied"}` + "\n"
		}
		if a.body != want {
			b.t.Errorf("body %q, want %q", a.body, want)
		}
	}
}

// A rule that panics denies, and the log says which, once; the panic's own text may
// be the caller's.
func TestRuleFailureIsLogged(t *testing.T) {
	b := newBench(t, stateless, before(func(b *bench) {
		rule := scopes.When(func(args map[string]any) scopes.Rule {
			return scopes.Scope(args["path"].(string)) // which is not there
		})
		b.mcp.AddTool(mcp.NewTool("broken", scopes.Where(rule)), b.tool("broken"))
	}))
	for range 3 {
		a := b.post(b.token("files:write"), message("tools/call", map[string]any{"name": "broken", "arguments": map[string]any{"other": "secret"}}))
		if a.Code != http.StatusForbidden || !strings.Contains(a.body, "access_denied") || b.runs("broken") != 0 {
			t.Errorf("%d %s", a.Code, a.body)
		}
	}
	if log := b.logs.String(); strings.Count(log, "mend its When function") != 1 || !strings.Contains(log, `item="tool broken"`) || strings.Contains(log, "secret") {
		t.Error(log)
	}
}
