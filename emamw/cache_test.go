package emamw_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
)

// counted has the mapping count how many tokens were verified in full: it runs
// last, and not at all for a token that is remembered. more may be nil.
func counted(count *atomic.Int64, entries int, more func(context.Context) error) func(*emamw.Config) {
	return func(c *emamw.Config) {
		c.TokenCacheEntries = entries
		c.AuthorizationServers[0].Claims = claims.Mapping{Func: func(ctx context.Context, _ *claims.Payload, _ *claims.Principal) error {
			count.Add(1)
			if more == nil {
				return nil
			}
			return more(ctx)
		}}
	}
}

func accept(t *testing.T, g *emamw.Guard, token string) {
	t.Helper()
	if _, err := g.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
}

func TestTokensAreRemembered(t *testing.T) {
	as := newIssuer(issuer)
	for entries, want := range map[int]int64{0: 2, 1: 2, 1000: 2, -1: 6} {
		var verified atomic.Int64
		g := newGuard(t, counted(&verified, entries, nil), as)
		for _, token := range []string{as.Mint(emamwtest.Token{}), as.Mint(emamwtest.Token{Subject: "bob"})} {
			// One entry is one of each shard: two tokens may push each other out, so
			// one after the other.
			for range 3 {
				accept(t, g, token)
			}
		}
		if got := verified.Load(); got != want {
			t.Errorf("%d entries: %d verifications, want %d", entries, got, want)
		}
	}
}

// A token is remembered until exp. In the seconds of clock skew after it the
// token is still good, and verified each time; then it is over.
func TestRememberedTokensExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var verified atomic.Int64
		as := newIssuer(issuer)
		g := newGuard(t, counted(&verified, 0, nil), as)
		token := as.Mint(emamwtest.Token{Lifetime: 5 * time.Minute})
		for _, step := range []struct {
			wait   time.Duration
			want   int64
			reason claims.Reason
		}{
			{0, 1, ""},
			{5*time.Minute - time.Second, 1, ""},
			{time.Second, 2, ""},
			{29 * time.Second, 3, ""},
			{time.Second, 3, claims.TokenExpired},
		} {
			time.Sleep(step.wait)
			_, err := g.Verify(t.Context(), token)
			if got := reasonOf(t, err); got != step.reason || verified.Load() != step.want {
				t.Errorf("after %v more: %q and %d verifications, want %q and %d", step.wait, got, verified.Load(), step.reason, step.want)
			}
		}
	})
}

// Groups that are looked up count for their TTL, not for the life of a token that was
// remembered with them: who is taken out of one would go in for hours.
func TestLookedUpGroupsAreAskedForAgain(t *testing.T) {
	for ttl, kept := range map[time.Duration]time.Duration{0: 10 * time.Minute, time.Minute: 2 * time.Minute, 24 * time.Hour: 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var asked atomic.Int64
			members := []string{"admins"}
			as := newIssuer(issuer)
			g := newGuard(t, func(c *emamw.Config) {
				c.AuthorizationServers[0].Claims.GroupsLookup = &claims.GroupsLookup{Absent: true, TTL: ttl, Lookup: func(context.Context, claims.Principal) ([]string, error) {
					asked.Add(1)
					return members, nil
				}}
			}, as)
			has := func(token string) bool {
				p, err := g.Verify(t.Context(), token)
				return err == nil && p.Groups.Has("admins")
			}
			first, second := as.Mint(emamwtest.Token{Lifetime: 12 * time.Hour}), as.Mint(emamwtest.Token{Lifetime: 12 * time.Hour, ID: "later"})
			if !has(first) {
				t.Fatal("no group")
			}
			members = nil
			time.Sleep(kept/2 - time.Second)
			if !has(second) || asked.Load() != 1 {
				t.Errorf("TTL %v: within it the answer is used for another token of the same person; asked %d times", ttl, asked.Load())
			}
			time.Sleep(kept / 2)
			if has(first) || has(second) {
				t.Errorf("TTL %v: after %v somebody who left, or whose token ended, is in the group", ttl, kept)
			}
		})
	}
}

