package emamw_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/scopes"
)

// desk is a session of a program's own transport, with resources of its own.
type desk struct {
	server.ClientSession
	resources map[string]server.ServerResource
	templates map[string]server.ServerResourceTemplate
}

func (*desk) SessionID() string                                       { return "desk" }
func (*desk) Initialized() bool                                       { return true }
func (*desk) Initialize()                                             {}
func (*desk) NotificationChannel() chan<- mcp.JSONRPCNotification     { return nil }
func (d *desk) GetSessionResources() map[string]server.ServerResource { return d.resources }
func (d *desk) SetSessionResources(map[string]server.ServerResource)  {}
func (d *desk) GetSessionResourceTemplates() map[string]server.ServerResourceTemplate {
	return d.templates
}
func (d *desk) SetSessionResourceTemplates(map[string]server.ServerResourceTemplate) {}

// user is alice as a program names her on a transport of its own.
func user(held ...string) context.Context {
	return claims.NewContext(context.Background(), claims.Principal{Issuer: issuer, Subject: "alice", ClientID: "mcp-client", Kind: claims.User, Scopes: held})
}

// A session may have resources and templates of its own, which mcp-go takes
// before the server's. Their rules count, and not those of what they stand
// before: an attacker would else read the strict one under the lax one's name.
func TestItemsOfASession(t *testing.T) {
	b := newBench(t, before(func(b *bench) {
		b.mcp.AddResource(mcp.NewResource("file:///lax", "lax", scopes.ForResource(scopes.Authenticated())), b.reader)
		b.addTemplate("lax:///{x}", "lax", "server")
	}))
	own := func(_ context.Context, r mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
		b.note("own " + r.Params.URI)
		return nil, nil
	}
	session := &desk{
		resources: map[string]server.ServerResource{
			"file:///lax": {Resource: mcp.NewResource("file:///lax", "strict", scopes.ForResource(scopes.Scope("desk"))), Handler: own},
		},
		templates: map[string]server.ServerResourceTemplate{
			"own:///{x}": {Template: mcp.NewResourceTemplate("own:///{x}", "own", scopes.ForTemplate(scopes.Scope("desk"))), Handler: own},
		},
	}
	for _, name := range []string{"file:///lax", "own:///a"} {
		read := []byte(message("resources/read", uri(name)))
		b.mcp.HandleMessage(b.mcp.WithContext(user("server"), session), read)
		if b.runs("own "+name) != 0 {
			t.Errorf("%s of the session was read without its scope", name)
		}
		b.mcp.HandleMessage(b.mcp.WithContext(user("desk"), session), read)
		if b.runs("own "+name) != 1 {
			t.Errorf("%s of the session was not read with its scope", name)
		}
	}
	if b.mcp.HandleMessage(user(), []byte(message("resources/read", uri("file:///lax")))); b.runs("file:///lax") != 1 {
		t.Error("outside of the session the server's own resource was not read")
	}
}

// A caller is one and the same on every transport: the task that a program made
// for alice is hers over HTTP, and nobody else's. By which rule it ran is not
// known there, so it is told to her by any token.
func TestTaskMadeInProcess(t *testing.T) {
	b := newBench(t, stateless, before(furnish))
	params := call("report")
	params["task"] = map[string]any{}
	made, ok := b.mcp.HandleMessage(user("reports"), []byte(message("tools/call", params))).(mcp.JSONRPCResponse)
	if !ok {
		t.Fatalf("no task: %+v", made)
	}
	created, ok := made.Result.(*mcp.CreateTaskResult)
	if !ok {
		t.Fatalf("no task in %T", made.Result)
	}
	task := map[string]any{"taskId": created.Task.TaskId}
	for who, ok := range map[string]bool{"alice": true, "mallory": false} {
		if a := b.post(b.tokenOf(who), message("tasks/get", task)); strings.Contains(a.body, `"status"`) != ok {
			t.Errorf("%s: %d %s", who, a.Code, a.body)
		}
	}
}

