package integration_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	otelmcp "github.com/mark3labs/mcp-go/otel"
	"github.com/mark3labs/mcp-go/server"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/emamw/mcp-ema/scopes"
)

// Who else traces the requests of a server.
type tracers struct {
	http       bool // otelhttp stands before the guard
	mcp        bool // mcp-go's own tracer runs
	fromHeader bool // and continues the trace of the header traceparent
	fromMeta   bool // and that of _meta
	ours       bool // Config.Propagator is set
}

// Where a span of the caller's is named.
type callers struct{ header, meta bool }

// The spans of one request, as the table calls them. inHeader and inMeta are
// the caller's.
const (
	inHeader = "the header's span"
	inMeta   = "the span of _meta"
	httpSpan = "POST" // what otelhttp calls it
	mcpSpan  = "mcp"
	toolSpan = "tool"
	authn    = "ema.authenticate"
	noSpan   = "none"
)

var nestingRows = []struct {
	name    string
	tracers tracers
	callers callers

	authenticate string // parent of ema.authenticate
	mcp          string // parent of mcp-go's span
	authorize    string // parent of ema.authorize
	linked       bool   // ema.authorize has a link to ema.authenticate
	handler      string // the span in the context of a tool's handler
}{
	{"nobody else", tracers{}, callers{}, noSpan, "", authn, false, noSpan},
	{"nobody else, and a caller who traces", tracers{}, callers{header: true}, noSpan, "", authn, false, noSpan},
	{"our propagator", tracers{ours: true}, callers{header: true}, inHeader, "", authn, false, noSpan},
	{"our propagator and no header", tracers{ours: true}, callers{}, noSpan, "", authn, false, noSpan},
	{"otelhttp", tracers{http: true}, callers{}, httpSpan, "", httpSpan, false, httpSpan},
	{"otelhttp, and a caller who traces", tracers{http: true}, callers{header: true}, httpSpan, "", httpSpan, false, httpSpan},
	{"otelhttp wins over our propagator", tracers{http: true, ours: true}, callers{header: true}, httpSpan, "", httpSpan, false, httpSpan},
	{"both", tracers{http: true, mcp: true, fromHeader: true}, callers{}, httpSpan, httpSpan, mcpSpan, false, toolSpan},
	{"both, and a caller who traces", tracers{http: true, mcp: true, fromHeader: true}, callers{header: true}, httpSpan, inHeader, mcpSpan, false, toolSpan},
	{"both, without mcp-go's propagator", tracers{http: true, mcp: true}, callers{header: true}, httpSpan, httpSpan, mcpSpan, false, toolSpan},
	{"_meta alone", tracers{http: true, mcp: true, fromHeader: true, fromMeta: true}, callers{meta: true}, httpSpan, inMeta, mcpSpan, true, toolSpan},
	{"header and _meta", tracers{http: true, mcp: true, fromHeader: true, fromMeta: true}, callers{header: true, meta: true}, httpSpan, inHeader, mcpSpan, false, toolSpan},
	{"mcp-go alone", tracers{mcp: true, fromHeader: true}, callers{}, noSpan, noSpan, mcpSpan, true, toolSpan},
	{"mcp-go alone, and a caller who traces", tracers{mcp: true, fromHeader: true}, callers{header: true}, noSpan, inHeader, mcpSpan, true, toolSpan},
	{"mcp-go and our propagator", tracers{mcp: true, fromHeader: true, ours: true}, callers{header: true}, inHeader, inHeader, mcpSpan, false, toolSpan},
}

// nested is a server with tracers, and how its handlers see their context.
type nested struct {
	*guarded
	outermost http.Handler
	seen      context.Context // of the last handler that ran
}

func newNested(t *testing.T, who tracers) *nested {
	n := &nested{}
	w := newWatch(t)
	n.guarded = newGuarded(t, w, func(s *guardedSetup) {
		if who.ours {
			s.config.Propagator = propagation.TraceContext{}
		}
		tracer := otelmcp.NewTracer(w.traces.Tracer("mcp"))
		if who.mcp {
			s.options = append(s.options, server.WithTracer(tracer))
		}
		if who.fromHeader {
			s.options = append(s.options, server.WithPropagator(otelmcp.WrapPropagator(propagation.TraceContext{})))
		}
		if who.fromMeta {
			s.options = append(s.options, server.WithMetaPropagator(metaPropagator{}))
		}
	})
	n.outermost = n.handler
	if who.http {
		n.outermost = otelhttp.NewHandler(n.handler, httpSpan, otelhttp.WithTracerProvider(w.traces),
			otelhttp.WithMeterProvider(noop.NewMeterProvider()), otelhttp.WithPropagators(propagation.TraceContext{}))
	}
	addItems(n.guarded)
	n.mcp.AddTool(mcp.NewTool("look", scopes.Require("files:read")), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		n.seen = ctx
		return mcp.NewToolResultText("ok"), nil
	})
	return n
}

