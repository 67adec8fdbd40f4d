//go:build !race

package integration_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/scopes"
)

// silentWriter is a ResponseWriter that costs nothing.
type silentWriter struct{ header http.Header }

func (s *silentWriter) Header() http.Header         { return s.header }
func (s *silentWriter) Write(p []byte) (int, error) { return len(p), nil }
func (s *silentWriter) WriteHeader(int)             {}
func (s *silentWriter) Flush()                      {}

// unknownNoop is a provider that does nothing, and is not seen to: what an
// application hands on that was built without an SDK.
type unknownNoop struct{ tracenoop.TracerProvider }

// idle gives no-op spans by a tracer that is not known for one.
type idle struct{ tracenoop.TracerProvider }

type idleTracer struct{ tracenoop.Tracer }

func (idle) Tracer(string, ...trace.TracerOption) trace.Tracer { return idleTracer{} }

// The providers, and how often a request with a cached token and an allowed tool
// allocates more than without any.
var costRows = []struct {
	name   string
	config func(*emamw.Config)
	over   float64
}{
	{"the API's no-op providers", func(c *emamw.Config) {
		c.TracerProvider, c.MeterProvider = tracenoop.NewTracerProvider(), metricnoop.NewMeterProvider()
	}, 0},
	{"a provider that wraps them", func(c *emamw.Config) { c.TracerProvider = unknownNoop{} }, 0},
	{"a provider without an SDK", func(c *emamw.Config) { c.TracerProvider = idle{} }, 1},
	{"the SDK, and a trace that is not sampled", func(c *emamw.Config) {
		c.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
	}, 2},
	{"the SDK's metrics", func(c *emamw.Config) {
		c.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	}, 0},
	{"both", func(c *emamw.Config) {
		c.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
		c.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	}, 2},
}

// A guarded call is measured whole, from the request to the tool and back: what
// telemetry costs is the difference to the same call without it.
func TestTelemetryCost(t *testing.T) {
	none := callAllocations(t, func(*emamw.Config) {})
	if again := callAllocations(t, func(*emamw.Config) {}); again != none {
		t.Fatalf("the same call allocates %v and %v times: nothing can be told from differences", none, again)
	}
	for _, row := range costRows {
		if over := callAllocations(t, row.config) - none; over != row.over {
			t.Errorf("%s: %v allocations over the %v without, want %v", row.name, over, none, row.over)
		}
	}
}

func callAllocations(t *testing.T, config func(*emamw.Config)) float64 {
	t.Helper()
	g := newGuarded(t, newWatch(t), func(s *guardedSetup) {
		s.config.TracerProvider, s.config.MeterProvider, s.config.Audit = nil, nil, nil
		config(&s.config)
	})
	g.mcp.AddTool(mcp.NewTool("free", scopes.Require("files:read")), answerOK)
	transport := g.guard.Handler(server.NewStreamableHTTPServer(g.mcp, server.WithStateLess(true)))
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"free"}}`
	r := rawPost(g.token(), "")
	reader, w := strings.NewReader(body), &silentWriter{header: http.Header{}}
	return testing.AllocsPerRun(500, func() {
		reader.Reset(body)
		r.Body = io.NopCloser(reader)
		clear(w.header)
		transport.ServeHTTP(w, r)
	})
}
