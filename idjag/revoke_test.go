package idjag_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emamw/mcp-ema/idjag"
	"github.com/emamw/mcp-ema/internal/jose"
	"github.com/emamw/mcp-ema/revocation"
)

// revokedIDs is a store that only lists.
type revokedIDs struct {
	*revocation.Memory
	got []revocation.Revocation
	err error
}

func (s *revokedIDs) Revoke(ctx context.Context, r revocation.Revocation) error {
	if s.err != nil {
		return s.err
	}
	s.got = append(s.got, r)
	return s.Memory.Revoke(ctx, r)
}

func (w *world) revoke(values url.Values) answer {
	r := httptest.NewRequest(http.MethodPost, ownIssuer+"/revoke", strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(clientID, secret)
	return w.send(r)
}

func TestRevocationEndpoint(t *testing.T) {
	store, key := &revokedIDs{}, idjag.DangerouslyEphemeralKey()
	key.ID = "as-1"
	w := newWorld(t, func(w *world, cfg *idjag.Config) {
		manyClients(w, cfg)
		cfg.Keys.Current = key
		store.Memory = revocation.NewMemory(0, w.clock.Now)
		cfg.Revocations = store
	})
	a := w.redeem(w.mint(nil))
	id := w.granted(a)["jti"].(string)
	token := a.body["access_token"].(string)
	values := form(w.mint(with(claimSet{"client_id": "open"})))
	values.Set("client_id", "open")
	others := w.send(tokenRequest(values))
	w.granted(others)

	mine := jose.Header{Algorithm: "ES256", KeyID: "as-1", Type: "JWT"}
	another, err := jose.Sign(key.Signer, mine, claimSet{"jti": id, "client_id": clientID, "exp": begin.Unix() + 60})
	if err != nil {
		t.Fatal(err)
	}

	for name, presented := range map[string]string{
		"another kind of token of ours": another,
		"junk":                          "junk",
		"an ID-JAG":                     w.mint(nil),
		"a forged token":                jose.Encode(claimSet{"typ": "at+jwt", "alg": "ES256", "kid": "as-1"}, marshal(claimSet{"jti": id, "client_id": clientID, "exp": begin.Unix() + 60}), clientKey.sign),
		"a token of elsewhere":          jose.Encode(claimSet{"typ": "at+jwt", "alg": "ES256", "kid": "idp-1"}, marshal(claimSet{"jti": id}), w.idp.sign),
	} {
		if a := w.revoke(url.Values{"token": {presented}}); a.status != http.StatusOK || len(store.got) != 0 {
			t.Errorf("%s: answered %d %s and revoked %v", name, a.status, a.raw, store.got)
		}
	}
	if a := w.revoke(url.Values{"token": {others.body["access_token"].(string)}}); a.code() != "unauthorized_client" || len(store.got) != 0 {
		t.Errorf("another client's token: answered %d %s", a.status, a.raw)
	}
	if a := w.revoke(url.Values{}); a.code() != "invalid_request" {
		t.Errorf("no token: answered %d %s", a.status, a.raw)
	}
	r := httptest.NewRequest(http.MethodPost, ownIssuer+"/revoke", strings.NewReader(url.Values{"token": {token}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if a := w.send(r); a.code() != "invalid_client" || len(store.got) != 0 {
		t.Errorf("no client: answered %d %s", a.status, a.raw)
	}
	if a := w.send(httptest.NewRequest(http.MethodOptions, ownIssuer+"/revoke", nil)); a.status != http.StatusNoContent {
		t.Errorf("OPTIONS: answered %d", a.status)
	}
	r = httptest.NewRequest(http.MethodPost, ownIssuer+"/revoke", strings.NewReader(`{"token":"x"}`))
	r.Header.Set("Content-Type", "application/json")
	if a := w.send(r); a.code() != "invalid_request" {
		t.Errorf("JSON: answered %d %s", a.status, a.raw)
	}
	if a := w.send(httptest.NewRequest(http.MethodGet, ownIssuer+"/revoke", nil)); a.status != http.StatusMethodNotAllowed {
		t.Errorf("GET: answered %d", a.status)
	}
	store.err = errors.New("down")
	if a := w.revoke(url.Values{"token": {token}}); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("store down: answered %d %s", a.status, a.raw)
	}
	store.err = nil
	if a := w.revoke(url.Values{"token": {token}, "token_type_hint": {"refresh_token"}}); a.status != http.StatusOK || a.raw != "" {
		t.Errorf("answered %d %s", a.status, a.raw)
	}
	if len(store.got) != 1 || store.got[0].TokenID != id || store.got[0].Issuer != ownIssuer || store.got[0].Until.Before(begin.Add(10*time.Minute)) {
		t.Errorf("revoked %+v, want %s until it has expired", store.got, id)
	}
}

// TestRevocationUsesTheProofUp: a client assertion is good for one revocation,
// and for none when that cannot be remembered.
func TestRevocationUsesTheProofUp(t *testing.T) {
	replay := &failsAt{}
	w := newWorld(t, func(w *world, cfg *idjag.Config) {
		manyClients(w, cfg)
		replay.ReplayStore = idjag.NewReplayStore(0, w.clock.Now)
		cfg.Revocations, cfg.Replay = revocation.NewMemory(0, w.clock.Now), replay
	})
	values := form(w.mint(with(claimSet{"client_id": "signer"})))
	values.Set("client_assertion_type", assertionType)
	values.Set("client_assertion", w.clientAssertion("signer", nil, nil))
	token, _ := w.send(tokenRequest(values)).body["access_token"].(string)
	revoke := func(proof string) answer {
		r := httptest.NewRequest(http.MethodPost, ownIssuer+"/revoke", strings.NewReader(url.Values{
			"token": {token}, "client_assertion_type": {assertionType}, "client_assertion": {proof},
		}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return w.send(r)
	}
	proof := w.clientAssertion("signer", nil, nil)
	replay.n.Store(1)
	if a := revoke(proof); a.status != http.StatusServiceUnavailable {
		t.Errorf("store down: answered %d %s", a.status, a.raw)
	}
	if a := revoke(proof); a.status != http.StatusOK {
		t.Errorf("answered %d %s", a.status, a.raw)
	}
	if a := revoke(proof); a.code() != "invalid_client" {
		t.Errorf("again: answered %d %s", a.status, a.raw)
	}
}

// TestRevokedUsersGetNothing: whoever is cut off must not come back with an
// ID-JAG that is older than that.
func TestRevokedUsersGetNothing(t *testing.T) {
	until := begin.Add(time.Hour)
	id := sha256.Sum256([]byte("the-jti"))
	hash := base64.RawURLEncoding.EncodeToString(id[:])
	tests := []struct {
		name    string
		revoke  revocation.Revocation
		after   time.Duration // when the ID-JAG is issued, beside the revocation
		refused bool
	}{
		{"by our name", revocation.Revocation{Issuer: ownIssuer, Subject: "00u1alice", Before: begin, Until: until}, 0, true},
		{"by the provider's name", revocation.Revocation{Issuer: idpIssuer, Subject: "00u1alice", Before: begin, Until: until}, 0, true},
		{"by the client", revocation.Revocation{Issuer: ownIssuer, ClientID: clientID, Before: begin, Until: until}, 0, true},
		{"the ID-JAG by its jti", revocation.Revocation{Issuer: idpIssuer, TokenID: "the-jti", Until: until}, 0, true},
		{"the ID-JAG by the hash of audit records", revocation.Revocation{Issuer: idpIssuer, TokenID: hash, Until: until}, 0, true},
		{"another ID-JAG", revocation.Revocation{Issuer: idpIssuer, TokenID: "another", Until: until}, 0, false},
		{"and signed in again", revocation.Revocation{Issuer: idpIssuer, Subject: "00u1alice", Before: begin, Until: until}, time.Second, false},
		{"somebody else", revocation.Revocation{Issuer: idpIssuer, Subject: "00u1bob", Before: begin, Until: until}, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var store *revocation.Memory
			w := newWorld(t, func(w *world, cfg *idjag.Config) {
				store = revocation.NewMemory(0, w.clock.Now)
				cfg.Revocations, cfg.IdentityProviders[0].Subject = store, idjag.VerbatimSubject
			})
			if err := store.Revoke(t.Context(), tt.revoke); err != nil {
				t.Fatal(err)
			}
			w.clock.advance(tt.after)
			a := w.redeem(w.mint(with(claimSet{"jti": "the-jti"})))
			if tt.refused {
				w.refused(a, 400, "invalid_grant", "token_revoked")
				return
			}
			w.granted(a)
		})
	}
}

// silent is a store that was never heard from.
type silent struct{}

func (silent) Revoke(context.Context, revocation.Revocation) error { return nil }
func (silent) Follow(ctx context.Context, _ func([]revocation.Revocation)) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestRevocationStoreSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := newWorld(t, func(_ *world, cfg *idjag.Config) { cfg.Revocations = silent{} })
		w.refused(w.redeem(w.mint(nil)), http.StatusServiceUnavailable, "temporarily_unavailable", "store_unavailable")
		if err := w.Ready(ctx); err == nil {
			t.Error("ready without the revocation store")
		}
	})
}

// recovering is a store that cannot be followed at first.
type recovering struct {
	*revocation.Memory
	failed atomic.Bool
}

func (s *recovering) Follow(ctx context.Context, apply func([]revocation.Revocation)) error {
	if s.failed.CompareAndSwap(false, true) {
		return errors.New("dial c4n4ry:6379: connection refused")
	}
	return s.Memory.Follow(ctx, apply)
}

// TestRevocationStoreComesBack: the operator is told both, and not in the words
// of the store.
func TestRevocationStoreComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(w *world, cfg *idjag.Config) {
			cfg.Revocations = &recovering{Memory: revocation.NewMemory(0, w.clock.Now)}
		})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		w.granted(w.redeem(w.mint(nil)))
		for _, line := range []string{"cannot be followed", "followed again"} {
			if !strings.Contains(w.logs.String(), line) {
				t.Errorf("no %q in the log %s", line, w.logs)
			}
		}
		if strings.Contains(w.logs.String(), "c4n4ry") {
			t.Error("the store's own words are in the log")
		}
	})
}
