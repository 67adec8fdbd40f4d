package telemetry_test

import (
	"net/http"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/telemetry"
)

func TestExchange(t *testing.T) {
	const idp = "https://idp.example"
	known := func(k kit) telemetry.Exchanged {
		user := alice()
		user.Issuer, user.Actor = idp, nil
		return telemetry.Exchanged{
			Issuer: k.Issuer(idp, "okta"), ClientID: "client-1", AuthMethod: "private_key_jwt",
			User: user, AssertionID: "assertion-1", Resource: "https://mcp.example/mcp",
		}
	}
	says := texts{
		"ema.token.type": "id_jag", "ema.issuer": idp, "ema.issuer.preset": "okta",
		"ema.client.id": "client-1", "ema.client.hash": pseudonym("client", "client-1"), "ema.client.auth_method": "private_key_jwt",
		"user.hash": pseudonym(idp, "t1", "alice"), "ema.principal.kind": "user", "ema.groups.count": "2", "ema.groups.state": "complete",
		"ema.assertion.id_hash": telemetry.IDHash("assertion-1"), "ema.resource": "https://mcp.example/mcp",
	}
	tests := []struct {
		name   string
		end    func(k kit) telemetry.Exchanged
		status codes.Code
		span   texts
		metric texts
	}{
		{
			name: "a token is issued, and a policy on trial objects",
			end: func(k kit) telemetry.Exchanged {
				end := known(k)
				end.Scopes, end.TokenID, end.Rules = []string{"files:read"}, "jti-1", []string{"staff"}
				end.Reported = &telemetry.Reported{Reason: claims.ScopeNotGranted, Rules: []string{"strict"}, Withheld: []string{"files:read"}}
				return end
			},
			span: says.with(texts{
				"ema.decision": "allow", "ema.scopes.granted": `["files:read"]`, "ema.token.id_hash": telemetry.IDHash("jti-1"),
				"ema.policy.rules": `["staff"]`, "ema.policy.report.reason": "scope_not_granted",
				"ema.policy.report.rules": `["strict"]`, "ema.policy.report.withheld": `["files:read"]`,
			}),
			metric: texts{"ema.decision": "allow", "ema.issuer": idp},
		},
		{
			name: "replayed",
			end: func(k kit) telemetry.Exchanged {
				end := known(k)
				end.Reason = claims.AssertionReplayed
				return end
			},
			span:   says.with(texts{"ema.decision": "deny", "ema.reason": "assertion_replayed"}),
			metric: texts{"ema.decision": "deny", "ema.reason": "assertion_replayed", "ema.issuer": idp},
		},
		{
			name:   "a store that failed before anything was known",
			end:    func(kit) telemetry.Exchanged { return telemetry.Exchanged{Reason: claims.StoreUnavailable} },
			status: codes.Error,
			span:   texts{"ema.token.type": "id_jag", "ema.decision": "error", "ema.reason": "store_unavailable", "error.type": "store_unavailable"},
			metric: texts{"ema.decision": "error", "ema.reason": "store_unavailable", "error.type": "store_unavailable"},
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(nil)
			_, e := k.StartExchange(t.Context(), http.Header{})
			end := tc.end(k)
			e.End(&end)
			s := k.tracers.only(t, "ema.id_jag.exchange")
			s.texts().mustBe(t, "span", tc.span)
			if s.status != tc.status || s.said != "" {
				t.Errorf("status is %v %q, want %v without a description", s.status, s.said, tc.status)
			}
			k.meters.only(t, "ema.id_jag.exchange.duration").texts().mustBe(t, "metric", tc.metric)
			recordTexts(k.journal.records[0]).mustBe(t, "audit", tc.span)
		})
	}
}

func TestParentOfExchange(t *testing.T) {
	k := newKit(func(c *telemetry.Config) { c.Propagator = propagation.TraceContext{} })
	_, e := k.StartExchange(t.Context(), http.Header{"Traceparent": {"00-11111111111111111111111111111111-2222222222222222-01"}})
	e.End(&telemetry.Exchanged{})
	if s := k.tracers.only(t, "ema.id_jag.exchange"); s.parent.SpanID().String() != "2222222222222222" {
		t.Errorf("parent is %v", s.parent)
	}
}

// The assertion's record at the authorization server and the token's records at
// the MCP server name both by the same digests.
func TestCorrelation(t *testing.T) {
	k := newKit(nil)
	_, e := k.StartExchange(t.Context(), nil)
	e.End(&telemetry.Exchanged{AssertionID: "assertion-1", TokenID: "jti-1"})
	_, a := k.StartAuthentication(t.Context(), nil)
	caller := k.Caller(alice(), nil, "ES256")
	origin := a.End(&telemetry.Authenticated{Caller: caller, Session: "s1"})
	k.Authorize(t.Context(), &telemetry.Decision{Origin: &origin, Caller: caller, Method: "tools/call", Kind: telemetry.Tool, Name: "t", Session: "s1"})

	for i, record := range k.journal.records {
		said := recordTexts(record)
		for _, key := range []string{"ema.assertion.id_hash", "ema.token.id_hash"} {
			if said[key] == "" || said[key] != recordTexts(k.journal.records[0])[key] {
				t.Errorf("%s: %s is %q", record.Message, key, said[key])
			}
		}
		if i > 0 && said["ema.session.id_hash"] != telemetry.IDHash("s1") {
			t.Errorf("%s: session is %q", record.Message, said["ema.session.id_hash"])
		}
	}
}
