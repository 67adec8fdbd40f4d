package emamw

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/revocation"
	"github.com/emamw/mcp-ema/scopes"
)

// Config says whom the server trusts and what it demands. [New] validates the
// whole of it at once; the zero value is refused.
type Config struct {
	// Resource is this server's identifier: the URL that clients call, byte for
	// byte, such as https://mcp.example.com/mcp. It is the audience that access
	// tokens must name (RFC 8707 section 2) and the resource of the metadata
	// document (RFC 9728 section 2). It is never taken from a request: a Host
	// header is the caller's to choose.
	Resource string

	// AuthorizationServers are the issuers whose access tokens are accepted,
	// each on its own terms. At least one is needed.
	AuthorizationServers []AuthorizationServer

	// BaseScopes are needed by every request, besides the rule of what it asks
	// for, and are what the challenge to a caller without a token names.
	BaseScopes []string

	// Unruled decides on a tool, prompt or resource that has no rule of its own.
	// The zero Rule denies.
	Unruled scopes.Rule

	// Rules are for tools, prompts and resources whose code is not yours. A rule
	// here and an annotation in the code must both hold.
	Rules Rules

	// Hierarchy says which broad scope implies which narrower ones.
	Hierarchy scopes.Hierarchy

	// HideDenied leaves out of lists what the caller may not use, and answers
	// for it as for a name that does not exist. By default it stays listed, with
	// the scopes it needs in its _meta, so that a client can step up.
	HideDenied bool

	// ResourceName, ResourceDocumentation and ScopesSupported describe this
	// server in its metadata document (RFC 9728 section 2). ScopesSupported
	// should be the minimal set that a client needs to begin with; it is
	// BaseScopes unless set.
	ResourceName          string
	ResourceDocumentation string
	ScopesSupported       []string

	// AllowedOrigins are the web origins whose pages may call this server, such
	// as https://app.example.com. The origin of Resource always may. A request
	// with another Origin header is refused with 403, as the MCP transport
	// specification demands; "*" allows every origin.
	AllowedOrigins []string

	// ClockSkew is how far this host's clock and an issuer's may differ. The
	// default is 30 seconds and the most 5 minutes (RFC 9068 section 4).
	ClockSkew time.Duration

	// MaxRequestBytes bounds the body of a request. The default is 4 MiB.
	MaxRequestBytes int64

	// SessionKey seals the ids of sessions to the caller who opened them, in at
	// least 32 random bytes. Replicas must share it, or a client that is sent to
	// another replica loses its session. The default is a random key, good for
	// one process. PreviousSessionKeys are accepted, but not used for new
	// sessions: keep the old key here while its sessions live.
	SessionKey          []byte
	PreviousSessionKeys [][]byte

	// TokenCacheEntries bounds the cache of verified tokens. The default is
	// 10,000; a negative number turns the cache off. A cached token is still
	// checked against its expiry, its issuer's keys and revocations each time, and
	// kept no longer than the TTL of groups that were looked up for it.
	TokenCacheEntries int

	// MaxKeyAge is how long an issuer's keys are trusted after the last time
	// they could be fetched. The default is 24 hours.
	MaxKeyAge time.Duration

	// Revocations is where revocations come from and where [Guard.Revoke] puts
	// them. The default is in memory, good for one process; replicas share one
	// store. A store that has not been heard of for MaxRevocationDelay, by
	// default 30 seconds, turns every request into a 503: a token that may have
	// been revoked is not accepted on a guess.
	Revocations        revocation.Store
	MaxRevocationDelay time.Duration

	// HTTPClient fetches issuers' metadata and keys. The default refuses private
	// addresses, unless the issuer itself is on loopback, and uses the proxy that
	// the environment names. Of a client given here the transport is used, and a
	// shorter timeout than 10 seconds; which address a name resolves to is then
	// for that transport to judge.
	HTTPClient *http.Client

	// Now is the clock. The default is time.Now.
	Now func() time.Time

	// Logger receives diagnostics: what is misconfigured, and changes in the
	// state of an issuer's keys. The default is slog.Default().
	Logger *slog.Logger

	// TracerProvider, MeterProvider and Audit receive traces, metrics and one
	// record per decision; docs/telemetry.md lists them. Nil is off: the global
	// provider is not used unless it is given. Propagator reads the caller's span
	// from the headers of a request whose context has none; nil reads nothing.
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	Propagator     propagation.TextMapPropagator
	Audit          slog.Handler

	// PseudonymKey keys the digests that stand for users and clients there, in at
	// least 32 random bytes. The default is random: such digests can be compared
	// within one process only.
	PseudonymKey []byte

	// SpanIdentity and AuditIdentity say what spans and audit records may tell of
	// a caller in plain text. The zero Disclosure allows digests only.
	SpanIdentity, AuditIdentity Disclosure

	// DangerouslyAllowHTTP accepts issuers and resources whose URL is http, also
	// off loopback. Whoever can read or change the traffic can then steal tokens
	// and replace the keys that verify them.
	DangerouslyAllowHTTP bool

	// DangerouslyAllowPrivateNetwork lets keys be fetched from private addresses.
	// An issuer on the public network that turns hostile can then make this
	// server send requests into the private one. Set it for an identity provider
	// that itself runs there.
	DangerouslyAllowPrivateNetwork bool

	_ struct{} // keyed literals only: fields will be added
}

