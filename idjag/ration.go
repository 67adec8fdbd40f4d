package idjag

import (
	"sync"
	"time"

	"github.com/emamw/mcp-ema/claims"
)

// lineInterval is the least between two lines of the log about one reason.
const lineInterval = time.Minute

// A ration bounds the lines about our own failures. While a store is away every
// request fails, and clients come again and again: a line for each would fill the
// disk with one sentence, and hide what else goes wrong. Nothing is lost by it,
// as the audit records and the metrics have every request. The zero ration is
// ready for use.
type ration struct {
	mu      sync.Mutex
	reasons map[claims.Reason]*rationed // one each, out of a closed list
}

type rationed struct {
	last     time.Time
	silenced int
}

// allow reports whether a line about reason may be written at this time, and how
// many were left out before it.
func (r *ration) allow(reason claims.Reason, now time.Time) (silenced int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reasons == nil {
		r.reasons = make(map[claims.Reason]*rationed)
	}
	of := r.reasons[reason]
	if of == nil {
		of = &rationed{last: now.Add(-lineInterval)}
		r.reasons[reason] = of
	}
	if now.Sub(of.last) < lineInterval {
		of.silenced++
		return 0, false
	}
	silenced, of.last, of.silenced = of.silenced, now, 0
	return silenced, true
}
