package telemetry

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/emamw/mcp-ema/claims"
)

// Revoked is how a request to the revocation endpoint ended. Each part is there
// once it was verified, and never before.
type Revoked struct {
	Reason     claims.Reason // why it was refused; "" when it was not
	ClientID   string        // of the client, once it has proved who it is
	AuthMethod string        // how it did
	TokenID    string        // of the token that was revoked; "" for what is no token of this server
}

// Revocation records a request to the revocation endpoint, before it is answered.
func (r *Recorder) Revocation(ctx context.Context, h http.Header, end *Revoked) {
	if r == nil {
		return
	}
	if r.revocations.Enabled(ctx) {
		_, word := judge(end.Reason)
		r.revocations.Add(ctx, 1, r.revocationSets.of(revocationKey(word), revocationKey.option)...)
	}
	ctx = r.parent(ctx, h)
	if r.tracer != nil {
		var span trace.Span
		ctx, span = r.tracer.Start(ctx, spanRevocation)
		if span.IsRecording() {
			span.SetAttributes(r.revoked(end)...)
			mark(span, end.Reason)
		}
		span.End()
	}
	if r.journal.wants(ctx) {
		r.journal.write(ctx, eventRevocation, r.revoked(end))
	}
}

func (r *Recorder) revoked(end *Revoked) []attribute.KeyValue {
	a := attributes{}
	a.decision(end.Reason)
	a.authenticatedClient(r, end.ClientID, end.AuthMethod)
	a.text(keyTokenID, digest(end.TokenID))
	return a
}

// authenticatedClient names the client of the authorization server, which its
// operator admitted.
func (a *attributes) authenticatedClient(r *Recorder, id, method string) {
	if id != "" {
		a.text(keyClientHash, r.pseudonyms.of("client", id))
		a.claim(true, keyClientID, withoutQuery(id))
	}
	a.word(keyAuthMethod, method, authMethods)
}

type revocationKey claims.Reason

func (k revocationKey) option() metric.AddOption {
	a := attributes{}
	a.decision(claims.Reason(k))
	return metric.WithAttributeSet(attribute.NewSet(a...))
}
