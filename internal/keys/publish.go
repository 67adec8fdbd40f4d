package keys

import (
	"context"
	"time"
)

// begin notes that a fetch starts and returns the context of the request that
// asked for it, nil if none did.
func (s *Set) begin() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.demand.begin(time.Now())
}

// fail notes why the fetch failed and returns how many did in a row. What the set
// has stays.
func (s *Set) fail(why trouble) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = why
	s.demand.end(false)
	return s.demand.failures
}

// publish makes what was fetched the current set and returns how many keys of
// the old one are lost. The generation grows after the snapshot has changed:
// before, a token could be verified by the old set and be remembered under the
// new number.
func (s *Set) publish(next *snapshot) (lost int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lost = s.current.Load().lost(next)
	s.current.Store(next)
	s.failure = trouble{}
	if lost > 0 {
		s.generation.Add(1)
	}
	s.rest()
	s.death = time.AfterFunc(s.cfg.MaxAge-s.age(next), func() { s.bury(next) })
	s.demand.end(true)
	return lost
}

// bury drops a snapshot that has reached MaxAge, unless a newer one took its
// place.
func (s *Set) bury(old *snapshot) {
	s.mu.Lock()
	gone := s.current.CompareAndSwap(old, &snapshot{at: old.at})
	if gone {
		s.generation.Add(1)
	}
	s.mu.Unlock()
	if gone {
		s.report.died(len(old.all))
	}
}

// booking returns when a fetch that requests asked for is due.
func (s *Set) booking() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.demand.due()
}

// retire stops the timer of the current snapshot when nobody refreshes any more.
// A lookup still finds out when the keys have died.
func (s *Set) retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rest()
}

func (s *Set) rest() {
	if s.death != nil {
		s.death.Stop()
	}
}
