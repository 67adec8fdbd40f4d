package emamw_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/emamw"
)

// around puts a handler between the guard and the transport.
func around(do func(w http.ResponseWriter, r *http.Request, transport http.Handler)) benchOption {
	return transported(func(s *server.MCPServer) http.Handler {
		transport := server.NewStreamableHTTPServer(s, server.WithStateLess(true))
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { do(w, r, transport) })
	})
}

// events is a client's connection that notes what is done to it.
type events struct {
	header http.Header
	log    []string
	body   bytes.Buffer
}

func (e *events) Header() http.Header { return e.header }
func (e *events) Flush()              { e.log = append(e.log, "flush") }
func (e *events) WriteHeader(status int) {
	e.log = append(e.log, http.StatusText(status))
}

func (e *events) Write(p []byte) (int, error) {
	e.log = append(e.log, "write")
	return e.body.Write(p)
}

// unflushable is a connection behind a middleware that cannot flush.
type unflushable struct{ http.ResponseWriter }

// plain is an answer of a transport that asks the gate nothing.
func plain(status int) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte("text"))
	}
}

// What a transport writes in which order, and what the client sees of it.
func TestWriter(t *testing.T) {
	flush := func(w http.ResponseWriter) { w.(http.Flusher).Flush() }
	call := message("tools/call", call("open"))
	tests := []struct {
		name   string
		method string
		do     func(w http.ResponseWriter, r *http.Request, transport http.Handler)
		want   string
	}{
		{"informational answers go before", http.MethodPost, func(w http.ResponseWriter, r *http.Request, transport http.Handler) {
			w.WriteHeader(http.StatusProcessing)
			w.WriteHeader(http.StatusEarlyHints)
			transport.ServeHTTP(w, r)
		}, "Processing, Early Hints, OK, write"},
		{"a second status is ignored", http.MethodPost, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.WriteHeader(http.StatusTeapot)
			w.WriteHeader(http.StatusOK)
			_, _ = w.Write([]byte("text"))
		}, "I'm a teapot, write"},
		{"a second status, while the first is held", http.MethodPost, func(w http.ResponseWriter, r *http.Request, transport http.Handler) {
			w.WriteHeader(http.StatusOK)
			w.WriteHeader(http.StatusTeapot)
			transport.ServeHTTP(w, r)
		}, "OK, write"},
		{"a flush is kept until the answer goes out", http.MethodPost, func(w http.ResponseWriter, r *http.Request, transport http.Handler) {
			w.WriteHeader(http.StatusOK)
			flush(w)
			_, _ = w.Write([]byte("early "))
			flush(w)
			transport.ServeHTTP(w, r)
		}, "OK, write, flush, write"},
		{"a flush before any status", http.MethodGet, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			flush(w)
		}, "OK, flush"},
		{"a flush before any status, of an answer that is held", http.MethodPost, func(w http.ResponseWriter, r *http.Request, transport http.Handler) {
			flush(w)
			transport.ServeHTTP(w, r)
		}, "OK, flush, write"},
		{"a GET is not held", http.MethodGet, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			_, _ = w.Write([]byte("text"))
			flush(w)
			_, _ = w.Write([]byte("text"))
		}, "OK, write, flush, write"},
		{"an error is not held", http.MethodPost, plain(http.StatusNotFound), "Not Found, write"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, before(openTool), around(tt.do))
			e := &events{header: http.Header{}}
			b.handler.ServeHTTP(e, newRequest(tt.method, b.token(), call))
			if got := strings.Join(e.log, ", "); got != tt.want {
				t.Errorf("got %s, want %s: %s", got, tt.want, e.body.String())
			}
		})
	}
}

// Behind a writer that cannot flush, mcp-go must be told so: it asks by a type
// assertion. It answers all the same, only not in a stream.
func TestWriterThatCannotFlush(t *testing.T) {
	said := true
	b := newBench(t, before(furnish), around(func(w http.ResponseWriter, r *http.Request, transport http.Handler) {
		_, said = w.(http.Flusher)
		transport.ServeHTTP(w, r)
	}))
	ask := func(method, token string) answer {
		recorder := httptest.NewRecorder()
		b.handler.ServeHTTP(unflushable{recorder}, newRequest(method, token, message("tools/call", call("write"))))
		return answer{recorder, recorder.Body.String()}
	}
	b.wantAnswer(ask(http.MethodPost, b.token()), 403, challengeFor("files:write"))
	if a := ask(http.MethodPost, b.token("files:write")); a.Code != http.StatusOK || !strings.Contains(a.body, "ran write") {
		t.Errorf("%d %s", a.Code, a.body)
	}
	if said {
		t.Error("the writer claims that it can flush")
	}
	if a := ask(http.MethodGet, b.token()); a.Code < 400 {
		t.Errorf("a stream without flushing: %d", a.Code)
	}
}

