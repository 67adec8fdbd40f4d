package emamw_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/scopes"
)

// A call that comes by no request of its own is decided alike with an audit log and
// without: what is allowed runs, and a rule that would look at the arguments, which
// nobody knows there, denies. That is so for any one of several rules.
func TestCallsWithoutARequest(t *testing.T) {
	toProduction := scopes.When(func(args map[string]any) scopes.Rule {
		if args["to"] == "production" {
			return scopes.Scope("nobody has it")
		}
		return scopes.Authenticated()
	})
	tests := []struct {
		tool string
		held string
		runs int
	}{
		{"open", "none", 1},
		{"write", "none", 0},
		{"write", "files:write", 1},
		{"arguments in the code", "none", 0},
		{"arguments in the configuration", "none", 0},
	}
	for _, audit := range []bool{false, true} {
		b := newBench(t, with(func(c *emamw.Config) {
			if audit {
				c.Audit = slog.NewJSONHandler(&logs{}, nil)
			}
			c.Rules.Tools = map[string]scopes.Rule{"arguments in the code": scopes.Authenticated(), "arguments in the configuration": toProduction}
		}), before(func(b *bench) {
			b.addTools()
			b.mcp.AddTool(mcp.NewTool("arguments in the code", scopes.Where(toProduction)), b.tool("arguments in the code"))
			b.mcp.AddTool(mcp.NewTool("arguments in the configuration", scopes.Where(scopes.Authenticated())), b.tool("arguments in the configuration"))
		}))
		for _, tt := range tests {
			b.forget()
			b.mcp.HandleMessage(user(tt.held), []byte(message("tools/call", call(tt.tool, "to", "production"))))
			if got := b.runs(tt.tool); got != tt.runs {
				t.Errorf("audit=%t: %s with the scope %s ran %d times, want %d", audit, tt.tool, tt.held, got, tt.runs)
			}
		}
	}
}

// What a handler sends into the server is on record with the caller's own requests:
// a handler may be the attacker's way to a tool, whatever kind of handler it is.
func TestCallsOfHandlersAreOnRecord(t *testing.T) {
	b, log := audited(t, stateless)
	nested := func(ctx context.Context) {
		b.mcp.HandleMessage(ctx, []byte(message("tools/call", call("write"))))
	}
	b.mcp.AddTool(mcp.NewTool("outer", scopes.Where(scopes.Authenticated())), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		nested(ctx)
		return mcp.NewToolResultText("outer"), nil
	})
	b.mcp.AddResource(mcp.NewResource("file:///outer", "outer", scopes.ForResource(scopes.Authenticated())), func(ctx context.Context, _ mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
		nested(ctx)
		return nil, nil
	})
	for method, params := range map[string]map[string]any{"tools/call": call("outer"), "resources/read": uri("file:///outer")} {
		b.wantAnswer(b.post(b.token(), message(method, params)), 200, "")
		denied := 0
		for _, record := range log.take(t) {
			if record["gen_ai.tool.name"] == "write" && record["ema.decision"] == "deny" && record["ema.reason"] == "scope_missing" {
				denied++
			}
		}
		if denied != 1 || b.runs("write") != 0 {
			t.Errorf("%s: the denied call is on record %d times, and ran %d times", method, denied, b.runs("write"))
		}
	}
}

// A stream has no message of its own. What a hook sends while it opens must not
// become that: its arguments would be decided on, and the next item by them.
func TestStreamHasNoMessageOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b *bench
		hooks := &server.Hooks{}
		hooks.AddOnRegisterSession(func(ctx context.Context, _ server.ClientSession) {
			b.mcp.HandleMessage(ctx, []byte(message("tools/call", call("deploy", "to", "staging"))))
			b.mcp.HandleMessage(ctx, []byte(message("tools/call", call("open"))))
		})
		b = newBench(t, stateless, serverOptions(server.WithHooks(hooks)), before(func(b *bench) {
			deployTool(b)
			openTool(b)
		}))
		ctx, cancel := context.WithCancel(t.Context())
		openStream(b.handler, newRequest(http.MethodGet, b.token("deploy"), "", within(ctx)))
		synctest.Wait()
		cancel()
		synctest.Wait()
		if b.runs("deploy") != 0 || b.runs("open") != 1 {
			t.Errorf("deploy ran %d times, open %d", b.runs("deploy"), b.runs("open"))
		}
	})
}

// A task that a handler made is its caller's. It is not under the rules of what the
// request itself let through: neither under those of the tool that called the other,
// nor under those of a prompt that happens to have the tool's name.
func TestTaskOfANestedCall(t *testing.T) {
	var b *bench
	made := ""
	nested := func(ctx context.Context) {
		params := call("report")
		params["task"] = map[string]any{}
		if answer, ok := b.mcp.HandleMessage(ctx, []byte(message("tools/call", params))).(mcp.JSONRPCResponse); ok {
			made = answer.Result.(*mcp.CreateTaskResult).Task.TaskId
		}
	}
	b = newBench(t, stateless, before(func(b *bench) {
		b.addTools()
		b.mcp.AddTool(mcp.NewTool("outer", scopes.Require("outer")), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			nested(ctx)
			return mcp.NewToolResultText("outer"), nil
		})
		b.mcp.AddPrompt(mcp.NewPrompt("report", scopes.ForPrompt(scopes.Scope("outer"))), func(ctx context.Context, _ mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			nested(ctx)
			return mcp.NewGetPromptResult("", nil), nil
		})
	}))
	for method, name := range map[string]string{"tools/call": "outer", "prompts/get": "report"} {
		made = ""
		b.wantAnswer(b.post(b.token("outer", "reports"), message(method, call(name))), 200, "")
		if made == "" {
			t.Fatalf("%s: no task", method)
		}
		for who, ok := range map[string]bool{"alice": true, "mallory": false} {
			if a := b.post(b.tokenOf(who), message("tasks/get", map[string]any{"taskId": made})); strings.Contains(a.body, `"status"`) != ok {
				t.Errorf("%s, asked for by %s: %d %s", method, who, a.Code, a.body)
			}
		}
	}
}
