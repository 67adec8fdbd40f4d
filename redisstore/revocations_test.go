package redisstore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/redisstore"
	"github.com/emamw/mcp-ema/redisstore/redistest"
	"github.com/emamw/mcp-ema/revocation"
)

const (
	records  = "mcp-ema:{revocations}:records"
	versions = "mcp-ema:{revocations}:versions"
	expiries = "mcp-ema:{revocations}:expiries"
)

// quick is a store that is asked often.
func quick(t *testing.T, server *redistest.Server) *redisstore.Store {
	return open(t, redisstore.Config{Addr: server.Addr, Poll: 20 * time.Millisecond})
}

// The same subject again and again takes one place, with the strongest of all
// that was said.
func TestRevokeMerges(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, redisstore.Config{Addr: server.Addr, Limit: 1})
	now := time.Now()
	for _, c := range []struct{ before, until time.Duration }{
		{-time.Minute, time.Hour}, {0, time.Minute}, {-time.Hour, 2 * time.Hour}, {-2 * time.Hour, time.Second},
	} {
		revoke(t, s, revocation.Revocation{Issuer: "as", Subject: "alice", Before: now.Add(c.before), Until: now.Add(c.until)})
	}
	first := follow(t, s).next(t)
	if len(first) != 1 || first[0].Before.Unix() != now.Unix() || first[0].Until.Unix() != now.Add(2*time.Hour).Unix() {
		t.Errorf("handed over: %v", first)
	}
	if kept := admin(t, server.Addr).TTL(t.Context(), records).Val(); kept < 2*time.Hour || kept > 2*time.Hour+2*time.Minute {
		t.Errorf("kept for %v, want 2h and a little", kept)
	}
}

// A server that a failover made a replica, and that has lost its primary, answers as
// before and hears of nothing new. It is no store, and what it says no heartbeat.
func TestFollowOfAReplica(t *testing.T) {
	server := redistest.Start(t)
	s := quick(t, server)
	revoke(t, s, subject("alice"))
	f := follow(t, s)
	f.knows(t, "alice")
	if err := admin(t, server.Addr).Do(t.Context(), "REPLICAOF", "127.0.0.1", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.end(t); !strings.Contains(fmt.Sprint(err), "READONLY") {
		t.Errorf("Follow ended with %v", err)
	}
	if calls, err := follow(t, s).end(t); calls > 0 || err == nil {
		t.Errorf("followed again: %d calls, %v", calls, err)
	}
	if err := admin(t, server.Addr).Do(t.Context(), "REPLICAOF", "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
	follow(t, s).knows(t, "alice")
}

// A follower's account need not be one that may write.
func TestFollowOfAReader(t *testing.T) {
	server := redistest.Start(t)
	revoke(t, quick(t, server), subject("alice"))
	account := []any{"ACL", "SETUSER", "reader", "on", ">secret", "~*", "+hello", "+eval", "+evalsha", "+hget", "+zrevrange", "+zrangebyscore"}
	if err := admin(t, server.Addr).Do(t.Context(), account...).Err(); err != nil {
		t.Fatal(err)
	}
	follow(t, open(t, redisstore.Config{Addr: server.Addr, Username: "reader", Password: "secret"})).knows(t, "alice")
}

// A full store refuses what is new, still takes what strengthens, and has room
// again when something may be forgotten.
func TestRevokeWhenFull(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, redisstore.Config{Addr: server.Addr, Limit: 2})
	redis := admin(t, server.Addr)
	revoke(t, s, subject("alice"))
	alice := redis.ZRange(t.Context(), expiries, 0, 0).Val()[0]
	revoke(t, s, subject("bob"))
	if err := s.Revoke(t.Context(), subject("carol")); !errors.Is(err, revocation.ErrFull) {
		t.Errorf("a full store answers %v", err)
	}
	revoke(t, s, subject("bob"))

	// Time passes for alice: Redis keeps what counts until a second of its own.
	member := redis.ZScore(t.Context(), expiries, alice)
	if err := redis.ZIncrBy(t.Context(), expiries, -member.Val()+1, alice).Err(); err != nil {
		t.Fatal(err)
	}
	revoke(t, s, subject("carol"))
	for _, r := range follow(t, s).next(t) {
		if r.Subject == "alice" {
			t.Error("what has expired is still handed over")
		}
	}
	for key, n := range map[string]int64{
		records:  redis.HLen(t.Context(), records).Val(),
		versions: redis.ZCard(t.Context(), versions).Val(),
		expiries: redis.ZCard(t.Context(), expiries).Val(),
	} {
		if n != 2 {
			t.Errorf("%s has %d entries, want 2", key, n)
		}
	}
}

// Names of people and clients are in values, which expire, and not in keys.
func TestRevocationKeys(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, redisstore.Config{Addr: server.Addr})
	revoke(t, s, subject("alice"))
	redis := admin(t, server.Addr)
	keys := redis.Keys(t.Context(), "*").Val()
	if len(keys) != 3 {
		t.Errorf("keys %q, want 3", keys)
	}
	for _, key := range keys {
		if strings.Contains(key, "alice") {
			t.Errorf("the key %q names a person", key)
		}
		if ttl := redis.TTL(t.Context(), key).Val(); ttl < time.Hour || ttl > time.Hour+2*time.Minute {
			t.Errorf("%s lives for %v, want an hour and a little", key, ttl)
		}
	}
}

