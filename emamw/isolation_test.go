package emamw_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/scopes"
)

// sessionTool adds a tool that answers with the id of the session it runs in.
func sessionTool(b *bench) {
	b.mcp.AddTool(mcp.NewTool("session", scopes.Where(scopes.Authenticated())), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText("[" + server.ClientSessionFromContext(ctx).SessionID() + "]"), nil
	})
}

// inSession returns the id of the session that a request runs in, or its status.
func (b *bench) inSession(token string, options ...requestOption) string {
	a := b.post(token, message("tools/call", call("session")), options...)
	_, id, _ := strings.Cut(a.body, "[{")
	_, id, _ = strings.Cut(id, "[")
	id, _, _ = strings.Cut(id, "]")
	if a.Code != http.StatusOK {
		return fmt.Sprint(a.Code)
	}
	return id
}

// The id that a caller without a session gets is a keyed hash that handlers can
// see and log. It must seal nothing: an attacker who reads it there could write
// it as the seal of a session of their choosing.
func TestIsolatedIDIsNoSeal(t *testing.T) {
	b := newBench(t, stateless, before(sessionTool))
	id := b.inSession(b.token())
	hash, ok := strings.CutPrefix(id, "emamw-")
	if !ok || hash == "" {
		t.Fatalf("the session is %q", id)
	}
	for _, forged := range []string{id, "emamw-." + hash, "." + hash, "emamw." + hash, id + "." + hash} {
		if got := b.inSession(b.token(), header("Mcp-Session-Id", forged)); got != "404" {
			t.Errorf("%q is accepted as session %q", forged, got)
		}
	}
	if again := b.inSession(b.token("more")); again != id {
		t.Errorf("another token of the same caller: %q, want %q", again, id)
	}
	if other := b.inSession(b.tokenOf("mallory")); other == id || !strings.HasPrefix(other, "emamw-") {
		t.Errorf("another caller: %q", other)
	}
	if empty := b.inSession(b.token(), header("Mcp-Session-Id", "")); empty != id {
		t.Errorf("an empty header: %q, want %q", empty, id)
	}
}

// One caller, with one token, in two sessions at once: what is remembered of the
// one must not be taken for the other.
func TestTwoSessionsOfOneCaller(t *testing.T) {
	b := newBench(t, stateful, before(sessionTool))
	token := b.token()
	sessions := []string{b.session(token), b.session(token), b.session(token)}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 60 {
				sealed := sessions[i%len(sessions)]
				bare, _, _ := strings.Cut(sealed, ".")
				if got := b.inSession(token, header("Mcp-Session-Id", sealed)); got != bare {
					t.Errorf("a request of %q ran in %q", bare, got)
				}
				if got := b.inSession(b.tokenOf("mallory"), header("Mcp-Session-Id", sealed)); got != "404" {
					t.Errorf("another caller: %q", got)
				}
			}
		})
	}
	wg.Wait()
}
