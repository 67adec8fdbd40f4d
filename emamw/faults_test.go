package emamw_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
)

// uselessAnswers leave an issuer's keys as they were, and goodBesideBad are key
// sets whose good members must serve (RFC 7517 section 5).
var (
	uselessAnswers = []emamwtest.Fault{
		emamwtest.Down, emamwtest.Unreachable, emamwtest.Slow,
		emamwtest.KeysDown, emamwtest.KeysUnreachable, emamwtest.KeysSlow, emamwtest.KeysGarbage, emamwtest.KeysObject,
		emamwtest.KeysEmpty, emamwtest.KeysHuge, emamwtest.KeysRedirect, emamwtest.KeysDuplicate,
	}
	goodBesideBad = []emamwtest.Fault{
		emamwtest.KeysPrivate, emamwtest.KeysSymmetric, emamwtest.KeysEncryption, emamwtest.KeysWeak, emamwtest.KeysMalformed,
	}
)

// Through an hour in which an issuer fails and lies in every way, tokens of the
// keys that are known stay good: those that were seen before, and new ones.
func TestOutageOfAnHourRefusesNoGoodToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := newIssuer(issuer)
		g := newGuard(t, nil, as)
		seen := as.Mint(emamwtest.Token{Lifetime: 10 * time.Hour})
		accept(t, g, seen)
		for minute := range 60 {
			as.Fail(uselessAnswers[minute%len(uselessAnswers)])
			accept(t, g, seen)
			accept(t, g, as.Mint(emamwtest.Token{}))
			time.Sleep(time.Minute)
		}
		if as.KeyFetches() < 20 {
			t.Errorf("the keys were asked for %d times only: not every lie was told", as.KeyFetches())
		}
		as.RotateKey()
		as.Fail()
		time.Sleep(time.Minute)
		accept(t, g, as.Mint(emamwtest.Token{}))
	})
}

func TestGoodKeysBesideBadOnes(t *testing.T) {
	for _, fault := range goodBesideBad {
		t.Run(string(fault), func(t *testing.T) {
			as := newIssuer(issuer, "ES256", "RS256")
			as.Fail(fault)
			g := newGuard(t, nil, as)
			accept(t, g, as.Mint(emamwtest.Token{}))
			accept(t, g, as.Mint(emamwtest.Token{Algorithm: "RS256"}))
			for _, d := range emamwtest.Defects(as) {
				if _, err := g.Verify(t.Context(), d.Token); err == nil {
					t.Errorf("%s: accepted", d.Name)
				}
			}
		})
	}
}

// withKeyID is the token with another kid, which its signature does not cover: a
// stranger has no key, and needs none to ask for one.
func withKeyID(token, kid string) string {
	header := fmt.Sprintf(`{"alg":"ES256","typ":"at+jwt","kid":%q}`, kid)
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + token[strings.IndexByte(token, '.'):]
}

// Forged tokens, each with a kid of its own, cost the issuer one fetch per
// interval. A rotation among them is known one interval later at the latest, and
// holders of the old key notice nothing.
func TestRotationAmongForgedTokens(t *testing.T) {
	const interval = 10 * time.Second // at least, between two fetches
	synctest.Test(t, func(t *testing.T) {
		as := newIssuer(issuer)
		g := newGuard(t, nil, as)
		old := as.Mint(emamwtest.Token{Lifetime: time.Hour})
		accept(t, g, old)
		time.Sleep(time.Minute)
		before, began := as.KeyFetches(), time.Now()

		var all sync.WaitGroup
		defer all.Wait()
		for second := range 100 {
			for i := range 100 {
				forged := withKeyID(old, fmt.Sprint("forged-", second, "-", i))
				all.Go(func() {
					if _, err := g.Verify(t.Context(), forged); reasonOf(t, err) != claims.KeyUnknown {
						t.Errorf("a forged token: %v", err)
					}
				})
			}
			if second == 43 {
				as.RotateKey()
				rotated := as.Mint(emamwtest.Token{Lifetime: time.Hour})
				all.Go(func() { wantWithin(t, g, rotated, interval) })
			}
			accept(t, g, old)
			time.Sleep(time.Second)
		}
		if n := as.KeyFetches() - before; n > 1+int(time.Since(began)/interval) {
			t.Errorf("%d fetches in %v, want one per %v", n, time.Since(began), interval)
		}
	})
}

// wantWithin fails unless the token is accepted after this long at most.
func wantWithin(t *testing.T, g *emamw.Guard, token string, most time.Duration) {
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		if _, err := g.Verify(t.Context(), token); err == nil {
			return
		}
		if time.Since(began) > most {
			t.Errorf("the rotated key is unknown after %v", most)
			return
		}
	}
}
