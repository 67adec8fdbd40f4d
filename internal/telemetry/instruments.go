package telemetry

import (
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// instruments are never nil: those of the no-op provider are not enabled.
type instruments struct {
	metered        bool // there is a provider
	meter          metric.Meter
	authentication metric.Float64Histogram
	decisions      metric.Int64Counter
	exchanges      metric.Float64Histogram
	fetches        metric.Float64Histogram
	lookups        metric.Int64Counter
	revocations    metric.Int64Counter

	authenticationSets sets[authenticationKey, metric.RecordOption]
	decisionSets       sets[decisionKey, metric.AddOption]
	exchangeSets       sets[exchangeKey, metric.RecordOption]
	fetchSets          sets[fetchKey, metric.RecordOption]
	lookupSets         sets[lookupKey, metric.AddOption]
	revocationSets     sets[revocationKey, metric.AddOption]
	names              names
}

func isNoop(p metric.MeterProvider) bool {
	_, off := p.(metricnoop.MeterProvider)
	return off
}

func (i *instruments) open(p metric.MeterProvider) {
	i.metered = p != nil
	if p == nil {
		p = metricnoop.NewMeterProvider()
	}
	m := p.Meter(ScopeName, metric.WithInstrumentationVersion(version()), metric.WithSchemaURL(semconv.SchemaURL))
	i.meter = m
	i.authentication = histogram(m, metricAuthentication, fastBounds)
	i.decisions = counter(m, metricDecisions)
	i.exchanges = histogram(m, metricExchange, slowBounds)
	i.fetches = histogram(m, metricFetch, slowBounds)
	i.lookups = counter(m, metricLookups)
	i.revocations = counter(m, metricRevocations)
}

// described returns the row of a metric in the vocabulary.
func described(name string) Metric {
	for _, m := range Metrics {
		if m.Name == name {
			return m
		}
	}
	panic("telemetry: " + name + " is not in the vocabulary")
}

// A provider that refuses an instrument tells OpenTelemetry's error handler, and
// the server goes on without it.

func histogram(m metric.Meter, name string, bounds []float64) metric.Float64Histogram {
	row := described(name)
	h, err := m.Float64Histogram(name, metric.WithUnit(row.Unit), metric.WithDescription(row.Meaning), metric.WithExplicitBucketBoundaries(bounds...))
	if err != nil {
		otel.Handle(err)
		return metricnoop.Float64Histogram{}
	}
	return h
}

func counter(m metric.Meter, name string) metric.Int64Counter {
	row := described(name)
	c, err := m.Int64Counter(name, metric.WithUnit(row.Unit), metric.WithDescription(row.Meaning))
	if err != nil {
		otel.Handle(err)
		return metricnoop.Int64Counter{}
	}
	return c
}
