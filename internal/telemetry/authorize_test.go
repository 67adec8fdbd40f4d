package telemetry_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/telemetry"
)

func TestAuthorization(t *testing.T) {
	tests := []struct {
		name   string
		d      telemetry.Decision
		status codes.Code
		span   texts
		metric texts
	}{
		{
			name:   "a tool, allowed",
			d:      telemetry.Decision{Method: "tools/call", Kind: telemetry.Tool, Name: "delete_file", RequestID: float64(7), Session: "s1", Required: []string{"not said when allowed"}},
			span:   texts{"ema.decision": "allow", "mcp.method.name": "tools/call", "gen_ai.tool.name": "delete_file", "jsonrpc.request.id": "7", "ema.session.id_hash": telemetry.IDHash("s1")},
			metric: texts{"ema.decision": "allow", "mcp.method.name": "tools/call", "gen_ai.tool.name": "delete_file"},
		},
		{
			name: "a tool, refused",
			d: telemetry.Decision{
				Method: "tools/call", Kind: telemetry.Tool, Name: "delete_file", Reason: claims.ScopeMissing,
				Required: []string{"files:read", "files:write"}, Missing: []string{"files:write"}, RequestID: "text of the caller's",
			},
			span: texts{
				"ema.decision": "deny", "ema.reason": "scope_missing", "mcp.method.name": "tools/call", "gen_ai.tool.name": "delete_file",
				"ema.scopes.required": `["files:read","files:write"]`, "ema.scopes.missing": `["files:write"]`,
			},
			metric: texts{"ema.decision": "deny", "ema.reason": "scope_missing", "mcp.method.name": "tools/call", "gen_ai.tool.name": "delete_file"},
		},
		{
			name:   "a prompt that is not registered",
			d:      telemetry.Decision{Method: "completion/complete", Kind: telemetry.Prompt, Reason: claims.Unruled},
			span:   texts{"ema.decision": "deny", "ema.reason": "unruled", "mcp.method.name": "completion/complete", "gen_ai.prompt.name": "_OTHER"},
			metric: texts{"ema.decision": "deny", "ema.reason": "unruled", "mcp.method.name": "completion/complete", "gen_ai.prompt.name": "_OTHER"},
		},
		{
			name:   "a resource, whose URI is on no metric",
			d:      telemetry.Decision{Method: "resources/read", Kind: telemetry.Resource, Name: "file:///{path}", Reason: claims.GroupsUnknown},
			span:   texts{"ema.decision": "deny", "ema.reason": "groups_unknown", "mcp.method.name": "resources/read", "mcp.resource.uri": "file:///{path}"},
			metric: texts{"ema.decision": "deny", "ema.reason": "groups_unknown", "mcp.method.name": "resources/read"},
		},
		{
			name:   "a rule that panicked, and a method of the caller's making",
			d:      telemetry.Decision{Method: "evil/method", Reason: claims.PolicyError},
			status: codes.Error,
			span:   texts{"ema.decision": "error", "ema.reason": "policy_error", "error.type": "policy_error", "mcp.method.name": "_OTHER"},
			metric: texts{"ema.decision": "error", "ema.reason": "policy_error", "error.type": "policy_error", "mcp.method.name": "_OTHER"},
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(nil)
			tc.d.Caller = k.Caller(alice(), k.Issuer(issuerName, "okta"), "ES256")
			k.Authorize(t.Context(), &tc.d)

			want := aliceSays().with(tc.span).with(texts{"ema.token.type": "access_token"})
			s := k.tracers.only(t, "ema.authorize")
			s.texts().mustBe(t, "span", want)
			if s.status != tc.status || s.said != "" {
				t.Errorf("status is %v %q, want %v without a description", s.status, s.said, tc.status)
			}
			k.meters.only(t, "ema.authorization.decisions").texts().mustBe(t, "metric", tc.metric)
			recordTexts(k.journal.records[0]).mustBe(t, "audit", want)
		})
	}
}

func TestNobodysDecision(t *testing.T) {
	k := newKit(nil)
	k.Authorize(t.Context(), &telemetry.Decision{Method: "ping", Reason: claims.Unguarded})
	k.tracers.only(t, "ema.authorize").texts().mustBe(t, "span", texts{
		"ema.decision": "deny", "ema.reason": "unguarded", "ema.token.type": "none", "mcp.method.name": "ping",
	})
}

