package idjag

import (
	"container/heap"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"sync"
	"time"
)

// A ReplayStore remembers which assertions were redeemed. Package replaytest
// checks an implementation against this contract.
//
// Replicas of one authorization server must share a store: with one in the
// memory of each, an assertion can be redeemed once per replica.
type ReplayStore interface {
	// Consume records key until the given time and reports whether it was
	// new. Of any number of concurrent calls with one key exactly one gets
	// true, over all replicas. Keys are opaque ASCII of at most 64 bytes. On
	// an error nothing is known, and the request is answered with 503.
	//
	// An implementation must never make room by forgetting a key before its
	// time: whoever can fill the store could then replay what was forgotten.
	Consume(ctx context.Context, key string, until time.Time) (fresh bool, err error)
}

// ErrReplayStoreFull is returned by the store of [NewReplayStore] when every
// place is taken by an assertion that has not expired yet.
var ErrReplayStoreFull = errors.New("idjag: replay store is full: nothing is redeemed until an assertion expires; raise its capacity")

// NewReplayStore returns a store in memory for a server with one replica. It
// holds up to capacity assertions, 1<<17 when capacity is not positive, at
// about 150 bytes each, and refuses rather than forgets when it is full. Now is
// the clock, time.Now when nil. A restart forgets everything, which gives an
// assertion another life until it expires.
func NewReplayStore(capacity int, now func() time.Time) ReplayStore {
	if capacity <= 0 {
		capacity = 1 << 17
	}
	if now == nil {
		now = time.Now
	}
	return &memoryReplay{capacity: capacity, now: now, seen: make(map[string]struct{})}
}

type memoryReplay struct {
	capacity int
	now      func() time.Time

	mu    sync.Mutex
	seen  map[string]struct{}
	queue expiryQueue // the same keys, the one that expires first in front
}

func (m *memoryReplay) Consume(ctx context.Context, key string, until time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	for len(m.queue) > 0 && !now.Before(m.queue[0].until) {
		delete(m.seen, heap.Pop(&m.queue).(consumed).key)
	}
	if _, used := m.seen[key]; used {
		return false, nil
	}
	if len(m.seen) >= m.capacity {
		return false, ErrReplayStoreFull
	}
	m.seen[key] = struct{}{}
	heap.Push(&m.queue, consumed{key: key, until: until})
	return true, nil
}

type consumed struct {
	key   string
	until time.Time
}

// expiryQueue is a heap.Interface.
type expiryQueue []consumed

func (q expiryQueue) Len() int           { return len(q) }
func (q expiryQueue) Less(i, j int) bool { return q[i].until.Before(q[j].until) }
func (q expiryQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *expiryQueue) Push(x any)        { *q = append(*q, x.(consumed)) }
func (q *expiryQueue) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	*q = (*q)[:last]
	return x
}

// replayKey is what a store is asked for: a digest, so that it has a fixed size
// and shows nothing, over parts that are length-prefixed, so that two issuers
// cannot meet in one key. Kind keeps ID-JAGs and client assertions apart.
func replayKey(kind, issuer, id string) string {
	return digest(kind, issuer, id)
}

// digest is base64url(SHA-256) over length-prefixed parts: without the lengths
// ("a", "bc") and ("ab", "c") would be one.
func digest(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		h.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
