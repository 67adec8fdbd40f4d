package keys

import (
	"crypto"
	"slices"
	"time"

	"github.com/emamw/mcp-ema/internal/jose"
)

// A snapshot is a vetted key set at one moment. It never changes, so lookups
// share it without a lock.
type snapshot struct {
	named map[string]*entry // by kid
	all   []*entry          // those without a kid, too
	at    time.Time         // when the fetch that confirmed it started; zero: there was none yet
}

type entry struct {
	id   string
	key  crypto.PublicKey
	algs []string // what the key may be used with: alg of the set, or all that fit
}

func newEntry(id, alg string, key crypto.PublicKey) *entry {
	e := &entry{id: id, key: key}
	for _, a := range jose.Algorithms() {
		if (alg == "" || alg == a) && jose.Fits(a, key) {
			e.algs = append(e.algs, a)
		}
	}
	return e
}

func newSnapshot(all []*entry, at time.Time) *snapshot {
	s := &snapshot{named: make(map[string]*entry, len(all)), all: all, at: at}
	for _, e := range all {
		if e.id != "" {
			s.named[e.id] = e
		}
	}
	return s
}

// find returns the key for a token's kid and alg. The error is nil,
// errUnknown, which a newer set may cure, or another one, which it does not.
//
// A token without kid gets the only key that fits its alg. If there are several
// it gets none: trying one after the other would let a token choose its key, and
// multiply the work that a forged token costs.
func (s *snapshot) find(kid, alg string) (crypto.PublicKey, error) {
	if kid == "" {
		return s.only(alg)
	}
	e, ok := s.named[kid]
	if !ok {
		return nil, errUnknown
	}
	if !slices.Contains(e.algs, alg) {
		return nil, errAlgorithm
	}
	return e.key, nil
}

func (s *snapshot) only(alg string) (crypto.PublicKey, error) {
	var found *entry
	for _, e := range s.all {
		if !slices.Contains(e.algs, alg) {
			continue
		}
		if found != nil {
			return nil, errAmbiguous
		}
		found = e
	}
	if found == nil {
		return nil, errUnknown
	}
	return found.key, nil
}

// lost counts the keys of s that next does not have in the same form. Other key
// material, or other algorithms, under the same kid is a lost key: what it
// verified may not verify any more.
func (s *snapshot) lost(next *snapshot) (n int) {
	for _, e := range s.all {
		if !slices.ContainsFunc(next.all, e.same) {
			n++
		}
	}
	return n
}

func (e *entry) same(o *entry) bool {
	k, ok := e.key.(interface{ Equal(crypto.PublicKey) bool })
	return ok && e.id == o.id && k.Equal(o.key) && slices.Equal(e.algs, o.algs)
}
