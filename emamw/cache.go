package emamw

import (
	"context"
	"crypto/sha256"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/telemetry"
)

const (
	cacheShards = 16

	// maxIdentityBytes is the average size of an identity for which the cache
	// has room: 10,000 entries are then at most 40 MiB.
	maxIdentityBytes = 4 << 10
)

// identityCache remembers verified tokens by their hash. It never keeps one past
// its expiry, nor past the TTL of groups that were looked up for it, nor one whose
// issuer has since withdrawn a key. It keeps no refusal: a flood of bad tokens
// takes no room in it.
type identityCache struct {
	shards [cacheShards]cacheShard
	off    bool
}

type cacheShard struct {
	mu      sync.RWMutex
	entries map[[sha256.Size]byte]*cacheEntry
	ring    []*cacheEntry // for the clock hand that evicts
	hand    int
	bytes   int
	limit   int // entries
	room    int // bytes

	flightMu sync.Mutex
	flights  map[[sha256.Size]byte]*flight
}

type cacheEntry struct {
	sum  [sha256.Size]byte
	id   *identity
	used atomic.Bool // since the hand last passed
}

// flight is a verification under way, for the others with the same token.
type flight struct {
	done    chan struct{}
	id      *identity
	reason  claims.Reason
	learned trail
}

func newIdentityCache(entries int) *identityCache {
	c := &identityCache{off: entries < 0}
	for i := range c.shards {
		s := &c.shards[i]
		s.limit = max(1, (entries+cacheShards-1)/cacheShards)
		s.room = s.limit * maxIdentityBytes
		s.entries = map[[sha256.Size]byte]*cacheEntry{}
		s.flights = map[[sha256.Size]byte]*flight{}
	}
	return c
}

// load returns the identity of the token with this hash, by verify where it is
// not known. Requests that bring the same new token at the same time share one
// verification. t becomes what the cache said, and what verify learned.
func (c *identityCache) load(ctx context.Context, sum [sha256.Size]byte, now func() time.Time, t *trail, verify func() (*identity, claims.Reason)) (*identity, claims.Reason) {
	s := &c.shards[sum[0]%cacheShards]
	id, result := s.lookup(sum, now())
	t.cache = result
	if id != nil {
		return id, ""
	}
	f, leads := s.join(sum)
	if !leads {
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, claims.Canceled
		}
		if f.reason == claims.Canceled {
			return verify() // whoever led gave up; this request has not
		}
		t.issuer, t.claim = f.learned.issuer, f.learned.claim
		return f.id, f.reason
	}
	defer s.land(sum, f)
	f.reason = claims.Internal // what the others learn should verify panic
	f.id, f.reason = verify()
	f.learned = *t
	if f.reason == "" && now().Before(f.id.fresh) {
		s.store(sum, f.id)
	}
	return f.id, f.reason
}

func (s *cacheShard) lookup(sum [sha256.Size]byte, now time.Time) (*identity, telemetry.CacheResult) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := s.entries[sum]
	switch {
	case e == nil:
		return nil, telemetry.Miss
	case !now.Before(e.id.fresh), e.id.generation != e.id.issuer.keys.Generation():
		return nil, telemetry.Stale
	}
	if !e.used.Load() {
		e.used.Store(true)
	}
	return e.id, telemetry.Hit
}

func (s *cacheShard) join(sum [sha256.Size]byte) (f *flight, leads bool) {
	s.flightMu.Lock()
	defer s.flightMu.Unlock()
	if f := s.flights[sum]; f != nil {
		return f, false
	}
	f = &flight{done: make(chan struct{})}
	s.flights[sum] = f
	return f, true
}

func (s *cacheShard) land(sum [sha256.Size]byte, f *flight) {
	s.flightMu.Lock()
	delete(s.flights, sum)
	s.flightMu.Unlock()
	close(f.done)
}

func (s *cacheShard) store(sum [sha256.Size]byte, id *identity) {
	if id.size > s.room {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.entries[sum]; old != nil {
		s.bytes += id.size - old.id.size
		old.id = id
		return
	}
	for len(s.ring) > 0 && (len(s.ring) >= s.limit || s.bytes+id.size > s.room) {
		s.evict()
	}
	e := &cacheEntry{sum: sum, id: id}
	s.entries[sum] = e
	s.ring = slices.Insert(s.ring, s.hand, e) // where the hand comes last
	s.hand++
	s.bytes += id.size
}

// evict takes out the next entry that was not used since the hand last passed.
func (s *cacheShard) evict() {
	for {
		s.hand %= len(s.ring)
		e := s.ring[s.hand]
		if !e.used.Swap(false) {
			delete(s.entries, e.sum)
			s.bytes -= e.id.size
			s.ring = slices.Delete(s.ring, s.hand, s.hand+1)
			return
		}
		s.hand++
	}
}
