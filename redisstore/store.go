package redisstore

import (
	"context"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// A Store keeps its state in Redis. Make one with [New]; the zero Store is of no
// use. All methods may be called from several goroutines at once, and their
// errors hold no address, credential or identifier, so that they can be logged.
type Store struct {
	client  redis.UniversalClient
	own     bool // the client was made here
	prefix  string
	timeout time.Duration
	poll    time.Duration
	limit   int
	now     func() time.Time
}

// New returns a store for cfg, or every mistake in it, joined, each a
// [*ConfigError]. It does no I/O: a Redis that is away shows in [Store.Ready]
// and in the calls.
func New(cfg Config) (*Store, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	s := &Store{
		client: cfg.Client, prefix: cfg.Prefix, limit: cfg.Limit,
		timeout: cfg.Timeout, poll: cfg.Poll, now: cfg.Now,
	}
	if s.client == nil {
		s.client, s.own = dial(&cfg), true
	}
	return s, nil
}

// dial makes a client, which connects when it is first used. Commands are
// retried on another connection, as each of ours may safely be sent twice. A
// server that refuses connections is not retried: the client is told 503 and
// comes again.
func dial(cfg *Config) *redis.Client {
	opt := &redis.Options{
		Addr: cfg.Addr, Username: cfg.Username, Password: cfg.Password, TLSConfig: cfg.TLS,
		DialTimeout: cfg.Timeout, ReadTimeout: cfg.Timeout, WriteTimeout: cfg.Timeout, PoolTimeout: cfg.Timeout,
		ContextTimeoutEnabled:    true,
		DialerRetries:            1,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	opt.Dialer = quietDialer(redis.NewDialer(opt))
	return redis.NewClient(opt)
}

// Close closes the connections, unless they belong to Config.Client. Calls after
// it fail.
func (s *Store) Close() error {
	if !s.own {
		return nil
	}
	return s.client.Close()
}

// Ready returns nil when Redis answers and keeps what it is given, for a
// readiness probe. Whether it evicts is seen by INFO; where the account may not
// ask that, an answer is enough.
func (s *Store) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.client.Ping(ctx).Err(); err != nil {
		return s.failure("ping", err)
	}
	info, err := s.client.Info(ctx, "memory").Result()
	if err != nil {
		if code(err) != "" {
			return nil
		}
		return s.failure("info", err)
	}
	if evicts(info) {
		return errEvicts
	}
	return nil
}

// evicts reads the memory section of INFO. Without a limit on memory no policy
// takes effect.
func evicts(info string) bool {
	limited, policy := false, ""
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "maxmemory":
			limited = value != "0"
		case "maxmemory_policy":
			policy = value
		}
	}
	return limited && policy != "" && policy != "noeviction"
}
