package idjag

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/revocation"
)

// Bounds and defaults of [Config] and [IdentityProvider]. Issuers of ID-JAGs let
// them live for 300 seconds.
const (
	defaultTokenLifetime     = 10 * time.Minute
	maxTokenLifetime         = time.Hour
	defaultClockSkew         = 30 * time.Second
	maxClockSkew             = 5 * time.Minute
	defaultAssertionLifetime = 10 * time.Minute
	maxAssertionLifetime     = time.Hour
)

// Config is everything that a [Server] decides by. Issuer, Resources,
// IdentityProviders and Keys are needed, and Clients or ClientDocuments; the
// zero Config is refused.
type Config struct {
	// Issuer is this server's identifier: an https URL without query or
	// fragment (http is accepted for a loopback host). Endpoints lie below its
	// path. Every ID-JAG must have it as its only audience, byte for byte.
	Issuer string

	// Resources are the MCP servers that tokens are issued for.
	Resources []Resource

	// IdentityProviders are trusted to sign ID-JAGs, each for itself.
	IdentityProviders []IdentityProvider

	// Clients are registered here. ClientDocuments admits others.
	Clients         []Client
	ClientDocuments ClientDocuments

	// Keys sign the access tokens.
	Keys Keys

	// Policy says which scopes a user gets. With nil, and without GroupScopes,
	// a user gets the scopes of the ID-JAG that the resource supports, and
	// none from an ID-JAG that states none.
	Policy *Policy

	// GroupScopes is a policy in short: the scopes that the members of a group
	// may have, on every resource, whichever identity provider says who is one.
	// Scopes that no group of the user lists are not granted. It cannot stand
	// beside Policy, and an empty one is refused.
	GroupScopes map[string][]string

	// Authorize has the last word after the policy: it gets the policy's
	// decision and returns its own. It can narrow, refuse by setting Reason,
	// and even grant what the policy did not, but never more than
	// Request.Offered. An error or a panic refuses the request with 500.
	Authorize func(ctx context.Context, request Request, decided Decision) (Decision, error)

	// ResolveSubject names the local account of a user: what it returns
	// becomes the token's sub. The principal is verified; its Email is set only
	// where the identity provider is authoritative for the domain, while its
	// Decode shows what the provider wrote.
	// Return [ErrNoSubject] to refuse a user who has no account; any other
	// error is answered with 503. With nil, IdentityProvider.Subject decides.
	ResolveSubject func(ctx context.Context, user claims.Principal) (string, error)

	// TokenLifetime is how long an access token lives. The default is 10 minutes
	// and the most an hour. A user who leaves keeps the access for that long,
	// unless the token is revoked.
	TokenLifetime time.Duration

	// ClockSkew is how far the clocks of identity providers may be off. The
	// default is 30 seconds and the most 5 minutes.
	ClockSkew time.Duration

	// Replay remembers what was redeemed. With nil it is kept in memory,
	// which is right for exactly one replica.
	Replay ReplayStore

	// Revocations receives the access tokens that clients revoke, and is
	// followed: an ID-JAG of a user or client who was revoked after it was
	// issued is not redeemed, or it would undo the revocation. It is the store
	// that the MCP servers follow. With nil there is no revocation endpoint.
	//
	// A store that was not heard from for MaxRevocationDelay, 30 seconds by
	// default, turns every redemption into a 503.
	Revocations        revocation.Store
	MaxRevocationDelay time.Duration

	// AllowedOrigins are the web origins whose scripts may call the token and
	// revocation endpoints, such as "https://app.example.com". Metadata and
	// keys are public and may be read from any origin.
	AllowedOrigins []string

	// HTTPClient fetches keys and metadata documents; with nil a client is
	// made that refuses private addresses after name resolution. The Transport
	// of a client given here is used as it is, so that guard is then yours.
	HTTPClient *http.Client

	// DangerouslyAllowHTTP accepts http URLs outside loopback. Whoever sits on
	// the path can then replace an identity provider's keys, and become any
	// user.
	DangerouslyAllowHTTP bool

	// DangerouslyAllowPrivateNetwork lets keys and documents be fetched from
	// private addresses. An allowed host whose name is pointed at an internal
	// service makes this server call it.
	DangerouslyAllowPrivateNetwork bool

	Now    func() time.Time // time.Now when nil
	Logger *slog.Logger     // diagnostics; slog.Default when nil

	// Audit receives one record per request to the token endpoint: who, for
	// whom, what and why, without personal data or token text. Nil: none.
	Audit slog.Handler

	// PseudonymKey keys the user hash of audit records and traces, 32 bytes at
	// least. With nil a random one is made, so that hashes cannot be compared
	// over a restart or between replicas.
	PseudonymKey []byte

	// TracerProvider and MeterProvider receive traces and metrics, which
	// docs/telemetry.md lists. Nil is off: the global provider is not used unless
	// it is given. Propagator reads the caller's span from the headers of a
	// request whose context has none; nil reads nothing.
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	Propagator     propagation.TextMapPropagator

	_ struct{} // keyed literals only: fields will be added
}

// A Resource is an MCP server that this authorization server issues tokens for.
type Resource struct {
	ID     string   // its resource identifier: what the protected-resource metadata says, byte for byte
	Scopes []string // the scopes that mean something there; no others are ever issued for it
}

// ErrNoSubject says that a user has no account here. See Config.ResolveSubject.
var ErrNoSubject = errors.New("idjag: no such subject")

// A ConfigError is one mistake in a [Config] or [Policy]. All of them are
// reported at once, joined. Value never holds a secret.
type ConfigError struct {
	Field  string // such as "IdentityProviders[0].Issuer"
	Value  string
	Reason string // what is wrong, and what would be right
}

func (e *ConfigError) Error() string {
	if e.Value == "" {
		return "idjag: " + e.Field + " " + e.Reason
	}
	return "idjag: " + e.Field + " is " + quote(e.Value) + ": " + e.Reason
}
