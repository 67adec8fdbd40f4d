package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// CacheLookup counts a lookup in a cache.
func (r *Recorder) CacheLookup(ctx context.Context, cache CacheName, result CacheResult) {
	if r == nil || !r.metered || !r.lookups.Enabled(ctx) {
		return
	}
	r.lookups.Add(ctx, 1, r.lookupSets.of(lookupKey{cache, result}, lookupKey.option)...)
}

type lookupKey struct {
	cache  CacheName
	result CacheResult
}

func (k lookupKey) option() metric.AddOption {
	return metric.WithAttributeSet(attribute.NewSet(keyCacheName.String(string(k.cache)), keyCacheResult.String(string(k.result))))
}