// What has no effect any more is not written, and what no follower could read
// is refused: it would stop all of them.
func TestRevokeWritesNothing(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, redisstore.Config{Addr: server.Addr})
	over := subject("alice")
	over.Before, over.Until = over.Before.Add(-time.Hour), over.Before.Add(-time.Second)
	revoke(t, s, over)
	unreadable := subject("bob")
	unreadable.Before = time.Time{}.Add(time.Nanosecond) // no zero time, until it is cut to seconds
	if err := s.Revoke(t.Context(), unreadable); err == nil {
		t.Error("a revocation that cannot be read back was taken")
	}
	if n := admin(t, server.Addr).DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("%d keys were written", n)
	}
	revoke(t, s, revocation.Revocation{Issuer: "as", TokenID: "x", Until: time.Now().AddDate(5000, 0, 0)})
	if first := follow(t, s).next(t); len(first) != 1 {
		t.Errorf("handed over: %v", first)
	}
}

// The first call is one slice, however many answers of Redis it takes.
func TestFollowReadsPages(t *testing.T) {
	server := redistest.Start(t, "--appendfsync", "no")
	s := quick(t, server)
	const many = 2500
	for i := range many {
		revoke(t, s, revocation.Revocation{Issuer: "as", TokenID: fmt.Sprint(i), Until: time.Now().Add(time.Hour)})
	}
	f := follow(t, s)
	seen := map[string]bool{}
	for _, r := range f.next(t) {
		seen[r.TokenID] = true
	}
	if len(seen) != many {
		t.Errorf("the first call carries %d of %d", len(seen), many)
	}
	if news := f.next(t); len(news) != 0 {
		t.Errorf("the second call carries %d that the first had", len(news))
	}
	revoke(t, s, subject("alice"))
	f.knows(t, "alice")
}

// While Redis is away a follower hears nothing, and then that it is away. The
// next one is told everything, also what came in between.
func TestFollowWhileRedisIsAway(t *testing.T) {
	server := redistest.Start(t)
	s, other := quick(t, server), quick(t, server)
	revoke(t, s, subject("alice"))
	f := follow(t, s)
	f.knows(t, "alice")
	server.Kill()
	f.drain()
	if calls, err := f.end(t); err == nil || calls > 1 { // one may have been under way
		t.Errorf("without Redis Follow returned %v after %d calls", err, calls)
	}
	if err := other.Revoke(t.Context(), subject("bob")); err == nil {
		t.Error("without Redis Revoke returned nil")
	}
	f = follow(t, s)
	if calls, err := f.end(t); err == nil || calls > 0 {
		t.Errorf("without Redis Follow returned %v after %d calls", err, calls)
	}
	server.Restart()
	recovers(t, other)
	revoke(t, other, subject("carol"))
	recovers(t, s)
	f = follow(t, s)
	first := f.next(t)
	if len(first) != 2 {
		t.Errorf("the first call after the outage carries %v, want alice and carol", first)
	}
	revoke(t, other, subject("dave"))
	f.knows(t, "dave")
}

