package redisstore_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/emamw/mcp-ema/idjag"
	"github.com/emamw/mcp-ema/idjag/replaytest"
	"github.com/emamw/mcp-ema/redisstore"
	"github.com/emamw/mcp-ema/redisstore/redistest"
	"github.com/emamw/mcp-ema/revocation"
	"github.com/emamw/mcp-ema/revocation/revocationtest"
)

// A cluster of one server refuses, like any other, a script whose keys are not
// on one server.
func cluster(t *testing.T) redisstore.Config {
	t.Helper()
	server := redistest.Start(t, "--cluster-enabled", "yes")
	if err := admin(t, server.Addr).ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{server.Addr}, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	for deadline := time.Now().Add(patience); client.Set(t.Context(), "up", 1, 0).Err() != nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no cluster within %v", patience)
		}
	}
	return redisstore.Config{Client: client}
}

func single(t *testing.T) redisstore.Config {
	t.Helper()
	return redisstore.Config{Addr: redistest.Start(t).Addr}
}

var kinds = map[string]func(*testing.T) redisstore.Config{"one server": single, "cluster": cluster}

// fresh gives each store keys of its own.
func fresh(cfg redisstore.Config) redisstore.Config {
	cfg.Prefix = fmt.Sprintf("test-%d:", prefixes.Add(1))
	return cfg
}

var prefixes atomic.Int64

func TestReplayContract(t *testing.T) {
	t.Parallel()
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := kind(t)
			replaytest.Run(t, func(t *testing.T) (a, b idjag.ReplayStore) {
				cfg := fresh(server)
				return open(t, cfg), open(t, cfg)
			}, time.Sleep) // the clock is that of Redis
		})
	}
}

func TestRevocationContract(t *testing.T) {
	t.Parallel()
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := kind(t)
			revocationtest.Run(t, func(t *testing.T) revocation.Store { return open(t, fresh(server)) })
		})
	}
}
