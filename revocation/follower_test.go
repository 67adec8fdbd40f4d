package revocation_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emamw/mcp-ema/revocation"
)

// scripted is a Store whose Follow does what the test says.
type scripted struct {
	follow func(ctx context.Context, apply func([]revocation.Revocation)) error
}

func (s *scripted) Revoke(context.Context, revocation.Revocation) error { return nil }

func (s *scripted) Follow(ctx context.Context, apply func([]revocation.Revocation)) error {
	return s.follow(ctx, apply)
}

// A follower says each change of state once, and is current while its store's
// last word is young enough.
func TestFollower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		down := errors.New("down")
		var up atomic.Bool
		store := &scripted{func(ctx context.Context, apply func([]revocation.Revocation)) error {
			if !up.Load() {
				return down
			}
			apply(nil)
			<-ctx.Done()
			return ctx.Err()
		}}
		said := make(chan error, 10)
		f := revocation.StartFollower(ctx, store, 30*time.Second, nil, func(err error) { said <- err })

		begin := time.Now()
		if f.Current(ctx) || time.Since(begin) != 2*time.Second {
			t.Errorf("current without a word, after %v", time.Since(begin))
		}
		time.Sleep(time.Minute)
		up.Store(true)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !f.Current(ctx) {
			t.Error("not current after the store's word")
		}
		time.Sleep(31 * time.Second)
		if f.Current(ctx) {
			t.Error("current although the store fell silent")
		}
		synctest.Wait()
		if len(said) != 2 || !errors.Is(<-said, down) || <-said != nil {
			t.Error("want to be told once that it is down, and once that it is up")
		}
	})
}

// Where nobody is to be told, a store may fail and come back all the same.
func TestFollowerTellsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var asked atomic.Int32
		store := &scripted{func(ctx context.Context, apply func([]revocation.Revocation)) error {
			if asked.Add(1) == 1 {
				return errors.New("down")
			}
			apply(nil)
			<-ctx.Done()
			return ctx.Err()
		}}
		f := revocation.StartFollower(ctx, store, time.Minute, nil, nil)
		if !f.Current(ctx) {
			t.Error("not current after the store's word")
		}
	})
}

// A view of this process's own store needs no heartbeat, and a question does not
// outlast its context.
func TestFollowerOfMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := revocation.StartFollower(ctx, revocation.NewMemory(0, nil), time.Nanosecond, nil, func(error) {})
		synctest.Wait()
		time.Sleep(time.Second)
		if !f.Current(ctx) {
			t.Error("not current")
		}
		silent := &scripted{func(ctx context.Context, _ func([]revocation.Revocation)) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		g := revocation.StartFollower(ctx, silent, time.Second, nil, func(error) {})
		ended, end := context.WithCancel(ctx)
		end()
		begin := time.Now()
		if g.Current(ended) || time.Since(begin) != 0 {
			t.Error("waits for a request that has ended")
		}
		cancel()
		synctest.Wait()
	})
}

// A view that nobody feeds any more, because the program gave New a context that
// ended with its start, grows old. It would let in who is revoked from then on.
func TestFollowerOfMemoryEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		store := revocation.NewMemory(0, nil)
		f := revocation.StartFollower(ctx, store, 30*time.Second, nil, nil)
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !f.Current(t.Context()) {
			t.Error("not current a moment after the end, while requests are still answered")
		}
		now := time.Now()
		if err := store.Revoke(t.Context(), revocation.Revocation{Issuer: "i", Subject: "s", Before: now, Until: now.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(31 * time.Second)
		if f.Current(t.Context()) && !f.View().Revoked("i", "", "s", "c", "t", now) {
			t.Error("current, and knows nothing of a revocation half a minute old")
		}
	})
}

// What this process put into the store itself counts at once, and is no sign that
// the store can be heard.
func TestNote(t *testing.T) {
	v := revocation.NewView(nil)
	v.Note(revocation.Revocation{Issuer: "i", TokenID: "t", Until: time.Now().Add(time.Hour)})
	if !v.Revoked("i", "", "s", "c", "t", time.Now()) {
		t.Error("a noted revocation does not count")
	}
	if v.Fresh(time.Hour) {
		t.Error("a note passes for the store's word")
	}
}
