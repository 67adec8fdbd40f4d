package telemetry_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/emamw/mcp-ema/internal/telemetry"
)

// tracers is a tracer provider that keeps what it is told. It samples nothing
// while dropping is set, and then behaves as an SDK does: the spans are there,
// with ids, and record nothing.
type tracers struct {
	tracenoop.TracerProvider
	dropping bool

	mu    sync.Mutex
	last  byte
	spans []*span
}

type span struct {
	tracenoop.Span
	provider *tracers
	name     string
	self     trace.SpanContext
	parent   trace.SpanContext
	links    []trace.Link
	attrs    map[attribute.Key]attribute.Value
	status   codes.Code
	said     string // the description of the status
	ended    int
	dropped  bool
}

func (p *tracers) Tracer(string, ...trace.TracerOption) trace.Tracer { return tracer{provider: p} }

type tracer struct {
	tracenoop.Tracer
	provider *tracers
}

func (t tracer) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	p := t.provider
	p.mu.Lock()
	defer p.mu.Unlock()
	cfg := trace.NewSpanStartConfig(options...)
	s := &span{provider: p, name: name, links: cfg.Links(), attrs: map[attribute.Key]attribute.Value{}, dropped: p.dropping}
	if !cfg.NewRoot() {
		s.parent = trace.SpanContextFromContext(ctx)
	}
	p.last++
	id := trace.TraceID{p.last}
	if s.parent.IsValid() {
		id = s.parent.TraceID()
	}
	s.self = trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: trace.SpanID{p.last}})
	p.spans = append(p.spans, s)
	return trace.ContextWithSpan(ctx, s), s
}

func (s *span) SpanContext() trace.SpanContext { return s.self }
func (s *span) IsRecording() bool              { return !s.dropped }
func (s *span) End(...trace.SpanEndOption)     { s.ended++ }

func (s *span) SetAttributes(attrs ...attribute.KeyValue) {
	for _, kv := range attrs {
		s.attrs[kv.Key] = kv.Value
	}
}

func (s *span) SetStatus(code codes.Code, text string) { s.status, s.said = code, text }

// ambient starts a span of somebody else's.
func (p *tracers) ambient(ctx context.Context) context.Context {
	ctx, _ = p.Tracer("").Start(ctx, "ambient")
	return ctx
}

// named returns the spans with a name, all of which must have ended once.
func (p *tracers) named(t *testing.T, name string) []*span {
	t.Helper()
	var found []*span
	for _, s := range p.spans {
		if s.name != name {
			continue
		}
		if s.ended != 1 {
			t.Errorf("span %s ended %d times", name, s.ended)
		}
		found = append(found, s)
	}
	return found
}

// only returns the one span with a name.
func (p *tracers) only(t *testing.T, name string) *span {
	t.Helper()
	found := p.named(t, name)
	if len(found) != 1 {
		t.Fatalf("%d spans %s, want 1", len(found), name)
	}
	return found[0]
}

// meters is a meter provider that keeps what it is told.
type meters struct {
	metricnoop.MeterProvider

	mu     sync.Mutex
	points []point
	watch  []metric.Callback
}

type point struct {
	name  string
	value float64
	attrs attribute.Set
}

func (p *meters) Meter(string, ...metric.MeterOption) metric.Meter { return meter{provider: p} }

type meter struct {
	metricnoop.Meter
	provider *meters
}

func (m meter) Float64Histogram(name string, _ ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	return histogram{provider: m.provider, name: name}, nil
}

func (m meter) Int64Counter(name string, _ ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	return counter{provider: m.provider, name: name}, nil
}

type (
	gauge struct {
		metricnoop.Float64ObservableGauge
		name string
	}
	sum struct {
		metricnoop.Int64ObservableUpDownCounter
		name string
	}
)

func (m meter) Float64ObservableGauge(name string, _ ...metric.Float64ObservableGaugeOption) (metric.Float64ObservableGauge, error) {
	return gauge{name: name}, nil
}

func (m meter) Int64ObservableUpDownCounter(name string, _ ...metric.Int64ObservableUpDownCounterOption) (metric.Int64ObservableUpDownCounter, error) {
	return sum{name: name}, nil
}

func (m meter) RegisterCallback(f metric.Callback, _ ...metric.Observable) (metric.Registration, error) {
	m.provider.mu.Lock()
	defer m.provider.mu.Unlock()
	m.provider.watch = append(m.provider.watch, f)
	return registration{provider: m.provider, index: len(m.provider.watch) - 1}, nil
}

type registration struct {
	metricnoop.Registration
	provider *meters
	index    int
}

func (r registration) Unregister() error {
	r.provider.mu.Lock()
	defer r.provider.mu.Unlock()
	r.provider.watch[r.index] = nil
	return nil
}

// collect asks all callbacks, as a reader does.
func (p *meters) collect(t *testing.T) []point {
	t.Helper()
	p.mu.Lock()
	watch := slices.Clone(p.watch)
	p.mu.Unlock()
	o := &observer{}
	for _, f := range watch {
		if f != nil {
			if err := f(t.Context(), o); err != nil {
				t.Error(err)
			}
		}
	}
	return o.points
}