// A Redis that hangs gives no heartbeats.
func TestFollowIsBounded(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, redisstore.Config{Client: patient(t, server.Addr), Poll: 20 * time.Millisecond, Timeout: 200 * time.Millisecond})
	f := follow(t, s)
	f.next(t)
	server.Hang()
	f.drain()
	started := time.Now()
	if calls, err := f.end(t); err == nil || calls > 1 {
		t.Errorf("Follow returned %v after %d calls", err, calls)
	}
	if took := time.Since(started); took > 3*time.Second {
		t.Errorf("it took %v, with a timeout of 200ms", took)
	}
	server.Resume()
	recovers(t, s)
}

// Redis comes back with nothing, or with an older state, and its clock may be
// behind. What is revoked after that is handed over all the same.
func TestFollowAfterRedisForgot(t *testing.T) {
	server := redistest.Start(t)
	s := quick(t, server)
	redis := admin(t, server.Addr)
	revoke(t, s, subject("alice"))
	f := follow(t, s)
	f.knows(t, "alice")

	redis.FlushAll(t.Context())
	revoke(t, s, subject("bob"))
	f.knows(t, "bob")

	ahead := float64(time.Now().Add(24 * time.Hour).UnixMicro())
	bob := redis.ZRange(t.Context(), versions, 0, 0).Val()[0]
	redis.ZIncrBy(t.Context(), versions, ahead-redis.ZScore(t.Context(), versions, bob).Val(), bob)
	f.knows(t, "bob") // as changed by a server whose clock is a day ahead

	redis.FlushAll(t.Context())
	revoke(t, s, subject("carol"))
	f.knows(t, "carol")
}

// What cannot be read may name anybody: the follower is told that the store is
// broken, and its owner refuses everybody.
func TestFollowWhatCannotBeRead(t *testing.T) {
	server := redistest.Start(t)
	s := quick(t, server)
	redis := admin(t, server.Addr)
	for name, record := range map[string]string{
		"nothing":            "",
		"no time":            `x 1 {"iss":"as","sub":"alice"}`,
		"one time":           `1 {"iss":"as","sub":"alice"}`,
		"no JSON":            `1 2 alice`,
		"more JSON":          `1 2 {"iss":"as","sub":"alice"}{}`,
		"a member more":      `1 2 {"iss":"as","sub":"alice","only":"at night"}`,
		"nobody":             `1 2 {"iss":"as"}`,
		"two at once":        `1 2 {"iss":"as","sub":"alice","jti":"x"}`,
		"ends before begins": `2 1 {"iss":"as","sub":"alice"}`,
	} {
		t.Run(name, func(t *testing.T) {
			redis.FlushAll(t.Context())
			revoke(t, s, subject("alice"))
			id := redis.HKeys(t.Context(), records).Val()[0]
			if first := follow(t, s).next(t); len(first) != 1 {
				t.Fatalf("handed over: %v", first)
			}
			redis.HSet(t.Context(), records, id, record)
			if calls, err := follow(t, s).end(t); err == nil || calls > 0 || strings.Contains(err.Error(), "alice") {
				t.Errorf("Follow returned %v after %d calls", err, calls)
			}
		})
	}
	t.Run("a record is gone", func(t *testing.T) {
		redis.FlushAll(t.Context())
		revoke(t, s, subject("alice"))
		redis.Del(t.Context(), records)
		if calls, err := follow(t, s).end(t); err == nil || calls > 0 || !strings.Contains(err.Error(), "noeviction") {
			t.Errorf("Follow returned %v after %d calls", err, calls)
		}
	})
}
