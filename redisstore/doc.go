// Package redisstore keeps in Redis what the replicas of one deployment must
// agree on: which assertions were redeemed, and what was revoked. A [Store] is
// an idjag.ReplayStore and a revocation.Store.
//
//	store, err := redisstore.New(redisstore.Config{Addr: "127.0.0.1:6379"})
//	// handle err
//	as, err := idjag.New(ctx, idjag.Config{Replay: store, Revocations: store, …})
//	guard, err := emamw.New(ctx, s, emamw.Config{Revocations: store, …})
//
// The authorization server and the MCP servers behind it share one Redis and one
// prefix, or a revocation at one does not reach the other.
//
// What it needs of Redis:
//
//   - maxmemory-policy noeviction. Redis makes room under every other policy by
//     forgetting entries that still count, and what was redeemed can then be
//     redeemed again. [Store.Ready] reports it.
//   - The primary. A replica answers with old news, also after it lost its
//     primary, and is refused.
//   - Persistence, if a restart is to forget nothing: appendonly yes, with
//     appendfsync always, or the last second is lost.
//   - One server, Sentinel or a cluster. It is tested with version 7.
//
// Redis replicates after it has answered. What was redeemed or revoked in the
// moment before a failover can be missing afterwards. That window is the price
// of failover, and no setting here closes it.
//
// When Redis is away, redemptions are refused at once, and the servers that
// follow it refuse once its last word is too old: all with 503, and none on a
// guess. They recover by themselves. Meanwhile go-redis writes each failed
// connection to a log of its own; see redis.SetLogger.
package redisstore
