package keys

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A report writes one log line per change of an issuer's state, and none per
// fetch or request: an outage of a day is a line for each cause that it has, and
// one for its end. The second cause counts: whoever mended the first would
// otherwise go on looking for what the log last said. An issuer that is up and
// down all the time is held to one line a minute; each line then says how many
// were left out.
//
// The attributes are named as in telemetry. None of them holds remote text: not
// a kid, not the message of an error.
type report struct {
	log     *slog.Logger
	limiter *rate.Limiter

	mu       sync.Mutex
	loaded   bool
	told     map[trouble]bool // of the outage under way; empty when there is none
	rejected int              // members left out of the last set
	silenced int
}

// trouble is what an outage is told by, out of two closed lists.
type trouble struct {
	cause Cause
	step  Step
}

func (a *attempt) trouble() trouble { return trouble{a.fetched.Cause, a.fetched.Step} }

const (
	linesAtOnce  = 10
	lineInterval = time.Minute
)

func newReport(cfg Config) *report {
	return &report{
		log:     cfg.Logger.With("ema.issuer", cfg.Issuer),
		limiter: rate.NewLimiter(rate.Every(lineInterval), linesAtOnce),
		told:    map[trouble]bool{},
	}
}

func (r *report) succeeded(a *attempt, lost int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := slog.Int("ema.jwks.keys", a.fetched.Keys)
	switch {
	case !r.loaded:
		r.always(slog.LevelInfo, "issuer's keys are loaded", keys)
	case len(r.told) > 0:
		r.line(slog.LevelInfo, "issuer's keys are read again", keys)
	}
	if lost > 0 {
		r.line(slog.LevelInfo, "issuer withdrew or replaced keys", keys, slog.Int("ema.jwks.lost", lost))
	}
	if a.fetched.Rejected != r.rejected && a.fetched.Rejected > 0 {
		r.line(slog.LevelWarn, "issuer's key set has members that are left out", keys,
			slog.Int("ema.jwks.rejected", a.fetched.Rejected), slog.String("ema.jwks.first_rejected", a.why[0].Why))
	}
	r.loaded, r.rejected = true, a.fetched.Rejected
	clear(r.told)
}

func (r *report) failed(a *attempt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := a.trouble()
	if r.told[now] {
		return
	}
	r.told[now] = true
	text := "issuer's keys cannot be read; every token of this issuer is refused until they can"
	if r.loaded {
		text = "issuer's keys cannot be read; those from before serve on"
	}
	attrs := []any{slog.String("error.type", string(a.fetched.Cause)), slog.String("ema.jwks.step", string(a.fetched.Step))}
	if a.fetched.Status != 0 {
		attrs = append(attrs, slog.Int("http.response.status_code", a.fetched.Status))
	}
	if len(a.why) > 0 {
		attrs = append(attrs, slog.Int("ema.jwks.rejected", len(a.why)), slog.String("ema.jwks.first_rejected", a.why[0].Why))
	}
	r.line(slog.LevelWarn, text, attrs...)
}

func (r *report) died(keys int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.always(slog.LevelError, "issuer's keys were not confirmed for too long and are dropped; every token of this issuer is refused",
		slog.Int("ema.jwks.lost", keys))
	r.loaded = false
}

func (r *report) line(level slog.Level, text string, attrs ...any) {
	if !r.limiter.Allow() {
		r.silenced++
		return
	}
	r.always(level, text, attrs...)
}

// always is for the lines that nobody may miss, and that cannot come often.
func (r *report) always(level slog.Level, text string, attrs ...any) {
	if r.silenced > 0 {
		attrs = append(attrs, slog.Int("ema.silenced", r.silenced))
		r.silenced = 0
	}
	r.log.Log(context.Background(), level, text, attrs...)
}
