package redisstore

import (
	"context"
	_ "embed"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/emamw/mcp-ema/revocation"
)

// The scripts are what makes a change of three keys one step, and the reading of
// them too.
var (
	//go:embed revoke.lua
	revokeSource string
	//go:embed changes.lua
	changesSource string

	revokeScript  = redis.NewScript(revokeSource)
	changesScript = redis.NewScript(changesSource)
)

const (
	// pageSize bounds one answer of Redis, which does nothing else meanwhile.
	pageSize = 1000

	// grace is how long Redis keeps a revocation past its end, for replicas
	// whose clocks are behind.
	grace = time.Minute

	// longest bounds what Redis is told. No token lives that long.
	longest = 100 * 365 * 24 * time.Hour
)

// keys are those of the revocations. What is in braces puts them on one server
// of a cluster, as a script's keys must be.
func (s *Store) keys() []string {
	base := s.prefix + "{revocations}:"
	return []string{base + "records", base + "versions", base + "expiries"}
}

// Revoke implements [revocation.Store]. When it returns nil, Redis has the
// revocation, and every follower is told within Config.Poll and Config.Timeout.
// It returns [revocation.ErrFull] when Config.Limit is reached and nothing can
// be forgotten yet.
func (s *Store) Revoke(ctx context.Context, r revocation.Revocation) error {
	if err := r.Validate(); err != nil {
		return err
	}
	keep := r.Until.Sub(s.now())
	if keep < 0 {
		return nil
	}
	e, err := entryOf(r)
	if err != nil {
		return err
	}
	seconds := int64((min(keep, longest) + grace) / time.Second)
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	recorded, err := revokeScript.Run(ctx, s.client, s.keys(), e.id, e.before, e.until, e.names, seconds, s.limit).Bool()
	if err != nil {
		return s.failure("revoke", err)
	}
	if !recorded {
		return revocation.ErrFull
	}
	return nil
}

// Follow implements [revocation.Store]. It asks Redis every Config.Poll for what
// changed since the last answer. There is no subscription to lose: an answer is
// complete or an error.
//
// It returns at the first failure, because Redis may be another server when it
// comes back; the next Follow begins from everything it has.
func (s *Store) Follow(ctx context.Context, apply func([]revocation.Revocation)) error {
	next := time.NewTicker(s.poll)
	defer next.Stop()
	for version := "0"; ; {
		news, at, err := s.changes(ctx, version)
		if ended := ctx.Err(); ended != nil {
			return ended
		}
		if err != nil {
			return err
		}
		version = at
		apply(news)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-next.C:
		}
	}
}

// changes returns everything that changed after version, and the version to go
// on from.
func (s *Store) changes(ctx context.Context, version string) (news []revocation.Revocation, at string, err error) {
	for {
		page, at, err := s.page(ctx, version)
		if err != nil {
			return nil, "", err
		}
		news = append(news, page...)
		if len(page) < pageSize {
			return news, at, nil
		}
		version = at
	}
}

func (s *Store) page(ctx context.Context, version string) (page []revocation.Revocation, at string, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	answer, err := changesScript.Run(ctx, s.client, s.keys()[:2], version, pageSize).StringSlice()
	if err != nil {
		return nil, "", s.failure("follow", err)
	}
	if len(answer) == 0 {
		return nil, "", errUnreadable
	}
	for _, record := range answer[1:] {
		r, err := parse(record)
		if err != nil {
			return nil, "", err
		}
		page = append(page, r)
	}
	return page, answer[0], nil
}
