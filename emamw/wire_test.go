package emamw_test

import (
	"bufio"
	"context"
	"io"
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

// wires are the connections that a server has with its clients.
var wires = map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true}

// overWire serves the bench's handler on loopback. Its client sends a request to
// it in place of the resource's own host.
func (b *bench) overWire(t *testing.T, http2 bool) (ts *httptest.Server, send func(*http.Request) *http.Response) {
	t.Helper()
	ts = httptest.NewUnstartedServer(b.handler)
	ts.EnableHTTP2 = http2
	if ts.StartTLS(); !http2 {
		ts.Client().Transport.(*http.Transport).ForceAttemptHTTP2 = false
	}
	t.Cleanup(ts.Close)
	return ts, func(r *http.Request) *http.Response {
		t.Helper()
		out, err := http.NewRequestWithContext(r.Context(), r.Method, ts.URL+"/mcp", r.Body)
		if err != nil {
			t.Fatal(err)
		}
		out.Header = r.Header
		resp, err := ts.Client().Do(out)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
}

// What a transport may do with a connection it can do behind the guard as well:
// stream, set deadlines, learn that the client left.
func TestOverEveryWire(t *testing.T) {
	for proto, http2 := range wires {
		t.Run(proto, func(t *testing.T) {
			left := make(chan struct{})
			deadlines := make(chan error, 2)
			b := newBench(t, before(func(b *bench) {
				b.mcp.AddTool(mcp.NewTool("wait", scopes.Require("wait")), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
					_ = server.ServerFromContext(ctx).SendNotificationToClient(ctx, "notifications/own", nil)
					<-ctx.Done()
					close(left)
					return mcp.NewToolResultText("done"), nil
				})
			}), around(func(w http.ResponseWriter, r *http.Request, transport http.Handler) {
				control := http.NewResponseController(w)
				deadlines <- control.SetWriteDeadline(time.Now().Add(time.Hour))
				deadlines <- control.SetReadDeadline(time.Now().Add(time.Hour))
				transport.ServeHTTP(w, r)
			}))
			_, send := b.overWire(t, http2)
			ask := message("tools/call", call("wait"))

			resp := send(newRequest(http.MethodPost, b.token(), ask))
			if resp.Proto != proto || resp.StatusCode != http.StatusForbidden || resp.Header.Get("WWW-Authenticate") != challengeFor("wait") {
				t.Errorf("denied: %s %d %v", resp.Proto, resp.StatusCode, resp.Header)
			}
			for range 2 {
				if err := <-deadlines; err != nil {
					t.Errorf("a deadline: %v", err)
				}
			}

			ctx, leave := context.WithCancel(t.Context())
			resp = send(newRequest(http.MethodPost, b.token("wait"), ask, within(ctx)))
			line, err := bufio.NewReader(resp.Body).ReadString('}') // arrives while the tool still runs
			if err != nil || !strings.Contains(line, "notifications/own") {
				t.Errorf("streamed %q %v", line, err)
			}
			leave()
			<-left
		})
	}
}

// Shutdown of mcp-go's transport ends the streams that it serves behind the guard.
func TestShutdown(t *testing.T) {
	for proto, http2 := range wires {
		t.Run(proto, func(t *testing.T) {
			var transport *server.StreamableHTTPServer
			b := newBench(t, transported(func(s *server.MCPServer) http.Handler {
				transport = server.NewStreamableHTTPServer(s, server.WithStateful(true))
				return transport
			}))
			ts, send := b.overWire(t, http2)
			session := b.session(b.token())
			resp := send(newRequest(http.MethodGet, b.token(), "", header("Mcp-Session-Id", session)))
			if resp.StatusCode != http.StatusOK {
				t.Fatalf("no stream: %d", resp.StatusCode)
			}
			if err := transport.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := io.ReadAll(resp.Body); err != nil {
				t.Errorf("the stream broke: %v", err)
			}
			if err := ts.Config.Shutdown(t.Context()); err != nil {
				t.Errorf("a request is left: %v", err)
			}
		})
	}
}

// Heartbeats of the transport reach the client, whose answers are taken.
func TestHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, transported(func(s *server.MCPServer) http.Handler {
			return server.NewStreamableHTTPServer(s, server.WithStateful(true), server.WithHeartbeatInterval(time.Second))
		}))
		session := b.session(b.token())
		ctx, cancel := context.WithCancel(t.Context())
		stream := openStream(b.handler, newRequest(http.MethodGet, b.token(), "", header("Mcp-Session-Id", session), within(ctx)))
		time.Sleep(3500 * time.Millisecond)
		if beats := strings.Count(stream.String(), `"method":"ping"`); beats != 3 {
			t.Errorf("%d heartbeats in 3.5 seconds: %q", beats, stream.String())
		}
		if a := b.post(b.token(), `{"jsonrpc":"2.0","id":1,"result":{}}`, header("Mcp-Session-Id", session)); a.Code >= 500 {
			t.Errorf("its answer: %d %s", a.Code, a.body)
		}
		cancel()
		synctest.Wait()
	})
}
