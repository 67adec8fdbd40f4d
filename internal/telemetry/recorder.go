package telemetry

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// A Config says where telemetry goes. The zero Config sends none.
type Config struct {
	// TracerProvider makes spans; with nil there are none. The global provider is
	// never used unless it is given: a library that is silent until it is asked
	// costs nothing, and sends nothing to where nobody expects it.
	TracerProvider trace.TracerProvider

	// MeterProvider makes metrics; with nil there are none.
	MeterProvider metric.MeterProvider

	// Propagator reads the caller's span out of the headers of a request whose
	// context has none. With nil the headers are not read, so that a caller of a
	// public server cannot choose what is sampled.
	Propagator propagation.TextMapPropagator

	// Audit receives one record per decision, sampled by nobody, before the
	// answer is sent. With nil there are none.
	Audit slog.Handler

	// PseudonymKey keys the digests of users and clients. With nil it is random,
	// and digests can be compared within this process only.
	PseudonymKey []byte

	// SpanIdentity and AuditIdentity are what spans and audit records say of a
	// caller in plain text.
	SpanIdentity, AuditIdentity Identity

	Now    func() time.Time // of audit records and the rest of a token's life; time.Now when nil
	Logger *slog.Logger     // told when audit records are lost; slog.Default() when nil
}

// Identity is what may be said of a caller in plain text, as the token has it.
// The zero Identity allows digests only. Names, addresses and groups cannot be
// asked for.
type Identity struct {
	UserID   bool // the subject, as user.id
	Roles    bool // as user.roles
	Tenant   bool // as ema.tenant.id
	ClientID bool // as ema.client.id; with client metadata documents, a URL that the client chose
	Scopes   bool // what the token grants, as ema.scopes.granted
}

// A Recorder records what is decided. A nil *Recorder is valid, and records
// nothing. It is safe for concurrent use.
type Recorder struct {
	tracer     trace.Tracer // nil: no spans
	propagator propagation.TextMapPropagator
	fields     []string // the headers that the propagator reads
	instruments
	now        func() time.Time
	journal    *journal // nil: no audit
	pseudonyms *pseudonyms
	plain      [targets]Identity
}

// New returns a recorder, or nil when there is nowhere to record to. The no-op
// providers of the API count as none.
func New(cfg Config) *Recorder {
	if _, off := cfg.TracerProvider.(tracenoop.TracerProvider); off {
		cfg.TracerProvider = nil
	}
	if isNoop(cfg.MeterProvider) {
		cfg.MeterProvider = nil
	}
	if cfg.TracerProvider == nil && cfg.MeterProvider == nil && cfg.Audit == nil {
		return nil
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	r := &Recorder{
		now:        cfg.Now,
		propagator: cfg.Propagator,
		journal:    newJournal(&cfg),
		pseudonyms: newPseudonyms(cfg.PseudonymKey),
		plain:      [targets]Identity{toSpan: cfg.SpanIdentity, toAudit: cfg.AuditIdentity},
	}
	r.open(cfg.MeterProvider)
	if cfg.TracerProvider != nil {
		r.tracer = cfg.TracerProvider.Tracer(ScopeName, trace.WithInstrumentationVersion(version()), trace.WithSchemaURL(semconv.SchemaURL))
		if _, off := r.tracer.(tracenoop.Tracer); off {
			r.tracer = nil // a provider that wraps the no-op one
		}
	}
	if cfg.Propagator != nil {
		for _, field := range cfg.Propagator.Fields() {
			r.fields = append(r.fields, http.CanonicalHeaderKey(field))
		}
	}
	return r
}

// version is that of this module in the program, "" where the program does not
// know.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	if info.Main.Path == ScopeName {
		return info.Main.Version
	}
	for _, dep := range info.Deps {
		if dep.Path == ScopeName {
			return dep.Version
		}
	}
	return ""
}

// target is where attributes go: the two may say different things of a caller.
type target int

const (
	toSpan target = iota
	toAudit
	targets
)

// An operation is one piece of work with a span and a duration. The zero
// operation, of a nil Recorder, records nothing.
type operation struct {
	recorder *Recorder
	ctx      context.Context // with the span
	span     trace.Span      // nil: none
	started  time.Time       // zero: nobody wants the duration
}

// begin starts the span, and the clock when the histogram is wanted: to read it
// costs as much as the span of a provider that does not sample.
func (o *operation) begin(ctx context.Context, r *Recorder, name string, timed metric.Float64Histogram, options ...trace.SpanStartOption) {
	o.recorder, o.ctx = r, ctx
	if r.metered && timed.Enabled(ctx) {
		o.started = time.Now()
	}
	if r.tracer != nil {
		o.ctx, o.span = r.tracer.Start(ctx, name, options...)
	}
}

// parent is the context to start the span of a request in. A span that is there
// already, such as otelhttp's, was made from the same headers and wins.
func (r *Recorder) parent(ctx context.Context, h http.Header) context.Context {
	if r.propagator == nil || r.tracer == nil || trace.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	for _, field := range r.fields {
		if len(h[field]) > 0 {
			return r.propagator.Extract(ctx, propagation.HeaderCarrier(h))
		}
	}
	return ctx
}

func (o *operation) recording() bool { return o.span != nil && o.span.IsRecording() }

// measure records the duration, if it was timed.
func (o *operation) measure(h metric.Float64Histogram, options []metric.RecordOption) {
	h.Record(o.ctx, time.Since(o.started).Seconds(), options...)
}
