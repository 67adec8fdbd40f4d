package keys_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/keys"
)

// New must not block a server's start, whatever the issuer does.
func TestNewReturnsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		r.script(hang)
		before := time.Now()
		s := keys.New(t.Context(), config(r))
		if took := time.Since(before); took != 0 {
			t.Errorf("New took %v", took)
		}
		if s.Len() != 0 {
			t.Error("keys out of nowhere")
		}
	})
}

func TestStartTogetherWithTheIssuer(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		r.script(down)
		s := keys.New(t.Context(), config(r))
		time.AfterFunc(500*time.Millisecond, func() { r.serve(key("a", "", keyA)) })
		mustFind(t, s, "a", "ES256", keyA) // waits for the try that succeeds
		if took := since(); took > time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// The error of Ready is about this outage, and not about one that is over.
func TestReadySaysWhy(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		r.script(body(503, ""))
		var ahead atomic.Int64
		cfg := config(r)
		cfg.MaxAge = time.Hour
		cfg.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		s := keys.New(t.Context(), cfg)
		if err := s.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), issuer) || !strings.Contains(err.Error(), "status, at the step keys") {
			t.Errorf("Ready says %v", err)
		}
		r.serve(key("a", "", keyA))
		time.Sleep(30 * time.Second)
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("Ready with keys: %v", err)
		}
		r.script(hang)
		ahead.Store(int64(time.Hour))
		if err := s.Ready(t.Context()); err == nil || strings.Contains(err.Error(), "status") {
			t.Errorf("Ready in another outage says %v", err)
		}
	})
}

func TestReady(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		r.script(hang)
		s := keys.New(t.Context(), config(r))
		if err := s.Ready(t.Context()); reason(err) != claims.KeysUnavailable {
			t.Errorf("Ready without keys: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Ready(ctx); reason(err) != claims.Canceled {
			t.Errorf("Ready of an ended context: %v", err)
		}
		r.serve(key("a", "", keyA))
		time.Sleep(30 * time.Second)
		if err := s.Ready(ctx); err != nil {
			t.Errorf("Ready with keys: %v", err)
		}
	})
}

// While the issuer is down, tries come fast at first, then every half a minute.
func TestBackoff(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		r.script(down)
		keys.New(t.Context(), config(r))
		time.Sleep(10 * time.Minute)
		times := r.times()
		want := 250 * time.Millisecond
		for i := 1; i < len(times); i++ {
			gap := times[i].Sub(times[i-1])
			if gap < want || gap > want+want/4 {
				t.Errorf("try %d came %v after the one before, want %v and up to a quarter more", i, gap, want)
			}
			want = min(2*want, 30*time.Second)
		}
		if len(times) < 20 {
			t.Errorf("only %d tries", len(times))
		}
	})
}

// An outage that has ended is forgotten: the next one is retried as soon as the
// first was.
func TestBackoffStartsAnew(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		r.serve(key("a", "", keyA))
		loaded(t, r, nil)
		for outage := range 2 {
			r.script(down)
			time.Sleep(time.Hour)
			calls := r.times()
			began := len(calls) - 1
			for began > 1 && calls[began].Sub(calls[began-1]) < time.Minute {
				began--
			}
			gap := calls[began+1].Sub(calls[began])
			if gap < keys.DefaultMinInterval || gap > keys.DefaultMinInterval*5/4 {
				t.Errorf("outage %d: the first retry came after %v", outage, gap)
			}
			r.serve(key("a", "", keyA))
			time.Sleep(2 * time.Minute)
		}
	})
}

