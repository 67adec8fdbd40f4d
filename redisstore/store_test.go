package redisstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/emamw/mcp-ema/redisstore"
	"github.com/emamw/mcp-ema/redisstore/redistest"
)

func TestReady(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string // in the error
	}{
		"no limit":              {nil, ""},
		"a limit":               {[]string{"--maxmemory", "64mb"}, ""},
		"evicts":                {[]string{"--maxmemory", "64mb", "--maxmemory-policy", "volatile-lru"}, "noeviction"},
		"would evict, no limit": {[]string{"--maxmemory-policy", "allkeys-lru"}, ""},
		"wants a password":      {[]string{"--requirepass", "hush"}, "NOAUTH"},
		"may not be asked":      {[]string{"--user", "default", "on", "nopass", "~*", "+@all", "-info"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, redisstore.Config{Addr: redistest.Start(t, c.args...).Addr})
			err := s.Ready(t.Context())
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("Ready = %v, want %q", err, c.want)
			}
		})
	}
}

// Neither an error nor go-redis's log tells where Redis is, how to get in, or
// what was asked. A caller who went away can be told from a Redis that did.
func TestErrorsTellNothing(t *testing.T) {
	locked := redistest.Start(t, "--requirepass", "hush")
	full := redistest.Start(t, "--maxmemory", "1")
	away := redistest.Start(t)
	away.Kill()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx    context.Context
		config redisstore.Config
		want   string
	}{
		"away":           {t.Context(), redisstore.Config{Addr: away.Addr}, "cannot be reached"},
		"unknown host":   {t.Context(), redisstore.Config{Addr: "redis.invalid:6379", DangerouslyPlaintext: true}, "cannot be reached"},
		"no password":    {t.Context(), redisstore.Config{Addr: locked.Addr}, "Redis refused with"},
		"wrong password": {t.Context(), redisstore.Config{Addr: locked.Addr, Password: "sesame"}, "WRONGPASS"},
		"no memory":      {t.Context(), redisstore.Config{Addr: full.Addr}, "OOM"},
		"canceled":       {canceled, redisstore.Config{Addr: full.Addr}, "canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			logged.reset() // clients of other tests do not hide where they dial
			s := open(t, c.config)
			_, consumed := s.Consume(c.ctx, "assertion-1", time.Now().Add(time.Hour))
			for call, err := range map[string]error{"consume": consumed, "revoke": s.Revoke(c.ctx, subject("alice"))} {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: %v, want %q", call, err, c.want)
					continue
				}
				tellsNothing(t, err.Error(), c.config.Addr)
				if got := errors.Is(err, context.Canceled); got != (c.ctx.Err() != nil) {
					t.Errorf("%s: that the caller went away: %v, in %v", call, got, err)
				}
			}
			tellsNothing(t, logged.String(), c.config.Addr)
		})
	}
}

// The same with a client whose dialing is not ours.
func TestErrorsOfAnotherClientTellNothing(t *testing.T) {
	away := redistest.Start(t)
	away.Kill()
	s := open(t, redisstore.Config{Client: admin(t, away.Addr)})
	_, err := s.Consume(t.Context(), "assertion-1", time.Now().Add(time.Hour))
	if err == nil {
		t.Fatal("without Redis Consume returned nil")
	}
	tellsNothing(t, err.Error(), away.Addr)
}

func tellsNothing(t *testing.T, text, addr string) {
	t.Helper()
	host, port, _ := strings.Cut(addr, ":")
	for _, secret := range []string{host, port, "hush", "sesame", "alice", "assertion-1", "as.example"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in %q", secret, text)
		}
	}
}

// A client that was handed in stays open for its owner.
func TestClose(t *testing.T) {
	server := redistest.Start(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr, ContextTimeoutEnabled: true})
	defer client.Close()
	shared := open(t, redisstore.Config{Client: client})
	if err := shared.Close(); err != nil {
		t.Error(err)
	}
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("the owner's client was closed: %v", err)
	}

	own := open(t, redisstore.Config{Addr: server.Addr})
	consume(t, own, "key", true)
	if err := own.Close(); err != nil {
		t.Error(err)
	}
	if _, err := own.Consume(t.Context(), "other", time.Now().Add(time.Hour)); err == nil {
		t.Error("a closed store answers")
	}
}
