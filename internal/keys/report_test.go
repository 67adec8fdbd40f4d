package keys_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emamw/mcp-ema/internal/keys"
)

// lines collects what is logged.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// take returns level and cause of each line since the last call.
func (l *lines) take(t *testing.T) []string {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var got []string
	for line := range strings.Lines(l.buf.String()) {
		for _, secret := range []string{"secret-remote-text", "old", "new", "forged", "evil"} {
			if strings.Contains(line, secret) {
				t.Errorf("the log quotes the remote side: %s", line)
			}
		}
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		if m["ema.issuer"] != issuer {
			t.Errorf("no issuer in %s", line)
		}
		text := fmt.Sprint(m["level"])
		for _, name := range []string{"error.type", "ema.jwks.step", "http.response.status_code", "ema.jwks.keys", "ema.jwks.lost", "ema.jwks.rejected"} {
			if v, ok := m[name]; ok {
				text += fmt.Sprintf(" %s=%v", name[strings.LastIndex(name, ".")+1:], v)
			}
		}
		got = append(got, text)
	}
	l.buf.Reset()
	return got
}

func TestOneLinePerChange(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		var log lines
		expect := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			if got := log.take(t); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: logged %q, want %q", when, got, want)
			}
		}
		r.script(down)
		cfg := config(r)
		cfg.Logger = slog.New(slog.NewJSONHandler(&log, nil))
		s := keys.New(t.Context(), cfg)
		time.Sleep(time.Minute)
		expect("down at the start", "WARN type=other step=keys")

		r.serve(key("old", "", keyA))
		time.Sleep(time.Minute)
		expect("loaded", "INFO keys=1")

		time.Sleep(2 * time.Hour)
		for i := range 1000 {
			s.Key(t.Context(), fmt.Sprint("forged", i), "ES256")
		}
		expect("a quiet time, and a flood")

		r.serve(key("old", "", keyA), key("new", "", keyB))
		time.Sleep(11 * time.Minute)
		expect("a key more")
		r.serve(key("new", "", keyB))
		time.Sleep(11 * time.Minute)
		expect("a key less", "INFO keys=1 lost=1")

		r.script(body(200, `{"keys":[`+jwks(key("new", "", keyB))[len(`{"keys":[`):][:strings.Index(jwks(key("new", "", keyB)), `]}`)-len(`{"keys":[`)]+`,{"kty":"evil"}]}`))
		time.Sleep(time.Hour)
		expect("a member left out", "WARN keys=1 rejected=1")

		r.script(body(502, "evil"))
		time.Sleep(time.Hour)
		expect("an outage", "WARN type=status step=keys status_code=502")
		r.script(body(200, `{"evil":1}`))
		time.Sleep(time.Hour)
		expect("the outage goes on in another way", "WARN type=malformed step=keys status_code=200")
		r.script(body(502, "evil"))
		time.Sleep(time.Hour)
		expect("the outage goes on as it began")
		r.serve(key("new", "", keyB))
		time.Sleep(time.Minute)
		expect("the end of the outage", "INFO keys=1")

		r.script(down)
		time.Sleep(25 * time.Hour)
		expect("death", "WARN type=other step=keys", "ERROR lost=1")
		r.serve(key("new", "", keyB))
		time.Sleep(time.Minute)
		expect("resurrection", "INFO keys=1")
	})
}

func TestLinesAreRationed(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		var log lines
		good, bad := body(200, jwks(key("old", "", keyA))), body(500, "")
		r.script(func(req *http.Request) (*http.Response, error) {
			if r.calls()%2 == 1 {
				return good(req)
			}
			return bad(req)
		})
		loaded(t, r, func(c *keys.Config) {
			c.RefreshInterval, c.MinInterval = time.Second, time.Second
			c.Logger = slog.New(slog.NewJSONHandler(&log, nil))
		})
		time.Sleep(time.Hour)
		if n := len(log.take(t)); n < 60 || n > 75 {
			t.Errorf("%d lines in an hour of an issuer that fails every other second", n)
		}
	})
}
