package soak_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// A bound ends something that tokens rest on: a lifetime, a user's stay, a
// signing key. It has two moments, as news takes time to travel: from the first
// a token may be refused, from the second it must be.
type bound struct {
	doubt, over atomic.Int64 // Unix nanoseconds; 0 is not in sight
}

func (b *bound) beginsToEnd(at time.Time) { b.doubt.CompareAndSwap(0, at.UnixNano()) }
func (b *bound) isOver(from time.Time)    { b.over.Store(from.UnixNano()) }

// A bearer is a token, and what it rests on.
type bearer struct {
	text   string
	exp    time.Time
	bounds []*bound
}

// newBearer reads a token that was issued by a key with this bound. Further
// bounds are those of its user.
func newBearer(text string, key *bound, more ...*bound) (*bearer, error) {
	var c struct {
		Exp int64
		JTI string
	}
	_, rest, _ := strings.Cut(text, ".")
	payload, _, _ := strings.Cut(rest, ".")
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &c); err != nil || c.Exp == 0 || c.JTI == "" {
		return nil, fmt.Errorf("soak: a token without exp or jti: %s", raw)
	}
	t := &bearer{text: text, exp: time.Unix(c.Exp, 0)}
	var life bound
	life.beginsToEnd(t.exp)
	life.isOver(t.exp.Add(clockSkew))
	t.bounds = append([]*bound{&life, key}, more...)
	return t, nil
}

// good reports whether a request that was answered by then must be let in.
func (t *bearer) good(answered time.Time) bool {
	for _, b := range t.bounds {
		if at := b.doubt.Load(); at != 0 && answered.UnixNano() >= at {
			return false
		}
	}
	return true
}

// bad reports whether a request that was sent at this time must be refused.
func (t *bearer) bad(sent time.Time) bool {
	for _, b := range t.bounds {
		if at := b.over.Load(); at != 0 && sent.UnixNano() >= at {
			return true
		}
	}
	return false
}

// stale reports whether it is time for a new token.
func (t *bearer) stale() bool {
	return t == nil || !t.good(time.Now().Add(tokenLifetime/2))
}
