package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// watch keeps everything that a server tells of its requests: spans, metrics,
// audit records and log lines.
type watch struct {
	t      *testing.T
	spans  *tracetest.SpanRecorder
	traces *sdktrace.TracerProvider
	reader *sdkmetric.ManualReader
	meters *sdkmetric.MeterProvider
	audit  *lines
	log    *lines
}

// newWatch samples every trace, unless options say otherwise. What it reads of
// metrics is what was added since the reading before.
func newWatch(t *testing.T, options ...sdktrace.TracerProviderOption) *watch {
	t.Helper()
	w := &watch{t: t, spans: tracetest.NewSpanRecorder(), audit: &lines{}, log: &lines{}}
	w.traces = sdktrace.NewTracerProvider(append(options, sdktrace.WithSpanProcessor(w.spans))...)
	w.reader = sdkmetric.NewManualReader(sdkmetric.WithTemporalitySelector(func(sdkmetric.InstrumentKind) metricdata.Temporality {
		return metricdata.DeltaTemporality
	}))
	w.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(w.reader))
	t.Cleanup(func() {
		_ = w.traces.Shutdown(context.Background())
		_ = w.meters.Shutdown(context.Background())
	})
	return w
}

// starting is a context with a span that has nothing to do with any request, as
// of a program that traces its own start.
func (w *watch) starting() context.Context {
	ctx, span := w.traces.Tracer("program").Start(context.Background(), "start")
	span.End()
	return ctx
}

func (w *watch) auditor() slog.Handler { return slog.NewJSONHandler(w.audit, nil) }

func (w *watch) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// forget drops what was told so far.
func (w *watch) forget() {
	w.spans.Reset()
	w.audit.take()
	w.log.take()
	w.points()
}

// span returns the one span of this name since forget.
func (w *watch) span(name string) sdktrace.ReadOnlySpan {
	w.t.Helper()
	spans := w.named(name)
	if len(spans) != 1 {
		w.t.Fatalf("%d spans are called %s, want one", len(spans), name)
	}
	return spans[0]
}

func (w *watch) named(name string) (spans []sdktrace.ReadOnlySpan) {
	for _, s := range w.spans.Ended() {
		if s.Name() == name {
			spans = append(spans, s)
		}
	}
	return spans
}

// point is one measurement: an instrument and a set of attributes, with how
// often it was counted.
type point struct {
	metric string
	set    attribute.Set
	count  uint64
}

// String is the metric and its attributes in the order of their keys, without
// the count.
func (p point) String() string { return strings.TrimSpace(p.metric + " " + written(p.set.ToSlice())) }

func written(attributes []attribute.KeyValue) string {
	var all []string
	for _, kv := range attributes {
		all = append(all, string(kv.Key)+"="+kv.Value.String())
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// points are the measurements since the last call, the observed ones included.
func (w *watch) points() (points []point) {
	w.t.Helper()
	var all metricdata.ResourceMetrics
	if err := w.reader.Collect(context.Background(), &all); err != nil {
		w.t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			points = append(points, pointsOf(m)...)
		}
	}
	return points
}

func pointsOf(m metricdata.Metrics) (points []point) {
	switch data := m.Data.(type) {
	case metricdata.Histogram[float64]:
		for _, p := range data.DataPoints {
			points = append(points, point{m.Name, p.Attributes, p.Count})
		}
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			points = append(points, point{m.Name, p.Attributes, uint64(p.Value)})
		}
	case metricdata.Gauge[float64]:
		for _, p := range data.DataPoints {
			points = append(points, point{m.Name, p.Attributes, 1})
		}
	default:
		panic(fmt.Sprintf("%s has data of the type %T, which no instrument of the vocabulary makes", m.Name, data))
	}
	return points
}

// pointsNamed are the points of one metric, each as text with its count.
func (w *watch) pointsNamed(metric string) map[string]uint64 {
	w.t.Helper()
	found := map[string]uint64{}
	for _, p := range w.points() {
		if p.metric == metric {
			found[p.String()] = p.count
		}
	}
	return found
}

// lines are records in JSON, one a line.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// text returns what take would, and leaves it there.
func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// take returns the text since the last time.
func (l *lines) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.buf.Reset()
	return l.buf.String()
}

// records decodes what take returns.
func (l *lines) records(t *testing.T) (records []map[string]any) {
	t.Helper()
	for line := range strings.Lines(l.take()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("a record is no JSON: %q", line)
		}
		records = append(records, record)
	}
	return records
}

// keysOf are the keys of a span or record, sorted and in one text.
func keysOf(attributes []attribute.KeyValue) string {
	var keys []string
	for _, kv := range attributes {
		keys = append(keys, string(kv.Key))
	}
	slices.Sort(keys)
	return strings.Join(keys, " ")
}

// keys joins lists of keys as keysOf writes them.
func keys(lists ...string) string {
	all := strings.Fields(strings.Join(lists, " "))
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " ")
}

// recordKeys are the keys of an audit record that are attributes.
func recordKeys(record map[string]any) string {
	var all []string
	for key := range record {
		if key != slog.TimeKey && key != slog.LevelKey && key != slog.MessageKey {
			all = append(all, key)
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// valueOf is an attribute of a span as text, and "" when it is absent.
func valueOf(s sdktrace.ReadOnlySpan, key string) string {
	for _, kv := range s.Attributes() {
		if string(kv.Key) == key {
			return kv.Value.String()
		}
	}
	return ""
}

// serve sends one request to a handler, in memory.
func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, r)
	return recorder
}
