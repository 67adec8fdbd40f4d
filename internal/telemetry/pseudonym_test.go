package telemetry_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/telemetry"
)

// pseudonym is the documented formula, spelled out again.
func pseudonym(parts ...string) string {
	mac := hmac.New(sha256.New, []byte("0123456789abcdef0123456789abcdef"))
	mac.Write([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(mac.Sum(nil))[:32]
}

func hashOf(t *testing.T, k kit, p claims.Principal) string {
	t.Helper()
	k.tracers.spans = nil
	_, a := k.StartAuthentication(t.Context(), nil)
	a.End(&telemetry.Authenticated{Caller: k.Caller(&p, nil, "")})
	return k.tracers.only(t, "ema.authenticate").texts()["user.hash"]
}

func TestUserHash(t *testing.T) {
	base := claims.Principal{Issuer: "https://a", Tenant: "t", Subject: "s"}
	k := newKit(nil)
	hash := hashOf(t, k, base)
	// As the command in docs/telemetry.md prints it.
	if want := "996d5354f30599cc3ea4a4e838e0786b"; hash != want {
		t.Errorf("hash is %s, want %s", hash, want)
	}
	for name, other := range map[string]claims.Principal{
		"issuer":   {Issuer: "https://b", Tenant: "t", Subject: "s"},
		"tenant":   {Issuer: "https://a", Tenant: "u", Subject: "s"},
		"subject":  {Issuer: "https://a", Tenant: "t", Subject: "r"},
		"boundary": {Issuer: "https://a", Tenant: "ts", Subject: ""},
	} {
		if hashOf(t, k, other) == hash {
			t.Errorf("another %s has the same hash", name)
		}
	}
	renamed := base
	renamed.Email, renamed.Scopes = claims.Email{Address: "x@y"}, []string{"more"}
	if hashOf(t, k, renamed) != hash {
		t.Error("the hash depends on more than issuer, tenant and subject")
	}
}

func TestUserHashNeedsTheKey(t *testing.T) {
	p := claims.Principal{Issuer: "https://a", Subject: "s"}
	random := func(c *telemetry.Config) { c.PseudonymKey = nil }
	a, b := hashOf(t, newKit(random), p), hashOf(t, newKit(random), p)
	if a == b || len(a) != 32 {
		t.Errorf("hashes without a configured key: %s and %s, want two of 32 digits", a, b)
	}
}

// The authorization server puts this into access tokens: it may not change.
func TestIDHash(t *testing.T) {
	if got := telemetry.IDHash("abc"); got != "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0" {
		t.Errorf("got %s", got)
	}
}
