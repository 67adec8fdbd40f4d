package telemetry_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/telemetry"
)

const issuerName = "https://as.example"

func alice() *claims.Principal {
	return &claims.Principal{
		Issuer: issuerName, Subject: "alice", Tenant: "t1", Kind: claims.User, ClientID: "https://client.example/id.json?user=alice",
		Actor:  &claims.Actor{Subject: "bot", Actor: &claims.Actor{Subject: "older"}},
		Scopes: []string{"files:read"}, Roles: []string{"realm:operator"},
		Groups:    claims.Groups{Names: []string{"staff", "admins"}, State: claims.GroupsComplete},
		Email:     claims.Email{Address: "alice@corp.example"},
		Token:     claims.Token{ID: "jti-1", ExpiresAt: noon.Add(90 * time.Second)},
		Assertion: telemetry.IDHash("assertion-1"),
	}
}

// aliceSays is what is said of alice by default.
func aliceSays() texts {
	return texts{
		"ema.issuer": issuerName, "ema.issuer.preset": "okta", "ema.token.alg": "ES256",
		"user.hash": pseudonym(issuerName, "t1", "alice"), "ema.client.hash": pseudonym("client", alice().ClientID),
		"ema.actor.hash": pseudonym(issuerName, "", "bot"), "ema.actor.depth": "2",
		"ema.principal.kind": "user", "ema.groups.count": "2", "ema.groups.state": "complete",
		"ema.token.id_hash": telemetry.IDHash("jti-1"), "ema.assertion.id_hash": telemetry.IDHash("assertion-1"),
	}
}

func (x texts) with(more texts) texts {
	all := texts{}
	for k, v := range x {
		all[k] = v
	}
	for k, v := range more {
		all[k] = v
	}
	return all
}

func TestAuthentication(t *testing.T) {
	tests := []struct {
		name   string
		end    func(k kit, i *telemetry.Issuer) telemetry.Authenticated
		status codes.Code
		span   texts
		metric texts
	}{
		{
			name: "allowed, from the cache",
			end: func(k kit, i *telemetry.Issuer) telemetry.Authenticated {
				return telemetry.Authenticated{Issuer: i, Caller: k.Caller(alice(), i, "ES256"), Cache: telemetry.Hit, Session: "s1"}
			},
			span: aliceSays().with(texts{
				"ema.decision": "allow", "ema.token.type": "access_token", "ema.token.remaining": "90",
				"ema.cache.result": "hit", "ema.session.id_hash": telemetry.IDHash("s1"),
			}),
			metric: texts{"ema.decision": "allow", "ema.token.type": "access_token", "ema.issuer": issuerName, "ema.cache.result": "hit"},
		},
		{
			name: "no token",
			end: func(kit, *telemetry.Issuer) telemetry.Authenticated {
				return telemetry.Authenticated{Reason: claims.TokenMissing, Status: 401}
			},
			span:   texts{"ema.decision": "deny", "ema.reason": "token_missing", "ema.token.type": "none", "http.response.status_code": "401"},
			metric: texts{"ema.decision": "deny", "ema.reason": "token_missing", "ema.token.type": "none"},
		},
		{
			name: "a token that was refused before its signature",
			end: func(_ kit, i *telemetry.Issuer) telemetry.Authenticated {
				return telemetry.Authenticated{Reason: claims.TokenExpired, Issuer: i, Cache: telemetry.Miss, Status: 401}
			},
			span: texts{
				"ema.decision": "deny", "ema.reason": "token_expired", "ema.token.type": "access_token", "ema.cache.result": "miss",
				"ema.issuer": issuerName, "ema.issuer.preset": "okta", "http.response.status_code": "401",
			},
			metric: texts{"ema.decision": "deny", "ema.reason": "token_expired", "ema.token.type": "access_token", "ema.issuer": issuerName, "ema.cache.result": "miss"},
		},
		{
			name: "a claim at fault",
			end: func(_ kit, i *telemetry.Issuer) telemetry.Authenticated {
				return telemetry.Authenticated{Reason: claims.ClaimMissing, Claim: "client_id" + strings.Repeat("x", 300), Issuer: i, Cache: telemetry.Miss, Status: 401}
			},
			span: texts{
				"ema.decision": "deny", "ema.reason": "claim_missing", "ema.token.type": "access_token", "ema.cache.result": "miss",
				"ema.token.claim": "client_id" + strings.Repeat("x", 247), // 256 bytes at most
				"ema.issuer":      issuerName, "ema.issuer.preset": "okta", "http.response.status_code": "401",
			},
			metric: texts{"ema.decision": "deny", "ema.reason": "claim_missing", "ema.token.type": "access_token", "ema.issuer": issuerName, "ema.cache.result": "miss"},
		},
		{
			name: "nothing could be decided",
			end: func(_ kit, i *telemetry.Issuer) telemetry.Authenticated {
				return telemetry.Authenticated{Reason: claims.KeysUnavailable, Issuer: i, Cache: telemetry.Miss, Status: 503}
			},
			status: codes.Error,
			span: texts{
				"ema.decision": "error", "ema.reason": "keys_unavailable", "error.type": "keys_unavailable", "ema.token.type": "access_token",
				"ema.cache.result": "miss", "ema.issuer": issuerName, "ema.issuer.preset": "okta", "http.response.status_code": "503",
			},
			metric: texts{
				"ema.decision": "error", "ema.reason": "keys_unavailable", "error.type": "keys_unavailable",
				"ema.token.type": "access_token", "ema.issuer": issuerName, "ema.cache.result": "miss",
			},
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(nil)
			_, a := k.StartAuthentication(t.Context(), http.Header{})
			end := tc.end(k, k.Issuer(issuerName, "okta"))
			a.End(&end)

			s := k.tracers.only(t, "ema.authenticate")
			s.texts().mustBe(t, "span", tc.span)
			if s.status != tc.status || s.said != "" {
				t.Errorf("status is %v %q, want %v without a description", s.status, s.said, tc.status)
			}
			k.meters.only(t, "ema.authentication.duration").texts().mustBe(t, "metric", tc.metric)
			if len(k.journal.records) != 1 {
				t.Fatalf("%d audit records, want 1", len(k.journal.records))
			}
			record := k.journal.records[0]
			if record.Message != "ema.authentication" || !record.Time.Equal(noon) {
				t.Errorf("audit record %q at %v", record.Message, record.Time)
			}
			recordTexts(record).mustBe(t, "audit", tc.span)
		})
	}
}

