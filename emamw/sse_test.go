package emamw_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/emamw"
)

// On legacy SSE nothing cancels the context of a message, so a listen request
// would be served until the process ends: an attacker would leave thousands. It
// is refused. A goroutine that stayed behind would keep this bubble from ending.
func TestListenIsRefusedOnLegacySSE(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sse, before(furnish))
		ctx, cancel := context.WithCancel(t.Context())
		_, path := b.sseSession(ctx, b.token())
		for name, change := range map[string]func(*http.Request){
			"as announced":    func(*http.Request) {},
			"not announced":   func(r *http.Request) { r.Header.Del("Mcp-Method") },
			"without version": func(r *http.Request) { r.Header.Del("Mcp-Protocol-Version") },
			// mcp-go reads the first JSON value here, and no further.
			"and a brace": func(r *http.Request) { r.Body = io.NopCloser(io.MultiReader(r.Body, strings.NewReader("{"))) },
			"and other message": func(r *http.Request) {
				r.Body = io.NopCloser(io.MultiReader(r.Body, strings.NewReader(message("ping", nil))))
			},
		} {
			r := listenRequest(b.token(), map[string]any{"toolsListChanged": true})
			r.URL.Path, r.URL.RawQuery, _ = strings.Cut(path, "?")
			change(r)
			if a := b.do(r); a.Code != http.StatusBadRequest {
				t.Errorf("%s: %d %s, want 400", name, a.Code, a.body)
			}
		}
		cancel()
		synctest.Wait()
	})
}

// Where the name cannot be put back into mcp-go's answer, a hidden resource and
// one that does not exist still answer with the same words.
func TestHiddenIsUnknownOnLegacySSE(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sse, before(furnish), with(func(c *emamw.Config) { c.HideDenied = true }))
		ctx, cancel := context.WithCancel(t.Context())
		stream, path := b.sseSession(ctx, b.token())
		ask := func(method, name string) string {
			was := len(stream.String())
			b.postTo(path, b.token(), message(method, uri(name)))
			synctest.Wait()
			return stream.String()[was:]
		}
		for _, method := range []string{"resources/read", "resources/subscribe"} {
			for hidden, missing := range map[string]string{"file:///fixed": "file:///fix!d", "file:///a.txt": "file:///a!txt"} {
				got, want := ask(method, hidden), ask(method, missing)
				if got == "" || strings.ReplaceAll(got, hidden, missing) != want {
					t.Errorf("%s: hidden %q, unknown %q", method, got, want)
				}
			}
		}
		cancel()
		synctest.Wait()
	})
}

// A server may make its own ids for SSE sessions. One that it takes from a
// header is the caller's to choose, and still good for its caller only.
func TestChosenSessionIDsOnLegacySSE(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, before(furnish), transported(func(s *server.MCPServer) http.Handler {
			return server.NewSSEServer(s, server.WithSessionIDGenerator(func(_ context.Context, r *http.Request) (string, error) {
				return "own-" + r.Header.Get("X-Desk"), nil
			}))
		}))
		ctx, cancel := context.WithCancel(t.Context())
		stream, path := b.sseSession(ctx, b.token())
		if !strings.HasSuffix(path, "sessionId=own-") {
			t.Fatalf("no endpoint in %q", stream.String())
		}
		for user, status := range map[string]int{"alice": 202, "mallory": 404} {
			if a := b.postTo(path, b.tokenOf(user), message("ping", nil)); a.Code != status {
				t.Errorf("%s: %d, want %d", user, a.Code, status)
			}
		}
		// mcp-go reads the first of two, so the second may not decide.
		if a := b.postTo(path+"&sessionId=none", b.tokenOf("mallory"), message("ping", nil)); a.Code != http.StatusNotFound {
			t.Errorf("mallory, with a second id: %d, want 404", a.Code)
		}
		cancel()
		synctest.Wait()
	})
}
