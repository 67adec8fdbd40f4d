package emamw_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/scopes"
)

// confirmTool asks its caller before it goes on.
func confirmTool(b *bench) {
	b.mcp.AddTool(mcp.NewTool("confirm", scopes.Where(scopes.Authenticated())), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		result, err := server.ServerFromContext(ctx).RequestElicitation(ctx, mcp.ElicitationRequest{Params: mcp.ElicitationParams{
			Message: "delete everything?", RequestedSchema: map[string]any{"type": "object", "properties": map[string]any{}},
		}})
		if err != nil {
			return nil, err
		}
		return mcp.NewToolResultText("the answer was " + string(result.Action)), nil
	})
}

// A server asks its caller by a request of its own, and the answer comes by a
// POST that names no more than the number of that request. An attacker would count
// up, and confirm in another's name. Who knows a session's id can do that bare;
// behind the guard only the caller's own answer arrives, with a session or without.
func TestAnswersComeFromWhoWasAsked(t *testing.T) {
	modes := []struct {
		name    string
		option  benchOption
		guarded bool
	}{{"bare", stateful, false}, {"stateful", stateful, true}, {"stateless", stateless, true}}
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, mode.option, before(confirmTool))
				if !mode.guarded {
					b.handler = server.NewStreamableHTTPServer(b.mcpOpen("confirm"), server.WithStateful(true))
				}
				session, own := b.session(b.token()), b.session(b.tokenOf("mallory"))
				ctx, cancel := context.WithCancel(t.Context())
				alice := openStream(b.handler, newRequest(http.MethodPost, b.token(), message("tools/call", call("confirm")), header("Mcp-Session-Id", session), within(ctx)))
				synctest.Wait()
				if !strings.Contains(alice.String(), "delete everything?") {
					t.Fatalf("alice was not asked: %q", alice.String())
				}
				accept := `{"jsonrpc":"2.0","id":1,"result":{"action":"accept","content":{}}}`
				for _, used := range [][]string{{session}, {own}, nil, {""}, {"emamw-guessed"}, {own, session}} {
					b.post(b.tokenOf("mallory"), accept, header("Mcp-Session-Id", used...))
				}
				synctest.Wait()
				if answered := strings.Contains(alice.String(), "the answer was accept"); answered == mode.guarded {
					t.Errorf("mallory answered: %t: %q", answered, alice.String())
				}
				decline := strings.Replace(accept, "accept", "decline", 1)
				b.post(b.token("more"), decline, header("Mcp-Session-Id", session))
				synctest.Wait()
				if mode.guarded && !strings.Contains(alice.String(), "the answer was decline") {
					t.Errorf("her own answer did not arrive: %q", alice.String())
				}
				cancel()
				for user, session := range map[string]string{"alice": session, "mallory": own} {
					b.do(newRequest(http.MethodDelete, b.tokenOf(user), "", header("Mcp-Session-Id", session)))
				}
				synctest.Wait()
			})
		})
	}
}