// An AuthorizationServer is an issuer whose access tokens are accepted.
type AuthorizationServer struct {
	// Issuer is compared byte for byte with a token's iss and with the issuer's
	// own metadata (RFC 8414 section 3.3). A trailing slash matters. An issuer
	// that serves several tenants may hold the placeholder {tenantid} as one
	// path segment; Tenants is then needed, and the metadata document of this
	// server names the issuer of each.
	Issuer string

	// JWKSURL is where the issuer's keys are. By default it is discovered from
	// Issuer (RFC 8414, OpenID Connect Discovery).
	JWKSURL string

	// Audiences are accepted in aud beside Config.Resource, for products whose
	// audience cannot be a URL. Every service that these name can replay its
	// tokens here, so list only what is this server's own.
	Audiences []string

	// Algorithms are the accepted signature algorithms. The default is RS256,
	// PS256, ES256 and EdDSA. none and HS* are never accepted.
	Algorithms []string

	// Tenants are the accepted tenants, where the issuer serves several. With nil
	// the tenant is not restricted; an empty list is refused.
	Tenants []string

	// MaxAge is the longest accepted lifetime of a token, exp - iat: what a
	// revocation must outlive. The default is 24 hours. For an issuer whose tokens
	// have no iat, give at least the longest that it issues: of such a token only
	// the rest of its life can be checked.
	MaxAge time.Duration

	// TokenTypes are the accepted typ headers, "" for none. The default is what
	// the mapping's product sends: at+jwt for RFC 9068.
	TokenTypes []string

	// Claims says how this product's tokens read. The default is
	// claims.RFC9068().
	Claims claims.Mapping
}

// A Disclosure is what telemetry may tell of a caller in plain text, as the token
// has it; the zero Disclosure is nothing but digests. Names, addresses and groups
// cannot be asked for.
type Disclosure struct {
	UserID   bool // the subject
	Roles    bool
	Tenant   bool
	ClientID bool // with client metadata documents, a URL that the client chose
	Scopes   bool // what the token grants
}

// Rules are rules by name, for what was registered by code that you cannot
// annotate. A tool or prompt that is not registered when [Guard.Handler] is called
// is logged: it may be misspelled.
type Rules struct {
	Tools   map[string]scopes.Rule // by exact name
	Prompts map[string]scopes.Rule // by exact name

	// Resources are by URI, as the client writes it, or by the text of a
	// resource template. A * stands for any run of characters, slashes too:
	// file:///etc/* covers everything below. Where several match, all hold.
	Resources map[string]scopes.Rule
}

// A ConfigError is one mistake in a [Config]. [New] reports every mistake at
// once, joined; use errors.As or walk the joined error to tell them apart.
type ConfigError struct {
	Field  string // such as AuthorizationServers[0].Issuer
	Value  string // what it was, or "" where it is missing or secret
	Reason string // what is wrong, and the cure
}

func (e *ConfigError) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("emamw: Config.%s %s", e.Field, e.Reason)
	}
	return fmt.Sprintf("emamw: Config.%s is %q: %s", e.Field, e.Value, e.Reason)
}
