package telemetry_test

import (
	"context"
	"net/http"
	"sync"
	"testing"

	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/telemetry"
)

func TestOffIsNil(t *testing.T) {
	for name, cfg := range map[string]telemetry.Config{
		"zero":            {},
		"no-op providers": {TracerProvider: tracenoop.NewTracerProvider(), MeterProvider: metricnoop.NewMeterProvider()},
		"only a key":      {PseudonymKey: make([]byte, 32)},
	} {
		if telemetry.New(cfg) != nil {
			t.Errorf("%s: there is a recorder, and nowhere to record to", name)
		}
	}
}

// wrapped is a no-op provider that is not recognized as one: what an application
// hands on that was built without an SDK.
type wrapped struct{ tracenoop.TracerProvider }

// empty is one that gives no-op spans by a tracer of its own.
type empty struct{ tracenoop.TracerProvider }

type emptyTracer struct{ tracenoop.Tracer }

func (empty) Tracer(string, ...trace.TracerOption) trace.Tracer { return emptyTracer{} }

// unsampled does what the SDK does for a trace that is not sampled: a span with
// ids of its own, and a context for it. That is two allocations.
type unsampled struct{ tracenoop.TracerProvider }

func (unsampled) Tracer(string, ...trace.TracerOption) trace.Tracer { return unsampledTracer{} }

type unsampledTracer struct{ tracenoop.Tracer }

type unsampledSpan struct {
	tracenoop.Span
	self trace.SpanContext
}

func (s *unsampledSpan) SpanContext() trace.SpanContext { return s.self }

func (unsampledTracer) Start(ctx context.Context, _ string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	s := &unsampledSpan{self: trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{7}, SpanID: trace.SpanID{7}})}
	return trace.ContextWithSpan(ctx, s), s
}

// cached is what telemetry adds to a request with a token from the cache and a
// tool that is allowed. The origin is kept where the guard keeps the request.
func cached(ctx context.Context, r *telemetry.Recorder, h http.Header, i *telemetry.Issuer, c *telemetry.Caller, origin *telemetry.Origin) {
	_, a := r.StartAuthentication(ctx, h)
	*origin = a.End(&telemetry.Authenticated{Issuer: i, Caller: c, Cache: telemetry.Hit, Session: "session"})
	r.Authorize(ctx, &telemetry.Decision{
		Origin: origin, Caller: c, Method: "tools/call", Kind: telemetry.Tool, Name: "delete_file", Session: "session",
	})
}

var costs = []struct {
	name   string
	cfg    func() telemetry.Config
	allocs float64
}{
	{"off", func() telemetry.Config { return telemetry.Config{} }, 0},
	{"no-op", func() telemetry.Config { return telemetry.Config{TracerProvider: wrapped{}} }, 0},
	{"without an SDK", func() telemetry.Config { return telemetry.Config{TracerProvider: empty{}} }, 1},
	{"unsampled", func() telemetry.Config { return telemetry.Config{TracerProvider: unsampled{}} }, 2},
}

func TestAllocations(t *testing.T) {
	for _, tc := range costs {
		t.Run(tc.name, func(t *testing.T) {
			r := telemetry.New(tc.cfg())
			i := r.Issuer(issuerName, "okta")
			c := r.Caller(alice(), i, "ES256")
			h := http.Header{"Authorization": {"Bearer x"}}
			ctx, origin := t.Context(), new(telemetry.Origin)
			if got := testing.AllocsPerRun(100, func() { cached(ctx, r, h, i, c, origin) }); got > tc.allocs {
				t.Errorf("%v allocations, want at most %v", got, tc.allocs)
			}
		})
	}
}

// Metrics of the hot combinations are made of what is there.
func TestAllocationsOfMetrics(t *testing.T) {
	k := newKit(func(c *telemetry.Config) { c.TracerProvider, c.Audit, c.MeterProvider = nil, nil, deaf{} })
	i := k.Issuer(issuerName, "okta")
	c := k.Caller(alice(), i, "ES256")
	ctx, origin := t.Context(), new(telemetry.Origin)
	if got := testing.AllocsPerRun(100, func() { cached(ctx, k.Recorder, nil, i, c, origin) }); got > 0 {
		t.Errorf("%v allocations, want none", got)
	}
}

func BenchmarkCachedRequest(b *testing.B) {
	for _, bc := range costs {
		b.Run(bc.name, func(b *testing.B) {
			r := telemetry.New(bc.cfg())
			i := r.Issuer(issuerName, "okta")
			c := r.Caller(alice(), i, "ES256")
			h := http.Header{"Authorization": {"Bearer x"}}
			ctx, origin := b.Context(), new(telemetry.Origin)
			b.ReportAllocs()
			for b.Loop() {
				cached(ctx, r, h, i, c, origin)
			}
		})
	}
}

// BenchmarkSpan is one span of each provider: what there is no way around.
func BenchmarkSpan(b *testing.B) {
	for name, p := range map[string]trace.TracerProvider{"no-op": empty{}, "unsampled": unsampled{}} {
		b.Run(name, func(b *testing.B) {
			tracer, ctx := p.Tracer(""), b.Context()
			b.ReportAllocs()
			for b.Loop() {
				_, span := tracer.Start(ctx, "span")
				span.End()
			}
		})
	}
}

// Everything at once, from many requests: for the race detector.
func TestConcurrency(t *testing.T) {
	k := newKit(nil)
	i := k.Issuer(issuerName, "okta")
	c := k.Caller(alice(), i, "ES256")
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 50 {
				cached(t.Context(), k.Recorder, nil, i, c, &telemetry.Origin{})
				k.Authorize(t.Context(), &telemetry.Decision{Caller: c, Reason: claims.ScopeMissing})
				_, e := k.StartExchange(t.Context(), nil)
				e.End(&telemetry.Exchanged{Issuer: i, User: alice()})
			}
		}()
	}
	wg.Wait()
	if got := len(k.journal.records); got != 8*50*4 {
		t.Errorf("%d audit records, want %d", got, 8*50*4)
	}
}
