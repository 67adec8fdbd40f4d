package redisstore_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/redisstore"
	"github.com/emamw/mcp-ema/redisstore/redistest"
)

// What is in Redis tells nothing of the assertion, and goes by itself.
func TestConsumedKeys(t *testing.T) {
	server := redistest.Start(t)
	now := time.Now().Add(-24 * time.Hour) // a clock that is off by a day, and not Redis's
	s := open(t, redisstore.Config{Addr: server.Addr, Prefix: "as-1:", Now: func() time.Time { return now }})
	redis := admin(t, server.Addr)
	for _, c := range []struct {
		name        string
		until       time.Time
		least, most time.Duration
	}{
		{"later", now.Add(10 * time.Minute), 9 * time.Minute, 10*time.Minute + time.Second},
		{"a fraction", now.Add(1500 * time.Microsecond), 0, 2 * time.Second},
		{"past", now.Add(-time.Hour), 0, 2 * time.Second},
	} {
		if err := redis.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if fresh, err := s.Consume(t.Context(), "alice's", c.until); !fresh || err != nil {
			t.Errorf("%s: Consume = %v, %v", c.name, fresh, err)
		}
		keys, err := redis.Keys(t.Context(), "*").Result()
		if err != nil || len(keys) != 1 || !strings.HasPrefix(keys[0], "as-1:replay:") || strings.Contains(keys[0], "alice") {
			t.Fatalf("%s: keys %q, %v", c.name, keys, err)
		}
		if ttl := redis.PTTL(t.Context(), keys[0]).Val(); ttl <= c.least || ttl > c.most {
			t.Errorf("%s: kept for %v, want %v to %v", c.name, ttl, c.least, c.most)
		}
	}
}

// A crash of Redis refuses everybody, forgets nothing, and is over when Redis is
// back.
func TestConsumeWhileRedisIsAway(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, redisstore.Config{Addr: server.Addr})
	consume(t, s, "before", true)
	server.Kill()
	for range 50 { // more than there are connections
		if fresh, err := s.Consume(t.Context(), "during", time.Now().Add(time.Hour)); fresh || err == nil {
			t.Fatalf("without Redis Consume = %v, %v", fresh, err)
		}
	}
	server.Restart()
	recovers(t, s)
	consume(t, s, "before", false)
	consume(t, s, "during", true)
	consume(t, s, "during", false)
}

// recovers waits until a store answers again.
func recovers(t *testing.T, s *redisstore.Store) {
	t.Helper()
	for deadline := time.Now().Add(patience); s.Ready(t.Context()) != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no recovery within %v: %v", patience, s.Ready(t.Context()))
		}
	}
}

// A Redis that hangs holds no request longer than the timeout, or than the
// request may take.
func TestConsumeIsBounded(t *testing.T) {
	const short = 200 * time.Millisecond
	server := redistest.Start(t)
	for name, c := range map[string]struct {
		config redisstore.Config
		within time.Duration // of the caller
	}{
		"own client":             {redisstore.Config{Addr: server.Addr, Timeout: short}, time.Hour},
		"another client":         {redisstore.Config{Client: patient(t, server.Addr), Timeout: short}, time.Hour},
		"the caller's deadline":  {redisstore.Config{Addr: server.Addr}, short},
		"the same, other client": {redisstore.Config{Client: patient(t, server.Addr)}, short},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, c.config)
			consume(t, s, name, true)
			server.Hang()
			ctx, cancel := context.WithTimeout(t.Context(), c.within)
			defer cancel()
			started := time.Now()
			_, consumed := s.Consume(ctx, "during", time.Now().Add(time.Hour))
			revoked := s.Revoke(ctx, subject("alice"))
			if took := time.Since(started); consumed == nil || revoked == nil || took > 2*time.Second-short {
				t.Errorf("Consume: %v, Revoke: %v, after %v", consumed, revoked, took)
			}
			server.Resume()
			recovers(t, s)
			consume(t, s, name, false)
		})
	}
}

// The reply to the first try is lost, and the second finds the key taken, by its
// own call. Whoever comes after that is late all the same.
func TestConsumeWhoseReplyIsLost(t *testing.T) {
	server := redistest.Start(t)
	p := startProxy(t, server.Addr)
	s := open(t, redisstore.Config{Addr: p.addr})
	consume(t, s, "warm", true)
	p.cut.Store(true)
	consume(t, s, "key", true)
	if p.cut.Load() {
		t.Fatal("no reply was lost")
	}
	consume(t, s, "key", false)

	p.cut.Store(true)
	consume(t, s, "key", false)
}

// A proxy stands between a client and Redis. When cut is set, it takes the reply
// to the next SET and closes the connection instead of passing it on.
type proxy struct {
	addr string
	cut  atomic.Bool
}

func startProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &proxy{addr: l.Addr().String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			redis, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			p.join(client, redis)
		}
	}()
	return p
}

func (p *proxy) join(client, redis net.Conn) {
	var lose atomic.Bool
	pass := func(to io.Writer, from io.Reader, see func([]byte) bool) {
		defer client.Close()
		defer redis.Close()
		buffer := make([]byte, 64<<10)
		for {
			n, err := from.Read(buffer)
			if err != nil || !see(buffer[:n]) {
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
	}
	go pass(redis, client, func(request []byte) bool {
		if bytes.Contains(request, []byte("\r\nset\r\n")) && p.cut.CompareAndSwap(true, false) {
			lose.Store(true)
		}
		return true
	})
	go pass(client, redis, func([]byte) bool { return !lose.Load() })
}
