package integration_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/redisstore/redistest"
	"github.com/emamw/mcp-ema/revocation"
	"github.com/emamw/mcp-ema/scopes"
)

// replicas are two guarded MCP servers that share a session key and a Redis, each
// at an address of its own and both behind one proxy.
type replicas struct {
	as       *emamwtest.AuthorizationServer
	resource string // the proxy, which is what clients call
	each     []string
	guards   []*emamw.Guard
}

func newReplicas(t *testing.T, redis *redistest.Server, maxDelay time.Duration) *replicas {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	front := httptest.NewUnstartedServer(nil)
	r := &replicas{resource: origin(front) + "/mcp"}
	r.as = emamwtest.StartAuthorizationServer(emamwtest.AuthorizationServerConfig{Resource: r.resource, Scopes: []string{readScope}})
	t.Cleanup(r.as.Close)
	proxy := &roundRobin{}
	for range 2 {
		m := server.NewMCPServer("files", "1.0.0")
		m.AddTool(mcp.NewTool("whoami", scopes.Where(scopes.Authenticated())), whoami)
		guard, err := emamw.New(ctx, m, emamw.Config{
			Resource:             r.resource,
			AuthorizationServers: []emamw.AuthorizationServer{{Issuer: r.as.Issuer()}},
			SessionKey:           bytes.Repeat([]byte("k"), 32),
			Revocations:          newStore(t, redis),
			MaxRevocationDelay:   maxDelay,
			Logger:               quiet,
		})
		if err != nil {
			t.Fatal(err)
		}
		h := guard.Handler(server.NewStreamableHTTPServer(m))
		alone := httptest.NewServer(h)
		t.Cleanup(alone.Close)
		r.each = append(r.each, alone.URL+"/mcp")
		r.guards = append(r.guards, guard)
		proxy.replicas = append(proxy.replicas, h)
	}
	startServer(t, front, proxy)
	return r
}

func (r *replicas) token(user string) string { return r.as.Mint(emamwtest.Token{Subject: user}) }

// statuses are the answers of each replica to one token.
func (r *replicas) statuses(t *testing.T, token string) []int {
	t.Helper()
	var all []int
	for _, address := range r.each {
		status, header := knockFor(t.Context(), t, address, token)
		if (status == http.StatusServiceUnavailable) != (header.Get("Retry-After") != "") {
			t.Errorf("a %d with Retry-After %q", status, header.Get("Retry-After"))
		}
		all = append(all, status)
	}
	return all
}

func (r *replicas) want(t *testing.T, what, token string, status int) {
	t.Helper()
	if got := r.statuses(t, token); !slices.Equal(got, []int{status, status}) {
		t.Errorf("%s: the replicas answer %v, want %d of both", what, got, status)
	}
}

// become waits until both replicas answer with a status.
func (r *replicas) become(t *testing.T, what, token string, status int) {
	t.Helper()
	eventually(t, what, func() bool { return slices.Equal(r.statuses(t, token), []int{status, status}) })
}

// A client's session goes on whichever replica answers. A revocation at one of
// them is in force at the other within the bound that the store states.
func TestRevocationReachesEveryReplica(t *testing.T) {
	r := newReplicas(t, redistest.Start(t), 30*time.Second)
	alice, bob := r.token("alice"), r.token("bob")
	r.become(t, "both replicas are ready", alice, http.StatusOK)

	c := newClient(t, &enterprise{resource: r.resource}, legacy, bob)
	initialize(t, c)
	session := func(when string) {
		t.Helper()
		for range 4 { // the proxy takes turns
			if got, err := callTool(t.Context(), c, "whoami"); got != "bob of  with "+readScope {
				t.Errorf("%s: %q, %v", when, got, err)
			}
		}
	}
	session("before the revocation")

	bystander := r.token("carol")
	if err := r.guards[0].Revoke(t.Context(), revocation.Revocation{Issuer: r.as.Issuer(), Subject: "alice"}); err != nil {
		t.Fatal(err)
	}
	revoked := time.Now()
	if status := knock(t, r.each[0], alice); status != http.StatusUnauthorized {
		t.Errorf("where the revocation was made the next request is answered %d", status)
	}
	r.become(t, "the revocation is in force", alice, http.StatusUnauthorized)
	if took := time.Since(revoked); took > storePoll+storeTimeout {
		t.Errorf("it took %v, want %v at most", took, storePoll+storeTimeout)
	}
	r.want(t, "somebody else", bystander, http.StatusOK)
	session("after the revocation")
}

// A Redis that is away for longer than MaxRevocationDelay leaves nobody to ask
// who was revoked: both replicas answer 503, to everybody. When it is back they
// recover, and what was revoked before is still revoked.
func TestReplicasWhileRedisIsAway(t *testing.T) {
	const maxDelay = 2 * time.Second
	redis := redistest.Start(t)
	r := newReplicas(t, redis, maxDelay)
	alice, bob := r.token("alice"), r.token("bob")
	r.become(t, "both replicas are ready", alice, http.StatusOK)
	revokeAt := func(guard int, user string) error {
		return r.guards[guard].Revoke(t.Context(), revocation.Revocation{Issuer: r.as.Issuer(), Subject: user})
	}
	if err := revokeAt(0, "alice"); err != nil {
		t.Fatal(err)
	}
	r.become(t, "the revocation is in force", alice, http.StatusUnauthorized)

	redis.Kill()
	killed := time.Now()
	if statuses := r.statuses(t, bob); time.Since(killed) < maxDelay/2 && !slices.Equal(statuses, []int{200, 200}) {
		t.Errorf("a moment after the crash the replicas answer %v, want 200 of both", statuses)
	}
	if err := revokeAt(1, "bob"); err == nil {
		t.Error("without Redis a revocation was taken")
	}
	r.become(t, "Redis was away for too long", bob, http.StatusServiceUnavailable)
	if took := time.Since(killed); took < maxDelay/2 {
		t.Errorf("503 after %v, with a delay of %v", took, maxDelay)
	}
	r.want(t, "whoever is revoked", alice, http.StatusServiceUnavailable)

	redis.Restart()
	r.become(t, "the replicas recover", bob, http.StatusOK)
	r.want(t, "what was revoked before the outage", alice, http.StatusUnauthorized)
	if err := revokeAt(1, "bob"); err != nil {
		t.Errorf("after the outage: %v", err)
	}
	r.become(t, "a revocation after the outage", bob, http.StatusUnauthorized)
}
