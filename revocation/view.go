package revocation

import (
	"sync"
	"sync/atomic"
	"time"
)

// A View is one process's copy of what a [Store] knows, made to be asked on
// every request: a lookup allocates nothing and waits for no input or output.
// It is fed by handing its Apply method to [Store.Follow]. All methods may be
// called from several goroutines at once. Make one with [NewView].
type View struct {
	now func() time.Time

	size  atomic.Int64              // entries in table: most servers have none, and pay one load
	heard atomic.Pointer[time.Time] // last Apply; nil before the first

	mu      sync.RWMutex
	table   table
	swept   time.Time
	changed chan struct{} // closed when something new was applied
}

// sweepEvery is how often a View looks through its entries for those to
// forget. Between two sweeps they have no effect already.
const sweepEvery = time.Minute

// NewView returns a view that knows nothing and has heard from nobody. now is
// its clock, and nil means [time.Now].
func NewView(now func() time.Time) *View {
	if now == nil {
		now = time.Now
	}
	return &View{now: now, changed: make(chan struct{})}
}

// Apply adds what a store handed over, and notes that the store was heard from,
// which also an empty slice shows. What is there already stays: repeated and
// reordered calls come to the same. A Revocation that is not legal is skipped,
// because it names nobody; a [Store] never hands one over.
func (v *View) Apply(revocations []Revocation) {
	v.add(revocations, true)
}

// Note adds r, which this process put into the store itself, without waiting for
// the store to hand it back. It says nothing of whether the store can be heard.
func (v *View) Note(r Revocation) {
	v.add([]Revocation{r}, false)
}

func (v *View) add(revocations []Revocation, heard bool) {
	now := v.now()
	v.mu.Lock()
	defer v.mu.Unlock()

	fresh := false
	for _, r := range revocations {
		if r.Validate() != nil {
			continue
		}
		by, k, m := r.entry()
		if m.until >= now.Unix() && v.table.add(by, k, m) {
			fresh = true
		}
	}
	if now.Sub(v.swept) >= sweepEvery {
		v.table.purge(now.Unix())
		v.swept = now
	}
	v.size.Store(int64(v.table.size()))
	if heard {
		v.heard.Store(&now)
	}
	if fresh {
		close(v.changed)
		v.changed = make(chan struct{})
	}
}

// Revoked reports whether a token with these properties was revoked. An empty
// property of the token matches no revocation. issuedAt is the token's iat; the
// zero Time, for a token that does not tell, is refused by any watermark that
// names its subject or client, since the token may be older.
//
// Ask after the token was verified: its issuer's word is what the properties
// rest on. Ask on every request, also for a token whose verification is cached.
func (v *View) Revoked(issuer, tenant, subject, clientID, tokenID string, issuedAt time.Time) bool {
	if v.size.Load() == 0 {
		return false
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.ended(byToken, issuer, "", tokenID, issuedAt) ||
		v.ended(bySubject, issuer, "", subject, issuedAt) ||
		v.ended(bySubjectInTenant, issuer, tenant, subject, issuedAt) ||
		v.ended(byClient, issuer, "", clientID, issuedAt) ||
		v.ended(byClientInTenant, issuer, tenant, clientID, issuedAt)
}

func (v *View) ended(by kind, issuer, tenant, id string, issuedAt time.Time) bool {
	marks := v.table.marks[by]
	if len(marks) == 0 {
		return false
	}
	m, found := marks[key{issuer, tenant, id}]
	return found && v.covers(m, issuedAt)
}

// covers compares whole seconds, both ends included: iat has no fractions, so
// of two events in one second nobody can say which came first.
func (v *View) covers(m mark, issuedAt time.Time) bool {
	return issuedAt.Unix() <= m.before && v.now().Unix() <= m.until
}

// Fresh reports whether the store was heard from within the last bound. A view
// that never heard from its store is not fresh. Whoever relies on a view that
// is not fresh may let a revoked token in: answer that the decision cannot be
// made. A bound under two times [Heartbeat] makes a single late call an outage.
func (v *View) Fresh(bound time.Duration) bool {
	t := v.heard.Load()
	return t != nil && v.now().Sub(*t) <= bound
}

// Watch returns a channel that is closed when the view next learns something
// new; a heartbeat is nothing new. It is for what outlives a request, such as
// an open stream: take the channel first, then ask Revoked, then wait. The other
// way round misses what comes in between.
func (v *View) Watch() <-chan struct{} {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.changed
}

// Len is how many revocations the view holds, those included that the next
// sweep will forget.
func (v *View) Len() int { return int(v.size.Load()) }