// wrapped is a connection behind a middleware that leaves flushing to whoever
// unwraps it.
type wrapped struct{ unflushable }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// However a flush is asked for, it sends no status before the verdict, and no id
// of a session that is not sealed.
func TestFlushDoesNotForestallTheVerdict(t *testing.T) {
	for name, wrap := range map[string]func(http.ResponseWriter) http.ResponseWriter{
		"a writer that flushes":      func(w http.ResponseWriter) http.ResponseWriter { return w },
		"one that must be unwrapped": func(w http.ResponseWriter) http.ResponseWriter { return wrapped{unflushable{w}} },
	} {
		b := newBench(t, before(furnish), around(func(w http.ResponseWriter, r *http.Request, transport http.Handler) {
			w.Header().Set("Mcp-Session-Id", "secret")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			transport.ServeHTTP(w, r)
		}))
		for token, status := range map[string]int{b.token(): 403, b.token("files:write"): 200} {
			recorder := httptest.NewRecorder()
			b.handler.ServeHTTP(wrap(recorder), newRequest(http.MethodPost, token, message("tools/call", call("write"))))
			if got := recorder.Result().Header.Get("Mcp-Session-Id"); recorder.Code != status || got == "secret" || status == 200 && (!recorder.Flushed || got == "") {
				t.Errorf("%s: %d, want %d, session %q, flushed: %t", name, recorder.Code, status, got, recorder.Flushed)
			}
		}
	}
}

// A middleware inside the guard may have marked the answer as compressed, or as
// one to be kept. The guard's own answer is none of that.
func TestRefusalSaysNothingOfTheAnswerItReplaces(t *testing.T) {
	own := map[string]string{
		"Content-Type": "text/event-stream", "Content-Encoding": "gzip", "Etag": `"1"`, "Last-Modified": "Mon, 02 Jan 2006 15:04:05 GMT",
		"Cache-Control": "public, max-age=60", "Connection": "keep-alive", "Mcp-Session-Id": "secret",
	}
	want := map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store"}
	b := newBench(t, before(furnish), around(func(w http.ResponseWriter, r *http.Request, transport http.Handler) {
		for name, value := range own {
			w.Header().Set(name, value)
		}
		w.Header().Set("X-Own", "kept")
		w.WriteHeader(http.StatusOK)
		transport.ServeHTTP(w, r)
	}))
	unseen := newBench(t, around(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for name, value := range own {
			w.Header().Set(name, value)
		}
		w.Header().Set("X-Own", "kept")
		_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":1,"result":{}}`))
	}))
	for status, a := range map[int]answer{
		http.StatusForbidden:           b.post(b.token(), message("tools/call", call("write"))),
		http.StatusInternalServerError: unseen.post(unseen.token(), message("tools/call", call("write"))),
	} {
		if a.Code != status || a.Header().Get("X-Own") != "kept" {
			t.Errorf("%d %v, want %d", a.Code, a.Header(), status)
		}
		for name := range own {
			if got := a.Header().Get(name); got != want[name] {
				t.Errorf("%d: %s is %q, want %q", status, name, got, want[name])
			}
		}
	}
}

// No answer of the guard's own may be kept by a cache, which would hand it to
// others or for longer than it holds.
func TestRefusalsAreNotStored(t *testing.T) {
	b := newBench(t, stateless, before(furnish), with(func(c *emamw.Config) { c.MaxRequestBytes = 1000 }))
	for status, a := range map[int]answer{
		401: b.post("", "{}"),
		400: b.post("", "{}", header("Authorization", "Basic YTpi")),
		403: b.post(b.token(), message("tools/call", call("write"))),
		404: b.post(b.token(), "{}", header("Mcp-Session-Id", "none")),
		413: b.post(b.token(), strings.Repeat(" ", 2000)),
	} {
		if a.Code != status || a.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%d %v, want %d and no-store", a.Code, a.Header(), status)
		}
	}
}

// mcp-go's goroutines write on after a transport returned, and after it
// panicked. By then the connection may be another request's: nothing goes there.
func TestWritesAfterTheEnd(t *testing.T) {
	for _, panics := range []bool{false, true} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			var kept http.ResponseWriter
			b := newBench(t, around(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
				kept = w
				if panics {
					panic("of the transport")
				}
			}))
			e := &events{header: http.Header{}}
			func() {
				defer func() {
					if got := recover(); (got != nil) != panics {
						t.Errorf("%s: the guard changes a panic to %v", method, got)
					}
				}()
				b.handler.ServeHTTP(e, newRequest(method, b.token(), message("ping", nil)))
			}()
			e.log = nil
			kept.WriteHeader(http.StatusTeapot)
			kept.WriteHeader(http.StatusProcessing)
			_, err := kept.Write([]byte("late"))
			kept.(http.Flusher).Flush()
			if err == nil || len(e.log) > 0 || e.body.Len() > 0 {
				t.Errorf("%s, panics=%t: after the end: %q %q, error %v", method, panics, e.log, e.body.String(), err)
			}
		}
	}
}