// An issuer withdraws a key that leaked. Tokens signed with it are refused as
// soon as the withdrawal is known, remembered or not; the others stay good.
func TestWithdrawnKeyEndsRememberedTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var verified atomic.Int64
		as := newIssuer(issuer)
		g := newGuard(t, counted(&verified, 0, nil), as)
		old := as.Mint(emamwtest.Token{Lifetime: 10 * time.Hour})
		accept(t, g, old)
		as.RotateKey()
		fresh := as.Mint(emamwtest.Token{Lifetime: 10 * time.Hour})
		time.Sleep(time.Minute) // a fetch is allowed again
		accept(t, g, fresh)
		accept(t, g, old)
		if verified.Load() != 2 {
			t.Errorf("%d verifications before the withdrawal, want 2: a key that was added ends nothing", verified.Load())
		}
		as.WithdrawKey()
		time.Sleep(time.Hour) // more than one refresh
		if _, err := g.Verify(t.Context(), old); reasonOf(t, err) != claims.KeyUnknown {
			t.Errorf("a token of the withdrawn key: %v", err)
		}
		accept(t, g, fresh)
		if verified.Load() != 3 {
			t.Errorf("%d verifications after it, want 3", verified.Load())
		}
	})
}

// A refusal is not remembered: what was wrong may have been an outage, and a
// flood of bad tokens would else fill the memory.
func TestRefusalsAreNotRemembered(t *testing.T) {
	var verified atomic.Int64
	var refuse atomic.Bool
	as := newIssuer(issuer)
	g := newGuard(t, counted(&verified, 1, func(context.Context) error {
		if refuse.Load() {
			return &claims.Error{Reason: claims.GroupsLookupFailed, Claim: "groups"}
		}
		return nil
	}), as)
	kept, other := as.Mint(emamwtest.Token{}), as.Mint(emamwtest.Token{})
	accept(t, g, kept)
	refuse.Store(true)
	for range 2 {
		if _, err := g.Verify(t.Context(), other); reasonOf(t, err) != claims.GroupsLookupFailed {
			t.Fatalf("got %v", err)
		}
	}
	for range 100 { // more than one for each shard
		_, _ = g.Verify(t.Context(), as.Mint(emamwtest.Token{}))
	}
	refuse.Store(false)
	was := verified.Load()
	accept(t, g, kept)
	if verified.Load() != was {
		t.Error("refused tokens pushed a good one out")
	}
	accept(t, g, other)
	if verified.Load() != was+1 {
		t.Error("what was refused before was not verified again")
	}
}

// A token within the clock skew after exp is good and not kept, so it takes no
// room either.
func TestExpiredTokensTakeNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var verified atomic.Int64
		as := newIssuer(issuer)
		g := newGuard(t, counted(&verified, 1, nil), as)
		kept := as.Mint(emamwtest.Token{Lifetime: time.Hour})
		accept(t, g, kept)
		for range 100 {
			accept(t, g, as.Mint(emamwtest.Token{IssuedAt: time.Now().Add(-time.Minute), Lifetime: 50 * time.Second}))
		}
		was := verified.Load()
		if accept(t, g, kept); verified.Load() != was {
			t.Error("tokens that are not kept pushed out one that is")
		}
	})
}

// remembered verifies tokens in turn and returns how many of them were known.
func remembered(t *testing.T, g *emamw.Guard, verified *atomic.Int64, tokens []string) int {
	t.Helper()
	was := verified.Load()
	for _, token := range tokens {
		accept(t, g, token)
	}
	return len(tokens) - int(verified.Load()-was)
}

// shards is into how many parts the memory is split, each with its own bound.
const shards = 16

// mint returns n tokens with this much padding.
func mint(as *emamwtest.AuthorizationServer, n, size int) (tokens []string) {
	for range n {
		tokens = append(tokens, as.Mint(emamwtest.Token{Lifetime: time.Hour, Claims: map[string]any{"pad": strings.Repeat("x", size)}}))
	}
	return tokens
}

