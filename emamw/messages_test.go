package emamw_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
)

// A message that only looks like a call is one that mcp-go runs without asking
// the gate: a notification with its name, or a response. Without the base scopes
// it is refused before, also where there are no sessions that would stop it.
func TestLookalikesNeedTheBaseScopes(t *testing.T) {
	ran := 0
	b := newBench(t, stateless, before(furnish), with(func(c *emamw.Config) { c.BaseScopes = []string{"base"} }))
	for _, method := range []mcp.MCPMethod{mcp.MethodToolsCall, mcp.MethodPromptsGet, mcp.MethodResourcesRead, mcp.MethodCompletionComplete} {
		b.mcp.AddNotificationHandler(string(method), func(context.Context, mcp.JSONRPCNotification) { ran++ })
		for name, body := range map[string]string{
			"notification":     `{"jsonrpc":"2.0","method":"` + string(method) + `","params":{}}`,
			"null id":          `{"jsonrpc":"2.0","id":null,"method":"` + string(method) + `","params":{}}`,
			"response":         `{"jsonrpc":"2.0","id":1,"method":"` + string(method) + `","result":{"a":1}}`,
			"response to 'id'": `{"jsonrpc":"2.0","id":"id","METHOD":"` + string(method) + `","Result":{}}`,
		} {
			b.wantAnswer(b.post(b.token(), body), 403, challengeFor("base"))
			if ran != 0 {
				t.Fatalf("%s as %s had an effect", method, name)
			}
		}
		b.post(b.token("base"), `{"jsonrpc":"2.0","method":"`+string(method)+`","params":{}}`)
		if ran != 1 {
			t.Errorf("%s with the base scope ran %d times: the test proves nothing", method, ran)
		}
		ran = 0
	}
}

