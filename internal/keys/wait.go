package keys

import (
	"context"
	"crypto"
	"errors"
	"time"
)

// await is Key for a kid that the snapshot does not have.
func (s *Set) await(ctx context.Context, kid, alg string) (crypto.PublicKey, error) {
	w := waiter{asked: time.Now()}
	defer w.stop()
	told := false
	for {
		wait := s.hope(ctx, kid)
		// A fetch may have ended since the snapshot was looked at.
		key, err := s.find(kid, alg)
		if !errors.Is(err, errUnknown) && !errors.Is(err, errUnavailable) {
			return key, err
		}
		if wait == nil {
			return nil, s.verdict(w.asked)
		}
		err = s.wait(ctx, &w, wait)
		if s.cfg.OnWait != nil && !told {
			told = true
			s.cfg.OnWait(ctx)
		}
		if err != nil {
			return nil, err
		}
	}
}

// hope returns what to wait for, or nil.
func (s *Set) hope(ctx context.Context, kid string) <-chan struct{} {
	alive := s.alive(s.current.Load())
	s.mu.Lock()
	defer s.mu.Unlock()
	if !alive {
		if s.demand.failures >= hopeful {
			return nil
		}
		s.demand.ask(ctx, kid, time.Now())
		s.rouse()
		return s.demand.settled
	}
	wait := s.demand.ask(ctx, kid, time.Now())
	s.rouse()
	return wait
}

// rouse makes the keeper look at what is booked.
func (s *Set) rouse() {
	if _, booked := s.demand.due(); !booked {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// verdict is for a kid that is not there after all that could be done. Without
// a recent set nobody can say that the issuer does not have it: then the answer
// is "try again", not "your token is no good", which makes clients throw theirs
// away.
func (s *Set) verdict(asked time.Time) error {
	alive := s.alive(s.current.Load())
	s.mu.Lock()
	defer s.mu.Unlock()
	if alive && s.demand.recent(asked) {
		return errUnknown
	}
	return errUnavailable
}

// A waiter is one request's patience.
type waiter struct {
	asked time.Time
	timer *time.Timer
}

func (w *waiter) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

// wait returns nil when settled is closed, and else the answer for a request
// that waits no longer.
func (s *Set) wait(ctx context.Context, w *waiter, settled <-chan struct{}) error {
	if w.timer == nil {
		w.timer = time.NewTimer(patience)
	}
	select {
	case <-settled:
		return nil
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) {
			return errCanceled
		}
	case <-w.timer.C:
	case <-s.done:
	}
	return s.verdict(w.asked)
}
