package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// signals is where one service sends what it has to tell.
type signals struct {
	traces  *sdktrace.TracerProvider
	metrics *metric.MeterProvider
	log     *slog.Logger
	audit   slog.Handler
}

// collection is how often metrics are sent: more often than in production, so
// that a new dashboard fills while somebody looks at it.
const collection = 5 * time.Second

// newSignals sends to the OTLP receiver at endpoint, and logs and audit records to
// out, which all services share. A receiver that is not there is no error:
// telemetry must not keep a server from serving.
func newSignals(ctx context.Context, service, endpoint string, out slog.Handler) (*signals, error) {
	base := strings.TrimSuffix(endpoint, "/")
	spans, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(base+"/v1/traces"))
	if err != nil {
		return nil, fmt.Errorf("-endpoint %s: %w", endpoint, err)
	}
	points, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(base+"/v1/metrics"))
	if err != nil {
		return nil, fmt.Errorf("-endpoint %s: %w", endpoint, err)
	}
	named := resource.NewSchemaless(attribute.String("service.name", service))
	records := out.WithAttrs([]slog.Attr{slog.String("service.name", service)})
	return &signals{
		traces:  sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(named)),
		metrics: metric.NewMeterProvider(metric.WithReader(metric.NewPeriodicReader(points, metric.WithInterval(collection))), metric.WithResource(named)),
		log:     slog.New(joined{records}),
		audit:   joined{records.WithAttrs([]slog.Attr{slog.Bool("audit", true)})},
	}, nil
}

// close sends what is left.
func (s *signals) close(ctx context.Context) error {
	return errors.Join(s.traces.Shutdown(ctx), s.metrics.Shutdown(ctx))
}

// joined adds the ids of the trace and span to each record, so that whoever
// reads one finds the other.
type joined struct{ slog.Handler }

// Handle implements slog.Handler.
func (j joined) Handle(ctx context.Context, r slog.Record) error {
	if s := trace.SpanContextFromContext(ctx); s.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", s.TraceID().String()), slog.String("span_id", s.SpanID().String()))
	}
	return j.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (j joined) WithAttrs(attrs []slog.Attr) slog.Handler { return joined{j.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (j joined) WithGroup(name string) slog.Handler { return joined{j.Handler.WithGroup(name)} }
