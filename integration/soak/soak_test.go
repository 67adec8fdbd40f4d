package soak_test

import (
	"context"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

// length is how long the soak lasts: SOAK in the environment, or just long enough
// for one outage.
func length(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("SOAK")
	if text == "" {
		return 12 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second {
		t.Fatalf("SOAK=%s is no duration of a second or more, such as 1m", text)
	}
	return d
}

func TestSoak(t *testing.T) {
	lasts := length(t)
	before := runtime.NumGoroutine()
	life, end := context.WithCancel(context.Background())
	defer end()
	shift, finish := context.WithCancel(life)
	defer finish()
	w := newWorld(t, life, shift)
	w.mustBeRefusedForItsReason(t)
	began := time.Now()

	var all sync.WaitGroup
	for _, one := range append(w.callers(), w.faults()...) {
		all.Go(one)
	}
	w.sleep(lasts / 3)
	third := w.measure()
	w.sleep(time.Until(began.Add(lasts)))
	last := w.measure()
	took := time.Since(began)
	finish()
	all.Wait()
	end()
	w.takeDown()
	w.redis.Kill()

	rate := float64(w.ledger.total()) / took.Seconds()
	t.Logf("%d requests in %v, %.0f a second: %d let in, %d refused, %d put off", w.ledger.total(), took.Round(time.Second), rate, w.ledger.allowed.Load(), w.ledger.refused.Load(), w.ledger.undecided.Load())
	t.Logf("%d redemptions, %d replays refused, %d revocations, %d streams", w.redeemed.Load(), w.replays.Load(), w.revocations.Load(), w.streams.Load())
	t.Logf("%d rotations, %d lies, %d outages of Redis, %d replicas replaced, %d warnings in the log", w.rotations.Load(), w.asFront.liesTold(), w.outages.Load(), w.deploys.Load(), w.log.warnings.Load())
	t.Logf("%v after a third, %v at the end", third, last)
	w.ledger.close(t)
	last.mustBeFlat(t, third)
	mustBeGone(t, before)
	// No measurement: the machine may be busy, and the race detector on.
	if rate < 20 {
		t.Errorf("%.0f requests a second is no load: something stalls", rate)
	}
	w.log.close(t, took)
	w.mustHaveHappened(t, lasts)
}

// mustHaveHappened fails when the soak did not come to what it is for. In a few
// seconds, on a busy machine, it need not come to everything.
func (w *world) mustHaveHappened(t *testing.T, lasts time.Duration) {
	t.Helper()
	for what, n := range map[string]int64{
		"requests let in": w.ledger.allowed.Load(), "requests refused": w.ledger.refused.Load(),
	} {
		if n == 0 {
			t.Errorf("no %s", what)
		}
	}
	if lasts < 30*time.Second {
		return
	}
	for what, n := range map[string]int64{
		"redemptions": w.redeemed.Load(), "replays": w.replays.Load(), "revocations": w.revocations.Load(), "streams": w.streams.Load(),
		"outages of Redis": w.outages.Load(), "replicas replaced": w.deploys.Load(),
	} {
		if n == 0 {
			t.Errorf("in %v no %s", lasts, what)
		}
	}
}
