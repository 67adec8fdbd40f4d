package emamw_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/scopes"
)

// startTask calls a task tool and returns the id of the task.
func (b *bench) startTask(token string, params map[string]any) map[string]any {
	b.t.Helper()
	params["task"] = map[string]any{}
	result, code := b.post(token, message("tools/call", params)).result(b.t)
	if code != 0 {
		b.t.Fatalf("no task: error %d", code)
	}
	return map[string]any{"taskId": result["task"].(map[string]any)["taskId"]}
}

// One caller who makes tasks without end pushes out tasks of their own, and
// nobody else's: an attacker would else cut everybody off from their results.
func TestTaskQuotaIsPerCaller(t *testing.T) {
	b := newBench(t, stateless, before(furnish))
	alices := b.startTask(b.token("reports"), call("report"))
	mallory := b.tokenOf("mallory", "reports")
	first := b.startTask(mallory, call("report"))
	second := b.startTask(mallory, call("report"))
	for range 999 {
		b.startTask(mallory, call("report"))
	}
	for _, tt := range []struct {
		name, token string
		task        map[string]any
		known       bool
	}{
		{"alice's", b.token("reports"), alices, true},
		{"mallory's first", mallory, first, false},
		{"mallory's second", mallory, second, true},
	} {
		if a := b.post(tt.token, message("tasks/result", tt.task)); strings.Contains(a.body, "result of report") != tt.known {
			t.Errorf("%s task: %d %s", tt.name, a.Code, a.body)
		}
	}
}

// Who made a task is known for a day. What was forgotten is nobody's, and that
// of others is not forgotten with it.
func TestTasksAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, stateless, before(furnish))
		task := b.startTask(b.token("reports"), call("report"))
		result := func(task map[string]any) bool {
			return strings.Contains(b.post(b.token("reports"), message("tasks/result", task)).body, "result of report")
		}
		time.Sleep(24*time.Hour - time.Second)
		if !result(task) {
			t.Error("forgotten within a day")
		}
		later := b.startTask(b.token("reports"), call("report"))
		time.Sleep(time.Second)
		if result(task) {
			t.Error("known after a day")
		}
		b.startTask(b.token("reports"), call("report"))
		if !result(later) {
			t.Error("a younger task was forgotten with an older one")
		}
	})
}

// A task keeps the rule as it was for its arguments: its maker fetches it with
// the token that made it, and a narrower token is told what it lacks.
func TestTaskOfADependentTool(t *testing.T) {
	b := newBench(t, stateless, before(func(b *bench) {
		b.mcp.AddTaskTool(mcp.NewTool("deploy", mcp.WithTaskSupport(mcp.TaskSupportRequired), scopes.Where(scopes.When(func(args map[string]any) scopes.Rule {
			if args["to"] == "staging" {
				return scopes.Scope("deploy")
			}
			return scopes.All(scopes.Scope("deploy"), scopes.Scope("deploy:production"))
		}))), b.taskTool("deploy"))
	}))
	staging := b.startTask(b.token("deploy"), call("deploy", "to", "staging"))
	production := b.startTask(b.token("deploy", "deploy:production"), call("deploy", "to", "production"))
	for _, method := range []string{"tasks/result", "tasks/get"} {
		b.wantAnswer(b.post(b.token("deploy"), message(method, staging)), 200, "")
		b.wantAnswer(b.post(b.token(), message(method, staging)), 403, challengeFor("deploy"))
		b.wantAnswer(b.post(b.token("deploy"), message(method, production)), 403, challengeFor("deploy deploy:production"))
		b.wantAnswer(b.post(b.token("deploy", "deploy:production"), message(method, production)), 200, "")
	}
}

// A task is cancelled by its maker, with a token that would run the tool, and by
// nobody else.
func TestTaskIsCancelledByItsMaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, stateless, before(func(b *bench) {
			b.mcp.AddTaskTool(mcp.NewTool("slow", mcp.WithTaskSupport(mcp.TaskSupportRequired), scopes.Require("slow")), func(context.Context, mcp.CallToolRequest) (*mcp.CreateTaskResult, error) {
				time.Sleep(time.Hour)
				return &mcp.CreateTaskResult{}, nil
			})
		}))
		task := b.startTask(b.token("slow"), call("slow"))
		status := func() any {
			result, _ := b.post(b.token("slow"), message("tasks/get", task)).result(t)
			return result["status"]
		}
		b.wantAnswer(b.post(b.token(), message("tasks/cancel", task)), 403, challengeFor("slow"))
		b.post(b.tokenOf("mallory", "slow"), message("tasks/cancel", task))
		if got := status(); got != "working" {
			t.Errorf("cancelled by somebody else, or without the scope: it is %v", got)
		}
		b.wantAnswer(b.post(b.token("slow"), message("tasks/cancel", task)), 200, "")
		if got := status(); got != "cancelled" {
			t.Errorf("its maker did not cancel it: it is %v", got)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
	})
}

