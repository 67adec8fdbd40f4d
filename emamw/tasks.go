package emamw

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/scopes"
)

const (
	// maxTasks bounds the tasks whose owners are known, maxOwnTasks those of one
	// caller, who could otherwise push the tasks of others out, and taskLife how
	// long each is known. What was forgotten is nobody's: closed.
	maxTasks    = 100_000
	maxOwnTasks = 1_000
	taskLife    = 24 * time.Hour
)

// tasks knows who made each task. mcp-go ties a task to a session, and where
// there is none, every caller can list all tasks and read their results.
type tasks struct {
	now func() time.Time

	mu     sync.RWMutex
	owners map[string]owner
	oldest []string            // ids in the order of their making; some may be gone
	own    map[string][]string // the same, by caller
}

type owner struct {
	caller  string
	rules   ruleSet // of the tool that runs
	expires time.Time
}

func newTasks(now func() time.Time) *tasks {
	return &tasks{now: now, owners: map[string]owner{}, own: map[string][]string{}}
}

func (t *tasks) add(id, caller string, rules ruleSet) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if own := t.own[caller]; len(own) >= maxOwnTasks {
		t.forget(own[0])
	}
	for len(t.oldest) > 0 {
		first := t.oldest[0]
		if o, known := t.owners[first]; known && len(t.owners) < maxTasks && now.Before(o.expires) {
			break
		}
		t.forget(first)
		t.oldest = t.oldest[1:]
	}
	if len(t.oldest) >= 2*maxTasks {
		// Most of them are gone, pushed out by later ones of their caller. They must
		// neither pile up nor be counted, or one caller could fill the table with them.
		t.oldest = slices.DeleteFunc(t.oldest, func(id string) bool { _, known := t.owners[id]; return !known })
	}
	t.owners[id] = owner{caller: caller, rules: rules, expires: now.Add(taskLife)}
	t.oldest = append(t.oldest, id)
	t.own[caller] = append(t.own[caller], id)
}

// forget drops a task, which is the oldest of its caller.
func (t *tasks) forget(id string) {
	o, known := t.owners[id]
	if !known {
		return
	}
	delete(t.owners, id)
	if own := t.own[o.caller]; len(own) > 1 {
		t.own[o.caller] = own[1:]
	} else {
		delete(t.own, o.caller)
	}
}

func (t *tasks) find(id, caller string) (owner, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	o, ok := t.owners[id]
	return o, ok && caller != "" && o.caller == caller && t.now().Before(o.expires)
}

// owns reports whether the caller made the task.
func (t *tasks) owns(id, caller string) bool {
	_, ok := t.find(id, caller)
	return ok
}

// onAfterCallTool notes whose a new task is. The client learns its id only
// afterwards, so nobody can ask for it before.
func (g *Guard) onAfterCallTool(ctx context.Context, id any, request *mcp.CallToolRequest, result any) {
	created, ok := result.(*mcp.CreateTaskResult)
	if !ok {
		return
	}
	a, ok := g.asks(ctx, id)
	if !ok || a.principal == nil {
		return
	}
	rules, known := a.rulesOf(request.Params.Name)
	if !known {
		rules = ruleSet{}
		rules.add(scopes.Authenticated()) // what remains known is whose it is
	}
	g.tasks.add(created.Task.TaskId, a.caller, rules)
}

// gateTask decides on tasks/get, tasks/result and tasks/cancel. Another caller's
// task answers as one that does not exist.
func (g *Guard) gateTask(ctx context.Context, a asked, method mcp.MCPMethod, id *string) {
	what := access{method: method, request: a.request}
	o, ok := g.tasks.find(*id, a.caller)
	if !ok {
		g.record(ctx, a, what, scopes.Decision{Reason: claims.OwnerMismatch}, nil)
		*id = ""
		a.settle()
		return
	}
	decision := g.decide(a.principal, nil, &o.rules)
	g.record(ctx, a, what, decision, &o.rules)
	if !decision.Allowed {
		*id = ""
		a.deny(decision)
		return
	}
	a.settle()
}