// metaPropagator reads the caller's span out of _meta (SEP-414). The published
// adapter has none yet.
type metaPropagator struct{}

func (metaPropagator) InjectMeta(_ context.Context, m *mcp.Meta) *mcp.Meta { return m }

func (metaPropagator) ExtractMeta(ctx context.Context, m *mcp.Meta) context.Context {
	if m == nil {
		return ctx
	}
	carrier := propagation.MapCarrier{}
	if parent, ok := m.AdditionalFields["traceparent"].(string); ok {
		carrier["traceparent"] = parent
	}
	return propagation.TraceContext{}.Extract(ctx, carrier)
}

// Two callers' spans, in two traces.
const (
	headerParent = "00-1111111111111111111111111111111a-111111111111111a-01"
	metaParent   = "00-2222222222222222222222222222222b-222222222222222b-01"
)

type callerKey struct{}

func TestTelemetryNesting(t *testing.T) {
	for _, row := range nestingRows {
		t.Run(row.name, func(t *testing.T) {
			n := newNested(t, row.tracers)
			for _, m := range []message{toolCall("look"), toolCall("write"), promptGet("read"), promptGet("write"), resourceRead("file:///read"), resourceRead("file:///write")} {
				m.header, m.meta = http.Header{}, map[string]any{}
				if row.callers.header {
					m.header.Set("Traceparent", headerParent)
				}
				if row.callers.meta {
					m.meta["traceparent"] = metaParent
				}
				m.ctx = context.WithValue(t.Context(), callerKey{}, "the caller's")
				n.forget()
				n.seen = nil
				serve(n.outermost, m.request(n.token()))

				n.checkParent(authn, row.authenticate)
				n.checkParent("ema.authorize", row.authorize)
				if row.mcp != "" {
					n.checkParent("mcp."+m.method, row.mcp)
				}
				n.checkLink(row.linked)
				if n.seen != nil {
					n.checkHandler(row.handler)
				} else if m.params["name"] == "look" {
					t.Error("the tool did not run")
				}
			}
		})
	}
}

// called is what the table calls the span with this id.
func (n *nested) called(id trace.SpanID) string {
	switch id.String() {
	case "0000000000000000":
		return noSpan
	case "111111111111111a":
		return inHeader
	case "222222222222222b":
		return inMeta
	}
	for _, s := range n.spans.Ended() {
		if s.SpanContext().SpanID() != id {
			continue
		}
		switch name := s.Name(); {
		case len(name) > 4 && name[:4] == "mcp.":
			return mcpSpan
		case len(name) > 5 && name[:5] == "tool.":
			return toolSpan
		default:
			return name
		}
	}
	return "a span that has not ended"
}

func (n *nested) checkParent(name, want string) {
	n.t.Helper()
	if got := n.called(n.span(name).Parent().SpanID()); got != want {
		n.t.Errorf("the parent of %s is %s, want %s", name, got, want)
	}
}

// checkLink demands a link from the decision to the authentication where traces
// part, and only there: in one trace it would say nothing.
func (n *nested) checkLink(want bool) {
	n.t.Helper()
	authenticated, authorized := n.span(authn), n.span("ema.authorize")
	apart := authenticated.SpanContext().TraceID() != authorized.SpanContext().TraceID()
	links := authorized.Links()
	if apart != want || len(links) > 0 != want {
		n.t.Errorf("traces apart: %t, links: %d; want %t", apart, len(links), want)
	}
	if want && len(links) == 1 && !links[0].SpanContext.Equal(authenticated.SpanContext()) {
		n.t.Error("the link does not lead to ema.authenticate")
	}
}

// checkHandler looks at the context of a tool's handler. It is the caller's: its
// values are there, and so is the span of whoever is around the call, which is
// never one of ours.
func (n *nested) checkHandler(want string) {
	n.t.Helper()
	if got := n.called(trace.SpanContextFromContext(n.seen).SpanID()); got != want {
		n.t.Errorf("the handler is in %s, want %s", got, want)
	}
	if n.seen.Value(callerKey{}) != "the caller's" {
		n.t.Error("the handler's context lacks what the caller's had")
	}
}
