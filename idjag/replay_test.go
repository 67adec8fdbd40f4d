package idjag_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/idjag"
	"github.com/emamw/mcp-ema/idjag/replaytest"
)

func TestReplayStore(t *testing.T) {
	c := &clock{now: time.Now()}
	replaytest.Run(t, func(*testing.T) (a, b idjag.ReplayStore) {
		s := idjag.NewReplayStore(0, c.Now)
		return s, s
	}, c.advance)
}

// TestReplayStoreFull: a full store refuses, and keeps what it has.
func TestReplayStoreFull(t *testing.T) {
	c := &clock{now: begin}
	s := idjag.NewReplayStore(3, c.Now)
	for i := range 3 {
		if fresh, err := s.Consume(t.Context(), strconv.Itoa(i), begin.Add(time.Duration(3-i)*time.Minute)); !fresh || err != nil {
			t.Fatal(fresh, err)
		}
	}
	if fresh, err := s.Consume(t.Context(), "more", begin.Add(time.Hour)); fresh || !errors.Is(err, idjag.ErrReplayStoreFull) {
		t.Errorf("a full store answers %v, %v", fresh, err)
	}
	if fresh, err := s.Consume(t.Context(), "0", begin.Add(time.Hour)); fresh || err != nil {
		t.Errorf("a full store answers %v, %v for what it knows", fresh, err)
	}
	c.advance(time.Minute) // "2" expires first, although it came last
	if fresh, err := s.Consume(t.Context(), "more", begin.Add(time.Hour)); !fresh || err != nil {
		t.Errorf("with one place free it answers %v, %v", fresh, err)
	}
	if fresh, err := s.Consume(t.Context(), "0", begin.Add(time.Hour)); fresh || errors.Is(err, idjag.ErrReplayStoreFull) {
		t.Errorf("what has not expired is forgotten: %v, %v", fresh, err)
	}
}

// TestReplayStoreWithoutAClock goes by the time of day.
func TestReplayStoreWithoutAClock(t *testing.T) {
	s := idjag.NewReplayStore(1, nil)
	now := time.Now()
	for i, want := range []bool{true, false} {
		if fresh, err := s.Consume(t.Context(), "key", now.Add(time.Hour)); fresh != want || err != nil {
			t.Errorf("asked %d times: %v, %v", i+1, fresh, err)
		}
	}
}
