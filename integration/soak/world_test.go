package soak_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9/logging"

	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/idjag"
	"github.com/emamw/mcp-ema/internal/jose"
	"github.com/emamw/mcp-ema/redisstore"
	"github.com/emamw/mcp-ema/redisstore/redistest"
)

const (
	readScope  = "files:read"
	writeScope = "files:write"

	client, secret = "desktop", "the secret of the desktop"

	symmetricID = "symmetric"
)

const (
	clockSkew     = time.Second
	tokenLifetime = 20 * time.Second
	maxTokenAge   = 2 * time.Minute

	// A revocation reaches every replica within the sum of the first two, and a
	// replica that heard nothing for the third answers 503.
	pollDelay    = 100 * time.Millisecond
	storeTimeout = time.Second
	maxDelay     = 4 * time.Second

	keyInterval = 10 * time.Second // the least between two fetches of a key set

	// slack is for a machine that has other things to do.
	slack = time.Second
)

// The client of Redis writes each failed connection to a log of its own.
func init() { logging.Disable() }

// A world is the whole deployment, what is true in it, and its callers.
type world struct {
	ledger *ledger
	log    *countingLog
	redis  *redistest.Server
	store  trouble // of Redis, as those who follow it see it

	idp      *emamwtest.IdP
	idpFront *front
	idpKeys  trouble // rotated, and not known everywhere yet

	as      []*idjag.Server
	asStore []*redisstore.Store
	asFront *front
	signer  atomic.Pointer[signer] // what the authorization server signs with

	stranger  *emamwtest.AuthorizationServer // has the same name and other keys
	foreigner *emamwtest.AuthorizationServer // an issuer that nobody trusts
	elsewhere *front                         // where the stranger's keys are

	mcpFront *front
	replicas [2]atomic.Pointer[replica]
	turn     atomic.Uint64
	deploys  atomic.Int64
	deploy   sync.Mutex // held while a replica is replaced, and while keys are being rotated

	redeemed, replays, revocations, streams, rotations, outages atomic.Int64 // how often it came to that

	client *http.Client
	pause  sync.RWMutex    // held by each request, and alone by who measures memory
	life   context.Context // of the servers
	shift  context.Context // of the callers and the faults
}

// A signer is a key of the authorization server, and how long it counts.
type signer struct {
	key   idjag.SigningKey
	id    string
	bound *bound
}

func newSigner() *signer {
	key := idjag.DangerouslyEphemeralKey()
	id, err := jose.Thumbprint(key.Signer.Public())
	if err != nil {
		panic(err)
	}
	return &signer{key: key, id: id, bound: &bound{}}
}

// sign mints an access token with this key without asking the authorization
// server, for tokens that it would not issue.
func (s *signer) sign(w *world, header jose.Header, change map[string]any) string {
	header.KeyID, header.Algorithm = s.id, "ES256"
	if header.Type == "" {
		header.Type = "at+jwt"
	}
	now := time.Now()
	c := map[string]any{
		"iss": w.issuer(), "aud": w.resource(), "sub": "minted", "client_id": client, "jti": "minted-" + now.Format(time.RFC3339Nano),
		"iat": now.Unix(), "exp": now.Add(tokenLifetime).Unix(), "scope": readScope,
	}
	for name, value := range change {
		c[name] = value
	}
	text, err := jose.Sign(s.key.Signer, header, c)
	if err != nil {
		panic(err)
	}
	return text
}

func (w *world) issuer() string   { return w.asFront.url() }
func (w *world) resource() string { return w.mcpFront.url() + "/mcp" }