// A modern cancellation is taken in and dropped. A request of that name is no
// cancellation, and its sender waits for an answer.
func TestRequestNamedLikeACancellation(t *testing.T) {
	b := newBench(t, stateless)
	if a := b.post(b.token(), `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, header("Mcp-Protocol-Version", modern)); a.Code != http.StatusAccepted || a.body != "" {
		t.Errorf("a cancellation: %d %q", a.Code, a.body)
	}
	if a := eras[1].send(b, b.token(), "notifications/cancelled", map[string]any{"requestId": 1}); a.Code == http.StatusAccepted || !strings.Contains(a.body, `"error"`) {
		t.Errorf("a request: %d %q", a.Code, a.body)
	}
}

// Of the notifications only a modern cancellation is dropped: the server's own
// handlers see all others.
//
// One that only speaks of a cancellation is none.
func TestNotificationsArrive(t *testing.T) {
	seen := map[string]int{}
	b := newBench(t, stateless)
	for _, method := range []string{"notifications/own", "notifications/cancelled"} {
		b.mcp.AddNotificationHandler(method, func(_ context.Context, n mcp.JSONRPCNotification) { seen[n.Method]++ })
	}
	for _, version := range []string{legacy, modern} {
		for _, method := range []string{"notifications/own", "notifications/cancelled"} {
			body := `{"jsonrpc":"2.0","method":"` + method + `","params":{"requestId":1,"why":"cancelled","_meta":{"` + mcp.MetaKeyProtocolVersion + `":"` + version + `","` + mcp.MetaKeyClientInfo + `":{"name":"c","version":"1"},"` + mcp.MetaKeyClientCapabilities + `":{}}}}`
			a := b.post(b.token(), body, header("Mcp-Protocol-Version", version), header("Mcp-Method", method))
			if a.Code != http.StatusAccepted {
				t.Errorf("%s, %s: %d %s", method, version, a.Code, a.body)
			}
		}
	}
	if seen["notifications/own"] != 2 || seen["notifications/cancelled"] > 1 {
		t.Errorf("the handlers saw %v", seen)
	}
}

// A listen request that its headers do not announce has nothing to end it. It is
// refused in either era, whatever it asks for.
func TestListenThatIsNotAnnounced(t *testing.T) {
	b := newBench(t, stateless, before(furnish))
	for name, version := range map[string][]string{"none": nil, "legacy": {legacy}, "modern": {modern}} {
		r := listenRequest(b.token("fixed"), map[string]any{"resourceSubscriptions": []string{"file:///fixed"}})
		r.Header.Del("Mcp-Method")
		r.Header["Mcp-Protocol-Version"] = version
		ctx, cancel := context.WithCancel(r.Context())
		ended := make(chan answer, 1)
		go func() { ended <- b.do(r.WithContext(ctx)) }()
		a := <-ended // one that was let in would end no sooner than this test
		cancel()
		if _, open := a.Header()["Content-Type"]; !open || strings.Contains(a.Header().Get("Content-Type"), "event-stream") || strings.Contains(a.body, "file:///fixed") {
			t.Errorf("%s: %d %v %s", name, a.Code, a.Header(), a.body)
		}
	}
}

// A reference of completion/complete that is of no known kind names nothing.
func TestCompletionOfAnUnknownKind(t *testing.T) {
	b := newBench(t, stateless, before(furnish))
	for _, ref := range []any{nil, "ref/prompt", map[string]any{"type": "ref/own", "name": "ask"}, map[string]any{"name": "ask"}} {
		params := completion("ref/prompt", "name", "ask")
		params["ref"] = ref
		if a := b.post(b.token(), message("completion/complete", params)); !strings.Contains(a.body, `"error"`) || b.runs("complete ask") != 0 {
			t.Errorf("%v: %d %s", ref, a.Code, a.body)
		}
	}
}

// A transport of the program's own may hand messages over without their headers, so
// that mcp-go compares nothing. A listen request that no header announces is refused
// there too, at once and whatever scopes its caller has: nothing would end it with the
// token. Who lacks the base scopes does not get as far.
func TestListenWithoutHeadersOnOwnTransport(t *testing.T) {
	for challenge, base := range map[string][]string{"": nil, challengeFor("base"): {"base"}} {
		synctest.Test(t, func(t *testing.T) { listenUnannounced(t, base, challenge) })
	}
}

// listenUnannounced asks with the scope of the resource, and without the base scopes.
func listenUnannounced(t *testing.T, base []string, challenge string) {
	b := newBench(t, before(furnish), with(func(c *emamw.Config) { c.BaseScopes = base }), transported(func(s *server.MCPServer) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			answer, _ := json.Marshal(s.HandleMessage(s.WithContext(r.Context(), listener{&desk{}}), body))
			_, _ = w.Write(answer)
		})
	}))
	ctx, cancel := context.WithCancel(t.Context())
	r := listenRequest(b.token("fixed"), map[string]any{"resourceSubscriptions": []string{"file:///fixed"}}, within(ctx))
	r.Header.Del("Mcp-Method")
	ended := make(chan answer, 1)
	go func() { ended <- b.do(r) }()
	synctest.Wait()
	select {
	case a := <-ended:
		b.wantAnswer(a, 403, challenge)
	default:
		t.Error("it was let in, and waits for its client to leave")
	}
	cancel()
	synctest.Wait()
}

// listener is a session that takes notifications.
type listener struct{ *desk }

func (listener) NotificationChannel() chan<- mcp.JSONRPCNotification {
	return make(chan mcp.JSONRPCNotification, 10)
}

// failing is a body whose connection breaks.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
func (failing) Close() error             { return nil }

// A request whose body cannot be read is the client's, in either era.
func TestBodyThatBreaks(t *testing.T) {
	b := newBench(t, stateless, before(furnish))
	for _, version := range []string{legacy, modern} {
		r := newRequest(http.MethodPost, b.token(), "", header("Mcp-Protocol-Version", version))
		r.Body = failing{}
		if a := b.do(r); a.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", version, a.Code, a.body)
		}
	}
}

// What was read before a body broke, or grew too large, is not its message, even
// where it would be one: nothing of it runs, in either era.
func TestBeginningOfABodyIsNoMessage(t *testing.T) {
	b := newBench(t, stateless, before(furnish), with(func(c *emamw.Config) { c.MaxRequestBytes = 5000 }))
	for _, e := range eras {
		for name, tail := range map[string]io.Reader{
			"breaks": failing{}, "too large": strings.NewReader(strings.Repeat(" ", 10_000)),
		} {
			a := e.send(b, b.token(), "tools/call", call("open"), func(r *http.Request) {
				r.Body = io.NopCloser(io.MultiReader(r.Body, tail))
				r.ContentLength = -1
			})
			if a.Code < 400 || a.Code >= 500 || b.runs("open") != 0 {
				t.Errorf("%s, %s: %d %s, ran %d times", e.name, name, a.Code, a.body, b.runs("open"))
			}
		}
	}
}

// A mapping of the program's own that waits for a client who left has decided
// nothing.
func TestMappingThatIsCancelled(t *testing.T) {
	as := newIssuer(issuer)
	g := newGuard(t, func(c *emamw.Config) {
		c.AuthorizationServers[0].Claims = claims.Mapping{Func: func(ctx context.Context, _ *claims.Payload, _ *claims.Principal) error {
			return errors.Join(ctx.Err(), errors.New("secret"))
		}}
	}, as)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := g.Verify(ctx, as.Mint(emamwtest.Token{}))
	if reason := reasonOf(t, err); !reason.Undecided() || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}
