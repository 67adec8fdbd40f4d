package emamw_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/scopes"
)

// Callers without a session share the session "" in mcp-go, and with it
// notifications, cancellations and tasks. Each test first shows the attack on
// the bare transport, so that it cannot pass for another reason.

// send puts a request to a handler and returns its status and body.
func send(h http.Handler, r *http.Request) (int, string) {
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, r)
	return recorder.Code, recorder.Body.String()
}

// reading is a stream that a test reads while it is open.
type reading struct {
	logs
	header http.Header
}

func (r *reading) Header() http.Header { return r.header }
func (r *reading) WriteHeader(int)     {}
func (r *reading) Flush()              {}

// openStream opens a GET stream in the background.
func openStream(h http.Handler, r *http.Request) *reading {
	stream := &reading{header: http.Header{}}
	go h.ServeHTTP(stream, r)
	return stream
}

func TestNotificationsStayWithTheirCaller(t *testing.T) {
	for _, guarded := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, stateless, before(func(b *bench) {
				b.mcp.AddTool(mcp.NewTool("progress", scopes.Where(scopes.Authenticated())), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
					for i := range 20 {
						_ = server.ServerFromContext(ctx).SendNotificationToClient(ctx, "notifications/own", map[string]any{"secret": i})
						time.Sleep(time.Millisecond)
					}
					return mcp.NewToolResultText("done"), nil
				})
			}))
			h := b.handler
			if !guarded {
				h = server.NewStreamableHTTPServer(b.mcpOpen("progress"), server.WithStateLess(true))
			}
			ctx, cancel := context.WithCancel(t.Context())
			alice := openStream(h, newRequest(http.MethodGet, b.tokenOf("alice"), "", within(ctx)))
			synctest.Wait()
			_, own := send(h, newRequest(http.MethodPost, b.tokenOf("bob"), message("tools/call", call("progress"))))
			synctest.Wait()
			if crossed := strings.Contains(alice.String(), "secret"); crossed == guarded {
				t.Errorf("guarded=%t: bob's notifications reached alice's stream: %t", guarded, crossed)
			}
			if guarded && strings.Count(own, "secret") != 20 {
				t.Errorf("bob received %d of his 20 notifications", strings.Count(own, "secret"))
			}
			cancel()
			synctest.Wait()
		})
	}
}

// mcpOpen returns a server without a guard that has the tool of b.
func (b *bench) mcpOpen(name string) *server.MCPServer {
	s := server.NewMCPServer("open", "1", server.WithTaskCapabilities(true, true, true), server.WithLogging())
	if known := b.mcp.GetTool(name); known != nil {
		s.AddTools(*known)
	}
	return s
}

