package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	otelmcp "github.com/mark3labs/mcp-go/otel"
	"github.com/mark3labs/mcp-go/server"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/idjag"
)

// world is an enterprise on loopback: an identity provider, an authorization
// server and an MCP server. The last two and the client tell what they do, each
// as a service of its own.
type world struct {
	idp         *emamwtest.IdP
	issuer      string // of the authorization server
	resource    string // the MCP server's identifier, which is its URL
	atIdP, atAS credentials

	auth, mcp, client *signals

	// pseudonyms keys the digests of users and clients. The two servers share it,
	// so that a client has one name in both. Keep it as you keep a password:
	// whoever has it and a list of users can tell who is who.
	pseudonyms []byte

	servers []*http.Server
	cancel  context.CancelFunc
}

// credentials are a client's own, at one server.
type credentials struct{ id, secret string }

const user = "alice"

// startWorld starts everything, and waits until the servers have each other's
// keys.
func startWorld(ctx context.Context, endpoint string, out io.Writer) (*world, error) {
	ctx, cancel := context.WithCancel(ctx)
	w := &world{
		atIdP:      credentials{"notes-app", rand.Text()},
		atAS:       credentials{"notes-app-mcp", rand.Text()},
		pseudonyms: []byte(rand.Text() + rand.Text()),
		cancel:     cancel,
	}
	err := w.start(ctx, endpoint, slog.NewJSONHandler(out, nil))
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *world) start(ctx context.Context, endpoint string, out slog.Handler) error {
	for service, to := range map[string]**signals{"notes-auth": &w.auth, "notes-mcp": &w.mcp, "notes-client": &w.client} {
		s, err := newSignals(ctx, service, endpoint, out)
		if err != nil {
			return err
		}
		*to = s
	}
	authListener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mcpListener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, authListener.Close())
	}
	w.issuer = "http://" + authListener.Addr().String()
	w.resource = "http://" + mcpListener.Addr().String() + "/mcp"
	w.startIdP()
	as, asErr := w.newAuthorizationServer(ctx)
	notes := w.newNotesServer()
	guard, mcpErr := w.newGuard(ctx, notes)
	if err := errors.Join(asErr, mcpErr); err != nil {
		return errors.Join(err, authListener.Close(), mcpListener.Close())
	}
	w.serve(authListener, w.auth, as)
	w.serve(mcpListener, w.mcp, guard.Handler(server.NewStreamableHTTPServer(notes)))

	ready, done := context.WithTimeout(ctx, 10*time.Second)
	defer done()
	if err := errors.Join(as.Ready(ready), guard.Ready(ready)); err != nil {
		return fmt.Errorf("the servers did not find each other's keys: %w", err)
	}
	return nil
}

func (w *world) startIdP() {
	w.idp = emamwtest.StartIdP(emamwtest.IdPConfig{
		Users:   []emamwtest.User{{Name: user, Groups: []string{"engineering"}}},
		Clients: []emamwtest.Client{{ID: w.atIdP.id, Secret: w.atIdP.secret}},
		Audiences: []emamwtest.Audience{{
			Issuer: w.issuer, Resources: []string{w.resource}, ClientIDs: map[string]string{w.atIdP.id: w.atAS.id},
		}},
	})
}

// newAuthorizationServer has its telemetry in the last five fields.
func (w *world) newAuthorizationServer(ctx context.Context) (*idjag.Server, error) {
	return idjag.New(ctx, idjag.Config{
		Issuer:            w.issuer,
		Resources:         []idjag.Resource{{ID: w.resource, Scopes: []string{readScope, writeScope}}},
		IdentityProviders: []idjag.IdentityProvider{{Issuer: w.idp.Issuer()}},
		Clients:           []idjag.Client{{ID: w.atAS.id, SecretHashes: []string{idjag.HashSecret(w.atAS.secret)}}},
		Keys:              idjag.Keys{Current: idjag.DangerouslyEphemeralKey()},
		GroupScopes:       map[string][]string{"engineering": {readScope, writeScope}},
		TracerProvider:    w.auth.traces,
		MeterProvider:     w.auth.metrics,
		Audit:             w.auth.audit,
		PseudonymKey:      w.pseudonyms,
		Logger:            w.auth.log,
	})
}

// newGuard has its telemetry in the last five fields. There is no Propagator:
// otelhttp, which stands before the guard, has read the headers already.
func (w *world) newGuard(ctx context.Context, notes *server.MCPServer) (*emamw.Guard, error) {
	return emamw.New(ctx, notes, emamw.Config{
		Resource:             w.resource,
		AuthorizationServers: []emamw.AuthorizationServer{{Issuer: w.issuer}},
		BaseScopes:           []string{readScope},
		TracerProvider:       w.mcp.traces,
		MeterProvider:        w.mcp.metrics,
		Audit:                w.mcp.audit,
		PseudonymKey:         w.pseudonyms,
		Logger:               w.mcp.log,
	})
}

// tracing is mcp-go's own tracer, around each message and each tool.
func (w *world) tracing() server.ServerOption {
	return otelmcp.WithServerTracingPropagator(w.mcp.traces.Tracer("github.com/mark3labs/mcp-go"), propagation.TraceContext{})
}

// serve puts otelhttp in front of a handler: its span is the parent of the rest.
func (w *world) serve(l net.Listener, s *signals, h http.Handler) {
	traced := otelhttp.NewHandler(h, "request", otelhttp.WithTracerProvider(s.traces),
		otelhttp.WithMeterProvider(s.metrics), otelhttp.WithPropagators(propagation.TraceContext{}))
	front := &http.Server{Handler: traced, ReadHeaderTimeout: 10 * time.Second}
	w.servers = append(w.servers, front)
	go func() { _ = front.Serve(l) }() // ends with close
}

// close ends the servers, and sends what they have still to tell. It waits a few
// seconds for a receiver that does not answer.
func (w *world) close() error {
	for _, s := range w.servers {
		_ = s.Close()
	}
	if w.idp != nil {
		w.idp.Close()
	}
	ctx, done := context.WithTimeout(context.Background(), 5*time.Second)
	defer done()
	var failed []error
	for _, s := range []*signals{w.client, w.auth, w.mcp} {
		if s != nil {
			failed = append(failed, s.close(ctx))
		}
	}
	w.cancel() // now: what is observed of keys is observed until then
	return errors.Join(failed...)
}