// The same word, and the same judgement of it, on all signals, for every reason.
func TestReasonIsTheSameEverywhere(t *testing.T) {
	for _, row := range telemetry.Reasons() {
		t.Run(string(row.Reason), func(t *testing.T) {
			k := newKit(nil)
			_, a := k.StartAuthentication(t.Context(), nil)
			a.End(&telemetry.Authenticated{Reason: row.Reason})
			k.Authorize(t.Context(), &telemetry.Decision{Reason: row.Reason})
			_, e := k.StartExchange(t.Context(), nil)
			e.End(&telemetry.Exchanged{Reason: row.Reason})

			decision, status := "deny", codes.Unset
			if row.Reason.Undecided() || row.Reason == claims.PolicyError || row.Reason == claims.Ungated {
				decision, status = "error", codes.Error
			}
			check := func(what string, got texts) {
				if got["ema.reason"] != string(row.Reason) || got["ema.decision"] != decision {
					t.Errorf("%s: %s %s, want %s %s", what, got["ema.decision"], got["ema.reason"], decision, row.Reason)
				}
				if _, failed := got["error.type"]; failed != (decision == "error") {
					t.Errorf("%s: error.type is there: %v", what, failed)
				}
			}
			for _, s := range k.tracers.spans {
				check(s.name, s.texts())
				if s.status != status {
					t.Errorf("%s: status %v, want %v", s.name, s.status, status)
				}
			}
			for _, p := range k.meters.points {
				check(p.name, p.texts())
			}
			for _, r := range k.journal.records {
				check(r.Message, recordTexts(r))
			}
			if len(k.tracers.spans) != 3 || len(k.meters.points) != 3 || len(k.journal.records) != 3 {
				t.Error("a signal is missing")
			}
		})
	}
}

