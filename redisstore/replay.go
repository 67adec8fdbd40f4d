package redisstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// leastTTL is how long the shortest-lived key is kept. Redis refuses to keep
// anything for no time, and a key that is overdue by our clock may not be by
// another replica's.
const leastTTL = time.Second

// Consume implements idjag.ReplayStore: of any number of calls with one key, over
// all replicas, one gets true until the given time. It is one SET with NX and
// an expiry. In Redis a key is known by its SHA-256 only. An error says that Redis
// could not be asked; it may have taken the key all the same.
//
// The value says whose call it was. A reply can get lost on the way, and go-redis
// then sends the command again on another connection: it finds the key that its
// first try has set. Without the value, the owner of a good assertion would be
// told that it was used before.
func (s *Store) Consume(ctx context.Context, key string, until time.Time) (fresh bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()

	name := s.prefix + "replay:" + digest([]byte(key))
	mine := rand.Text()
	ttl := max(until.Sub(s.now()), leastTTL).Truncate(time.Millisecond) + time.Millisecond
	fresh, err = s.client.SetNX(ctx, name, mine, ttl).Result()
	if fresh || err != nil {
		return fresh, s.orFailure("consume", err)
	}
	holder, err := s.client.Get(ctx, name).Result()
	if errors.Is(err, redis.Nil) { // it has expired since: used all the same
		return false, nil
	}
	return err == nil && holder == mine, s.orFailure("consume", err)
}

func (s *Store) orFailure(call string, err error) error {
	if err == nil {
		return nil
	}
	return s.failure(call, err)
}

// digest is base64url(SHA-256).
func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
