package idjag_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/idjag"
)

// While a store is away every client comes again and again. The log gets a line a
// minute, which says how many were left out; the audit gets every request.
func TestAnOutageDoesNotFloodTheLog(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *idjag.Config) { cfg.Replay = downStore{} })
	for _, step := range []struct {
		wait     time.Duration
		requests int
		lines    int
		last     string // is in the last line, or is not there
	}{
		{0, 100, 1, ""},
		{time.Minute - time.Second, 1, 0, ""},
		{time.Second, 50, 1, "ema.silenced=100"},
		{time.Hour, 1, 1, "ema.silenced=49"},
		{time.Minute, 1, 1, ""},
	} {
		w.clock.advance(step.wait)
		w.logs.Reset()
		for range step.requests {
			w.refused(w.redeem(w.mint(nil)), http.StatusServiceUnavailable, "temporarily_unavailable", "store_unavailable")
		}
		text := w.logs.String()
		if n := strings.Count(text, "level=ERROR"); n != step.lines {
			t.Errorf("%v later, %d requests leave %d lines, want %d:\n%s", step.wait, step.requests, n, step.lines, text)
		}
		if strings.Contains(text, "ema.silenced") != (step.last != "") || !strings.Contains(text, step.last) {
			t.Errorf("%v later the log says\n%s\nwant %q", step.wait, text, step.last)
		}
	}
}
