//go:build !race

package integration_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/telemetry"
)

// What the telemetry of a request with a cached token and an allowed tool may
// take, by provider.
var timeRows = []struct {
	name     string
	provider trace.TracerProvider
	limit    time.Duration
}{
	{"the no-op provider", noop.NewTracerProvider(), 60 * time.Nanosecond},
	{"a provider without an SDK", idle{}, 60 * time.Nanosecond},
	{"the SDK, and a trace that is not sampled", sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())), 250 * time.Nanosecond},
}

// A nanosecond is not the same on two machines, nor on one machine at two times.
// So the same work with and without telemetry runs by turns, in slices that are
// shorter than what the scheduler gives, and what is told is the median of the
// differences within a round, beside that of the same work with itself and that of
// one bare span, below which nobody can get. Above the limit this is a remark, and
// only far above it a failure: then something is done that was not meant to be.
//
//	go test -run TestTelemetryTime -v .
func TestTelemetryTime(t *testing.T) {
	off := requestTelemetry(nil)
	for _, row := range timeRows {
		on := requestTelemetry(telemetry.New(telemetry.Config{TracerProvider: row.provider}))
		tracer := row.provider.Tracer("bare")
		bare := func() {
			_, span := tracer.Start(context.Background(), "span")
			span.End()
		}
		null, _ := difference(off, off)
		least, _ := difference(func() {}, bare)
		took, lower := difference(off, on)
		t.Logf("%s: %v more (limit %v; a bare span takes %v; the same with itself differs by %v)", row.name, took, row.limit, least, null)
		switch {
		case lower > 4*row.limit && lower > 3*least:
			t.Errorf("%s: three rounds of four take over %v more, and the limit is %v", row.name, lower, row.limit)
		case took > row.limit:
			t.Logf("%s: over the limit here, of which a bare span is %v: inconclusive unless the machine is idle", row.name, least)
		}
	}
}

// requestTelemetry is all that the guard asks of telemetry for such a request.
func requestTelemetry(r *telemetry.Recorder) func() {
	issuer := r.Issuer(watchedIssuer, "rfc9068")
	caller := r.Caller(&claims.Principal{Issuer: watchedIssuer, Subject: "alice", ClientID: "client", Token: claims.Token{ID: "1"}}, issuer, "ES256")
	header, ctx, origin := http.Header{"Authorization": {"Bearer x"}}, context.Background(), new(telemetry.Origin)
	return func() {
		_, a := r.StartAuthentication(ctx, header)
		r.CacheLookup(ctx, telemetry.TokenCache, telemetry.Hit)
		*origin = a.End(&telemetry.Authenticated{Issuer: issuer, Caller: caller, Cache: telemetry.Hit, Session: "session"})
		r.Authorize(ctx, &telemetry.Decision{Origin: origin, Caller: caller, Method: "tools/call", Kind: telemetry.Tool, Name: "read", Session: "session"})
	}
}

// difference is what more takes than base: the median of all rounds, and the
// lower quartile.
func difference(base, more func()) (median, lower time.Duration) {
	const rounds, times = 2000, 100
	slice := func(do func()) time.Duration {
		began := time.Now()
		for range times {
			do()
		}
		return time.Since(began)
	}
	differences := make([]time.Duration, rounds)
	for i := range differences {
		before, took, after := slice(base), slice(more), slice(base)
		differences[i] = (took - (before+after)/2) / times
	}
	slices.Sort(differences)
	return differences[rounds/2], differences[rounds/4]
}