func TestCancellationsStayWithTheirCaller(t *testing.T) {
	legacyCancel := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}`
	meta := fmt.Sprintf(`"_meta":{%q:%q,%q:{"name":"c","version":"1"},%q:{}}`, mcp.MetaKeyProtocolVersion, modern, mcp.MetaKeyClientInfo, mcp.MetaKeyClientCapabilities)
	modernHeaders := []requestOption{header("Mcp-Protocol-Version", modern), header("Mcp-Method", "tools/call"), header("Mcp-Name", "slow")}
	tests := []struct {
		name, call, cancel string
		options            []requestOption
	}{
		{"stateless", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"slow"}}`, legacyCancel, nil},
		{"modern", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"slow",` + meta + `}}`,
			`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7,` + meta + `}}`, modernHeaders},
		{"modern, escaped", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"slow",` + meta + `}}`,
			`{"jsonrpc":"2.0","METHOD":"notifications/c\u0061ncelled","params":{"requestId":7,` + meta + `}}`, modernHeaders},
		{"modern, null id", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"slow",` + meta + `}}`,
			`{"jsonrpc":"2.0","id":null,"method":"notifications/cancelled","params":{"requestId":7,` + meta + `}}`, modernHeaders},
	}
	for _, tt := range tests {
		for _, guarded := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/guarded=%t", tt.name, guarded), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, stateless, before(func(b *bench) {
						b.mcp.AddTool(mcp.NewTool("slow", scopes.Where(scopes.Authenticated())), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
							select {
							case <-ctx.Done():
								return mcp.NewToolResultText("killed"), nil
							case <-time.After(time.Minute):
								return mcp.NewToolResultText("survived"), nil
							}
						})
					}))
					h := b.handler
					if !guarded {
						h = server.NewStreamableHTTPServer(b.mcpOpen("slow"), server.WithStateLess(true))
					}
					alice := openStream(h, newRequest(http.MethodPost, b.tokenOf("alice"), tt.call, tt.options...))
					synctest.Wait()
					code, _ := send(h, newRequest(http.MethodPost, b.tokenOf("mallory"), tt.cancel, tt.options...))
					time.Sleep(2 * time.Minute)
					synctest.Wait()
					if survived := strings.Contains(alice.String(), "survived"); survived != guarded {
						t.Errorf("alice's call: %q; the cancellation was answered %d", alice.String(), code)
					}
				})
			})
		}
	}
}

func TestTasksBelongToTheirMaker(t *testing.T) {
	for _, mode := range []struct {
		name    string
		options []benchOption
	}{{"stateful", []benchOption{stateful}}, {"stateless", []benchOption{stateless}}, {"hidden", []benchOption{stateless}}} {
		t.Run(mode.name, func(t *testing.T) {
			b := newBench(t, append(mode.options, before(furnish))...)
			e := eras[0]
			params := call("report")
			params["task"] = map[string]any{}
			result, _ := e.send(b, b.token("reports"), "tools/call", params).result(t)
			task := result["task"].(map[string]any)["taskId"].(string)
			id := map[string]any{"taskId": task}

			for _, method := range []string{"tasks/get", "tasks/result", "tasks/cancel"} {
				foreign := e.send(b, b.tokenOf("mallory", "reports"), method, id)
				missing := e.send(b, b.tokenOf("mallory", "reports"), method, map[string]any{"taskId": "00000000-0000-4000-8000-000000000000"})
				// The same answer, though perhaps in a stream: an event of the session
				// may have come before it.
				_, one := foreign.result(t)
				_, other := missing.result(t)
				if foreign.Code != missing.Code || one != other || one != mcp.INVALID_PARAMS || !strings.Contains(foreign.body, `"message":"task not found"`) {
					t.Errorf("%s of another's task: %d %s, of none: %d %s", method, foreign.Code, foreign.body, missing.Code, missing.body)
				}
			}
			if a := e.send(b, b.tokenOf("mallory", "reports"), "tasks/list", nil); strings.Contains(a.body, task) || !strings.Contains(a.body, `"tasks":[]`) {
				t.Errorf("mallory lists %s", a.body)
			}
			if mode.name != "stateful" { // there the session of the second request is another one
				if a := e.send(b, b.token("reports"), "tasks/list", nil); !strings.Contains(a.body, task) {
					t.Errorf("alice does not see her task: %s", a.body)
				}
				if a := e.send(b, b.token("reports"), "tasks/result", id); !strings.Contains(a.body, "result of report") {
					t.Errorf("alice does not get her result: %s", a.body)
				}
			}
			// A narrower token of the same caller is told what it lacks.
			b.wantAnswer(e.send(b, b.token(), "tasks/result", id), 403, challengeFor("reports"))
		})
	}
}

// Without the guard another caller reads the result of a task in stateless mode.
func TestTaskAttackWorksWithoutGuard(t *testing.T) {
	b := newBench(t)
	s := b.mcpOpen("")
	s.AddTaskTool(mcp.NewTool("report", mcp.WithTaskSupport(mcp.TaskSupportRequired)), b.taskTool("report"))
	h := server.NewStreamableHTTPServer(s, server.WithStateLess(true))
	params := call("report")
	params["task"] = map[string]any{}
	send(h, newRequest(http.MethodPost, b.tokenOf("alice"), message("tools/call", params)))
	if _, body := send(h, newRequest(http.MethodPost, b.tokenOf("mallory"), message("tasks/list", nil))); !strings.Contains(body, "taskId") {
		t.Errorf("mcp-go keeps tasks apart by itself now: %s", body)
	}
}

// The status of a task, with the text of its error, is broadcast to every open
// stream. Only its maker's stream carries it.
func TestTaskStatusStaysWithItsMaker(t *testing.T) {
	for _, guarded := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			failing := func(context.Context, mcp.CallToolRequest) (*mcp.CreateTaskResult, error) {
				time.Sleep(time.Second)
				return nil, fmt.Errorf("secret of alice")
			}
			b := newBench(t, stateless, before(func(b *bench) {
				b.mcp.AddTaskTool(mcp.NewTool("fail", mcp.WithTaskSupport(mcp.TaskSupportRequired), scopes.Where(scopes.Authenticated())), failing)
			}))
			h := b.handler
			if !guarded {
				s := b.mcpOpen("")
				s.AddTaskTool(mcp.NewTool("fail", mcp.WithTaskSupport(mcp.TaskSupportRequired)), failing)
				h = server.NewStreamableHTTPServer(s, server.WithStateLess(true))
			}
			ctx, cancel := context.WithCancel(t.Context())
			mallory := openStream(h, newRequest(http.MethodGet, b.tokenOf("mallory"), "", within(ctx)))
			var alice *reading
			if guarded { // bare, both would share one stream
				alice = openStream(h, newRequest(http.MethodGet, b.tokenOf("alice"), "", within(ctx)))
			}
			synctest.Wait()
			params := call("fail")
			params["task"] = map[string]any{}
			send(h, newRequest(http.MethodPost, b.tokenOf("alice"), message("tools/call", params)))
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if crossed := strings.Contains(mallory.String(), "secret of alice"); crossed == guarded {
				t.Errorf("guarded=%t: the status reached mallory: %t: %s", guarded, crossed, mallory.String())
			}
			if guarded && !strings.Contains(alice.String(), "secret of alice") {
				t.Errorf("the status did not reach its maker: %q", alice.String())
			}
			cancel()
			synctest.Wait()
		})
	}
}

// The events of a session that nobody has read yet go out with the answer to its next
// request, and wait with it for the verdict. They are told apart one by one all the
// same: an attacker would put the status of a task of their own before the others.
func TestTaskStatusThatWaitedStaysWithItsMaker(t *testing.T) {
	for _, order := range [][]string{{"mallory", "alice"}, {"alice", "mallory"}, {"alice", "mallory", "alice", "mallory"}} {
		synctest.Test(t, func(t *testing.T) {
			hooks := &server.Hooks{}
			hooks.AddOnRequestInitialization(func(context.Context, any, any) error {
				time.Sleep(time.Second) // so that mcp-go writes the events first
				return nil
			})
			b := newBench(t, serverOptions(server.WithHooks(hooks)), before(func(b *bench) {
				b.mcp.AddTaskTool(mcp.NewTool("fail", mcp.WithTaskSupport(mcp.TaskSupportRequired), scopes.Where(scopes.Authenticated())), func(_ context.Context, r mcp.CallToolRequest) (*mcp.CreateTaskResult, error) {
					time.Sleep(time.Second)
					return nil, fmt.Errorf("secret of %s", r.GetString("who", ""))
				})
			}))
			mallory := header("Mcp-Session-Id", b.session(b.tokenOf("mallory")))
			for _, who := range order {
				params := call("fail", "who", who)
				params["task"] = map[string]any{}
				b.post(b.tokenOf(who), message("tools/call", params), header("Mcp-Session-Id", b.session(b.tokenOf(who))))
				time.Sleep(2 * time.Second)
				synctest.Wait()
			}
			a := b.post(b.tokenOf("mallory"), message("ping", nil), mallory)
			if own := strings.Count(a.body, "secret of mallory"); own != len(order)/2 || strings.Contains(a.body, "secret of alice") || !strings.Contains(a.body, `"result"`) {
				t.Errorf("%v: mallory reads %s", order, a.body)
			}
		})
	}
}

// The log level is kept per session id, and "" is one id for all.
func TestLogLevelStaysWithItsCaller(t *testing.T) {
	b := newBench(t, stateless, before(func(b *bench) {
		b.mcp.AddTool(mcp.NewTool("level", scopes.Where(scopes.Authenticated())), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			session, ok := server.ClientSessionFromContext(ctx).(server.SessionWithLogging)
			if !ok {
				return mcp.NewToolResultText("none"), nil
			}
			return mcp.NewToolResultText("level=" + string(session.GetLogLevel())), nil
		})
	}))
	bare := server.NewStreamableHTTPServer(b.mcpOpen("level"), server.WithStateLess(true))
	for name, h := range map[string]http.Handler{"bare": bare, "guarded": b.handler} {
		set := message("logging/setLevel", map[string]any{"level": "debug"})
		send(h, newRequest(http.MethodPost, b.tokenOf("mallory"), set))
		if _, own := send(h, newRequest(http.MethodPost, b.tokenOf("mallory"), message("tools/call", call("level")))); !strings.Contains(own, "level=") {
			t.Fatalf("%s: %s", name, own)
		}
		_, alice := send(h, newRequest(http.MethodPost, b.tokenOf("alice"), message("tools/call", call("level"))))
		if crossed := strings.Contains(alice, "level=debug"); crossed != (name == "bare") {
			t.Errorf("%s: alice's level is mallory's: %t: %s", name, crossed, alice)
		}
	}
}
