package idjag

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/discovery"
	"github.com/emamw/mcp-ema/internal/keys"
	"github.com/emamw/mcp-ema/internal/telemetry"
)

// A Server is a resource authorization server. It is made by [New] and safe for
// concurrent use.
type Server struct {
	issuer        string
	tokenEndpoint string
	paths         map[string]http.HandlerFunc

	resources []Resource
	providers map[string]*provider
	keySets   []*keys.Set // of the providers, for Ready
	clients   map[string]*client
	documents *documents

	ring   atomic.Pointer[keyring]
	policy atomic.Pointer[Policy]

	authorize func(context.Context, Request, Decision) (Decision, error)
	resolve   func(context.Context, claims.Principal) (string, error)

	tokenLifetime time.Duration
	skew          time.Duration
	replay        ReplayStore
	revoked       *revoked // nil: no revocation
	origins       []string

	now       func() time.Time
	logger    *slog.Logger
	failures  ration              // of lines about our own
	telemetry *telemetry.Recorder // nil: none
}

// New returns a server for cfg, or every mistake in it, joined, each a
// [*ConfigError]. It does no I/O before it returns. Keys are loaded, and the
// revocation store is followed, in the background until ctx ends, which must live
// as long as the server: what grows too old after that is answered with 503.
func New(ctx context.Context, cfg Config) (*Server, error) {
	s, m := assemble(&cfg)
	if err := m.err(); err != nil {
		return nil, err
	}
	s.fetchKeys(ctx, &cfg)
	if cfg.Revocations != nil {
		s.revoked = follow(ctx, cfg.Revocations, cfg.MaxRevocationDelay, s.now, s.logger)
	}
	issuer, err := url.Parse(cfg.Issuer)
	if err != nil {
		return nil, err // CheckURL accepted it: not reached
	}
	s.paths = s.routes(issuer)
	return s, nil
}

// ServeHTTP answers at the paths of [Server.Paths]: the token endpoint and its
// siblings below the issuer's path, and the metadata at its well-known places.
// It must see the paths as clients send them; do not put it behind
// http.StripPrefix.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	serve := s.paths[r.URL.EscapedPath()]
	if serve == nil {
		http.NotFound(w, r)
		return
	}
	serve(w, r)
}

// Paths lists what the server answers at, for a mux that it shares with others:
//
//	for _, path := range as.Paths() {
//		mux.Handle(path, as)
//	}
func (s *Server) Paths() []string { return slices.Sorted(maps.Keys(s.paths)) }

// Ready returns nil when the keys of every identity provider are loaded and the
// revocation store, where there is one, was heard from within
// Config.MaxRevocationDelay. While either is under way for the first time it
// waits for that, two seconds at most or until ctx ends. It is meant for a
// readiness probe.
func (s *Server) Ready(ctx context.Context) error {
	var failed []error
	for _, set := range s.keySets {
		if err := set.Ready(ctx); err != nil {
			failed = append(failed, fmt.Errorf("idjag: not ready: %w", err))
		}
	}
	if s.revoked != nil && !s.revoked.follower.Current(ctx) {
		failed = append(failed, errors.New("idjag: not ready: the revocation store was not heard from within MaxRevocationDelay: look at the store"))
	}
	return errors.Join(failed...)
}

// SetPolicy replaces the policy at once, for requests that begin after it. nil
// takes it away, with what Config.Policy says about that. On an error the old
// policy stays, and the error holds every mistake as a [*ConfigError].
func (s *Server) SetPolicy(p *Policy) error {
	if p == nil {
		s.policy.Store(nil)
		return nil
	}
	if err := errors.Join(p.check(s, "Policy")...); err != nil {
		return err
	}
	s.policy.Store(p.clone())
	return nil
}

