package revocation

import (
	"context"
	"sync"
	"time"
)

// DefaultLimit is how many revocations a [Memory] holds unless told otherwise.
// With the identifiers of real products that is some tens of megabytes.
const DefaultLimit = 100_000

// Memory is a [Store] in the memory of one process, which forgets everything
// when the process ends. Its revocations take effect at once: when Revoke
// returns, every follower has applied them. Make one with [NewMemory].
type Memory struct {
	limit int
	now   func() time.Time

	mu        sync.Mutex // held while followers apply, so that all see one order
	table     table
	followers map[*follower]struct{}
}

type follower struct {
	apply func([]Revocation)
}

// NewMemory returns an empty store for at most limit revocations; a limit of
// zero or less means [DefaultLimit]. now is the clock by which revocations are
// forgotten, and nil means [time.Now].
func NewMemory(limit int, now func() time.Time) *Memory {
	if limit <= 0 {
		limit = DefaultLimit
	}
	if now == nil {
		now = time.Now
	}
	return &Memory{limit: limit, now: now, followers: make(map[*follower]struct{})}
}

// Revoke implements [Store]. It returns [ErrFull] when the limit is reached and
// nothing can be forgotten yet. It waits for no input or output and ignores an
// ended context: a revocation that was asked for is better done.
func (s *Memory) Revoke(_ context.Context, r Revocation) error {
	if err := r.Validate(); err != nil {
		return err
	}
	by, k, m := r.entry()

	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now().Unix()
	if m.until < now {
		return nil
	}
	if s.table.size() >= s.limit && !s.table.has(by, k) {
		s.table.purge(now)
		if s.table.size() >= s.limit {
			return ErrFull
		}
	}
	if !s.table.add(by, k, m) {
		return nil
	}
	for f := range s.followers {
		f.apply([]Revocation{r})
	}
	return nil
}

// Follow implements [Store]. It returns only when ctx has ended.
func (s *Memory) Follow(ctx context.Context, apply func([]Revocation)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f := &follower{apply: apply}
	s.join(f)
	defer s.leave(f)

	beat := time.NewTicker(Heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-beat.C:
			s.beat(f)
		}
	}
}

// Len is how many revocations are held, those included that will be forgotten
// at the next heartbeat.
func (s *Memory) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.table.size()
}

// join hands f everything known and makes it a follower in one step: a
// revocation between the two would be lost.
func (s *Memory) join(f *follower) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table.purge(s.now().Unix())
	f.apply(s.table.list())
	s.followers[f] = struct{}{}
}

func (s *Memory) leave(f *follower) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.followers, f)
}

func (s *Memory) beat(f *follower) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table.purge(s.now().Unix())
	f.apply(nil)
}
