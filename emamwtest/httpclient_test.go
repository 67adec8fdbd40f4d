package emamwtest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emamw/mcp-ema/emamwtest"
)

const somewhere = "https://somewhere.example"

// client is one for which somewhere is h.
func client(h http.HandlerFunc) *http.Client {
	return emamwtest.HTTPClient(map[string]http.Handler{somewhere + "/ignored?path": h})
}

func newRequest(ctx context.Context, t *testing.T, method string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, somewhere+"/a%2Fb?c=d", body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHTTPClientRequest(t *testing.T) {
	closed := &closing{Reader: strings.NewReader("body")}
	c := client(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for what, ok := range map[string]bool{
			"method":      r.Method == http.MethodPut,
			"host":        r.Host == "somewhere.example",
			"request URI": r.RequestURI == "/a%2Fb?c=d",
			"URL":         r.URL.String() == "/a%2Fb?c=d",
			"header":      r.Header.Get("X-Test") == "1",
			"body":        string(body) == "body",
			"TLS":         r.TLS != nil && r.TLS.ServerName == "somewhere.example",
			"address":     r.RemoteAddr != "",
			"protocol":    r.ProtoAtLeast(1, 1),
		} {
			if !ok {
				t.Errorf("%s is wrong in %v", what, r)
			}
		}
		w.Header().Set("X-Answer", "2")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusTeapot)
		w.WriteHeader(http.StatusOK)
		w.Header().Set("X-Answer", "too late")
		fmt.Fprint(w, "answer")
	})
	r := newRequest(t.Context(), t, http.MethodPut, closed)
	r.Header.Set("X-Test", "1")
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "answer" || resp.StatusCode != http.StatusTeapot || resp.Header.Get("X-Answer") != "2" {
		t.Errorf("%s, %v, %q, %v", resp.Status, resp.Header, body, err)
	}
	if err := resp.Body.Close(); err != nil || !closed.yes {
		t.Errorf("close: %v; request body closed: %v", err, closed.yes)
	}
}

type closing struct {
	io.Reader
	yes bool
}

func (c *closing) Close() error { c.yes = true; return nil }

func TestHTTPClientNoAnswerBody(t *testing.T) {
	c := client(func(_ http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); len(body) != 0 || err != nil {
			t.Errorf("body %q, %v: want an empty one, not nil", body, err)
		}
	})
	resp, err := c.Get(somewhere)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || len(body) != 0 || err != nil {
		t.Errorf("%s, %q, %v", resp.Status, body, err)
	}
}

func TestHTTPClientHead(t *testing.T) {
	c := client(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "answer") })
	resp, err := c.Head(somewhere)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); len(body) != 0 {
		t.Errorf("HEAD brought %q", body)
	}
}

func TestHTTPClientUnknownOrigin(t *testing.T) {
	c := client(func(http.ResponseWriter, *http.Request) { t.Error("reached") })
	for _, url := range []string{"http://somewhere.example", "https://somewhere.example:8443", "https://other.example"} {
		closed := &closing{Reader: strings.NewReader("")}
		_, err := c.Post(url, "text/plain", closed)
		if err == nil || !strings.Contains(err.Error(), "no server for "+url) || !closed.yes {
			t.Errorf("%s: %v, request body closed: %v", url, err, closed.yes)
		}
	}
	for _, key := range []string{"", "somewhere.example", "https://a b"} {
		message := panics(t, func() { emamwtest.HTTPClient(map[string]http.Handler{key: http.NotFoundHandler()}) })
		if !strings.Contains(message, "absolute URL") {
			t.Errorf("panic %q", message)
		}
	}
}

// Two lines travel one by one: the second is written after the first was read.
func TestHTTPClientStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan error)
		c := client(func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			for i := 0; ; i++ {
				time.Sleep(time.Second)
				if _, err := fmt.Fprintln(w, i); err != nil {
					gone <- errors.Join(r.Context().Err(), err)
					return
				}
			}
		})
		begin := time.Now()
		resp, err := c.Get(somewhere)
		if err != nil || time.Since(begin) != 0 {
			t.Fatalf("%v after %v: the headers must come at once", err, time.Since(begin))
		}
		lines := bufio.NewScanner(resp.Body)
		for i := range 2 {
			if !lines.Scan() || lines.Text() != fmt.Sprint(i) || time.Since(begin) != time.Duration(i+1)*time.Second {
				t.Fatalf("line %q after %v", lines.Text(), time.Since(begin))
			}
		}
		resp.Body.Close()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("the handler saw %v: want its context canceled", err)
		}
	})
}

func TestHTTPClientCancel(t *testing.T) {
	for name, wait := range map[string]func(http.ResponseWriter){
		"before the headers": func(http.ResponseWriter) {},
		"in the body":        func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := client(func(w http.ResponseWriter, r *http.Request) {
					wait(w)
					<-r.Context().Done()
				})
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				resp, err := c.Do(newRequest(ctx, t, http.MethodGet, nil))
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					resp.Body.Close()
				}
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

func TestHTTPClientPanics(t *testing.T) {
	for _, c := range []struct {
		name string
		h    http.HandlerFunc
		want string
	}{
		{"before the headers", func(http.ResponseWriter, *http.Request) { panic("reason") }, "panicked: reason"},
		{"abort before the headers", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "unexpected EOF"},
		{"abort in the body", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "half")
			panic(http.ErrAbortHandler)
		}, "unexpected EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, err := client(c.h).Get(somewhere)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}