// Where the span of a decision hangs: H is the HTTP server's, A the
// authentication's, M mcp-go's.
func TestNestingOfAuthorization(t *testing.T) {
	const sameTrace, otherTrace, none = "under H", "in another trace", "none"
	tests := []struct {
		http, mcp      string
		parent, linked string
	}{
		{http: "H", mcp: sameTrace, parent: "M"},
		{http: "H", mcp: none, parent: "H"},
		{http: "H", mcp: otherTrace, parent: "M", linked: "A"},
		{http: none, mcp: otherTrace, parent: "M", linked: "A"},
		{http: none, mcp: none, parent: "A"},
	}
	for _, tc := range tests {
		t.Run(fmt.Sprintf("HTTP %s, MCP %s", tc.http, tc.mcp), func(t *testing.T) {
			k := newKit(nil)
			spans := map[string]trace.SpanContext{}
			ctx := t.Context()
			if tc.http == "H" {
				ctx = k.tracers.ambient(ctx)
				spans["H"] = trace.SpanContextFromContext(ctx)
			}
			_, a := k.StartAuthentication(ctx, http.Header{})
			origin := a.End(&telemetry.Authenticated{})
			spans["A"] = k.tracers.only(t, "ema.authenticate").self
			switch tc.mcp {
			case sameTrace:
				ctx = k.tracers.ambient(ctx)
				spans["M"] = trace.SpanContextFromContext(ctx)
			case otherTrace:
				ctx = k.tracers.ambient(context.Background())
				spans["M"] = trace.SpanContextFromContext(ctx)
			}
			k.Authorize(ctx, &telemetry.Decision{Origin: &origin, Method: "tools/call"})

			s := k.tracers.only(t, "ema.authorize")
			if s.parent.SpanID() != spans[tc.parent].SpanID() {
				t.Errorf("parent is not %s", tc.parent)
			}
			switch {
			case tc.linked == "" && len(s.links) > 0:
				t.Error("a link within one trace")
			case tc.linked != "" && (len(s.links) != 1 || s.links[0].SpanContext.SpanID() != spans[tc.linked].SpanID()):
				t.Errorf("links %v, want one to %s", s.links, tc.linked)
			}
		})
	}
}

// In a trace that is not sampled an allowed decision costs no span of its own. A
// refusal, and a decision in another trace, are the sampler's to judge.
func TestUnsampledTrace(t *testing.T) {
	tests := []struct {
		name   string
		reason claims.Reason
		apart  bool
		spans  int
	}{
		{"allowed", "", false, 0},
		{"refused", claims.ScopeMissing, false, 1},
		{"allowed, in another trace", "", true, 1},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(nil)
			k.tracers.dropping = true
			ctx := k.tracers.ambient(t.Context())
			_, a := k.StartAuthentication(ctx, nil)
			origin := a.End(&telemetry.Authenticated{})
			k.tracers.dropping = false
			if tc.apart {
				ctx = k.tracers.ambient(context.Background())
			}
			k.Authorize(ctx, &telemetry.Decision{Origin: &origin, Reason: tc.reason})
			if got := len(k.tracers.named(t, "ema.authorize")); got != tc.spans {
				t.Errorf("%d spans, want %d", got, tc.spans)
			}
			if len(k.tracers.only(t, "ema.authenticate").attrs) > 0 {
				t.Error("attributes on a span that is not recorded")
			}
			if len(k.journal.records) != 2 {
				t.Errorf("%d audit records, want 2: sampling is not for them", len(k.journal.records))
			}
		})
	}
}

func TestRequestID(t *testing.T) {
	for _, tc := range []struct {
		id   any
		want string
	}{
		{nil, ""}, {int64(5), "5"}, {3, "3"}, {float64(-2), "-2"}, {1.5, ""}, {1e300, ""}, {"7", ""}, {[]any{1}, ""},
	} {
		k := newKit(nil)
		k.Authorize(t.Context(), &telemetry.Decision{RequestID: tc.id})
		if got := k.tracers.only(t, "ema.authorize").texts()["jsonrpc.request.id"]; got != tc.want {
			t.Errorf("%v: %q, want %q", tc.id, got, tc.want)
		}
	}
}

// A server may register tools as callers come and go.
func TestNamesOnMetricsAreBounded(t *testing.T) {
	k := newKit(nil)
	for i := range 2000 {
		k.Authorize(t.Context(), &telemetry.Decision{Method: "tools/call", Kind: telemetry.Tool, Name: fmt.Sprint("tool", i)})
		k.Authorize(t.Context(), &telemetry.Decision{Method: fmt.Sprint("method", i), Reason: claims.Reason(fmt.Sprint("reason", i))})
	}
	sets := map[string]bool{}
	for _, p := range k.meters.points {
		sets[fmt.Sprint(p.attrs.ToSlice())] = true
	}
	if len(sets) != 502 {
		t.Errorf("%d sets of attributes, want 502: 500 names, one for the other names, one for the other methods and reasons", len(sets))
	}
}
