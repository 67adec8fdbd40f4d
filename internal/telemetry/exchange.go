package telemetry

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/emamw/mcp-ema/claims"
)

// An Exchange of an ID-JAG for an access token is under way. The zero Exchange
// records nothing.
type Exchange struct{ operation }

// StartExchange begins to record a request to the token endpoint. The context is
// for the exchange alone, as that of [Recorder.StartAuthentication].
func (r *Recorder) StartExchange(ctx context.Context, h http.Header) (under context.Context, e Exchange) {
	if r == nil {
		return ctx, e
	}
	e.begin(r.parent(ctx, h), r, spanExchange, r.exchanges)
	return e.ctx, e
}

// Exchanged is how an exchange ended. Each part is there once it was verified,
// and never before.
type Exchanged struct {
	Reason      claims.Reason     // why there is no token; "" when there is one
	Claim       string            // that is at fault, as the mapping names it; "" where none is
	Issuer      *Issuer           // the trusted identity provider that the ID-JAG names
	ClientID    string            // of the client, once it has proved who it is
	AuthMethod  string            // how it did
	User        *claims.Principal // whom a verified ID-JAG is about
	AssertionID string            // its jti
	Resource    string            // the configured resource that the token is for
	Scopes      []string          // of the token
	TokenID     string            // its jti
	Rules       []string          // names of the policy's rules that applied
	Reported    *Reported         // of a policy that only reports
}

// Reported is what a policy that only reports would have decided.
type Reported struct {
	Reason   claims.Reason
	Rules    []string
	Withheld []string // scopes that were granted, and would not be
}

// End records how the exchange ended, before it is answered: no token is out
// without its record. Call it once.
func (e *Exchange) End(end *Exchanged) {
	r := e.recorder
	if r == nil {
		return
	}
	if !e.started.IsZero() {
		_, word := judge(end.Reason)
		e.measure(r.exchanges, r.exchangeSets.of(exchangeKey{claims.Reason(word), end.Issuer.label()}, exchangeKey.option))
	}
	if r.journal.wants(e.ctx) {
		r.journal.write(e.ctx, eventExchange, r.exchanged(end, toAudit))
	}
	if e.recording() {
		e.span.SetAttributes(r.exchanged(end, toSpan)...)
		mark(e.span, end.Reason)
	}
	if e.span != nil {
		e.span.End()
	}
}

func (r *Recorder) exchanged(end *Exchanged, t target) []attribute.KeyValue {
	a := attributes{}
	a.decision(end.Reason)
	a.text(keyTokenType, tokenAssertion)
	a.text(keyClaim, cut(end.Claim))
	a.issuer(end.Issuer)
	if end.User != nil {
		// The scopes, and the client, are said below as they are here.
		plain := r.plain[t]
		plain.Scopes, plain.ClientID = false, false
		user := *end.User
		user.ClientID = ""
		a.principal(&user, r, plain)
	}
	a.authenticatedClient(r, end.ClientID, end.AuthMethod)
	a.text(keyAssertionID, digest(end.AssertionID))
	a.text(keyTokenID, digest(end.TokenID))
	a.text(keyResource, end.Resource)
	a.list(keyGranted, end.Scopes)
	a.list(keyRules, end.Rules)
	if end.Reported != nil {
		_, word := judge(end.Reported.Reason)
		a.text(keyReportReason, word)
		a.list(keyReportRules, end.Reported.Rules)
		a.list(keyReportWithheld, end.Reported.Withheld)
	}
	return a
}

type exchangeKey struct {
	reason claims.Reason
	issuer string
}

func (k exchangeKey) option() metric.RecordOption {
	a := attributes{}
	a.decision(k.reason)
	a.text(keyIssuer, k.issuer)
	return metric.WithAttributeSet(attribute.NewSet(a...))
}
