package soak_test

import (
	"sync"
	"time"
)

// trouble tells when a part of the deployment was not as it should be.
type trouble struct {
	mu    sync.Mutex
	spans []span
}

// A span of trouble lasts from since to until; cured is when the cause was taken
// away, from which the deployment recovers by itself. The zero Time is "not yet".
type span struct{ since, cured, until time.Time }

func (t *trouble) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.spans = append(t.spans, span{since: time.Now()})
}

func (t *trouble) cure() { t.last(func(s *span) { s.cured = time.Now() }) }
func (t *trouble) end()  { t.last(func(s *span) { s.until = time.Now() }) }

func (t *trouble) last(change func(*span)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.spans[len(t.spans)-1])
}

// during reports whether a request that was under way from sent to answered met
// trouble that had lasted for at least this long when it was answered.
func (t *trouble) during(sent, answered time.Time, atLeast time.Duration) bool {
	return t.some(func(s span) bool {
		return !answered.Before(s.since.Add(atLeast)) && (s.until.IsZero() || !sent.After(s.until))
	})
}

// throughout reports whether all of a request fell into one trouble that had
// lasted for at least this long when it was sent, and was not cured before it was
// answered.
func (t *trouble) throughout(sent, answered time.Time, atLeast time.Duration) bool {
	return t.some(func(s span) bool {
		return !sent.Before(s.since.Add(atLeast)) && (s.cured.IsZero() || answered.Before(s.cured))
	})
}

func (t *trouble) some(holds func(span) bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := len(t.spans) - 1; i >= 0 && i >= len(t.spans)-4; i-- { // no request is older than that
		if holds(t.spans[i]) {
			return true
		}
	}
	return false
}