func TestRefreshInterval(t *testing.T) {
	for _, tc := range []struct {
		configured time.Duration
		header     string
		want       time.Duration // up to a tenth less
	}{
		{0, "", 10 * time.Minute},
		{0, "max-age=300", 5 * time.Minute},
		{0, "public, Max-Age=1800, must-revalidate", 30 * time.Minute},
		{0, `max-age="120"`, 2 * time.Minute},
		{0, "max-age=0", time.Minute},
		{0, "max-age=1", time.Minute},
		{0, "max-age=86400", time.Hour},
		{0, "max-age=999999999999999999999", 10 * time.Minute},
		{0, "max-age=-5", 10 * time.Minute},
		{0, "max-age=soon", 10 * time.Minute},
		{0, "s-maxage=60, no-store", 10 * time.Minute},
		{5 * time.Minute, "", 5 * time.Minute},
		{5 * time.Minute, "max-age=3600", 5 * time.Minute},
		{5 * time.Minute, "max-age=120", 2 * time.Minute},
		{5 * time.Minute, "max-age=0", time.Minute},
		{30 * time.Second, "max-age=0", 30 * time.Second},
		{48 * time.Hour, "", 12 * time.Hour}, // half of MaxAge
		{time.Second, "", 10 * time.Second},  // MinInterval
	} {
		t.Run(fmt.Sprint(tc.configured, " ", tc.header), func(t *testing.T) {
			bubble(t, func(t *testing.T, r *remote) {
				r.script(body(200, jwks(key("a", "", keyA)), "Cache-Control", tc.header))
				var o tally
				loaded(t, r, func(c *keys.Config) { c.RefreshInterval, c.OnFetch = tc.configured, o.observe })
				time.Sleep(3 * tc.want)
				synctest.Wait()
				times := r.times()
				if len(times) < 3 {
					t.Fatalf("%d fetches in three intervals", len(times))
				}
				for i := 1; i < len(times); i++ {
					if gap := times[i].Sub(times[i-1]); gap > tc.want || gap < tc.want*9/10 {
						t.Errorf("refresh after %v, want %v or up to a tenth less", gap, tc.want)
					}
				}
				if trigger, f := o.last(t); trigger != keys.Scheduled || f.Cause != "" || f.Keys != 1 {
					t.Errorf("observed %s, %+v", trigger, f)
				}
			})
		})
	}
}

// Replicas that start in one second must not fetch in one second for ever.
func TestJitter(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		r.serve(key("a", "", keyA))
		for range 20 {
			loaded(t, r, nil)
		}
		time.Sleep(keys.DefaultRefreshInterval)
		distinct := make(map[time.Time]bool)
		for _, at := range r.times()[20:] {
			distinct[at] = true
		}
		if len(distinct) < 15 {
			t.Errorf("20 replicas refresh at %d different times", len(distinct))
		}
	})
}

func TestTriggers(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		var o tally
		r.serve(key("a", "", keyA))
		s := loaded(t, r, func(c *keys.Config) { c.OnFetch = o.observe })
		expect := func(want keys.Trigger, cause keys.Cause) {
			t.Helper()
			synctest.Wait()
			if trigger, f := o.last(t); trigger != want || f.Cause != cause {
				t.Errorf("observed %s, %+v; want %s, %q", trigger, f, want, cause)
			}
		}
		expect(keys.Startup, "")
		time.Sleep(time.Minute)
		s.Key(t.Context(), "b", "ES256")
		expect(keys.UnknownKeyID, "")
		r.script(body(503, ""))
		for r.calls() < 3 {
			time.Sleep(time.Second)
		}
		expect(keys.Scheduled, keys.CauseStatus)
		for r.calls() < 4 {
			time.Sleep(time.Second)
		}
		expect(keys.Retry, keys.CauseStatus)
		r.serve(key("a", "", keyA))
		for r.calls() < 5 {
			time.Sleep(time.Second)
		}
		expect(keys.Retry, "")
		time.Sleep(keys.DefaultRefreshInterval)
		expect(keys.Scheduled, "")
	})
}

// Every goroutine ends with the context, even in the middle of a fetch. The
// bubble fails if one does not.
func TestEndsWithItsContext(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer func(*http.Request) (*http.Response, error)
	}{
		{"at rest", body(200, jwks(key("a", "", keyA)))},
		{"in a hanging request", hang},
		{"in a hanging body", func(*http.Request) (*http.Response, error) { return respond(200, newStuck(), -1), nil }},
		{"between retries", down},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *remote) {
				r.script(tc.answer)
				ctx, cancel := context.WithCancel(t.Context())
				var o tally
				cfg := config(r)
				cfg.OnFetch = o.observe
				s := keys.New(ctx, cfg)
				synctest.Wait()
				cancel()
				synctest.Wait()
				n := r.calls()
				began := time.Now()
				s.Key(t.Context(), "a", "ES256")
				s.Key(t.Context(), "b", "ES256")
				if time.Since(began) != 0 {
					t.Error("a request waits for a fetch that nobody makes any more")
				}
				generation := s.Generation()
				time.Sleep(2 * keys.DefaultMaxAge)
				if r.calls() != n {
					t.Error("fetched after the end")
				}
				if s.Generation() != generation {
					t.Error("a timer of the ended set went off")
				}
				if _, f := o.last(t); tc.name[:2] == "in" && f.Cause != keys.CauseCanceled {
					t.Errorf("observed %+v", f)
				}
			})
		})
	}
}
