package telemetry_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/telemetry"
)

const canary = "canary"

// everyClaim is a caller in whose token every claim holds the canary.
func everyClaim() *claims.Principal {
	return &claims.Principal{
		Issuer: canary, Subject: canary, Tenant: canary, Kind: canary, ClientID: "https://canary.example/?canary",
		Actor:  &claims.Actor{Issuer: canary, Subject: canary, Profile: canary},
		Scopes: []string{canary}, Permissions: []string{canary}, Roles: []string{canary},
		Groups:         claims.Groups{Names: []string{canary}, State: canary},
		Email:          claims.Email{Address: canary},
		Authentication: claims.Authentication{Context: canary, Methods: []string{canary}},
		Token:          claims.Token{ID: canary, Audience: []string{canary}, ExpiresAt: noon.Add(time.Hour)},

		IdentityProvider: canary, Assertion: canary,
	}
}

// Whatever a token or a request holds, nothing of it is recorded but digests.
func TestCanary(t *testing.T) {
	k := newKit(nil)
	caller := k.Caller(everyClaim(), k.Issuer(issuerName, "okta"), canary)
	for _, reason := range append([]telemetry.Refusal{{}, {Reason: canary}}, telemetry.Reasons()...) {
		_, a := k.StartAuthentication(t.Context(), http.Header{"Authorization": {canary}, "Baggage": {canary}})
		origin := a.End(&telemetry.Authenticated{Reason: reason.Reason, Caller: caller, Cache: canary, Session: canary})
		k.Authorize(t.Context(), &telemetry.Decision{Origin: &origin, Caller: caller, Reason: reason.Reason, Method: canary, Kind: telemetry.Tool, RequestID: canary, Session: canary})
		_, e := k.StartExchange(t.Context(), nil)
		e.End(&telemetry.Exchanged{Reason: reason.Reason, User: everyClaim(), AssertionID: canary, TokenID: canary, AuthMethod: canary})
		_, f := k.StartFetch(t.Context(), nil, canary)
		f.End(telemetry.Fetched{Cause: canary})
	}
	look := func(what string, got any) {
		if strings.Contains(strings.ToLower(fmt.Sprint(got)), canary) {
			t.Errorf("the canary sings in %s: %v", what, got)
		}
	}
	for _, s := range k.tracers.spans {
		look(s.name, s.name+s.said)
		look(s.name, s.texts())
	}
	for _, p := range k.meters.points {
		look(p.name, p.texts())
	}
	for _, r := range k.journal.records {
		look(r.Message, r.Message)
		look(r.Message, recordTexts(r))
	}
}

// A claim that an operator asked for may still be of any length.
func TestPlainTextIsBounded(t *testing.T) {
	p := everyClaim()
	p.Subject = "x" + strings.Repeat("é", 10_000)
	p.Roles = strings.Split(strings.Repeat("role ", 1000), " ")
	k := newKit(func(c *telemetry.Config) { c.SpanIdentity = telemetry.Identity{UserID: true, Roles: true} })
	_, a := k.StartAuthentication(t.Context(), nil)
	a.End(&telemetry.Authenticated{Caller: k.Caller(p, nil, "")})
	attrs := k.tracers.only(t, "ema.authenticate").attrs
	if n := len(attrs["user.id"].AsString()); n != 255 {
		t.Errorf("user.id has %d bytes, want 255: 256 would cut a character in two", n)
	}
	if n := len(attrs["user.roles"].AsStringSlice()); n != 32 {
		t.Errorf("user.roles has %d members, want 32", n)
	}
	if len(p.Roles) != 1001 {
		t.Error("the principal's own list was changed")
	}
}
