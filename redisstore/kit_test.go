package redisstore_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/emamw/mcp-ema/idjag"
	"github.com/emamw/mcp-ema/redisstore"
	"github.com/emamw/mcp-ema/revocation"
)

var (
	_ idjag.ReplayStore = (*redisstore.Store)(nil)
	_ revocation.Store  = (*redisstore.Store)(nil)
)

// patience bounds every wait.
const patience = 15 * time.Second

func TestMain(m *testing.M) {
	redis.SetLogger(&logged)
	os.Exit(m.Run())
}

// logged is what go-redis writes to its log, which is one for all clients.
var logged text

type text struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *text) Printf(_ context.Context, format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(&l.b, format+"\n", v...)
}

func (l *text) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

func (l *text) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// open returns a store that is closed with the test.
func open(t *testing.T, cfg redisstore.Config) *redisstore.Store {
	t.Helper()
	s, err := redisstore.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// admin returns a client that looks at Redis past the store.
func admin(t *testing.T, addr string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// patient returns a client that itself waits for half a minute.
func patient(t *testing.T, addr string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, ReadTimeout: 30 * time.Second, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// A follower is a running Follow.
type follower struct {
	calls chan []revocation.Revocation
	ended chan error
}

func follow(t *testing.T, s *redisstore.Store) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{calls: make(chan []revocation.Revocation, 1000), ended: make(chan error, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.ended <- s.Follow(ctx, func(news []revocation.Revocation) { f.calls <- news })
	}()
	t.Cleanup(func() { cancel(); <-done })
	return f
}

// next waits for the next call of apply.
func (f *follower) next(t *testing.T) []revocation.Revocation {
	t.Helper()
	select {
	case news := <-f.calls:
		return news
	case err := <-f.ended:
		t.Fatalf("Follow returned %v, want a call", err)
	case <-time.After(patience):
		t.Fatalf("no call within %v", patience)
	}
	return nil
}

// knows waits until the revocation of a subject is handed over.
func (f *follower) knows(t *testing.T, subject string) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		for _, r := range f.next(t) {
			if r.Subject == subject {
				return
			}
		}
	}
	t.Fatalf("%s is not handed over within %v", subject, patience)
}

// end waits until Follow gives up, and returns how many calls came before that,
// and its error.
func (f *follower) end(t *testing.T) (calls int, err error) {
	t.Helper()
	select {
	case err = <-f.ended:
		return len(f.calls), err
	case <-time.After(patience):
		t.Fatalf("Follow did not return within %v", patience)
		return 0, nil
	}
}

// drain forgets the calls so far.
func (f *follower) drain() {
	for len(f.calls) > 0 {
		<-f.calls
	}
}

func subject(name string) revocation.Revocation {
	now := time.Now()
	return revocation.Revocation{Issuer: "https://as.example", Subject: name, Before: now, Until: now.Add(time.Hour)}
}

func revoke(t *testing.T, s *redisstore.Store, r revocation.Revocation) {
	t.Helper()
	if err := s.Revoke(t.Context(), r); err != nil {
		t.Fatalf("Revoke: %v", err)
	}
}

func consume(t *testing.T, s *redisstore.Store, key string, want bool) {
	t.Helper()
	fresh, err := s.Consume(t.Context(), key, time.Now().Add(time.Hour))
	if err != nil || fresh != want {
		t.Errorf("Consume(%s) = %v, %v; want %v", key, fresh, err, want)
	}
}
