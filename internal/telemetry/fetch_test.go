package telemetry_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/emamw/mcp-ema/internal/telemetry"
)

func TestFetch(t *testing.T) {
	tests := []struct {
		name    string
		trigger string
		end     telemetry.Fetched
		root    bool
		status  codes.Code
		span    texts
		metric  texts
	}{
		{
			name: "scheduled", trigger: "scheduled", end: telemetry.Fetched{Status: 200, Keys: 3, Rejected: 1}, root: true,
			span:   texts{"ema.issuer": issuerName, "ema.jwks.trigger": "scheduled", "http.response.status_code": "200", "ema.jwks.keys": "3", "ema.jwks.rejected": "1"},
			metric: texts{"ema.issuer": issuerName, "ema.jwks.trigger": "scheduled", "http.response.status_code": "200"},
		},
		{
			name: "for a request, and failed", trigger: "unknown_kid", end: telemetry.Fetched{Cause: "status", Step: "discovery", Status: 500}, status: codes.Error,
			span:   texts{"ema.issuer": issuerName, "ema.jwks.trigger": "unknown_kid", "http.response.status_code": "500", "error.type": "status", "ema.jwks.step": "discovery"},
			metric: texts{"ema.issuer": issuerName, "ema.jwks.trigger": "unknown_kid", "http.response.status_code": "500", "error.type": "status", "ema.jwks.step": "discovery"},
		},
		{
			name: "what is on no list", trigger: "whim", end: telemetry.Fetched{Cause: "dial tcp 10.0.0.1", Step: "10.0.0.1", Status: 12345}, root: true, status: codes.Error,
			span:   texts{"ema.issuer": issuerName, "ema.jwks.trigger": "_OTHER", "error.type": "_OTHER", "ema.jwks.step": "_OTHER"},
			metric: texts{"ema.issuer": issuerName, "ema.jwks.trigger": "_OTHER", "error.type": "_OTHER", "ema.jwks.step": "_OTHER"},
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(nil)
			ctx := k.tracers.ambient(t.Context())
			under, f := k.StartFetch(ctx, k.Issuer(issuerName, "okta"), tc.trigger)
			f.End(tc.end)
			s := k.tracers.only(t, "ema.jwks.fetch")
			if s.parent.IsValid() == tc.root {
				t.Errorf("the span has a parent: %v", s.parent.IsValid())
			}
			if trace.SpanContextFromContext(under).SpanID() != s.self.SpanID() {
				t.Error("the context for the fetch does not hold its span")
			}
			if s.status != tc.status || s.said != "" {
				t.Errorf("status is %v %q, want %v without a description", s.status, s.said, tc.status)
			}
			s.texts().mustBe(t, "span", tc.span)
			k.meters.only(t, "ema.jwks.fetch.duration").texts().mustBe(t, "metric", tc.metric)
		})
	}
}

// What a caller sends as baggage must not reach an identity provider.
func TestFetchDropsBaggage(t *testing.T) {
	member, err := baggage.NewMemberRaw("canary", "x")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(member)
	if err != nil {
		t.Fatal(err)
	}
	ctx := baggage.ContextWithBaggage(t.Context(), bag)
	for name, r := range map[string]*telemetry.Recorder{"off": nil, "on": newKit(nil).Recorder} {
		got, f := r.StartFetch(ctx, nil, "unknown_kid")
		f.End(telemetry.Fetched{})
		if baggage.FromContext(got).Len() != 0 {
			t.Errorf("%s: baggage in the context of a fetch", name)
		}
	}
}

func TestDurations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(nil)
		_, f := k.StartFetch(t.Context(), k.Issuer(issuerName, ""), "startup")
		time.Sleep(3 * time.Second)
		f.End(telemetry.Fetched{})
		if got := k.meters.only(t, "ema.jwks.fetch.duration").value; got != 3 {
			t.Errorf("%v seconds, want 3", got)
		}
	})
}

type keySet struct {
	age    time.Duration
	loaded bool
	n      int
}

func (s *keySet) Age() (time.Duration, bool) { return s.age, s.loaded }
func (s *keySet) Len() int                   { return s.n }

func TestWatchKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(nil)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		set := &keySet{}
		k.WatchKeys(ctx, k.Issuer(issuerName, "okta"), set)
		names := func() (got []string) {
			for _, p := range k.meters.collect(t) {
				p.texts().mustBe(t, p.name, texts{"ema.issuer": issuerName})
				got = append(got, p.name)
			}
			return got
		}
		if got := names(); !slices.Equal(got, []string{"ema.jwks.keys"}) {
			t.Errorf("before the first fetch: %v", got)
		}
		*set = keySet{age: time.Minute, loaded: true, n: 2}
		for _, p := range k.meters.collect(t) {
			if want := map[string]float64{"ema.jwks.age": 60, "ema.jwks.keys": 2}[p.name]; p.value != want {
				t.Errorf("%s is %v, want %v", p.name, p.value, want)
			}
		}
		cancel()
		synctest.Wait()
		if got := names(); len(got) > 0 {
			t.Errorf("after the end: %v", got)
		}
	})
}

func TestCacheLookup(t *testing.T) {
	k := newKit(nil)
	k.CacheLookup(t.Context(), telemetry.DocumentCache, telemetry.Stale)
	k.meters.only(t, "ema.cache.lookups").texts().mustBe(t, "metric", texts{"ema.cache.name": "client_metadata", "ema.cache.result": "stale"})
}

// A server whose metrics cannot be made serves on without them.
func TestRefusedInstruments(t *testing.T) {
	told := 0
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		if errors.Is(err, errRefused) {
			told++
		}
	}))
	r := telemetry.New(telemetry.Config{MeterProvider: refusing{}})
	issuer := r.Issuer(issuerName, "okta")
	_, a := r.StartAuthentication(t.Context(), nil)
	a.End(&telemetry.Authenticated{Issuer: issuer})
	r.Authorize(t.Context(), &telemetry.Decision{})
	r.CacheLookup(t.Context(), telemetry.DocumentCache, telemetry.Hit)
	r.WatchKeys(t.Context(), issuer, &keySet{})
	if told != 7 {
		t.Errorf("OpenTelemetry's error handler was told %d times, want 7: 6 instruments and a callback", told)
	}
}
