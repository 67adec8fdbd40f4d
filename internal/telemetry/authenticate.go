package telemetry

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/emamw/mcp-ema/claims"
)

// An Authentication is under way. The zero Authentication records nothing.
type Authentication struct{ operation }

// StartAuthentication begins to record how a request with these headers is
// authenticated. The context is for that alone: a fetch of keys under it becomes
// part of it. What comes after belongs to ctx, or it would hang under a span that
// has ended.
func (r *Recorder) StartAuthentication(ctx context.Context, h http.Header) (under context.Context, a Authentication) {
	if r == nil {
		return ctx, a
	}
	a.begin(r.parent(ctx, h), r, spanAuthenticate, r.authentication)
	return a.ctx, a
}

// Authenticated is how an authentication ended.
type Authenticated struct {
	Reason  claims.Reason // why it was refused; "" when it was not
	Claim   string        // that is at fault, as the mapping names it; "" where none is
	Issuer  *Issuer       // the trusted issuer that the token names; nil for none
	Caller  *Caller       // of a verified token; nil before
	Cache   CacheResult   // of the cache of verified tokens; "" when it was not asked
	Session string        // id of the MCP session, as mcp-go has it; "" when unknown
	Status  int           // HTTP status, where the guard answers
}

// An Origin says in which trace a request was authenticated. It is kept with the
// request, for [Recorder.Authorize].
type Origin struct {
	span    trace.SpanContext // the zero one where there is no SDK behind the provider
	dropped bool              // the span is not recorded
}

// End records how the authentication ended, before it is answered. Call it once.
func (a *Authentication) End(end *Authenticated) Origin {
	if a.recorder == nil {
		return Origin{}
	}
	return a.end(end)
}

func (a *Authentication) end(end *Authenticated) Origin {
	r := a.recorder
	if !a.started.IsZero() {
		a.measure(r.authentication, r.authenticationOptions(end))
	}
	if r.journal.wants(a.ctx) {
		r.journal.write(a.ctx, eventAuthentication, r.authenticated(end, toAudit))
	}
	if a.span == nil {
		return Origin{}
	}
	origin := Origin{dropped: !a.span.IsRecording()}
	if self := a.span.SpanContext(); self.IsValid() {
		origin.span = self
	}
	if !origin.dropped {
		a.span.SetAttributes(r.authenticated(end, toSpan)...)
		mark(a.span, end.Reason)
	}
	a.span.End()
	return origin
}

func (r *Recorder) authenticated(end *Authenticated, t target) []attribute.KeyValue {
	said := end.Caller.attributes(t)
	a := make(attributes, 0, len(said)+10)
	a.decision(end.Reason)
	a.text(keyTokenType, presented(end.Reason))
	a.text(keyClaim, cut(end.Claim))
	if end.Caller == nil {
		a.issuer(end.Issuer)
	} else {
		a = append(a, said...)
		if expires := end.Caller.principal.Token.ExpiresAt; !expires.IsZero() {
			a = append(a, keyRemaining.Float64(r.until(expires)))
		}
	}
	a.text(keySessionID, digest(end.Session))
	a.word(keyCacheResult, string(end.Cache), cacheResults)
	if end.Status != 0 {
		a = append(a, keyStatus.Int(end.Status))
	}
	return a
}

func (r *Recorder) until(t time.Time) float64 { return t.Sub(r.now()).Seconds() }

// presented is the type of token that a request brought.
func presented(reason claims.Reason) string {
	switch reason {
	case claims.OriginNotAllowed, claims.TokenMissing, claims.SchemeUnsupported, claims.MultipleCredentials:
		return tokenNone
	}
	return tokenAccess
}

// authenticationOptions finds the two combinations of nearly every request
// without a lookup.
func (r *Recorder) authenticationOptions(end *Authenticated) []metric.RecordOption {
	issuer := end.Issuer
	if issuer == nil && end.Caller != nil {
		issuer = end.Caller.issuer
	}
	if end.Reason == "" && issuer != nil {
		switch end.Cache {
		case Hit:
			return issuer.hit
		case Miss:
			return issuer.miss
		}
	}
	_, word := judge(end.Reason)
	key := authenticationKey{reason: claims.Reason(word), token: presented(end.Reason), issuer: issuer.label(), cache: end.Cache}
	return r.authenticationSets.of(key, authenticationKey.option)
}

type authenticationKey struct {
	reason claims.Reason
	token  string
	issuer string
	cache  CacheResult
}

func (k authenticationKey) option() metric.RecordOption {
	a := attributes{}
	a.decision(k.reason)
	a.text(keyTokenType, k.token)
	a.text(keyIssuer, k.issuer)
	a.word(keyCacheResult, string(k.cache), cacheResults)
	return metric.WithAttributeSet(attribute.NewSet(a...))
}