// fetchKeys starts what needs the network.
func (s *Server) fetchKeys(ctx context.Context, cfg *Config) {
	policy := cfg.network()
	set := func(told *telemetry.Issuer, issuer, address string) *keys.Set {
		origin := address
		if origin == "" {
			origin = issuer
		}
		fetched := keys.New(ctx, keys.Config{
			Issuer: issuer, JWKSURL: address, Client: discovery.Client(cfg.HTTPClient, origin, policy), Policy: policy,
			Now: s.now, Logger: s.logger, OnFetch: s.onFetch(told),
			OnWait: func(ctx context.Context) { s.telemetry.Waited(ctx, told) },
		})
		s.telemetry.WatchKeys(ctx, told, fetched)
		return fetched
	}
	for _, p := range s.providers {
		own := set(p.told, p.Issuer, p.JWKSURL)
		p.keys, s.keySets = own, append(s.keySets, own)
	}
	for _, c := range cfg.Clients {
		if c.JWKSURL != "" {
			s.clients[c.ID].keys = set(s.telemetry.Issuer(c.ID, ""), c.ID, c.JWKSURL)
		}
	}
}

// onFetch records the fetches of one issuer's keys.
func (s *Server) onFetch(issuer *telemetry.Issuer) func(context.Context, keys.Trigger) (context.Context, func(keys.Fetched)) {
	return func(ctx context.Context, trigger keys.Trigger) (context.Context, func(keys.Fetched)) {
		ctx, fetch := s.telemetry.StartFetch(ctx, issuer, string(trigger))
		return ctx, func(end keys.Fetched) {
			fetch.End(telemetry.Fetched{Cause: string(end.Cause), Step: string(end.Step), Status: end.Status, Keys: end.Keys, Rejected: end.Rejected})
		}
	}
}

// network is what may be fetched from.
func (cfg *Config) network() discovery.Policy {
	return discovery.Policy{AllowHTTP: cfg.DangerouslyAllowHTTP, AllowPrivate: cfg.DangerouslyAllowPrivateNetwork}
}

// assemble makes the server without touching the network.
func assemble(cfg *Config) (*Server, mistakes) {
	m := cfg.complete()
	s := &Server{
		issuer: cfg.Issuer, resources: cfg.Resources, authorize: cfg.Authorize, resolve: cfg.ResolveSubject,
		tokenLifetime: cfg.TokenLifetime, skew: cfg.ClockSkew, replay: cfg.Replay, origins: cfg.AllowedOrigins,
		now: cfg.Now, logger: cfg.Logger, telemetry: newRecorder(cfg),
	}
	s.tokenEndpoint = s.endpoint("/token")
	s.documents = newDocuments(cfg, cfg.network(), s.now, s.telemetry)

	ring, wrong := newKeyring(cfg.Keys, nil, s.now())
	m = append(m, wrong...)
	s.ring.Store(ring)

	s.providers = make(map[string]*provider)
	for i := range cfg.IdentityProviders {
		p, wrong := newProvider(cfg, i)
		m = append(m, wrong...)
		p.told = s.telemetry.Issuer(p.Issuer, telemetry.MappingName(p.Claims, claims.IDJAG()))
		s.providers[p.Issuer] = p
	}
	s.clients = make(map[string]*client)
	for i := range cfg.Clients {
		c, wrong := newClient(cfg, i)
		m = append(m, wrong...)
		s.clients[c.id] = c
	}
	for i, p := range cfg.IdentityProviders {
		m = append(m, s.checkProviderNames(fmt.Sprintf("IdentityProviders[%d]", i), p)...)
	}
	for i, c := range cfg.Clients {
		m = append(m, s.checkResourceNames(fmt.Sprintf("Clients[%d].Resources", i), c.Resources)...)
	}
	if p := cfg.effectivePolicy(); p != nil {
		field := "Policy"
		if cfg.Policy == nil {
			field = "GroupScopes"
		}
		m = append(m, p.check(s, field)...)
		s.policy.Store(p)
	}
	return s, m
}

// effectivePolicy is the server's own copy of the configured policy.
func (cfg *Config) effectivePolicy() *Policy {
	switch {
	case cfg.Policy != nil:
		return cfg.Policy.clone()
	case len(cfg.GroupScopes) > 0:
		return groupPolicy(cfg.GroupScopes)
	}
	return nil
}

func newRecorder(cfg *Config) *telemetry.Recorder {
	return telemetry.New(telemetry.Config{
		TracerProvider: cfg.TracerProvider, MeterProvider: cfg.MeterProvider, Propagator: cfg.Propagator,
		Audit: cfg.Audit, PseudonymKey: cfg.PseudonymKey, Now: cfg.Now, Logger: cfg.Logger,
	})
}
