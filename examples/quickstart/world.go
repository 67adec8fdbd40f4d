package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/idjag"
)

// world is the enterprise in which the walk takes place: an identity provider,
// an authorization server and an MCP server, each on a loopback port.
type world struct {
	idp      *emamwtest.IdP
	issuer   string // of the authorization server
	resource string // the MCP server's identifier, which is its URL
	notes    *notebook

	// The client is registered twice, once at each server that knows it. The two
	// registrations have nothing to do with each other.
	atIdP, atAS credentials

	servers []*http.Server
	cancel  context.CancelFunc
}

// credentials are a client's own, at one server.
type credentials struct{ id, secret string }

const user = "alice"

var alice = emamwtest.User{
	Name:    user,
	Subject: "alice@acme.example",
	Groups:  []string{"engineering", "on-call"},
}

// startWorld starts everything, and waits until the servers have each other's
// keys.
func startWorld(ctx context.Context, log *slog.Logger) (*world, error) {
	asListener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	mcpListener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, asListener.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &world{
		issuer:   "http://" + asListener.Addr().String(),
		resource: "http://" + mcpListener.Addr().String() + "/mcp",
		notes:    &notebook{},
		atIdP:    credentials{"notes-app", rand.Text()},
		atAS:     credentials{"notes-app-mcp", rand.Text()},
		cancel:   cancel,
	}
	w.startIdP()
	as, asErr := w.newAuthorizationServer(ctx, log)
	mcp := newNotesServer(w.notes)
	guard, mcpErr := w.newGuard(ctx, mcp, log)
	if err := errors.Join(asErr, mcpErr); err != nil {
		w.close()
		return nil, errors.Join(err, asListener.Close(), mcpListener.Close())
	}
	w.serve(asListener, as)
	w.serve(mcpListener, guard.Handler(server.NewStreamableHTTPServer(mcp)))

	ready, done := context.WithTimeout(ctx, 10*time.Second)
	defer done()
	if err := errors.Join(as.Ready(ready), guard.Ready(ready)); err != nil {
		w.close()
		return nil, fmt.Errorf("the servers did not find each other's keys: %w", err)
	}
	return w, nil
}

// startIdP starts the identity provider. Its administrators let notes-app, and
// no other client, reach the notes server on behalf of their users.
func (w *world) startIdP() {
	w.idp = emamwtest.StartIdP(emamwtest.IdPConfig{
		Users:   []emamwtest.User{alice},
		Clients: []emamwtest.Client{{ID: w.atIdP.id, Secret: w.atIdP.secret}},
		Audiences: []emamwtest.Audience{{
			Issuer:    w.issuer,
			Resources: []string{w.resource},
			ClientIDs: map[string]string{w.atIdP.id: w.atAS.id},
		}},
	})
}

func (w *world) newAuthorizationServer(ctx context.Context, log *slog.Logger) (*idjag.Server, error) {
	return idjag.New(ctx, idjag.Config{
		Issuer:    w.issuer,
		Resources: []idjag.Resource{{ID: w.resource, Scopes: []string{readScope, writeScope}}},
		IdentityProviders: []idjag.IdentityProvider{{
			Issuer: w.idp.Issuer(),
			// With a single identity provider its names cannot collide, and
			// they are nicer to be greeted by than a hash.
			Subject: idjag.VerbatimSubject,
		}},
		Clients:     []idjag.Client{{ID: w.atAS.id, SecretHashes: []string{idjag.HashSecret(w.atAS.secret)}}},
		Keys:        idjag.Keys{Current: idjag.DangerouslyEphemeralKey()},
		GroupScopes: map[string][]string{"engineering": {readScope, writeScope}},
		Logger:      log,
	})
}

// newGuard is what a team adds to the MCP server that it has.
func (w *world) newGuard(ctx context.Context, mcp *server.MCPServer, log *slog.Logger) (*emamw.Guard, error) {
	return emamw.New(ctx, mcp, emamw.Config{
		Resource:             w.resource,
		AuthorizationServers: []emamw.AuthorizationServer{{Issuer: w.issuer}},
		BaseScopes:           []string{readScope},
		Logger:               log,
	})
}

func (w *world) serve(l net.Listener, h http.Handler) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	w.servers = append(w.servers, s)
	go func() { _ = s.Serve(l) }() // ends with close
}

func (w *world) close() {
	w.cancel()
	for _, s := range w.servers {
		_ = s.Close()
	}
	w.idp.Close()
}