// A task tool with a rule in the code and a central one keeps both.
func TestTaskKeepsAllItsRules(t *testing.T) {
	b := newBench(t, stateless, before(furnish), with(func(c *emamw.Config) {
		c.Rules.Tools = map[string]scopes.Rule{"report": scopes.When(func(args map[string]any) scopes.Rule {
			if args["year"] == "old" {
				return scopes.Authenticated()
			}
			return scopes.Scope("central")
		})}
	}))
	recent := b.startTask(b.token("reports", "central"), call("report"))
	old := b.startTask(b.token("reports"), call("report", "year", "old"))
	b.wantAnswer(b.post(b.token("reports"), message("tasks/result", recent)), 403, challengeFor("reports central"))
	b.wantAnswer(b.post(b.token("central"), message("tasks/result", recent)), 403, challengeFor("reports central"))
	b.wantAnswer(b.post(b.token("reports", "central"), message("tasks/result", recent)), 200, "")
	b.wantAnswer(b.post(b.token("reports"), message("tasks/result", old)), 200, "")
	b.wantAnswer(b.post(b.token("central"), message("tasks/result", old)), 403, challengeFor("reports"))
}

// Without a request to note it on, what a handler may read is decided once more,
// on the URI that it is given: a hook may have written another one.
func TestHookRewritesTheURIInProcess(t *testing.T) {
	hooks := &server.Hooks{}
	hooks.AddBeforeReadResource(func(_ context.Context, _ any, m *mcp.ReadResourceRequest) {
		m.Params.URI = strings.ToLower(m.Params.URI)
	})
	b := newBench(t, serverOptions(server.WithHooks(hooks)), before(furnish))
	for _, read := range []string{"file:///FIXED", "file:///fixed", "FILE:///a.txt", "file:///a.txt"} {
		b.mcp.HandleMessage(user(), []byte(message("resources/read", uri(read))))
		if b.runs(strings.ToLower(read)) != 0 {
			t.Errorf("%s was read without its scope", read)
		}
	}
	b.mcp.HandleMessage(user("fixed"), []byte(message("resources/read", uri("file:///fixed"))))
	if b.runs("file:///fixed") != 1 {
		t.Error("with its scope it was not read")
	}
}

// With the hooks replaced nothing decides before the handlers, and no request
// can be turned away. What the handlers are asked for stays closed.
func TestReplacedHooksInProcess(t *testing.T) {
	b := newBench(t, before(furnish))
	server.WithHooks(&server.Hooks{})(b.mcp)
	for _, d := range doors {
		if d.method == "completion/complete" {
			continue // has no handler that could ask
		}
		b.mcp.HandleMessage(user("unrelated"), []byte(message(d.method, d.params)))
		if d.runs != "" && b.runs(d.runs) != 0 {
			t.Errorf("%s ran without its scope", d.name)
		}
	}
}

// A principal without a name is somebody, and its tasks are not those of a
// transport that says nothing of its caller.
func TestNobodySeesNoTask(t *testing.T) {
	b := newBench(t, before(func(b *bench) {
		b.mcp.AddTaskTool(mcp.NewTool("free", mcp.WithTaskSupport(mcp.TaskSupportRequired), scopes.Where(scopes.Authenticated())), b.taskTool("free"))
	}))
	params := call("free")
	params["task"] = map[string]any{}
	nameless := claims.NewContext(context.Background(), claims.Principal{})
	made, ok := b.mcp.HandleMessage(nameless, []byte(message("tools/call", params))).(mcp.JSONRPCResponse)
	if !ok {
		t.Fatal("no task")
	}
	id := made.Result.(*mcp.CreateTaskResult).Task.TaskId
	listed := b.mcp.HandleMessage(context.Background(), []byte(message("tasks/list", nil)))
	if text, err := json.Marshal(listed); err != nil || strings.Contains(string(text), id) {
		t.Errorf("nobody lists %s, %v", text, err)
	}
}
