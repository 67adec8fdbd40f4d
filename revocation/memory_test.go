package revocation_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emamw/mcp-ema/revocation"
)

func of(subject string, lifetime time.Duration) revocation.Revocation {
	now := time.Now()
	return revocation.Revocation{Issuer: "as", Subject: subject, Before: now, Until: now.Add(lifetime)}
}

func TestMemoryTakesEffectBeforeRevokeReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := revocation.NewMemory(0, nil)
		views := []*revocation.View{revocation.NewView(nil), revocation.NewView(nil)}
		for _, v := range views {
			go m.Follow(t.Context(), v.Apply)
		}
		synctest.Wait()
		r := of("ada", time.Hour)
		if err := m.Revoke(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		for i, v := range views {
			if !v.Revoked("as", "", "ada", "", "", r.Before) {
				t.Errorf("view %d does not know yet", i)
			}
		}
	})
}

func TestMemoryRefusesWhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := revocation.NewMemory(2, nil)
		for _, tc := range []struct {
			name  string
			after time.Duration
			r     func() revocation.Revocation
			want  error
			len   int
		}{
			{"first", 0, func() revocation.Revocation { return of("ada", time.Minute) }, nil, 1},
			{"second", 0, func() revocation.Revocation { return of("ben", time.Hour) }, nil, 2},
			{"one too many", 0, func() revocation.Revocation { return of("cho", time.Hour) }, revocation.ErrFull, 2},
			{"one that is there", time.Second, func() revocation.Revocation { return of("ada", time.Minute) }, nil, 2},
			{"one that has no effect", 0, func() revocation.Revocation {
				return revocation.Revocation{Issuer: "as", TokenID: "t", Until: time.Now().Add(-time.Minute)}
			}, nil, 2},
			{"when one can be forgotten", 2 * time.Minute, func() revocation.Revocation { return of("cho", time.Hour) }, nil, 2},
		} {
			time.Sleep(tc.after)
			if err := m.Revoke(t.Context(), tc.r()); !errors.Is(err, tc.want) {
				t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
			}
			if m.Len() != tc.len {
				t.Errorf("%s: Len = %d, want %d", tc.name, m.Len(), tc.len)
			}
		}
	})
}

func TestMemoryRefusesWhatIsNotLegal(t *testing.T) {
	m := revocation.NewMemory(0, nil)
	r := of("ada", time.Hour)
	r.ClientID = "cli"
	if err := m.Revoke(t.Context(), r); err == nil || m.Len() != 0 {
		t.Errorf("Revoke: %v, Len %d", err, m.Len())
	}
}

func TestMemoryForgetsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := revocation.NewMemory(0, nil)
		v := revocation.NewView(nil)
		go m.Follow(t.Context(), v.Apply)
		synctest.Wait()
		for i := range 100 {
			if err := m.Revoke(t.Context(), of(fmt.Sprint("u", i), time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if m.Len() != 0 || v.Len() != 0 {
			t.Errorf("after Until the store holds %d and the view %d", m.Len(), v.Len())
		}
	})
}

func TestMemoryKeepsTheInjectedClock(t *testing.T) {
	now := epoch // years from the machine's clock in either direction
	m := revocation.NewMemory(1, at(&now))
	r := revocation.Revocation{Issuer: "as", TokenID: "t1", Until: epoch.Add(time.Minute)}
	if err := m.Revoke(t.Context(), r); err != nil || m.Len() != 1 {
		t.Fatalf("Revoke: %v, Len %d", err, m.Len())
	}
	now = epoch.Add(time.Hour)
	r.TokenID, r.Until = "t2", now.Add(time.Minute)
	if err := m.Revoke(t.Context(), r); err != nil {
		t.Fatalf("the first has run out by the injected clock, but there is no room: %v", err)
	}
}

func TestMemoryHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := revocation.NewMemory(0, nil)
		v := revocation.NewView(nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.Follow(ctx, v.Apply) }()
		synctest.Wait()
		for range 20 {
			time.Sleep(revocation.Heartbeat)
			synctest.Wait()
			if !v.Fresh(revocation.Heartbeat) {
				t.Fatalf("silent for longer than %v", revocation.Heartbeat)
			}
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Follow returned %v", err)
		}
		time.Sleep(2 * revocation.Heartbeat)
		if v.Fresh(revocation.Heartbeat) {
			t.Error("heartbeats go on after Follow returned")
		}
		if err := m.Revoke(t.Context(), of("ada", time.Hour)); err != nil || v.Len() != 0 {
			t.Errorf("Revoke: %v; a follower that has returned was told %d", err, v.Len())
		}
	})
}

func TestFollowOfAnEndedContextAppliesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := revocation.NewMemory(0, nil).Follow(ctx, func([]revocation.Revocation) { t.Error("applied") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Follow returned %v", err)
	}
}

func TestMemoryRace(t *testing.T) {
	m := revocation.NewMemory(0, nil)
	ctx, cancel := context.WithCancel(t.Context())
	var followers, writers sync.WaitGroup
	views := make([]*revocation.View, 4)
	for i := range views {
		views[i] = revocation.NewView(nil)
		followers.Go(func() { m.Follow(ctx, views[i].Apply) })
	}
	for w := range 4 {
		writers.Go(func() {
			for i := range 100 {
				if err := m.Revoke(ctx, of(fmt.Sprint(w, "-", i), time.Hour)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	late := revocation.NewView(nil)
	heard := make(chan struct{}, 1)
	followers.Go(func() {
		m.Follow(ctx, func(rs []revocation.Revocation) {
			late.Apply(rs)
			select {
			case heard <- struct{}{}:
			default:
			}
		})
	})
	<-heard
	if late.Len() != 400 {
		t.Errorf("a late follower knows %d of 400", late.Len())
	}
	cancel()
	followers.Wait()
}
