package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/emamw/mcp-ema/internal/challenge"
)

// noteClient is an MCP client that steps up when it is refused.
type noteClient struct {
	world  *world
	tracer trace.Tracer
	bearer *bearer

	// toIdP sends no trace context: whom the user signs in with need not know
	// what for.
	toServers, toIdP *http.Client
}

func (w *world) newClient() *noteClient {
	b := &bearer{resource: w.resource, next: http.DefaultTransport}
	traced := func(p propagation.TextMapPropagator, next http.RoundTripper) *http.Client {
		return &http.Client{Transport: otelhttp.NewTransport(next, otelhttp.WithTracerProvider(w.client.traces),
			otelhttp.WithMeterProvider(w.client.metrics), otelhttp.WithPropagators(p))}
	}
	return &noteClient{
		world:     w,
		tracer:    w.client.traces.Tracer("github.com/emamw/mcp-ema/examples/otlp"),
		bearer:    b,
		toServers: traced(propagation.TraceContext{}, b),
		toIdP:     traced(propagation.NewCompositeTextMapPropagator(), http.DefaultTransport),
	}
}

// stepUp is one round, in one trace: a token to read with, a call that it allows
// and one that it does not, a wider token, and the second call again.
func (c *noteClient) stepUp(ctx context.Context) error {
	ctx, span := c.tracer.Start(ctx, "step-up")
	defer span.End()
	if err := c.round(ctx); err != nil {
		span.SetStatus(codes.Error, "")
		return err
	}
	return nil
}

func (c *noteClient) round(ctx context.Context) error {
	if err := c.obtain(ctx, readScope); err != nil {
		return err
	}
	m, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = m.Close() }()
	if err := call(ctx, m, "read_note"); err != nil {
		return err
	}
	if err := call(ctx, m, "write_note"); err == nil {
		return errors.New("write_note ran without the scope " + writeScope)
	}
	if err := c.obtain(ctx, c.bearer.wanted()...); err != nil {
		return err
	}
	return call(ctx, m, "write_note")
}

func (c *noteClient) connect(ctx context.Context) (*client.Client, error) {
	t, err := transport.NewStreamableHTTP(c.world.resource, transport.WithHTTPBasicClient(c.toServers))
	if err != nil {
		return nil, err
	}
	m := client.NewClient(t)
	if err := m.Start(ctx); err != nil {
		return nil, err
	}
	var request mcp.InitializeRequest
	request.Params.ClientInfo = mcp.Implementation{Name: "otlp", Version: "0.1.0"}
	_, err = m.Initialize(ctx, request)
	return m, err
}

func call(ctx context.Context, m *client.Client, tool string) error {
	var request mcp.CallToolRequest
	request.Params.Name = tool
	if _, err := m.CallTool(ctx, request); err != nil {
		return fmt.Errorf("calling %s: %w", tool, err)
	}
	return nil
}

// bearer adds the access token to what goes to the MCP server, and notes the
// scopes that a refusal asks for.
type bearer struct {
	next     http.RoundTripper
	resource string

	mu     sync.Mutex
	token  string
	scopes []string
}

func (b *bearer) use(token string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.token = token
}

// wanted are the scopes of the last challenge.
func (b *bearer) wanted() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.scopes
}

// RoundTrip implements http.RoundTripper.
func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	token := b.token
	b.mu.Unlock()
	if token != "" && r.URL.String() == b.resource {
		r = r.Clone(r.Context()) // a RoundTripper must not change its request
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := b.next.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusForbidden {
		return resp, err
	}
	if _, params, err := challenge.Parse(resp.Header.Get("WWW-Authenticate")); err == nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.scopes = strings.Fields(params["scope"])
	}
	return resp, nil
}
