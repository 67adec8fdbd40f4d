package telemetry

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// A journal writes audit records. Every record has the level INFO: a filter by
// level must not be able to keep the refusals out, or the permissions.
type journal struct {
	handler slog.Handler
	now     func() time.Time
	log     *slog.Logger
	failing atomic.Bool
}

func newJournal(cfg *Config) *journal {
	if cfg.Audit == nil {
		return nil
	}
	return &journal{handler: cfg.Audit, now: cfg.Now, log: cfg.Logger}
}

func (j *journal) wants(ctx context.Context) bool {
	return j != nil && j.handler.Enabled(ctx, slog.LevelInfo)
}

// write hands over one record. A handler that fails is reported when it begins to
// and when it is well again, not once per request. The error itself is not
// logged: it may hold the record.
func (j *journal) write(ctx context.Context, event string, attrs []attribute.KeyValue) {
	record := slog.NewRecord(j.now(), slog.LevelInfo, event, 0)
	for _, kv := range attrs {
		record.AddAttrs(logged(kv))
	}
	failed := j.handler.Handle(ctx, record) != nil
	if j.failing.Swap(failed) == failed {
		return
	}
	if failed {
		j.log.ErrorContext(ctx, "telemetry: audit records are lost: the handler given as Audit fails")
		return
	}
	j.log.InfoContext(ctx, "telemetry: audit records are kept again")
}

// logged is an attribute under its own dotted key: a bridge to OpenTelemetry
// would turn a group into a map, which few backends can search.
func logged(kv attribute.KeyValue) slog.Attr {
	key := string(kv.Key)
	switch kv.Value.Type() {
	case attribute.BOOL:
		return slog.Bool(key, kv.Value.AsBool())
	case attribute.INT64:
		return slog.Int64(key, kv.Value.AsInt64())
	case attribute.FLOAT64:
		return slog.Float64(key, kv.Value.AsFloat64())
	case attribute.STRINGSLICE:
		return slog.Any(key, kv.Value.AsStringSlice())
	}
	return slog.String(key, kv.Value.AsString())
}
