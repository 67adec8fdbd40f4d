package integration_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emamw/mcp-ema/emamwtest"
)

// lookups are the lookups in a cache since the last time, by what it said.
func (w *watch) lookups(cache string) map[string]uint64 {
	w.t.Helper()
	said := map[string]uint64{}
	for _, p := range w.points() {
		name, _ := p.set.Value("ema.cache.name")
		result, _ := p.set.Value("ema.cache.result")
		if p.metric == "ema.cache.lookups" && name.AsString() == cache {
			said[result.AsString()] = p.count
		}
	}
	return said
}

func (w *watch) checkLookups(when, cache string, want map[string]uint64) {
	w.t.Helper()
	if got := w.lookups(cache); fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("%s: the cache %s said %v, want %v", when, cache, got, want)
	}
}

// Each request with a token asks the cache once, and so does Guard.Verify, which
// is no request and has no other metric. What is too long is not worth a hash.
func TestTelemetryOfTokenLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t, newWatch(t))
		token := g.token(func(t *emamwtest.Token) { t.Lifetime = 5 * time.Minute })
		for _, step := range []struct {
			when string
			do   func()
			want map[string]uint64
		}{
			{"a new token", func() { g.send(token, listTools) }, map[string]uint64{"miss": 1}},
			{"the same again, twice", func() { g.send(token, listTools); g.send(token, listTools) }, map[string]uint64{"hit": 2}},
			{"Verify", func() { _, _ = g.guard.Verify(t.Context(), token) }, map[string]uint64{"hit": 1}},
			{"a refused one, twice", func() { g.send("a.b.c", listTools); g.send("a.b.c", listTools) }, map[string]uint64{"miss": 2}},
			{"none, and one that is too long", func() { g.send("", listTools); g.send(strings.Repeat("a", 20<<10), listTools) }, map[string]uint64{}},
			{"after its end, in the seconds of clock skew", func() { time.Sleep(5 * time.Minute); g.send(token, listTools) }, map[string]uint64{"stale": 1}},
		} {
			g.forget()
			step.do()
			g.checkLookups(step.when, "token", step.want)
		}
	})
}

// When an issuer's keys have died, what they verified is out of date.
func TestTelemetryOfLookupsWithoutKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t, newWatch(t), func(s *guardedSetup) { s.config.MaxKeyAge = time.Hour })
		token := g.token(func(t *emamwtest.Token) { t.Lifetime = 20 * time.Hour })
		g.send(token, listTools)
		g.as.Fail(emamwtest.Down)
		time.Sleep(2 * time.Hour)
		g.forget()
		if a := g.send(token, listTools); a.Code != http.StatusServiceUnavailable {
			t.Errorf("answered %d without keys", a.Code)
		}
		g.checkLookups("without keys", "token", map[string]uint64{"stale": 1})
	})
}

func TestTelemetryWithoutTokenCache(t *testing.T) {
	g := newGuarded(t, newWatch(t), func(s *guardedSetup) { s.config.TokenCacheEntries = -1 })
	g.forget()
	g.send(g.token(), listTools)
	g.checkLookups("with the cache off", "token", map[string]uint64{})
}

// Clients' documents: found, not there, known not to be there, and out of date.
func TestTelemetryOfDocumentLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := &exchangerSetup{}
		documents(map[string]any{"token_endpoint_auth_method": "none"})(good)
		r := newExchanger(t, newWatch(t), func(s *exchangerSetup) {
			s.documents = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/gone" {
					http.NotFound(w, r)
					return
				}
				good.documents.ServeHTTP(w, r)
			})
		})
		redeem := func(client string) *httptest.ResponseRecorder {
			return r.redeem(r.assertion(func(t *emamwtest.Token) { t.ClientID = client }),
				exchange{form: url.Values{"client_id": {client}}, header: http.Header{"Authorization": nil}})
		}
		for _, step := range []struct {
			when, client string
			wait         time.Duration
			want         map[string]uint64
		}{
			{"a new client", "/app", 0, map[string]uint64{"miss": 1}},
			{"the same client", "/app", 0, map[string]uint64{"hit": 1}},
			{"no such client", "/gone", 0, map[string]uint64{"miss": 1}},
			{"still no such client", "/gone", 0, map[string]uint64{"negative": 1}},
			{"a document out of date", "/app", time.Hour, map[string]uint64{"stale": 1}},
		} {
			time.Sleep(step.wait)
			r.forget()
			redeem(documentOrigin + step.client)
			r.checkLookups(step.when, "client_metadata", step.want)
		}
		r.forget()
		redeem("a registered one")
		r.checkLookups("a client that is no URL", "client_metadata", map[string]uint64{})
	})
}