// The memory is bounded in entries, rounded up to the shards, and in bytes: an
// issuer, or a caller with many tokens, cannot make it grow.
func TestMemoryIsBounded(t *testing.T) {
	tests := []struct {
		name                string
		entries, size, most int
	}{
		{"one for each shard", 1, 0, shards},
		{"two for each shard", 2 * shards, 0, 2 * shards},
		{"rounded up", shards + 1, 0, 2 * shards},
		{"large ones, fewer", 20 * shards, 5000, 20 * shards / 3},
		{"larger than a shard", 1, 2000, 0},
	}
	as := newIssuer(issuer)
	for _, tt := range tests {
		var verified atomic.Int64
		g := newGuard(t, counted(&verified, tt.entries, nil), as)
		tokens := mint(as, 300, tt.size)
		remembered(t, g, &verified, tokens)
		if got := remembered(t, g, &verified, tokens); got > tt.most {
			t.Errorf("%s: %d of 300 tokens are remembered, at most %d may be", tt.name, got, tt.most)
		}
	}

	// What cannot be kept at all pushes nothing out.
	var verified atomic.Int64
	g := newGuard(t, counted(&verified, 1, nil), as)
	small := mint(as, 1, 0)
	remembered(t, g, &verified, small)
	remembered(t, g, &verified, mint(as, 100, 2000))
	if remembered(t, g, &verified, small) != 1 {
		t.Error("tokens that are too large to be kept pushed out one that is kept")
	}
}

// Requests that bring the same new token at the same time share one verification.
func TestOneVerificationForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var verified atomic.Int64
		hold := make(chan struct{})
		as := newIssuer(issuer)
		g := newGuard(t, counted(&verified, 0, func(context.Context) error { <-hold; return nil }), as)
		token := as.Mint(emamwtest.Token{})
		var accepted atomic.Int64
		for range 10 {
			go func() {
				if p, err := g.Verify(t.Context(), token); err == nil && p.Subject == "alice" {
					accepted.Add(1)
				}
			}()
		}
		synctest.Wait()
		close(hold)
		synctest.Wait()
		if verified.Load() != 1 || accepted.Load() != 10 {
			t.Errorf("%d verifications, %d accepted, want 1 and 10", verified.Load(), accepted.Load())
		}
	})
}

// Who leads a verification may leave, and who follows may too, and neither
// takes the others along: an attacker could else have a good token refused by
// sending it and hanging up.
func TestVerifierLeaves(t *testing.T) {
	for _, leader := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var verified atomic.Int64
			hold := make(chan struct{})
			as := newIssuer(issuer)
			g := newGuard(t, counted(&verified, 0, func(ctx context.Context) error {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-hold:
					return nil
				}
			}), as)
			token := as.Mint(emamwtest.Token{})
			patient := t.Context()
			leaving, cancel := context.WithCancel(t.Context())
			verify := func(ctx context.Context) <-chan error {
				ended := make(chan error, 1)
				go func() {
					_, err := g.Verify(ctx, token)
					ended <- err
				}()
				synctest.Wait()
				return ended
			}
			first, second := leaving, patient
			if !leader {
				first, second = patient, leaving
			}
			led, followed := verify(first), verify(second)
			cancel()
			synctest.Wait()
			left, stayed := led, followed
			if !leader {
				left, stayed = followed, led
			}
			select {
			case err := <-left:
				if reasonOf(t, err) != claims.Canceled {
					t.Errorf("leader=%t: who left got %v", leader, err)
				}
			default:
				t.Errorf("leader=%t: who left is kept waiting", leader)
			}
			close(hold)
			if err := <-stayed; err != nil {
				t.Errorf("leader=%t: who stayed got %v", leader, err)
			}
		})
	}
}

