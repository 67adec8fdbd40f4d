package revocation

import (
	"context"
	"sync"
	"time"
)

const (
	// firstWait bounds how long a question waits for the first word of a store,
	// and refollow is the pause before a store that failed is followed again.
	firstWait = 2 * time.Second
	refollow  = time.Second
)

// A Follower keeps a [View] of a [Store] up to date, and knows whether the view
// may be relied on. Make one with [StartFollower].
type Follower struct {
	view  *View
	local bool // the store is this process's own: what it knows is known here
	bound time.Duration
	heard chan struct{} // closed at the store's first word
	ended chan struct{} // closed when nobody feeds the view any more
}

// StartFollower follows s until ctx ends, and again after it failed. bound is how
// old the last word of the store may be. now is the clock, and nil means
// [time.Now]. changed is told of each change of state, and only of those: the
// error with which following failed, and nil when the store was heard again. It
// is called on the follower's goroutine; nil means that nobody is told.
func StartFollower(ctx context.Context, s Store, bound time.Duration, now func() time.Time, changed func(error)) *Follower {
	if changed == nil {
		changed = func(error) {}
	}
	f := &Follower{view: NewView(now), bound: bound, heard: make(chan struct{}), ended: make(chan struct{})}
	_, f.local = s.(*Memory)
	go f.follow(ctx, s, changed)
	return f
}

func (f *Follower) follow(ctx context.Context, s Store, changed func(error)) {
	defer close(f.ended)
	var first sync.Once
	failing := false
	apply := func(news []Revocation) {
		f.view.Apply(news)
		first.Do(func() { close(f.heard) })
		if failing {
			failing = false
			changed(nil)
		}
	}
	for ctx.Err() == nil {
		err := s.Follow(ctx, apply)
		if ctx.Err() != nil {
			return
		}
		if !failing {
			failing = true
			changed(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(refollow):
		}
	}
}

// View is the view that the follower feeds.
func (f *Follower) View() *View { return f.view }

// Current reports whether the view may be relied on: whether the store was heard
// from within the bound. Before the store's first word it waits for that, two
// seconds at most or until ctx ends. The view of a [Memory] is current for as long
// as it is followed.
func (f *Follower) Current(ctx context.Context) bool {
	select {
	case <-f.heard:
	default:
		wait, cancel := context.WithTimeout(ctx, firstWait)
		defer cancel()
		select {
		case <-f.heard:
		case <-wait.Done():
			return false
		}
	}
	return f.local && !f.over() || f.view.Fresh(f.bound)
}

// over reports whether the context of StartFollower has ended. What others then
// put into a Memory does not reach the view any more, and it grows old like that
// of any store.
func (f *Follower) over() bool {
	select {
	case <-f.ended:
		return true
	default:
		return false
	}
}
