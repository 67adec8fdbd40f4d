package integration_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/emamw/mcp-ema/emamwtest"
)

// What a fetch of keys tells, by what is wrong with the issuer.
var fetchRows = []struct {
	fault    emamwtest.Fault // "" for a healthy issuer
	cause    string          // error.type; "" for keys that were had
	step     string          // where it failed; "" for keys that were had
	status   string          // of the issuer's answer; "" where there was none
	rejected string          // keys that were left out; "" for none
}{
	{"", "", "", "200", ""},
	{emamwtest.Down, "status", "discovery", "503", ""},
	{emamwtest.Unreachable, "connect", "discovery", "", ""},
	{emamwtest.Slow, "timeout", "discovery", "", ""},
	{emamwtest.WrongIssuer, "issuer", "discovery", "", ""},
	{emamwtest.KeysDown, "status", "keys", "503", ""},
	{emamwtest.KeysUnreachable, "connect", "keys", "", ""},
	{emamwtest.KeysGarbage, "malformed", "keys", "200", ""},
	{emamwtest.KeysObject, "malformed", "keys", "200", ""},
	{emamwtest.KeysEmpty, "no_usable_key", "keys", "200", ""},
	{emamwtest.KeysHuge, "too_large", "keys", "200", ""},
	{emamwtest.KeysRedirect, "redirect", "keys", "302", ""},
	{emamwtest.KeysDuplicate, "no_usable_key", "keys", "200", "2"},
	{emamwtest.KeysPrivate, "", "", "200", "1"},
	{emamwtest.KeysSymmetric, "", "", "200", "1"},
	{emamwtest.KeysEncryption, "", "", "200", "1"},
	{emamwtest.KeysWeak, "", "", "200", "1"},
	{emamwtest.KeysSlow, "timeout", "keys", "", ""},
}

func TestTelemetryOfFetches(t *testing.T) {
	for _, row := range fetchRows {
		t.Run("with "+string(row.fault), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWatch(t)
				g := newGuarded(t, w, func(s *guardedSetup) { s.cold = true })
				synctest.Wait()
				g.as.Fail(row.fault)
				g.forget()
				time.Sleep(time.Minute) // past the first retry
				synctest.Wait()
				first := g.named("ema.jwks.fetch")[0]
				g.checkFetch(first, row.cause, row.step, row.status, row.rejected)
			})
		})
	}
}

// checkFetch holds the span of a fetch to a row. It was made by no request, so
// it begins a trace.
func (w *watch) checkFetch(s sdktrace.ReadOnlySpan, cause, step, status, rejected string) {
	w.t.Helper()
	want, code := keys("ema.issuer ema.jwks.trigger"), codes.Unset
	if cause == "" {
		want = keys(want, "ema.jwks.keys")
	} else {
		want, code = keys(want, ofErrors, "ema.jwks.step"), codes.Error
	}
	if status != "" {
		want = keys(want, "http.response.status_code")
	}
	if rejected != "" {
		want = keys(want, "ema.jwks.rejected")
	}
	if s.SpanKind() != trace.SpanKindInternal || s.Status().Code != code || s.Status().Description != "" || s.Parent().IsValid() {
		w.t.Errorf("kind %v, status %v, parent %v", s.SpanKind(), s.Status(), s.Parent().SpanID())
	}
	if got := keysOf(s.Attributes()); got != want {
		w.t.Errorf("attributes\n%s, want\n%s", got, want)
	}
	labels := map[string]string{"ema.issuer": watchedIssuer, "ema.jwks.trigger": "retry", "error.type": cause, "ema.jwks.step": step, "http.response.status_code": status}
	w.checkValues(s, labels)
	w.checkValues(s, map[string]string{"ema.jwks.rejected": rejected})
	parts := []string{}
	for _, key := range []string{"ema.issuer", "ema.jwks.step", "ema.jwks.trigger", "error.type", "http.response.status_code"} {
		if labels[key] != "" {
			parts = append(parts, key+"="+labels[key])
		}
	}
	point := "ema.jwks.fetch.duration " + strings.Join(parts, " ")
	if points := w.pointsNamed("ema.jwks.fetch.duration"); points[point] == 0 {
		w.t.Errorf("points %v, want one of %s", points, point)
	}
}

