package revocation

import (
	"context"
	"errors"
	"time"
)

// Heartbeat is the longest a healthy [Store] is silent towards a follower.
const Heartbeat = 5 * time.Second

// ErrFull is returned by [Store.Revoke] when a bounded store has no room left.
// The revocation is not in effect. A full store never makes room by forgetting
// one that still counts: that would let tokens back in.
var ErrFull = errors.New("revocation: the store is full; raise its limit, or revoke a client instead of its many tokens")

// A Store keeps revocations and hands them to those who verify tokens. All
// methods may be called from several goroutines at once. The package
// revocationtest tests an implementation against what is said here.
type Store interface {
	// Revoke records r. A nil error means that it is kept, and that every
	// follower, in this process and in others, will be handed it: those that
	// are connected within [Heartbeat]. Any other outcome is an error, after
	// which the caller may repeat the call, as recording twice changes nothing.
	// A Revocation that [Revocation.Validate] refuses is refused.
	//
	// A revocation whose Until has passed names no living token. Revoke then
	// returns nil and may skip it.
	Revoke(ctx context.Context, r Revocation) error

	// Follow calls apply until ctx ends or the store can be read no longer. It
	// then returns a non-nil error, which is ctx.Err() when ctx has ended, and
	// calls apply no more. Whoever wants to go on calls Follow again.
	//
	// The first call of apply carries everything known that still counts, in one
	// slice, and comes even when that is nothing: it tells the follower that it
	// is complete. Each later call carries what is new, and possibly what was
	// handed over before. While the store is healthy a call comes at least every
	// [Heartbeat], with an empty slice when nothing is new. A Follow that cannot
	// reach its store makes no calls, which is how the follower learns that its
	// view grows old: a heartbeat must come from the store, not from a timer
	// beside it.
	//
	// Calls come one at a time. The slice is apply's to keep and to change.
	// apply returns soon and does not call the store.
	Follow(ctx context.Context, apply func([]Revocation)) error
}
