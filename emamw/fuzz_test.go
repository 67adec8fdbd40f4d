package emamw_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/emamw/mcp-ema/scopes"
)

// FuzzBodies sends arbitrary bytes as the body, in both eras and by two callers,
// and fails when anything runs whose rule does not hold for the caller, or when
// a permitted call that is well formed does not run.
func FuzzBodies(f *testing.F) {
	for _, body := range smuggled {
		f.Add(strings.ReplaceAll(body, "%s", ""), false)
	}
	for _, d := range doors {
		f.Add(message(d.method, d.params), false)
	}
	for _, seed := range []string{``, `{}`, `[]`, `null`, `{"jsonrpc":"2.0"}`, `{"jsonrpc":"2.0","id":1}`, message("initialize", nil), message("tasks/list", nil), `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, body string, isModern bool) {
		b := newBench(t, stateless, before(furnish))
		options := []requestOption{header("Mcp-Protocol-Version", legacy)}
		if isModern {
			options = []requestOption{header("Mcp-Protocol-Version", modern), header("Mcp-Method", "tools/call"), header("Mcp-Name", "write")}
		}
		a := b.post(b.token("unrelated"), body, options...)
		for _, name := range []string{"write", "both", "purge", "unruled", "report", "ask", "file:///fixed", "file:///bare", "complete ask"} {
			if b.runs(name) != 0 {
				t.Fatalf("%s ran without its scope: %q answered %d %s", name, body, a.Code, a.body)
			}
		}
		if a.Code >= 500 {
			t.Fatalf("%q answered %d %s", body, a.Code, a.body)
		}
		before := b.runs("write")
		a = b.post(b.token("files:write"), body, options...)
		if !isModern && isPlainCall(body) && (a.Code != http.StatusOK || b.runs("write") != before+1) {
			t.Fatalf("a permitted call did not run: %q answered %d %s", body, a.Code, a.body)
		}
	})
}

// isPlainCall recognizes a call of write that no reader could take for
// anything else.
func isPlainCall(body string) bool {
	var plain struct {
		JSONRPC string `json:"jsonrpc"`
		ID      int    `json:"id"`
		Method  string `json:"method"`
		Params  struct {
			Name string `json:"name"`
		} `json:"params"`
	}
	if json.Unmarshal([]byte(body), &plain) != nil || plain.ID == 0 || plain.Params.Name != "write" || plain.JSONRPC != "2.0" || plain.Method != "tools/call" {
		return false
	}
	return body == message("tools/call", map[string]any{"name": "write"}) || body == message("tools/call", call("write"))
}

// Many callers at once, some allowed and some not, in all the ways there are:
// no verdict crosses over, and no goroutine is left, or the bubble would not end.
func TestConcurrentVerdicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, stateless, before(furnish))
		var wrong atomic.Int64
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				e, d := eras[i%2], doors[i%len(doors)]
				if d.ask == "" || d.legacy {
					d = doors[0]
				}
				if i%3 == 0 {
					if a := e.send(b, b.token(strings.Fields(d.scopes)...), d.method, d.params); a.Code != http.StatusOK || strings.Contains(a.body, `"error"`) {
						wrong.Add(1)
					}
					return
				}
				if a := e.send(b, b.token("unrelated"), d.method, d.params); a.Code != http.StatusForbidden || a.Header().Get("WWW-Authenticate") != challengeFor(d.ask) {
					wrong.Add(1)
				}
			})
		}
		wg.Wait()
		if n := wrong.Load(); n != 0 {
			t.Errorf("%d of 1000 verdicts were wrong", n)
		}
	})
}

// Denied calls with a queue of notifications, from many callers at once.
func TestConcurrentDenialsWithNotifications(t *testing.T) {
	b := newBench(t, stateless, before(func(b *bench) {
		b.mcp.AddTool(mcp.NewTool("chatty", scopes.Require("chat")), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			b.mcp.SendNotificationToAllClients("notifications/own", nil)
			return mcp.NewToolResultText("done"), nil
		})
	}))
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			token, status := b.token("chat"), http.StatusOK
			if i%2 == 0 {
				token, status = b.token(), http.StatusForbidden
			}
			if a := b.post(token, message("tools/call", call("chatty"))); a.Code != status {
				t.Errorf("%d, want %d", a.Code, status)
			}
		})
	}
	wg.Wait()
}
