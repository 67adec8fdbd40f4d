package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// KeySet is what is observed of an issuer's keys.
type KeySet interface {
	Age() (time.Duration, bool)
	Len() int
}

// WatchKeys observes the age and the number of an issuer's keys until ctx ends.
func (r *Recorder) WatchKeys(ctx context.Context, issuer *Issuer, set KeySet) {
	if r == nil || issuer == nil {
		return
	}
	ageRow, keysRow := described(metricAge), described(metricKeys)
	age, err := r.meter.Float64ObservableGauge(metricAge, metric.WithUnit(ageRow.Unit), metric.WithDescription(ageRow.Meaning))
	if err != nil {
		otel.Handle(err)
		return
	}
	keys, err := r.meter.Int64ObservableUpDownCounter(metricKeys, metric.WithUnit(keysRow.Unit), metric.WithDescription(keysRow.Meaning))
	if err != nil {
		otel.Handle(err)
		return
	}
	whose := metric.WithAttributeSet(attribute.NewSet(keyIssuer.String(issuer.name)))
	registration, err := r.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		if d, loaded := set.Age(); loaded {
			o.ObserveFloat64(age, d.Seconds(), whose)
		}
		o.ObserveInt64(keys, int64(set.Len()), whose)
		return nil
	}, age, keys)
	if err != nil {
		otel.Handle(err)
		return
	}
	context.AfterFunc(ctx, func() {
		if err := registration.Unregister(); err != nil {
			otel.Handle(err)
		}
	})
}