// Those who waited for another's verification learn what it learned.
func TestOneRefusalForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var verified atomic.Int64
		hold := make(chan struct{})
		as := newIssuer(issuer)
		records := &logs{}
		g := newGuard(t, func(c *emamw.Config) {
			counted(&verified, 0, func(context.Context) error {
				<-hold
				return &claims.Error{Reason: claims.ClaimMissing, Claim: "department"}
			})(c)
			c.Audit = slog.NewJSONHandler(records, nil)
		}, as)
		h, token := g.Handler(http.NotFoundHandler()), as.Mint(emamwtest.Token{})
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, resource, strings.NewReader(message("ping", nil)))
				r.Header.Set("Authorization", "Bearer "+token)
				h.ServeHTTP(httptest.NewRecorder(), r)
			})
		}
		synctest.Wait()
		close(hold)
		all.Wait()
		told := records.take(t)
		for _, record := range told {
			if record["ema.token.claim"] != "department" || record["ema.issuer"] != issuer {
				t.Errorf("record %v", record)
			}
		}
		if len(told) != 5 || verified.Load() != 1 {
			t.Errorf("%d records, %d verifications", len(told), verified.Load())
		}
	})
}

// A mapping's Func that fails, or does what it must not, is told of: once, and
// without what its own error says.
func TestMappingFailureIsLogged(t *testing.T) {
	for cause, fn := range map[string]func(p *claims.Principal) error{
		"the mapping's Func failed":                 func(*claims.Principal) error { return errors.New("secret") },
		"the mapping's Func changed Subject, which": func(p *claims.Principal) error { p.Subject = "secret"; return nil },
		"": func(*claims.Principal) error { return &claims.Error{Reason: claims.ClaimMissing} }, // no failure: the token's fault
	} {
		b := newBench(t, with(func(c *emamw.Config) {
			c.AuthorizationServers[0].Claims = claims.Mapping{Func: func(_ context.Context, _ *claims.Payload, p *claims.Principal) error { return fn(p) }}
		}))
		for range 3 {
			b.post(b.token(), "{}")
		}
		said, log := strings.Count(b.logs.String(), "the mapping of their issuer failed"), b.logs.String()
		if want := min(1, len(cause)); said != want || !strings.Contains(log, cause) || strings.Contains(log, "secret") {
			t.Errorf("%q: %s", cause, log)
		}
	}
}

// So is a lookup of groups that fails.
func TestLookupFailureIsLogged(t *testing.T) {
	b := newBench(t, with(func(c *emamw.Config) {
		c.AuthorizationServers[0].Claims = claims.Mapping{GroupsLookup: &claims.GroupsLookup{
			Absent: true,
			Lookup: func(context.Context, claims.Principal) ([]string, error) { panic("secret") },
		}}
	}))
	a := b.post(b.token(), "{}")
	if log := b.logs.String(); a.Code != http.StatusServiceUnavailable || !strings.Contains(log, "the lookup panicked") || strings.Contains(log, "secret") {
		t.Errorf("%d: %s", a.Code, log)
	}
}

// A mapping is the program's code and may panic. Those who wait for it are
// refused and not left waiting, and the next one is verified anew.
func TestVerifierPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var verified, panics atomic.Int64
		hold := make(chan struct{})
		as := newIssuer(issuer)
		g := newGuard(t, counted(&verified, 0, func(context.Context) error {
			if verified.Load() == 1 {
				<-hold
				panic("of the mapping")
			}
			return nil
		}), as)
		token := as.Mint(emamwtest.Token{})
		ended := make(chan error, 5)
		for range 5 {
			go func() {
				defer func() {
					if recover() != nil {
						panics.Add(1)
						ended <- &emamw.TokenError{Reason: claims.Internal}
					}
				}()
				_, err := g.Verify(t.Context(), token)
				ended <- err
			}()
		}
		synctest.Wait()
		close(hold)
		for range 5 {
			if err := <-ended; reasonOf(t, err) != claims.Internal {
				t.Errorf("got %v", err)
			}
		}
		if panics.Load() > 1 {
			t.Errorf("%d of them panicked, and only one ran the mapping", panics.Load())
		}
		accept(t, g, token)
	})
}
