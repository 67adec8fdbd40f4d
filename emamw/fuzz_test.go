package emamw_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
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
	for _, seed := range []string{`{"id":1,"jsonrpc":"2.0","method":"tools/call","params":{"name":"write"}}`, `{"id":"a","jsonrpc":"2.0","method":"tools/call","params":{"arguments":{"a":[1,"x",null]},"name":"write"}}`} {
		f.Add(seed, false)
		f.Add(strings.Replace(seed, `"params":{`, `"params":{"_meta":`+modernMeta+`,`, 1), true)
	}
	b := newBench(f, stateless, before(furnish))
	callers := map[string][]string{b.token("unrelated"): {"open"}, b.token("files:write"): {"open", "write"}} // by token, what may run
	f.Fuzz(func(t *testing.T, body string, isModern bool) {
		b.t = t // one bench for all bodies, or making benches is all that is done
		options := []requestOption{header("Mcp-Protocol-Version", legacy)}
		if isModern {
			options = []requestOption{header("Mcp-Protocol-Version", modern), header("Mcp-Method", "tools/call"), header("Mcp-Name", "write")}
		}
		for token, allowed := range callers {
			b.forget()
			a := b.post(token, body, options...)
			for _, name := range b.whatRan() {
				if !slices.Contains(allowed, name) {
					t.Fatalf("%s ran without its scope: %q answered %d %s", name, body, a.Code, a.body)
				}
			}
			if a.Code >= 500 {
				t.Fatalf("%q answered %d %s", body, a.Code, a.body)
			}
			if !isPlainCall(body, isModern) {
				continue
			}
			status, runs := http.StatusForbidden, 0
			if slices.Contains(allowed, "write") {
				status, runs = http.StatusOK, 1
			}
			if a.Code != status || b.runs("write") != runs {
				t.Fatalf("a plain call ran %d times, want %d: %q answered %d %s", b.runs("write"), runs, body, a.Code, a.body)
			}
		}
	})
}

// modernMeta is what a modern request says of itself.
var modernMeta = fmt.Sprintf(`{%q:{},%q:{"name":"c","version":"1"},%q:%q}`, mcp.MetaKeyClientCapabilities, mcp.MetaKeyClientInfo, mcp.MetaKeyProtocolVersion, modern)

var plainID = regexp.MustCompile(`^(-?[1-9][0-9]{0,14}|"[a-z0-9]*")$`)

// isPlainCall recognizes a call of write that no reader could take for anything
// else: it reads as one, and is written just as it reads.
func isPlainCall(body string, isModern bool) bool {
	var plain struct {
		ID      json.RawMessage `json:"id"`
		JSONRPC string          `json:"jsonrpc"`
		Method  string          `json:"method"`
		Params  struct {
			Meta      json.RawMessage `json:"_meta,omitempty"`
			Arguments map[string]any  `json:"arguments,omitempty"`
			Name      string          `json:"name"`
		} `json:"params"`
	}
	var compact bytes.Buffer
	if json.Unmarshal([]byte(body), &plain) != nil || json.Compact(&compact, []byte(body)) != nil {
		return false
	}
	written, err := json.Marshal(plain)
	if err != nil || string(written) != compact.String() || !plainID.Match(plain.ID) || plain.JSONRPC != "2.0" || plain.Method != "tools/call" || plain.Params.Name != "write" {
		return false
	}
	if isModern {
		return string(plain.Params.Meta) == modernMeta
	}
	return plain.Params.Meta == nil
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
