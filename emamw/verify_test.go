package emamw_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
)

// Every hostile token is refused for the reason that it was made for, the
// client is told nothing but invalid_token, and no header of a token makes the
// guard fetch anything.
func TestHostileTokens(t *testing.T) {
	b := newBench(t)
	before := b.as.KeyFetches()
	defects := emamwtest.Defects(b.as)
	if len(defects) < 150 {
		t.Errorf("only %d hostile tokens", len(defects))
	}
	for _, d := range defects {
		t.Run(d.Name, func(t *testing.T) {
			_, err := b.guard.Verify(t.Context(), d.Token)
			var refused *emamw.TokenError
			if !errors.As(err, &refused) || refused.Reason != d.Reason {
				t.Errorf("got %v, want %s", err, d.Reason)
			}
			a := b.do(newRequest(http.MethodPost, "", "{}", header("Authorization", "Bearer "+d.Token)))
			b.t = t
			b.wantAnswer(a, 401, `Bearer error="invalid_token", `+whereToAsk)
			if a.body != `{"error":"invalid_token"}`+"\n" {
				t.Errorf("answered %d %q", a.Code, a.body)
			}
		})
	}
	if fetched := b.as.KeyFetches() - before; fetched > 1 {
		t.Errorf("hostile tokens caused %d key fetches", fetched)
	}
}

func TestGoodTokens(t *testing.T) {
	b := newBench(t)
	p, err := b.guard.Verify(t.Context(), b.as.Mint(emamwtest.Token{Subject: "alice", ClientID: "c", Scopes: []string{"a", "b"}, Groups: []string{"g"}, Tenant: "acme"}))
	if err != nil {
		t.Fatal(err)
	}
	if p.Issuer != issuer || p.Subject != "alice" || p.ClientID != "c" || p.Tenant != "acme" || p.Kind != claims.User || len(p.Scopes) != 2 || !p.Groups.Has("g") {
		t.Errorf("got %+v", *p)
	}
}

// What the caller of Verify does to a Principal reaches nobody else's.
func TestVerifiedPrincipalIsACopy(t *testing.T) {
	b := newBench(t)
	token := b.token("a")
	first, err := b.guard.Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	first.Scopes[0], first.Subject = "admin", "root"
	first.Scopes = append(first.Scopes, "more")
	second, err := b.guard.Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if second.Scopes[0] != "a" || second.Subject != "alice" {
		t.Errorf("got %+v", *second)
	}
}
