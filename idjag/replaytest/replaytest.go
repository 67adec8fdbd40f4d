// Package replaytest checks an implementation of [idjag.ReplayStore] against
// the contract of that interface.
package replaytest

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/idjag"
)

// maxKeyBytes is the longest key that a store is given, and crowd more keys than
// a cache that was taken for a store would keep by default.
const (
	maxKeyBytes = 64
	crowd       = 2000
)

// Run checks a store. open is called once per check and returns two handles on
// one empty store, such as two clients of one database, because what matters is
// that replicas see each other; a store in memory returns itself twice. advance
// moves the store's clock, or sleeps; with nil, what needs time to pass is not
// checked.
func Run(t *testing.T, open func(t *testing.T) (a, b idjag.ReplayStore), advance func(time.Duration)) {
	t.Run("a key is new once, whoever asks", func(t *testing.T) {
		a, b := open(t)
		until := time.Now().Add(time.Hour)
		consume(t, a, "key", until, true)
		consume(t, a, "key", until, false)
		consume(t, b, "key", until, false)
	})
	t.Run("another expiry is the same key", func(t *testing.T) {
		a, b := open(t)
		consume(t, a, "key", time.Now().Add(time.Hour), true)
		consume(t, b, "key", time.Now().Add(2*time.Hour), false)
	})
	t.Run("keys do not disturb each other", func(t *testing.T) {
		a, b := open(t)
		until := time.Now().Add(time.Hour)
		for i := range 100 {
			consume(t, a, "key-"+strconv.Itoa(i), until, true)
		}
		for i := range 100 {
			consume(t, b, "key-"+strconv.Itoa(i), until, false)
		}
		consume(t, a, "KEY-1", until, true) // keys are compared exactly
		long := strings.Repeat("k", maxKeyBytes-1)
		consume(t, a, long+"1", until, true)
		consume(t, b, long+"2", until, true) // and to their last byte
	})
	t.Run("no key makes room for others", func(t *testing.T) {
		a, b := open(t)
		until := time.Now().Add(time.Hour)
		consume(t, a, "first", until, true)
		for i := range crowd {
			consume(t, a, "key-"+strconv.Itoa(i), until.Add(time.Hour), true)
		}
		consume(t, b, "first", until, false)
	})
	t.Run("of concurrent calls exactly one wins", func(t *testing.T) { concurrent(t, open) })
	t.Run("a canceled call takes nothing", func(t *testing.T) { canceled(t, open) })
	if advance == nil {
		return
	}
	t.Run("a key is held until its time", func(t *testing.T) {
		a, b := open(t)
		until := time.Now().Add(4 * time.Second)
		consume(t, a, "key", until, true)
		advance(2 * time.Second)
		consume(t, b, "key", until, false)
	})
}

func consume(t *testing.T, s idjag.ReplayStore, key string, until time.Time, fresh bool) {
	t.Helper()
	got, err := s.Consume(t.Context(), key, until)
	if err != nil {
		t.Fatalf("Consume(%q): %v", key, err)
	}
	if got != fresh {
		t.Errorf("Consume(%q) = %v, want %v", key, got, fresh)
	}
}

func concurrent(t *testing.T, open func(t *testing.T) (a, b idjag.ReplayStore)) {
	a, b := open(t)
	until := time.Now().Add(time.Hour)
	var wins, failures atomic.Int32
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range 64 {
		store := a
		if i%2 == 1 {
			store = b
		}
		wg.Go(func() {
			<-start
			fresh, err := store.Consume(t.Context(), "key", until)
			if err != nil {
				failures.Add(1)
			}
			if fresh {
				wins.Add(1)
			}
		})
	}
	close(start)
	wg.Wait()
	if wins.Load() != 1 || failures.Load() != 0 {
		t.Errorf("64 concurrent calls: %d won and %d failed, want 1 and 0", wins.Load(), failures.Load())
	}
}

// canceled checks that a call that reports an error has not taken the key
// either: the client that is answered with 503 will come again with the same
// assertion.
func canceled(t *testing.T, open func(t *testing.T) (a, b idjag.ReplayStore)) {
	a, b := open(t)
	until := time.Now().Add(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if fresh, err := a.Consume(ctx, "key", until); err == nil {
		t.Errorf("Consume with a canceled context = %v, nil; want an error", fresh)
	}
	consume(t, b, "key", until, true)
}
