package integration_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/idjag"
	"github.com/emamw/mcp-ema/redisstore"
	"github.com/emamw/mcp-ema/redisstore/redistest"
)

const redeemResource = "https://mcp.example.com/mcp"

// redeemer is an authorization server of one or more replicas behind a proxy,
// and the identity provider whose ID-JAGs it redeems.
type redeemer struct {
	issuer string
	idp    *emamwtest.IdP
}

// newRedeemer starts one replica per store. A nil store is the one in memory.
func newRedeemer(t *testing.T, stores ...idjag.ReplayStore) *redeemer {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	front := httptest.NewUnstartedServer(nil)
	r := &redeemer{issuer: origin(front)}
	r.idp = emamwtest.StartIdP(emamwtest.IdPConfig{Audiences: []emamwtest.Audience{{Issuer: r.issuer}}, Clients: []emamwtest.Client{{ID: asClient}}})
	t.Cleanup(r.idp.Close)
	key := idjag.DangerouslyEphemeralKey()
	proxy := &roundRobin{}
	for _, store := range stores {
		as, err := idjag.New(ctx, idjag.Config{
			Issuer:            r.issuer,
			Resources:         []idjag.Resource{{ID: redeemResource, Scopes: []string{readScope}}},
			IdentityProviders: []idjag.IdentityProvider{{Issuer: r.idp.Issuer()}},
			Clients:           []idjag.Client{{ID: asClient, SecretHashes: []string{idjag.HashSecret(asSecret)}}},
			Keys:              idjag.Keys{Current: key},
			Replay:            store,
			Logger:            quiet,
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := as.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		proxy.replicas = append(proxy.replicas, as)
	}
	startServer(t, front, proxy)
	return r
}

func (r *redeemer) mint() string {
	return r.idp.Mint(emamwtest.Token{Resource: redeemResource, Scopes: []string{readScope}})
}

// redeem returns the status, and the error code or the token.
func (r *redeemer) redeem(t *testing.T, assertion string) (status int, what string) {
	t.Helper()
	status, answer := postForm(t, r.issuer+"/token", asClient, asSecret, url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion},
	})
	what, _ = answer["error"].(string)
	if token, ok := answer["access_token"].(string); ok {
		what = token
	}
	if (status == http.StatusOK) != (answer["access_token"] != nil) {
		t.Errorf("status %d with %v", status, answer)
	}
	return status, what
}

// However many redeem one ID-JAG at the same moment, one gets a token.
func TestConcurrentRedemptions(t *testing.T) {
	const many = 100
	for name, stores := range map[string]func(t *testing.T) []idjag.ReplayStore{
		"in memory": func(*testing.T) []idjag.ReplayStore { return []idjag.ReplayStore{nil} },
		"two replicas on one Redis": func(t *testing.T) []idjag.ReplayStore {
			redis := redistest.Start(t)
			return []idjag.ReplayStore{newStore(t, redis), newStore(t, redis)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRedeemer(t, stores(t)...)
			assertion := r.mint()
			var tokens, replays atomic.Int64
			var all sync.WaitGroup
			begin := make(chan struct{})
			for range many {
				all.Go(func() {
					<-begin
					switch status, what := r.redeem(t, assertion); {
					case status == http.StatusOK:
						tokens.Add(1)
					case status == http.StatusBadRequest && what == "invalid_grant":
						replays.Add(1)
					default:
						t.Errorf("answered %d %s", status, what)
					}
				})
			}
			close(begin)
			all.Wait()
			if tokens.Load() != 1 || replays.Load() != many-1 {
				t.Errorf("%d tokens and %d replays, want 1 and %d", tokens.Load(), replays.Load(), many-1)
			}
			if status, _ := r.redeem(t, r.mint()); status != http.StatusOK {
				t.Errorf("another ID-JAG is answered %d", status)
			}
		})
	}
}

// tally counts what became of each assertion.
type tally struct {
	mu       sync.Mutex
	tokens   map[string]int
	statuses map[int]int
}

func (c *tally) add(assertion string, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.statuses[status]++
	if status == http.StatusOK {
		c.tokens[assertion]++
	}
}

func (c *tally) count(status int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.statuses[status]
}

// Redis is killed while ID-JAGs are being redeemed. Every answer is a token, a
// refusal or a 503, no ID-JAG gives two tokens over the outage, and the replicas
// recover without a restart.
func TestRedeemWhileRedisDies(t *testing.T) {
	redis := redistest.Start(t)
	stores := []*redisstore.Store{newStore(t, redis), newStore(t, redis)}
	r := newRedeemer(t, stores[0], stores[1])
	assertions := make([]string, 200)
	for i := range assertions {
		assertions[i] = r.mint()
	}
	c := &tally{tokens: map[string]int{}, statuses: map[int]int{}}
	load(t, r, c, assertions, func() {
		eventually(t, "a token before the crash", func() bool { return c.count(http.StatusOK) > 20 })
		redis.Kill()
		eventually(t, "a 503 after the crash", func() bool { return c.count(http.StatusServiceUnavailable) > 20 })
	})
	for range 4 { // each replica, twice
		if status, what := r.redeem(t, r.mint()); status != http.StatusServiceUnavailable || what != "temporarily_unavailable" {
			t.Errorf("without Redis the answer is %d %s", status, what)
		}
	}
	redis.Restart()
	for _, s := range stores {
		eventually(t, "a replica recovers", func() bool { return s.Ready(t.Context()) == nil })
	}
	for range 4 {
		if status, what := r.redeem(t, r.mint()); status != http.StatusOK {
			t.Errorf("with Redis back a new ID-JAG is answered %d %s", status, what)
		}
	}
	for range 2 { // at either replica
		for _, assertion := range assertions {
			status, _ := r.redeem(t, assertion)
			c.add(assertion, status)
		}
	}
	for assertion, n := range c.tokens {
		if n > 1 {
			t.Errorf("one ID-JAG gave %d tokens: %s", n, assertion[len(assertion)-8:])
		}
	}
	for status := range c.statuses {
		if status != http.StatusOK && status != http.StatusBadRequest && status != http.StatusServiceUnavailable {
			t.Errorf("%d answers with status %d", c.statuses[status], status)
		}
	}
	if len(c.tokens) != len(assertions) {
		// An ID-JAG may be lost: Redis took it and died before it said so. Not many.
		if lost := len(assertions) - len(c.tokens); lost > 8 {
			t.Errorf("%d of %d ID-JAGs gave no token at all", lost, len(assertions))
		}
	}
}

// load redeems all the assertions again and again, eight at a time, until during
// returns.
func load(t *testing.T, r *redeemer, c *tally, assertions []string, during func()) {
	t.Helper()
	var stop atomic.Bool
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := worker * 25; !stop.Load(); i++ {
				assertion := assertions[i%len(assertions)]
				status, _ := r.redeem(t, assertion)
				c.add(assertion, status)
				time.Sleep(time.Millisecond)
			}
		})
	}
	during()
	stop.Store(true)
	all.Wait()
}