// The triggers, and whose trace each fetch is in: that of a request belongs to
// the request, and any other begins one.
func TestTelemetryOfTriggers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t, newWatch(t))
		synctest.Wait()
		startup := g.span("ema.jwks.fetch")
		time.Sleep(2 * time.Minute) // past the least interval
		g.forget()
		old := g.token()
		g.as.RotateKey()
		g.send(g.token(), listTools)
		synctest.Wait() // the request may be answered before the fetch's span has ended
		demanded, asking := g.span("ema.jwks.fetch"), g.span("ema.authenticate")
		if demanded.Parent().SpanID() != asking.SpanContext().SpanID() || demanded.SpanContext().TraceID() != asking.SpanContext().TraceID() {
			t.Error("the fetch that a request asked for is not in its trace")
		}
		if valueOf(asking, "ema.decision") != "allow" {
			t.Error("the request that brought a new key was refused")
		}
		g.forget()
		if g.send(old, listTools).Code != 200 {
			t.Error("a token of the older key is refused")
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		scheduled := g.named("ema.jwks.fetch")
		if len(scheduled) == 0 {
			t.Fatal("the keys were not refreshed within two hours")
		}
		for trigger, s := range map[string]sdktrace.ReadOnlySpan{"startup": startup, "unknown_kid": demanded, "scheduled": scheduled[0]} {
			g.checkValues(s, map[string]string{"ema.jwks.trigger": trigger})
			if trigger != "unknown_kid" && s.Parent().IsValid() {
				t.Errorf("%s has a parent", trigger)
			}
		}
	})
}

// Many wait for one fetch. It is in the trace of the first who asked, and all
// others have a link to it.
func TestTelemetryOfWaiting(t *testing.T) {
	const crowd = 20
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t, newWatch(t))
		time.Sleep(2 * time.Minute) // past the least interval
		g.as.RotateKey()
		g.as.Fail(emamwtest.KeysSlow)
		g.forget()
		var done sync.WaitGroup
		for range crowd {
			done.Go(func() { g.send(g.token(), listTools) })
		}
		synctest.Wait()
		g.as.Fail()
		done.Wait()
		fetch, first, linked := g.span("ema.jwks.fetch"), 0, 0
		for _, s := range g.named("ema.authenticate") {
			switch links := s.Links(); {
			case s.SpanContext().SpanID() == fetch.Parent().SpanID() && len(links) == 0:
				first++
			case len(links) == 1 && links[0].SpanContext.Equal(fetch.SpanContext()):
				linked++
			}
			if valueOf(s, "ema.decision") != "allow" {
				t.Errorf("refused: %s", valueOf(s, "ema.reason"))
			}
		}
		if first != 1 || linked != crowd-1 {
			t.Errorf("of %d requests %d began the fetch and %d have a link to it", crowd, first, linked)
		}
		g.forget()
		g.send(g.token(), listTools)
		if links := g.span("ema.authenticate").Links(); len(links) > 0 {
			t.Error("a request that did not wait has a link")
		}
	})
}

// The observed metrics, and that a reading of them makes no request.
func TestTelemetryOfKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t, newWatch(t))
		time.Sleep(90 * time.Second)
		before := g.as.KeyFetches()
		got := map[string]uint64{}
		for _, p := range g.points() {
			got[p.String()] = p.count
		}
		for _, metric := range []string{"ema.jwks.age", "ema.jwks.keys"} {
			if point := metric + " ema.issuer=" + watchedIssuer; got[point] != 1 {
				t.Errorf("%s is not among %v", point, got)
			}
		}
		if g.as.KeyFetches() != before {
			t.Error("reading the metrics fetched keys")
		}
	})
}
