package soak_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A level is what the process holds at a moment without a request under way.
type level struct {
	heap       uint64
	goroutines int
}

// measure stops the callers for a moment.
func (w *world) measure() level {
	w.pause.Lock()
	defer w.pause.Unlock()
	return measured()
}

func measured() level {
	runtime.GC()
	runtime.GC() // what the first one finalized
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return level{heap: m.HeapAlloc, goroutines: runtime.NumGoroutine()}
}

func (l level) String() string {
	return fmt.Sprintf("%.1f MiB and %d goroutines", float64(l.heap)/(1<<20), l.goroutines)
}

// mustBeFlat compares with the level after a third of the time, by when whatever
// is bounded has had time to fill up.
func (l level) mustBeFlat(t *testing.T, third level) {
	t.Helper()
	const some = 4 << 20
	if l.heap > third.heap+third.heap/4+some {
		t.Errorf("memory grew from %v to %v", third, l)
	}
}

// mustBeGone fails unless all goroutines but those from the beginning end.
func mustBeGone(t *testing.T, before int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			var stacks bytes.Buffer
			_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
			t.Errorf("%d goroutines at the end, %d at the beginning:\n%s", runtime.NumGoroutine(), before, &stacks)
			return
		}
	}
}

// countingLog is where the servers log. A warning per request would be a flood,
// and no line may quote a token.
type countingLog struct {
	warnings, leaks atomic.Int64
	mu              sync.Mutex
	last            []string // warnings
}

func (l *countingLog) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *countingLog) Write(p []byte) (int, error) {
	text := string(p)
	if strings.Contains(text, "eyJ") {
		l.leaks.Add(1)
	}
	if strings.Contains(text, "level=INFO") {
		return len(p), nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.warnings.Add(1); len(l.last) > 20 {
		l.last = l.last[1:]
	}
	l.last = append(l.last, text)
	return len(p), nil
}

// close reports what was logged.
func (l *countingLog) close(t *testing.T, took time.Duration) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := l.warnings.Load(); float64(n) > 50+2*took.Seconds() || l.leaks.Load() > 0 {
		t.Errorf("%d warnings, %d lines with a token in them; the last are\n%s", n, l.leaks.Load(), strings.Join(l.last, ""))
	}
}
