package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// A Fetch of an issuer's keys is under way. The zero Fetch records nothing.
type Fetch struct {
	operation
	issuer  *Issuer
	trigger string
}

// Fetched is how a fetch ended.
type Fetched struct {
	Cause    string // why it failed; "" when it did not
	Step     string // what could not be read; "" when it could
	Status   int    // HTTP status of the answer; 0 for none
	Keys     int    // usable
	Rejected int    // left out
}

// onDemand is the trigger of a fetch that a request asked for.
const onDemand = "unknown_kid"

// StartFetch begins to record a fetch. One that a request asked for is part of
// that request's trace; any other belongs to none, also not to that of whatever
// started the server.
//
// The context comes without baggage, for a nil Recorder too: a client with a
// transport that injects it would hand what a caller sent to the issuer.
func (r *Recorder) StartFetch(ctx context.Context, issuer *Issuer, trigger string) (under context.Context, f Fetch) {
	ctx = baggage.ContextWithoutBaggage(ctx)
	if r == nil {
		return ctx, f
	}
	var options []trace.SpanStartOption
	if trigger != onDemand {
		options = []trace.SpanStartOption{trace.WithNewRoot()}
	}
	f.begin(ctx, r, spanFetch, r.fetches, options...)
	f.issuer, f.trigger = issuer, onList(trigger, triggers)
	if issuer != nil && f.span != nil {
		self := f.span.SpanContext()
		issuer.fetch.Store(&self)
	}
	return f.ctx, f
}

// Waited notes that what the span in ctx is about waited for the last fetch of
// the issuer's keys: by a link, since many wait for one fetch, and it can be in
// the trace of one of them only.
func (r *Recorder) Waited(ctx context.Context, issuer *Issuer) {
	if r == nil || issuer == nil {
		return
	}
	fetch, own := issuer.fetch.Load(), trace.SpanFromContext(ctx)
	if fetch == nil || !fetch.IsValid() || !own.IsRecording() || own.SpanContext().TraceID() == fetch.TraceID() {
		return
	}
	own.AddLink(trace.Link{SpanContext: *fetch})
}

// End records how the fetch ended. Call it once.
func (f *Fetch) End(end Fetched) {
	r := f.recorder
	if r == nil {
		return
	}
	key := fetchKey{issuer: f.issuer.label(), trigger: f.trigger, status: end.Status}
	if end.Cause != "" {
		key.cause, key.step = onList(end.Cause, causes), onList(end.Step, steps)
	}
	if end.Status < 100 || end.Status > 599 {
		key.status = 0
	}
	if !f.started.IsZero() {
		f.measure(r.fetches, r.fetchSets.of(key, fetchKey.option))
	}
	if f.recording() {
		a := key.attributes()
		if key.cause == "" {
			a = append(a, keyKeys.Int(end.Keys))
		} else {
			f.span.SetStatus(codes.Error, "")
		}
		if end.Rejected > 0 {
			a = append(a, keyRejected.Int(end.Rejected))
		}
		f.span.SetAttributes(a...)
	}
	if f.span != nil {
		f.span.End()
	}
}

type fetchKey struct {
	issuer, trigger, cause, step string
	status                       int
}

func (k fetchKey) attributes() attributes {
	a := attributes{}
	a.text(keyIssuer, k.issuer)
	a.text(keyTrigger, k.trigger)
	a.text(keyErrorType, k.cause)
	a.text(keyStep, k.step)
	if k.status != 0 {
		a = append(a, keyStatus.Int(k.status))
	}
	return a
}

func (k fetchKey) option() metric.RecordOption {
	return metric.WithAttributeSet(attribute.NewSet(k.attributes()...))
}