// A reason of the operator's own code is not on the list, and could hold anything.
func TestUnknownReason(t *testing.T) {
	k := newKit(nil)
	_, e := k.StartExchange(t.Context(), nil)
	e.End(&telemetry.Exchanged{Reason: "no access for alice", Reported: &telemetry.Reported{Reason: "nor for bob"}})
	got := k.tracers.only(t, "ema.id_jag.exchange").texts()
	if got["ema.reason"] != "_OTHER" || got["ema.policy.report.reason"] != "_OTHER" || got["ema.decision"] != "deny" {
		t.Errorf("got %v", got)
	}
}

func TestParentOfAuthentication(t *testing.T) {
	const header = "00-11111111111111111111111111111111-2222222222222222-01"
	remote := func() http.Header { return http.Header{"Traceparent": {header}} }
	tests := []struct {
		name       string
		propagator propagation.TextMapPropagator
		ambient    bool
		header     http.Header
		parent     string // trace id; "ambient"; "" for none
	}{
		{"nothing", propagation.TraceContext{}, false, http.Header{}, ""},
		{"a header", propagation.TraceContext{}, false, remote(), "11111111111111111111111111111111"},
		{"a header, and nobody to read it", nil, false, remote(), ""},
		{"an ambient span", nil, true, http.Header{}, "ambient"},
		{"both: the ambient span was made from the header", propagation.TraceContext{}, true, remote(), "ambient"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(func(c *telemetry.Config) { c.Propagator = tc.propagator })
			ctx, want := t.Context(), tc.parent
			if tc.ambient {
				ctx = k.tracers.ambient(ctx)
				want = trace.SpanContextFromContext(ctx).TraceID().String()
			}
			under, a := k.StartAuthentication(ctx, tc.header)
			a.End(&telemetry.Authenticated{})
			s := k.tracers.only(t, "ema.authenticate")
			if got := s.parent.TraceID(); s.parent.IsValid() != (want != "") || s.parent.IsValid() && got.String() != want {
				t.Errorf("parent in trace %s, want %q", got, want)
			}
			if trace.SpanContextFromContext(under).SpanID() != s.self.SpanID() {
				t.Error("the context for the authentication does not hold its span")
			}
		})
	}
}

func TestIdentityOptIns(t *testing.T) {
	all := telemetry.Identity{UserID: true, Roles: true, Tenant: true, ClientID: true, Scopes: true}
	plain := texts{
		"user.id": "alice", "user.roles": `["realm:operator"]`, "ema.tenant.id": "t1",
		"ema.client.id": "https://client.example/id.json", "ema.scopes.granted": `["files:read"]`,
	}
	k := newKit(func(c *telemetry.Config) { c.SpanIdentity = all })
	_, a := k.StartAuthentication(t.Context(), nil)
	i := k.Issuer(issuerName, "okta")
	a.End(&telemetry.Authenticated{Caller: k.Caller(alice(), i, "ES256")})
	always := aliceSays().with(texts{"ema.decision": "allow", "ema.token.type": "access_token", "ema.token.remaining": "90"})
	k.tracers.only(t, "ema.authenticate").texts().mustBe(t, "span", always.with(plain))
	recordTexts(k.journal.records[0]).mustBe(t, "audit", always)
}

func TestAlgorithmIsOnTheList(t *testing.T) {
	k := newKit(nil)
	_, a := k.StartAuthentication(t.Context(), nil)
	a.End(&telemetry.Authenticated{Caller: k.Caller(&claims.Principal{Issuer: issuerName, Assertion: "not a hash"}, nil, "XS256")})
	got := k.tracers.only(t, "ema.authenticate").texts()
	got.mustBe(t, "span", texts{
		"ema.decision": "allow", "ema.token.type": "access_token", "ema.token.alg": "_OTHER",
		"ema.principal.kind": "unknown", "ema.groups.state": "absent",
	})
}

func TestContextIsHandedBack(t *testing.T) {
	var off *telemetry.Recorder
	ctx := context.WithValue(t.Context(), noon, "mark")
	if got, _ := off.StartAuthentication(ctx, nil); got != ctx {
		t.Error("a nil Recorder changed the context")
	}
}
