package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"
)

// The texts of go-redis and of package net name hosts, and those of Redis quote
// what was sent. None of them is passed on: what an operator needs is which call
// failed, and in which of three ways.
var (
	errUnreachable = errors.New("redisstore: Redis cannot be reached: check that it runs, its address, and that its certificate fits")
	errEvicts      = errors.New("redisstore: Redis evicts entries when its memory is full, which brings redeemed and revoked tokens back: set maxmemory-policy noeviction")
	errUnreadable  = errors.New("redisstore: a revocation cannot be read: another version of this package wrote it, or something else did; update, or use a Prefix of your own")
	errUnwritable  = errors.New("redisstore: the revocation cannot be written down: give times of this era")
)

// incomplete is the code by which our script reports that a record is gone.
const incomplete = "INCOMPLETE"

// failure says in our own words why a call failed.
func (s *Store) failure(call string, err error) error {
	var timeout net.Error
	switch word := code(err); {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("redisstore: %s: %w", call, context.Canceled)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("redisstore: %s: Redis did not answer within %v", call, s.timeout)
	case word == incomplete:
		return fmt.Errorf("redisstore: %s: Redis lost a part of the revocations: set maxmemory-policy noeviction, delete the keys of the revocations, and revoke again", call)
	case word != "":
		return fmt.Errorf("redisstore: %s: Redis refused with %s", call, word)
	}
	return fmt.Errorf("%w (%s)", errUnreachable, call)
}

// code is the word that an error reply of Redis begins with, such as NOAUTH,
// OOM or READONLY. It is "" for any other error, and for a word that is none.
func code(err error) string {
	var reply redis.Error
	if !errors.As(err, &reply) || errors.Is(err, redis.Nil) {
		return ""
	}
	word, _, _ := strings.Cut(reply.Error(), " ")
	notCode := func(r rune) bool { return r < 'A' || r > 'Z' }
	if word == "" || len(word) > 16 || strings.ContainsFunc(word, notCode) {
		return "an error"
	}
	return word
}

// quietDialer hides what dialing says: go-redis writes it to a log of its own.
func quietDialer(dial func(ctx context.Context, network, addr string) (net.Conn, error)) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err == nil {
			return conn, nil
		}
		if ended := ctx.Err(); ended != nil {
			return nil, ended
		}
		return nil, errUnreachable
	}
}
