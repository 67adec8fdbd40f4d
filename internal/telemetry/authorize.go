package telemetry

import (
	"context"
	"math"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/emamw/mcp-ema/claims"
)

// ItemKind is what a request asks for.
type ItemKind string

// The kinds of item. A request that names none has the empty one.
const (
	Tool     ItemKind = "tool"
	Prompt   ItemKind = "prompt"
	Resource ItemKind = "resource"
)

// A Decision is what was decided on one message.
type Decision struct {
	Origin *Origin       // of the request; nil where it passed no guard
	Caller *Caller       // nil for nobody
	Reason claims.Reason // why it was refused; "" when it was not

	Method string   // as mcp-go dispatches it; "" when mcp-go was not asked
	Kind   ItemKind // of what the message names
	Name   string   // as it is registered; "" for a name that is not: the caller's own text is none

	// Required is all scopes that the operation needs, and Missing those that
	// the token lacks. Leave them out where a rule depends on the arguments of
	// the call: the caller writes those.
	Required, Missing []string

	RequestID any    // of the JSON-RPC request, as mcp-go decoded it
	Session   string // id of the MCP session, as mcp-go has it; "" when unknown
}

// Authorize records a decision, in the context that mcp-go's hook or filter was
// called with. Call it once per message: what is counted are decisions, not the
// places that agree on one.
func (r *Recorder) Authorize(ctx context.Context, d *Decision) {
	if r != nil {
		r.authorize(ctx, d)
	}
}

func (r *Recorder) authorize(ctx context.Context, d *Decision) {
	if r.metered && r.decisions.Enabled(ctx) {
		r.decisions.Add(ctx, 1, r.decisionOptions(d)...)
	}
	if r.tracer != nil {
		ctx = r.trace(ctx, d)
	}
	if r.journal.wants(ctx) {
		r.journal.write(ctx, eventAuthorization, r.authorized(d, toAudit))
	}
}

// trace makes the span of a decision, and returns the context with it.
func (r *Recorder) trace(ctx context.Context, d *Decision) context.Context {
	origin := d.Origin
	if origin == nil {
		origin = &Origin{}
	}
	var none trace.TraceID
	// Where the sampler left the trace out, to ask it again for each allowed call
	// would cost more than the decision. For a refusal it is asked.
	spare := d.Reason == "" && origin.dropped
	from := origin.span.TraceID()
	if spare && from == none {
		return ctx
	}
	ambient := trace.SpanContextFromContext(ctx).TraceID()
	apart := ambient != none && from != none && ambient != from
	if spare && !apart {
		return ctx
	}
	var options []trace.SpanStartOption
	switch {
	case apart:
		options = []trace.SpanStartOption{trace.WithLinks(trace.Link{SpanContext: origin.span})}
	case ambient == none && from != none:
		ctx = trace.ContextWithSpanContext(ctx, origin.span)
	}
	ctx, span := r.tracer.Start(ctx, spanAuthorize, options...)
	if span.IsRecording() {
		span.SetAttributes(r.authorized(d, toSpan)...)
		mark(span, d.Reason)
	}
	span.End()
	return ctx
}

func (r *Recorder) authorized(d *Decision, t target) []attribute.KeyValue {
	said := d.Caller.attributes(t)
	a := make(attributes, 0, len(said)+10)
	a.decision(d.Reason)
	a.text(keyTokenType, d.tokenType())
	a = append(a, said...)
	a.text(keySessionID, digest(d.Session))
	a.text(keyMethod, onList(d.Method, methods))
	a.item(d.Kind, d.Name)
	a.text(keyRequestID, numberText(d.RequestID))
	if d.Reason != "" {
		a.list(keyRequired, d.Required)
		a.list(keyMissing, d.Missing)
	}
	return a
}

func (d *Decision) tokenType() string {
	if d.Caller == nil {
		return tokenNone
	}
	return tokenAccess
}

func (a *attributes) item(kind ItemKind, name string) {
	if name == "" {
		name = other
	}
	switch kind {
	case Tool:
		a.text(keyTool, name)
	case Prompt:
		a.text(keyPrompt, name)
	case Resource:
		a.text(keyResourceURI, name)
	}
}

// numberText is the text of an id that is a whole number. A client may also send
// a string, with anything in it.
func numberText(id any) string {
	switch n := id.(type) {
	case int64:
		return strconv.FormatInt(n, 10)
	case int:
		return strconv.Itoa(n)
	case float64:
		if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return strconv.FormatInt(int64(n), 10)
		}
	}
	return ""
}

func (r *Recorder) decisionOptions(d *Decision) []metric.AddOption {
	_, word := judge(d.Reason)
	key := decisionKey{reason: claims.Reason(word), method: d.Method}
	switch d.Kind {
	case Tool, Prompt:
		// A resource's URI stays off metrics: there is no bound to how many a
		// server has.
		key.kind, key.name = d.Kind, r.names.bounded(d.Name)
	}
	if !knownMethods[key.method] {
		key.method = other
	}
	return r.decisionSets.of(key, decisionKey.option)
}

type decisionKey struct {
	reason claims.Reason
	method string
	kind   ItemKind
	name   string
}

func (k decisionKey) option() metric.AddOption {
	a := attributes{}
	a.decision(k.reason)
	a.text(keyMethod, k.method)
	a.item(k.kind, k.name)
	return metric.WithAttributeSet(attribute.NewSet(a...))
}

var knownMethods = func() map[string]bool {
	known := map[string]bool{}
	for _, m := range methods {
		known[m] = true
	}
	return known
}()
