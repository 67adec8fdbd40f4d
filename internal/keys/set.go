package keys

import (
	"context"
	"crypto"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emamw/mcp-ema/claims"
)

// A Set holds the keys of one issuer. Make one with [New]. All methods may be
// called from several goroutines at once.
type Set struct {
	cfg  Config
	done <-chan struct{} // closed when nobody refreshes any more

	current    atomic.Pointer[snapshot] // never nil
	generation atomic.Uint64

	mu      sync.Mutex // for what follows, and to change what is above
	demand  *demand
	death   *time.Timer // buries current
	failure trouble     // of the last fetch, where it failed

	wake   chan struct{} // tells the keeper that something was booked
	report *report
}

// New returns a set that is still empty and starts to load it. Nothing is
// fetched before New returns, so an issuer that is down keeps no server from
// starting. The keys are refreshed until ctx ends; what the set has by then goes
// on serving.
func New(ctx context.Context, cfg Config) *Set {
	cfg = cfg.withDefaults()
	s := &Set{
		cfg:    cfg,
		done:   ctx.Done(),
		demand: newDemand(cfg.MinInterval),
		wake:   make(chan struct{}, 1),
		report: newReport(cfg),
	}
	s.current.Store(&snapshot{})
	go newKeeper(s).run(ctx)
	return s
}

// Key returns the key that verifies a token with this kid and alg, an
// *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey. A kid of "" stands for a
// token without one. A key that is known costs no lock and no memory.
//
// A kid that is not known makes a fetch of the set, if one is allowed now; the
// call waits for that, and for the first load of all, two seconds or until ctx
// ends. The error is an [*Error]. KeyUnknown means that the issuer has no such
// key, on the word of a set that is at most MinInterval old; AlgorithmNotAllowed
// that the key is for something else; KeysUnavailable that the issuer cannot be
// asked, or does not answer in time.
func (s *Set) Key(ctx context.Context, kid, alg string) (crypto.PublicKey, error) {
	key, err := s.find(kid, alg)
	if err == nil {
		return key, nil
	}
	if !errors.Is(err, errUnknown) && !errors.Is(err, errUnavailable) {
		return nil, err
	}
	return s.await(ctx, kid, alg)
}

// Ready returns nil when there are keys. While the first load is under way it
// waits for it, two seconds or until ctx ends. The error names the issuer and why
// the last fetch failed: who asks a probe at night should not have to look for
// the line of the log that says so.
func (s *Set) Ready(ctx context.Context) error {
	err := s.loaded(ctx)
	if !errors.Is(err, errUnavailable) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	text := "the keys of " + s.cfg.Issuer + " are not loaded"
	if why := s.failure; why != (trouble{}) {
		text += ": error.type is " + string(why.cause) + ", at the step " + string(why.step) + ": docs/telemetry.md has the cure of each"
	}
	return &Error{claims.KeysUnavailable, text}
}

func (s *Set) loaded(ctx context.Context) error {
	w := waiter{asked: time.Now()}
	defer w.stop()
	for !s.alive(s.current.Load()) {
		wait := s.hope(ctx, "")
		// The load may have ended since the snapshot was looked at, and then there
		// is nothing to wait for.
		if s.alive(s.current.Load()) {
			return nil
		}
		if wait == nil {
			return errUnavailable
		}
		if err := s.wait(ctx, &w, wait); err != nil {
			return err
		}
	}
	return nil
}

// Generation grows whenever a key is withdrawn or replaced, and when the keys
// die: a verified token that is remembered from before may rest on a key that
// does not count any more. Read it before [Set.Key], and remember the token with
// that value; read after, it could already stand for a newer set.
func (s *Set) Generation() uint64 { return s.generation.Load() }

// Age is the time since the start of the last fetch that succeeded, and false
// before the first.
func (s *Set) Age() (time.Duration, bool) {
	now := s.current.Load()
	return s.age(now), !now.at.IsZero()
}

// Len is the number of keys.
func (s *Set) Len() int { return len(s.current.Load().all) }

// find answers from the snapshot alone. Before the first load, and once the
// keys are too old, that is errUnavailable.
func (s *Set) find(kid, alg string) (crypto.PublicKey, error) {
	now := s.current.Load()
	if !s.alive(now) {
		return nil, errUnavailable
	}
	return now.find(kid, alg)
}

func (s *Set) alive(sn *snapshot) bool {
	if len(sn.all) == 0 {
		return false
	}
	if s.age(sn) < s.cfg.MaxAge {
		return true
	}
	// The timer that buries it runs on the system clock, and not while a machine
	// is suspended.
	s.bury(sn)
	return false
}

func (s *Set) age(sn *snapshot) time.Duration {
	if s.cfg.Now != nil {
		return s.cfg.Now().Sub(sn.at)
	}
	return time.Since(sn.at)
}

func (s *Set) now() time.Time {
	if s.cfg.Now != nil {
		return s.cfg.Now()
	}
	return time.Now()
}