// A 202 says that a message was taken, and not that it was allowed: legacy SSE
// decides later, on its stream. It goes out also where a refusal came quickly.
func TestAcceptedAndThenDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, before(furnish), around(func(w http.ResponseWriter, r *http.Request, transport http.Handler) {
			inner := httptest.NewRecorder()
			transport.ServeHTTP(inner, r) // the decision comes first
			w.WriteHeader(http.StatusAccepted)
			_, _ = w.Write([]byte("secret"))
		}))
		a := b.post(b.token(), message("tools/call", call("write")))
		if a.Code != http.StatusAccepted || a.body != "" || b.runs("write") != 0 {
			t.Errorf("%d %q, ran %d times", a.Code, a.body, b.runs("write"))
		}
	})
}

// A denied message may end in an error of mcp-go's. The client gets the refusal
// alone, whatever was written, and no informational answer after it.
func TestNothingOfADeniedAnswerGoesOut(t *testing.T) {
	for _, status := range []int{200, 400, 500} {
		b := newBench(t, before(furnish), around(func(w http.ResponseWriter, r *http.Request, transport http.Handler) {
			transport.ServeHTTP(httptest.NewRecorder(), r)
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(status)
			w.(http.Flusher).Flush()
			_, _ = w.Write([]byte("secret"))
		}))
		e := &events{header: http.Header{}}
		b.handler.ServeHTTP(e, newRequest(http.MethodPost, b.token(), message("tools/call", call("write"))))
		if got := strings.Join(e.log, ", "); got != "Forbidden, write" || strings.Contains(e.body.String(), "secret") {
			t.Errorf("%d: %s: %q", status, got, e.body.String())
		}
	}
}

// broken is a connection that the client has closed.
type broken struct{ events }

var errBroken = errors.New("broken pipe")

func (*broken) Write([]byte) (int, error) { return 0, errBroken }

// A write to a client that left fails, so that a stream can end.
func TestWriteToAClientThatLeft(t *testing.T) {
	var got error
	b := newBench(t, around(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { _, got = w.Write([]byte("text")) }))
	b.handler.ServeHTTP(&broken{events{header: http.Header{}}}, newRequest(http.MethodGet, b.token(), ""))
	if !errors.Is(got, errBroken) {
		t.Errorf("got %v", got)
	}
}

// What outlives its answer ends with the request: whoever waits for its context
// must not wait for the token to expire.
func TestContextEndsWithTheRequest(t *testing.T) {
	for _, o := range openers {
		var inner context.Context
		b := newBench(t, around(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) { inner = r.Context() }))
		b.do(o.request(b.token(), t.Context()))
		if inner.Err() == nil {
			t.Errorf("%s: the context of a request that is over goes on", o.name)
		}
	}
}

// An answer that the gate did not see is let out only as mcp-go's refusal of a
// message that it could not read. One that has a result beside is none.
func TestUnseenAnswerWithAResult(t *testing.T) {
	for body, status := range map[string]int{
		`{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"own"}}`:                         http.StatusBadRequest,
		`{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"own"},"result":{"a":"secret"}}`: http.StatusInternalServerError,
		`{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"secret"}}`:                      http.StatusInternalServerError,
		`secret`: http.StatusInternalServerError,
	} {
		b := newBench(t, around(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { _, _ = w.Write([]byte(body)) }))
		if a := b.post(b.token(), message("ping", nil)); a.Code != status || strings.Contains(a.body, "secret") {
			t.Errorf("%s: %d %s, want %d", body, a.Code, a.body, status)
		}
	}
}

// An answer that mcp-go gave before the gate was asked waits for nothing more: what is
// put around the transport may go on for long after it was written.
func TestErrorsDoNotWaitForTheTransport(t *testing.T) {
	var client *httptest.ResponseRecorder
	early := ""
	b := newBench(t, before(furnish), around(func(w http.ResponseWriter, r *http.Request, transport http.Handler) {
		transport.ServeHTTP(w, r)
		early = client.Body.String()
	}))
	for name, body := range map[string]string{
		"an unknown tool":          message("tools/call", call("none")),
		"an unknown prompt":        message("prompts/get", map[string]any{"name": "none"}),
		"parameters that are none": `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}`,
	} {
		client = httptest.NewRecorder()
		b.handler.ServeHTTP(client, newRequest(http.MethodPost, b.token(), body))
		if early == "" || early != client.Body.String() {
			t.Errorf("%s: of %q the client had %q when the transport was done", name, client.Body, early)
		}
	}
}