// A page of tasks ends with the id of the next caller's task in its cursor, so
// cursors are sealed there in any mode, and paging shows one's own tasks only.
func TestTaskCursorsNameNobodysTask(t *testing.T) {
	b := newBench(t, stateless, before(furnish), serverOptions(server.WithPaginationLimit(2)))
	all := map[string][]string{}
	for range 3 {
		for _, user := range []string{"alice", "mallory"} {
			task := b.startTask(b.tokenOf(user, "reports"), call("report"))
			all[user] = append(all[user], task["taskId"].(string))
		}
	}
	l := listing{"tasks/list", "tasks", "taskId"}
	for user, want := range all {
		var got []string
		for pages, cursor := 0, ""; pages == 0 || cursor != ""; pages++ {
			if pages > 6 {
				t.Fatal("paging does not end")
			}
			page, next, _ := l.read(t, b.post(b.tokenOf(user), message("tasks/list", map[string]any{"cursor": cursor})))
			if got, cursor = append(got, page...), next; cursor == "" {
				break
			}
			// In another caller's hands it is worth nothing.
			if _, code := b.post(b.tokenOf("eve"), message("tasks/list", map[string]any{"cursor": cursor})).result(t); code != mcp.INVALID_PARAMS {
				t.Errorf("another caller's cursor: error %d", code)
			}
			for _, ids := range all {
				for _, id := range ids {
					if a := b.post(b.tokenOf(user), message("tasks/list", map[string]any{"cursor": id})); !strings.Contains(a.body, `"error"`) {
						t.Errorf("a task's id is taken as a cursor: %s", a.body)
					}
				}
			}
		}
		slices.Sort(got)
		if slices.Sort(want); !slices.Equal(got, want) {
			t.Errorf("%s sees %q, want %q", user, got, want)
		}
	}
}

// What a server sends of its own, be it about a task and in the words of mcp-go,
// is not taken for the status of one.
func TestOwnNotificationAboutATask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, stateless)
		ctx, cancel := context.WithCancel(t.Context())
		stream := openStream(b.handler, newRequest(http.MethodGet, b.token(), "", within(ctx)))
		synctest.Wait()
		b.mcp.SendNotificationToAllClients("notifications/own", map[string]any{"taskId": "1", "about": "notifications/tasks/status"})
		synctest.Wait()
		if !strings.Contains(stream.String(), "notifications/own") {
			t.Errorf("the stream says %q", stream.String())
		}
		cancel()
		synctest.Wait()
	})
}

// A task that was made on a transport without the guard belongs to the caller
// that the program named, and one without a caller to nobody.
func TestTasksWithoutGuard(t *testing.T) {
	b := newBench(t, stateless, before(func(b *bench) {
		b.mcp.AddTaskTool(mcp.NewTool("free", mcp.WithTaskSupport(mcp.TaskSupportRequired), scopes.Where(scopes.Authenticated())), b.taskTool("free"))
	}))
	params := call("free")
	params["task"] = map[string]any{}
	made := b.mcp.HandleMessage(context.Background(), []byte(message("tools/call", params)))
	if _, ok := made.(mcp.JSONRPCResponse); ok || b.runs("free") != 0 {
		t.Errorf("nobody made a task: %+v", made)
	}
	if a := b.post(b.token(), message("tasks/list", nil)); a.Code != http.StatusOK || !strings.Contains(a.body, `"tasks":[]`) {
		t.Errorf("%d %s", a.Code, a.body)
	}
}

// The rule of a task is that of the arguments with which it was called. They are the
// handler's from then on, and one that fills in its defaults while the task is being
// made must neither change who may fetch the result nor be read in the middle of it.
func TestTaskRuleIsThatOfTheCall(t *testing.T) {
	changed := make(chan struct{})
	hooks := &server.Hooks{}
	hooks.AddAfterCallTool(func(context.Context, any, *mcp.CallToolRequest, any) { <-changed })
	b := newBench(t, stateless, serverOptions(server.WithHooks(hooks)), before(func(b *bench) {
		b.mcp.AddTaskTool(mcp.NewTool("deploy", mcp.WithTaskSupport(mcp.TaskSupportRequired), scopes.Where(scopes.When(func(args map[string]any) scopes.Rule {
			if args["to"] == "staging" {
				return scopes.Scope("deploy")
			}
			return scopes.All(scopes.Scope("deploy"), scopes.Scope("deploy:production"))
		}))), func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CreateTaskResult, error) {
			r.GetArguments()["to"] = "staging"
			close(changed)
			return b.taskTool("deploy")(ctx, r)
		})
	}))
	production := b.startTask(b.token("deploy", "deploy:production"), call("deploy", "to", "production"))
	b.wantAnswer(b.post(b.token("deploy"), message("tasks/result", production)), 403, challengeFor("deploy deploy:production"))
	b.wantAnswer(b.post(b.token("deploy", "deploy:production"), message("tasks/result", production)), 200, "")
}