type observer struct {
	metricnoop.Observer
	points []point
}

func (o *observer) ObserveFloat64(g metric.Float64Observable, v float64, options ...metric.ObserveOption) {
	o.points = append(o.points, point{g.(gauge).name, v, metric.NewObserveConfig(options).Attributes()})
}

func (o *observer) ObserveInt64(s metric.Int64Observable, v int64, options ...metric.ObserveOption) {
	o.points = append(o.points, point{s.(sum).name, float64(v), metric.NewObserveConfig(options).Attributes()})
}

type histogram struct {
	metricnoop.Float64Histogram
	provider *meters
	name     string
}

func (histogram) Enabled(context.Context) bool { return true }

func (h histogram) Record(_ context.Context, v float64, options ...metric.RecordOption) {
	h.provider.add(point{h.name, v, metric.NewRecordConfig(options).Attributes()})
}

type counter struct {
	metricnoop.Int64Counter
	provider *meters
	name     string
}

func (counter) Enabled(context.Context) bool { return true }

func (c counter) Add(_ context.Context, n int64, options ...metric.AddOption) {
	c.provider.add(point{c.name, float64(n), metric.NewAddConfig(options).Attributes()})
}

func (p *meters) add(pt point) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.points = append(p.points, pt)
}

func (p *meters) only(t *testing.T, name string) point {
	t.Helper()
	found := slices.DeleteFunc(slices.Clone(p.points), func(pt point) bool { return pt.name != name })
	if len(found) != 1 {
		t.Fatalf("%d points of %s, want 1", len(found), name)
	}
	return found[0]
}

// journal is an audit handler that keeps what it is told.
type journal struct {
	mu      sync.Mutex
	records []slog.Record
	err     error
}

func (j *journal) Enabled(context.Context, slog.Level) bool { return true }
func (j *journal) WithAttrs([]slog.Attr) slog.Handler       { return j }
func (j *journal) WithGroup(string) slog.Handler            { return j }

func (j *journal) Handle(_ context.Context, r slog.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.records = append(j.records, r)
	return j.err
}

// texts is attributes as text, to be compared with a literal.
type texts map[string]string

func (s *span) texts() texts {
	all := texts{}
	for key, value := range s.attrs {
		all[string(key)] = value.String()
	}
	return all
}

func (p point) texts() texts {
	all := texts{}
	for _, kv := range p.attrs.ToSlice() {
		all[string(kv.Key)] = kv.Value.String()
	}
	return all
}

func recordTexts(r slog.Record) texts {
	all := texts{}
	r.Attrs(func(a slog.Attr) bool {
		all[a.Key] = a.Value.String()
		if list, ok := a.Value.Any().([]string); ok {
			text, _ := json.Marshal(list)
			all[a.Key] = string(text)
		}
		return true
	})
	return all
}

func (x texts) mustBe(t *testing.T, what string, want texts) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if x[key] != want[key] {
			t.Errorf("%s: %s is %q, want %q", what, key, x[key], want[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(x)) {
		if _, wanted := want[key]; !wanted {
			t.Errorf("%s: has %s %q, want none", what, key, x[key])
		}
	}
}

// kit is a recorder with everything on.
type kit struct {
	*telemetry.Recorder
	tracers *tracers
	meters  *meters
	journal *journal
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func newKit(change func(*telemetry.Config)) kit {
	k := kit{tracers: &tracers{}, meters: &meters{}, journal: &journal{}}
	cfg := telemetry.Config{
		TracerProvider: k.tracers, MeterProvider: k.meters, Audit: k.journal,
		PseudonymKey: []byte("0123456789abcdef0123456789abcdef"),
		Now:          func() time.Time { return noon },
		Logger:       slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	k.Recorder = telemetry.New(cfg)
	return k
}

// deaf is a meter provider whose instruments are wanted and keep nothing.
type deaf struct{ metricnoop.MeterProvider }

func (deaf) Meter(string, ...metric.MeterOption) metric.Meter { return deafMeter{} }

type deafMeter struct{ metricnoop.Meter }

type (
	deafHistogram struct{ metricnoop.Float64Histogram }
	deafCounter   struct{ metricnoop.Int64Counter }
)

func (deafHistogram) Enabled(context.Context) bool { return true }
func (deafCounter) Enabled(context.Context) bool   { return true }

func (deafMeter) Float64Histogram(string, ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	return deafHistogram{}, nil
}

func (deafMeter) Int64Counter(string, ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	return deafCounter{}, nil
}

// refusing is a meter provider that makes no instrument.
type refusing struct{ metricnoop.MeterProvider }

func (refusing) Meter(string, ...metric.MeterOption) metric.Meter { return refusingMeter{} }

type refusingMeter struct{ metricnoop.Meter }

var errRefused = errors.New("refused")

func (refusingMeter) Float64Histogram(string, ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	return nil, errRefused
}

func (refusingMeter) Int64Counter(string, ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	return nil, errRefused
}

func (refusingMeter) RegisterCallback(metric.Callback, ...metric.Observable) (metric.Registration, error) {
	return nil, errRefused
}
