package emamw

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"time"
	"weak"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/internal/telemetry"
	"github.com/emamw/mcp-ema/revocation"
	"github.com/emamw/mcp-ema/scopes"
)

// A Guard authenticates requests and authorizes what they ask for. Make one
// with [New]; the zero Guard is of no use. It is safe for concurrent use.
type Guard struct {
	server     *server.MCPServer
	hooks      *server.Hooks // where the gate is
	issuers    issuers
	identities *identityCache
	revoked    *revoked

	base      []string
	baseRule  scopes.Rule
	unruled   scopes.Rule
	rules     rules
	hierarchy scopes.Hierarchy

	toolsAre   *kind[mcp.Tool]
	promptsAre *kind[mcp.Prompt]
	hide       bool

	metadata *metadata
	answers  answers
	origins  origins
	sessions *sessions
	tasks    *tasks
	streams  *streams

	skew      time.Duration
	maxBytes  int64
	now       func() time.Time
	log       *slog.Logger
	telemetry *telemetry.Recorder // nil: none
	strays    strays
	alarm     alarm

	coverageOnce sync.Once
}

// guarded holds every server that has a gate, and does not keep it alive.
var guarded sync.Map // weak.Pointer[server.MCPServer] -> struct{}

// New validates cfg, reporting every mistake at once as a joined [*ConfigError],
// and installs the gate in s. A server takes one guard in its life: a second
// New for it is an error, since two gates would have to agree on every answer.
//
// New does no I/O. The issuers' keys are loaded and refreshed, and the revocation
// store is followed, in the background until ctx ends, which must live as long as
// the server: what grows too old after that is answered with 503. [Guard.Ready]
// tells when the keys are there.
//
// Call it after s has its options, and before s serves. Tools, prompts and
// resources may be added before and after.
func New(ctx context.Context, s *server.MCPServer, cfg Config) (*Guard, error) {
	if s == nil {
		return nil, errors.New("emamw: New needs the MCP server whose tools it guards, not nil")
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	key := weak.Make(s)
	if _, twice := guarded.LoadOrStore(key, struct{}{}); twice {
		return nil, errors.New("emamw: New was called before for this MCP server: use that guard, its Handler serves any number of transports")
	}
	runtime.AddCleanup(s, func(key weak.Pointer[server.MCPServer]) { guarded.Delete(key) }, key)

	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	recorder := newRecorder(&cfg)
	trusted := newIssuers(ctx, &cfg, recorder)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	g := &Guard{
		server:    s,
		base:      cfg.BaseScopes,
		baseRule:  baseRule(cfg.BaseScopes),
		unruled:   cfg.Unruled,
		rules:     compileRules(cfg.Rules),
		hierarchy: cfg.Hierarchy,
		hide:      cfg.HideDenied,
		metadata:  newMetadata(&cfg),
		origins:   cfg.AllowedOrigins,
		skew:      cfg.ClockSkew,
		maxBytes:  cfg.MaxRequestBytes,
		now:       cfg.Now,
		log:       cfg.Logger,
		tasks:     newTasks(cfg.Now),
		sessions:  newSessions(cfg.SessionKey, cfg.PreviousSessionKeys),
	}
	g.toolsAre, g.promptsAre = g.toolKind(), g.promptKind()
	g.answers = newAnswers(cfg.BaseScopes, g.metadata.url)
	g.issuers, g.telemetry = trusted, recorder
	g.identities = newIdentityCache(cfg.TokenCacheEntries)
	g.revoked = follow(ctx, &cfg)
	g.streams = newStreams(ctx, g)
	g.install()
	return g, nil
}

// Ready returns nil when the keys of every issuer are loaded, and else says of
// each of the others why not. While the first load is under way it waits for that,
// two seconds at most or until ctx ends. It is meant for a readiness probe. It does
// not ask about the revocation store: that is for the probe of the store itself.
func (g *Guard) Ready(ctx context.Context) error {
	var errs []error
	for _, iss := range g.issuers.all {
		if err := iss.keys.Ready(ctx); err != nil {
			errs = append(errs, fmt.Errorf("emamw: not ready: %w", err))
		}
	}
	return errors.Join(errs...)
}

// Revoke ends tokens before they expire: all of a subject or of a client that
// were issued until now, or one by its id. The issuer may also be the identity
// provider of the ID-JAGs behind the tokens, and the subject its user. It takes
// effect here with the next request, on open streams at once, and on other guards
// that share the store as soon as they hear of it. A zero Before means now, and a
// zero Until the time at which the last token that it affects has expired, and the
// last ID-JAG that could still be redeemed for one. A TokenID has no effect on an
// issuer whose mapping reads none.
//
// On an error nothing is revoked for certain. It joins the mistakes of
// [revocation.Revocation.Validate], or holds the store's own error, such as
// [revocation.ErrFull]; the call may be repeated.
func (g *Guard) Revoke(ctx context.Context, r revocation.Revocation) error {
	if r.Before.IsZero() && r.TokenID == "" {
		r.Before = g.now()
	}
	if r.Until.IsZero() {
		r.Until = g.now().Add(g.issuers.longest() + g.skew + g.revoked.late + longestAssertion)
	}
	return g.revoked.revoke(ctx, r)
}

// longestAssertion is how long an ID-JAG can be redeemed after it was issued:
// package idjag takes none that lives for more than an hour, and clocks are off by
// five minutes at most. MaxAge says nothing of it, and a revocation that is
// forgotten while somebody holds an older ID-JAG lets its user in again.
const longestAssertion = time.Hour + maxSkew

// MetadataPath is where this server's protected-resource metadata belongs: the
// well-known path with the path of Resource appended (RFC 9728 section 3.1).
func (g *Guard) MetadataPath() string { return g.metadata.path }

// MetadataHandler serves the protected-resource metadata, for servers that route
// [Guard.MetadataPath] past [Guard.Handler]. It answers on any path.
func (g *Guard) MetadataHandler() http.Handler { return g.metadata }