// newWorld starts everything but the callers. life ends the background work of
// all its parts, and is ended after shift.
func newWorld(t *testing.T, life, shift context.Context) *world {
	t.Helper()
	w := &world{life: life, shift: shift, log: &countingLog{}, redis: redistest.Start(t)}
	w.ledger = newLedger(&w.store)
	for _, f := range []**front{&w.idpFront, &w.asFront, &w.elsewhere, &w.mcpFront} {
		*f = newFront(t, w.ledger)
	}
	w.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}

	w.idp = emamwtest.NewIdP(emamwtest.IdPConfig{
		Issuer: w.idpFront.url(), Clients: []emamwtest.Client{{ID: client, Secret: secret}},
		Audiences: []emamwtest.Audience{{Issuer: w.issuer(), Resources: []string{w.resource(), otherResource}}},
		Users:     []emamwtest.User{{Name: "somebody"}},
	})
	w.idpFront.handler = w.idp
	w.stranger = emamwtest.NewAuthorizationServer(emamwtest.AuthorizationServerConfig{Issuer: w.issuer(), Resource: w.resource(), Scopes: []string{readScope, writeScope}})
	w.foreigner = emamwtest.NewAuthorizationServer(emamwtest.AuthorizationServerConfig{Issuer: w.elsewhere.url(), Resource: w.resource(), Scopes: []string{readScope, writeScope}})
	w.elsewhere.handler = w.stranger
	w.startAuthorizationServers(t)
	for i := range w.replicas {
		r, err := w.newReplica()
		if err != nil {
			t.Fatal(err)
		}
		w.replicas[i].Store(r)
	}
	w.mcpFront.handler = http.HandlerFunc(w.serveMCP)
	for _, f := range []*front{w.idpFront, w.asFront, w.elsewhere, w.mcpFront} {
		f.start()
	}
	w.becomeReady(t)
	return w
}

const otherResource = "https://other.example.com/mcp"

func (w *world) startAuthorizationServers(t *testing.T) {
	t.Helper()
	first := newSigner()
	w.signer.Store(first)
	var turn atomic.Uint64
	w.asFront.handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.as[turn.Add(1)%uint64(len(w.as))].ServeHTTP(rw, r)
	})
	for range 2 {
		store, err := w.newStore()
		if err != nil {
			t.Fatal(err)
		}
		as, err := idjag.New(w.life, idjag.Config{
			Issuer:             w.issuer(),
			Resources:          []idjag.Resource{{ID: w.resource(), Scopes: []string{readScope, writeScope}}, {ID: otherResource, Scopes: []string{readScope}}},
			IdentityProviders:  []idjag.IdentityProvider{{Issuer: w.idp.Issuer(), Subject: idjag.VerbatimSubject}},
			Clients:            []idjag.Client{{ID: client, SecretHashes: []string{idjag.HashSecret(secret)}}},
			Keys:               idjag.Keys{Current: first.key},
			TokenLifetime:      tokenLifetime,
			ClockSkew:          clockSkew,
			Replay:             store,
			Revocations:        store,
			MaxRevocationDelay: maxDelay,
			Logger:             w.log.logger(),
		})
		if err != nil {
			t.Fatal(err)
		}
		w.as, w.asStore = append(w.as, as), append(w.asStore, store)
	}
}

func (w *world) newStore() (*redisstore.Store, error) {
	return redisstore.New(redisstore.Config{Addr: w.redis.Addr, Poll: pollDelay, Timeout: storeTimeout})
}

func (w *world) becomeReady(t *testing.T) {
	t.Helper()
	probe := w.signer.Load().sign(w, jose.Header{}, nil)
	if !w.eventually(20*time.Second, func() bool {
		for _, as := range w.as {
			if as.Ready(w.life) != nil {
				return false
			}
		}
		return w.everyGuard(accepts(probe))
	}) {
		t.Fatal("the deployment does not become ready")
	}
}

// eventually waits until what it is given holds, and reports whether it did in
// time.
func (w *world) eventually(within time.Duration, holds func() bool) bool {
	for deadline := time.Now().Add(within); !holds(); {
		if time.Now().After(deadline) || !w.sleep(50*time.Millisecond) {
			return false
		}
	}
	return true
}

// sleep reports whether the soak goes on.
func (w *world) sleep(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-w.shift.Done():
		return false
	}
}

// takeDown ends what life does not end.
func (w *world) takeDown() {
	for _, f := range []*front{w.mcpFront, w.asFront, w.idpFront, w.elsewhere} {
		f.kill()
	}
	for i := range w.replicas {
		w.replicas[i].Load().retire()
	}
	for _, s := range w.asStore {
		_ = s.Close()
	}
	w.client.CloseIdleConnections()
}
