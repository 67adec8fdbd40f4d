package telemetry

import (
	"slices"

	"go.opentelemetry.io/otel/attribute"

	"github.com/emamw/mcp-ema/claims"
)

// ScopeName is the instrumentation scope of all spans and metrics.
const ScopeName = "github.com/emamw/mcp-ema"

// other stands for every value that is not on the closed list of its attribute.
const other = "_OTHER"

// The spans.
const (
	spanAuthenticate = "ema.authenticate"
	spanAuthorize    = "ema.authorize"
	spanFetch        = "ema.jwks.fetch"
	spanExchange     = "ema.id_jag.exchange"
	spanRevocation   = "ema.token.revocation"
)

// A Span is a row of the table of spans.
type Span struct{ Name, Kind, Parent, When string }

// Spans are all spans that this module starts.
var Spans = []Span{
	{spanAuthenticate, "INTERNAL", "the ambient span; without one, the caller's, if a propagator is configured", "for each request to the MCP server, from its header to a caller or a refusal"},
	{spanAuthorize, "INTERNAL", "the ambient span, with a link to `ema.authenticate` where that is in another trace; without one, `ema.authenticate`", "for each decision on a tool, prompt, resource or task, and each refusal of a request that was authenticated; not for what is allowed in a trace that is not sampled"},
	{spanFetch, "INTERNAL", "for `unknown_kid` the span of the request that asked first; else none", "for each fetch of an issuer's keys, discovery included"},
	{spanExchange, "INTERNAL", "as `ema.authenticate`", "for each request to the token endpoint"},
	{spanRevocation, "INTERNAL", "as `ema.authenticate`", "for each request to the revocation endpoint"},
}

// The audit records.
const (
	eventAuthentication = "ema.authentication"
	eventAuthorization  = "ema.authorization"
	eventExchange       = "ema.id_jag.exchange"
	eventRevocation     = "ema.token.revocation"
)

// An Event is a row of the table of audit records.
type Event struct{ Name, Span, When string }

// Events are all audit records: the message of each is its name, and it has the
// attributes of its span.
var Events = []Event{
	{eventAuthentication, spanAuthenticate, "each request to the MCP server"},
	{eventAuthorization, spanAuthorize, "each decision on a tool, prompt, resource or task, and each refusal of a request that was authenticated"},
	{eventExchange, spanExchange, "each request to the token endpoint"},
	{eventRevocation, spanRevocation, "each request to the revocation endpoint"},
}

// The attributes.
const (
	keyDecision       = attribute.Key("ema.decision")
	keyReason         = attribute.Key("ema.reason")
	keyErrorType      = attribute.Key("error.type")
	keyTokenType      = attribute.Key("ema.token.type")
	keyClaim          = attribute.Key("ema.token.claim")
	keyIssuer         = attribute.Key("ema.issuer")
	keyPreset         = attribute.Key("ema.issuer.preset")
	keyAlgorithm      = attribute.Key("ema.token.alg")
	keyRemaining      = attribute.Key("ema.token.remaining")
	keyTokenID        = attribute.Key("ema.token.id_hash")
	keyAssertionID    = attribute.Key("ema.assertion.id_hash")
	keySessionID      = attribute.Key("ema.session.id_hash")
	keyUserHash       = attribute.Key("user.hash")
	keyClientHash     = attribute.Key("ema.client.hash")
	keyActorHash      = attribute.Key("ema.actor.hash")
	keyActorDepth     = attribute.Key("ema.actor.depth")
	keyKind           = attribute.Key("ema.principal.kind")
	keyGroupsCount    = attribute.Key("ema.groups.count")
	keyGroupsState    = attribute.Key("ema.groups.state")
	keyUserID         = attribute.Key("user.id")
	keyUserRoles      = attribute.Key("user.roles")
	keyTenant         = attribute.Key("ema.tenant.id")
	keyClientID       = attribute.Key("ema.client.id")
	keyAuthMethod     = attribute.Key("ema.client.auth_method")
	keyGranted        = attribute.Key("ema.scopes.granted")
	keyRequired       = attribute.Key("ema.scopes.required")
	keyMissing        = attribute.Key("ema.scopes.missing")
	keyCacheName      = attribute.Key("ema.cache.name")
	keyCacheResult    = attribute.Key("ema.cache.result")
	keyStatus         = attribute.Key("http.response.status_code")
	keyMethod         = attribute.Key("mcp.method.name")
	keyTool           = attribute.Key("gen_ai.tool.name")
	keyPrompt         = attribute.Key("gen_ai.prompt.name")
	keyResourceURI    = attribute.Key("mcp.resource.uri")
	keyRequestID      = attribute.Key("jsonrpc.request.id")
	keyResource       = attribute.Key("ema.resource")
	keyRules          = attribute.Key("ema.policy.rules")
	keyReportReason   = attribute.Key("ema.policy.report.reason")
	keyReportRules    = attribute.Key("ema.policy.report.rules")
	keyReportWithheld = attribute.Key("ema.policy.report.withheld")
	keyTrigger        = attribute.Key("ema.jwks.trigger")
	keyStep           = attribute.Key("ema.jwks.step")
	keyKeys           = attribute.Key("ema.jwks.keys")
	keyRejected       = attribute.Key("ema.jwks.rejected")
)

// An Attribute is a row of the table of attributes.
type Attribute struct {
	Key     attribute.Key
	Type    string   // as the semantic conventions write it
	On      []string // the spans that may have it; none: only metrics or log lines
	When    string
	Values  []string // the closed list, beside _OTHER; nil where it is no such
	Meaning string
}

var (
	named   = []string{spanAuthenticate, spanAuthorize, spanFetch, spanExchange} // by an issuer
	decided = []string{spanAuthenticate, spanAuthorize, spanExchange, spanRevocation}
	shown   = []string{spanAuthenticate, spanAuthorize, spanExchange} // a token
	inbound = []string{spanAuthenticate, spanAuthorize}
	granted = []string{spanExchange, spanRevocation} // by the authorization server
	at      = func(spans ...string) []string { return spans }
)

// Attributes are all attributes of spans, metrics and audit records, and those of
// log lines.
var Attributes = []Attribute{
	{keyDecision, "string", decided, "always", []string{allow, deny, undecided}, "what was decided; `error`: nothing could be, and the request was refused"},
	{keyReason, "string", decided, "not `allow`", reasonWords(), "why not"},
	{keyErrorType, "string", append(at(spanFetch), decided...), "status Error", errorTypes(), "the reason; on `ema.jwks.fetch` why it failed"},
	{keyTokenType, "string", shown, "always", []string{tokenAccess, tokenAssertion, tokenNone}, "what was presented; `none` also where it was not looked at"},
	{keyClaim, "string", at(spanAuthenticate, spanExchange), "a claim is at fault", nil, "which one, as the configured mapping names it"},
	{keyIssuer, "string", named, "trusted", nil, "the issuer as configured: one that only a token names is never recorded"},
	{keyPreset, "string", shown, "trusted", nil, "the name of the claim mapping"},
	{keyAlgorithm, "string", inbound, "verified", algorithms, "how the token is signed"},
	{keyRemaining, "double", at(spanAuthenticate), "verified", nil, "seconds until the token expires, by this host's clock"},
	{keyTokenID, "string", decided, "verified, issued or revoked", nil, "digest of the access token's id"},
	{keyAssertionID, "string", shown, "known", nil, "digest of the id of the ID-JAG that the access token was redeemed for"},
	{keySessionID, "string", inbound, "known", nil, "digest of the MCP session's id"},
	{keyUserHash, "string", shown, "verified", nil, "pseudonym of the subject"},
	{keyClientHash, "string", decided, "verified, or authenticated", nil, "pseudonym of the OAuth client"},
	{keyActorHash, "string", shown, "acted for", nil, "pseudonym of the party that acts for the subject"},
	{keyActorDepth, "int", shown, "acted for", nil, "length of the chain of actors"},
	{keyKind, "string", shown, "verified", kinds, "what sort of caller it is"},
	{keyGroupsCount, "int", shown, "known", nil, "how many groups the token names"},
	{keyGroupsState, "string", shown, "verified", groupsStates, "how much the token tells of groups"},
	{keyUserID, "string", shown, "opt-in", nil, "the subject"},
	{keyUserRoles, "string[]", shown, "opt-in", nil, "the caller's roles"},
	{keyTenant, "string", shown, "opt-in", nil, "the caller's tenant"},
	{keyClientID, "string", decided, "opt-in; at the authorization server authenticated", nil, "the OAuth client, without a query"},
	{keyAuthMethod, "string", granted, "authenticated", authMethods, "how the client proved who it is"},
	{keyGranted, "string[]", shown, "opt-in; on `ema.id_jag.exchange` issued", nil, "the scopes of the access token"},
	{keyRequired, "string[]", at(spanAuthorize), "`scope_missing`", nil, "the scopes that the operation needs"},
	{keyMissing, "string[]", at(spanAuthorize), "`scope_missing`", nil, "those of them that the token lacks"},
	{keyCacheName, "string", nil, "metric", []string{string(TokenCache), string(DocumentCache)}, "which cache was asked: verified tokens, or clients' metadata documents"},
	{keyCacheResult, "string", at(spanAuthenticate), "asked", cacheResults, "what the cache said; on `ema.authenticate` that of verified tokens"},
	{keyStatus, "int", at(spanAuthenticate, spanFetch), "answered", nil, "of the guard's own answer; on `ema.jwks.fetch` of the issuer's"},
	{keyMethod, "string", at(spanAuthorize), "always", methods, "the MCP method"},
	{keyTool, "string", at(spanAuthorize), "a tool", nil, "its registered name"},
	{keyPrompt, "string", at(spanAuthorize), "a prompt", nil, "its registered name"},
	{keyResourceURI, "string", at(spanAuthorize), "a resource", nil, "its registered URI or template, not what the caller wrote"},
	{keyRequestID, "string", at(spanAuthorize), "a number", nil, "the id of the JSON-RPC request; one that is text is left out"},
	{keyResource, "string", at(spanExchange), "known", nil, "the MCP server that the token is for"},
	{keyRules, "string[]", at(spanExchange), "decided by a policy", nil, "the names of the rules that applied"},
	{keyReportReason, "string", at(spanExchange), "a policy reports", reasonWords(), "why a policy that only reports would refuse"},
	{keyReportRules, "string[]", at(spanExchange), "a policy reports", nil, "its rules that applied"},
	{keyReportWithheld, "string[]", at(spanExchange), "a policy reports", nil, "the scopes it would withhold"},
	{keyTrigger, "string", at(spanFetch), "always", triggers, "why keys were fetched"},
	{keyStep, "string", at(spanFetch), "failed", steps, "what could not be read: the issuer's metadata, or its keys"},
	{keyKeys, "int", at(spanFetch), "fetched", nil, "usable keys"},
	{keyRejected, "int", at(spanFetch), "some were", nil, "keys that were left out"},
	{"ema.jwks.lost", "int", nil, "log", nil, "keys that were withdrawn, replaced or dropped"},
	{"ema.jwks.first_rejected", "string", nil, "log", nil, "why the first key was left out"},
	{"ema.silenced", "int", nil, "log", nil, "lines that were left out since the last one"},
}

// The values of attributes that are no type of their own elsewhere.
const (
	allow     = "allow"
	deny      = "deny"
	undecided = "error"

	tokenAccess    = "access_token"
	tokenAssertion = "id_jag"
	tokenNone      = "none"

	kindUnknown  = "unknown"
	groupsAbsent = "absent"
)

// CacheResult is what a cache said.
type CacheResult string

// The closed list of results. The empty one means that no cache was asked.
const (
	Hit   CacheResult = "hit"
	Miss  CacheResult = "miss"
	Stale CacheResult = "stale" // there, but out of date

	Negative CacheResult = "negative" // there, and it says that there is none
)

// CacheName is a cache that is counted.
type CacheName string

// The closed list of caches.
const (
	TokenCache    CacheName = "token"
	DocumentCache CacheName = "client_metadata"
)

var (
	algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

	kinds        = []string{string(claims.User), string(claims.Service), string(claims.Agent), kindUnknown}
	groupsStates = []string{groupsAbsent, string(claims.GroupsComplete), string(claims.GroupsOverage)}
	cacheResults = []string{string(Hit), string(Miss), string(Stale), string(Negative)}
	authMethods  = []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "none"}
	triggers     = []string{"startup", "scheduled", onDemand, "retry"}

	steps = []string{"discovery", "keys"}

	methods = []string{
		"initialize", "ping", "server/discover", "logging/setLevel", "completion/complete",
		"tools/list", "tools/call", "prompts/list", "prompts/get",
		"resources/list", "resources/templates/list", "resources/read", "resources/subscribe", "resources/unsubscribe",
		"subscriptions/listen", "tasks/list", "tasks/get", "tasks/result", "tasks/cancel",
		"notifications/cancelled",
	}
)

// A Metric is a row of the table of metrics.
type Metric struct {
	Name, Instrument, Unit string
	Attributes             []attribute.Key
	Meaning                string
}

// The metrics.
const (
	metricAuthentication = "ema.authentication.duration"
	metricDecisions      = "ema.authorization.decisions"
	metricExchange       = "ema.id_jag.exchange.duration"
	metricFetch          = "ema.jwks.fetch.duration"
	metricAge            = "ema.jwks.age"
	metricKeys           = "ema.jwks.keys"
	metricLookups        = "ema.cache.lookups"
	metricRevocations    = "ema.token.revocations"
)

// Metrics are all metrics of this module.
var Metrics = []Metric{
	{metricAuthentication, "Histogram", "s", []attribute.Key{keyDecision, keyReason, keyErrorType, keyTokenType, keyIssuer, keyCacheResult}, "how long it took to tell who calls; its count is the number of requests"},
	{metricDecisions, "Counter", "{decision}", []attribute.Key{keyDecision, keyReason, keyErrorType, keyMethod, keyTool, keyPrompt}, "decisions on what was asked for"},
	{metricExchange, "Histogram", "s", []attribute.Key{keyDecision, keyReason, keyErrorType, keyIssuer}, "how long a request to the token endpoint took; its count is the number of requests"},
	{metricFetch, "Histogram", "s", []attribute.Key{keyIssuer, keyTrigger, keyErrorType, keyStep, keyStatus}, "how long it took to fetch an issuer's keys"},
	{metricAge, "ObservableGauge", "s", []attribute.Key{keyIssuer}, "time since the issuer's keys were last confirmed; absent before the first time"},
	{metricKeys, "ObservableUpDownCounter", "{key}", []attribute.Key{keyIssuer}, "the issuer's usable keys"},
	{metricLookups, "Counter", "{lookup}", []attribute.Key{keyCacheName, keyCacheResult}, "lookups in caches"},
	{metricRevocations, "Counter", "{request}", []attribute.Key{keyDecision, keyReason, keyErrorType}, "requests to the revocation endpoint"},
}

var (
	// fastBounds begin where a cached token is found; the default of HTTP
	// durations begins at 5 ms, above every verification that needs no network.
	fastBounds = []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}
	slowBounds = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}
)

// maxNames bounds the names of tools and prompts on metrics. Whatever comes after
// them is counted as _OTHER: a server that registers tools per session would
// otherwise grow without end.
const maxNames = 500

// A Refusal is a row of the table of reasons.
type Refusal struct {
	Reason        claims.Reason
	Meaning, Cure string
}

// The tables of reasons, by what could not be told or allowed. Together they are
// the list of package claims, and a test holds them to it.
var (
	Unacceptable = []Refusal{
		{claims.OriginNotAllowed, "a web page of an origin that is not listed", "add it to AllowedOrigins, if it is yours; else somebody's page tries to reach this server"},
		{claims.RequestTooLarge, "a body over MaxRequestBytes", "raise it, if tools take that much"},
		{claims.RequestMalformed, "the request is not what RFC 6749 or MCP allow", "none here: the client is at fault"},
	}
	Unauthenticated = []Refusal{
		{claims.TokenMissing, "no credentials: how every client begins", "none needed; a client that stays here never got a token"},
		{claims.TokenMalformed, "not a compact JWS, or too long", "an issuer that hands out opaque tokens must be set to JWTs; too many groups make a token too long"},
		{claims.TokenEncrypted, "a JWE", "turn off token encryption for this resource at the issuer"},
		{claims.SchemeUnsupported, "an Authorization scheme other than Bearer", "let the client send a bearer token; look for a proxy that adds credentials of its own"},
		{claims.MultipleCredentials, "more than one Authorization header, or more than one kind of client authentication", "find the proxy that adds one"},
		{claims.AlgorithmNotAllowed, "alg is not on the issuer's list, or does not fit the key", "add it to Algorithms, if the issuer means to use it"},
		{claims.TypeNotAllowed, "another kind of token by its typ", "let the client send the access token, not an ID token or an ID-JAG; for a product with a typ of its own set TokenTypes"},
		{claims.HeaderMalformed, "a header that RFC 7515 does not allow, or one with crit", "none here: what made the token is at fault"},
		{claims.KeyUnknown, "the issuer publishes no key with this kid", "check Issuer and JWKSURL; a signing key that was not published yet is the issuer's to mend, and so is a token without kid where several keys fit"},
		{claims.SignatureInvalid, "the signature is not the key's", "look for forged tokens, or two issuers with one name"},
		{claims.IssuerUntrusted, "iss is not configured", "compare Issuer with the token's iss byte for byte: a slash at the end counts"},
		{claims.AudienceMismatch, "aud does not name this server", "set Resource to what clients call, or Audiences to what the product sends"},
		{claims.TokenExpired, "exp has passed", "none needed, clients renew; if fresh tokens are refused, compare clocks"},
		{claims.TokenNotYetValid, "nbf or iat lies ahead", "compare clocks, and set ClockSkew to what they differ by"},
		{claims.TokenLivesTooLong, "exp - iat is over MaxAge", "shorten tokens at the issuer, or raise MaxAge"},
		{claims.ClaimMissing, "a required claim is absent", "see ema.token.claim for which: choose the claim mapping of the product, or add the claim at the issuer"},
		{claims.ClaimMalformed, "a claim of the wrong shape, or given twice", "see ema.token.claim for which: choose the claim mapping of the product"},
		{claims.TokenKindNotAllowed, "a claim says that this is no access token", "see ema.token.claim for which: let the client send the access token"},
		{claims.TenantNotAllowed, "the tenant is not on the issuer's list", "add it to Tenants, if it is a customer"},
		{claims.TokenRevoked, "its subject, client or id was revoked", "none needed: a new sign-in brings a new token"},
		{claims.ConfirmationRequired, "cnf binds the token to a key that is not checked here", "turn off sender-constrained tokens for this resource at the issuer"},
		{claims.SessionMismatch, "the session belongs to another caller", "look for a client that shares sessions between users, replicas without a common SessionKey, or a restart without one"},
	}
	Unauthorized = []Refusal{
		{claims.ScopeMissing, "the token lacks a scope", "none needed: the client is told which to ask for; if it gets none, grant it at the issuer"},
		{claims.GroupMissing, "the caller is not in the group", "add the caller to the group"},
		{claims.GroupsUnknown, "a rule needs a group, and the token does not say which there are", "with the ema.groups.state absent add the groups claim at the issuer, filtered to those of this application; with overage give the mapping a GroupsLookup"},
		{claims.RoleMissing, "the caller does not have the role", "assign the role"},
		{claims.PermissionMissing, "the caller does not have the permission", "assign the permission"},
		{claims.TenantDenied, "the rule is for another tenant", "change the rule, if this tenant should be let in"},
		{claims.IssuerDenied, "the rule is for another issuer", "change the rule, if this issuer should be let in"},
		{claims.ClientDenied, "the rule, or the identity provider's entry, is for another client", "add the client there, if it should be let in"},
		{claims.IdentityProviderDenied, "the token was not born from an ID-JAG of the demanded identity provider", "let the user sign in there"},
		{claims.PrincipalKindDenied, "a service at a rule for users, or the reverse", "say Service in the rule, if services should be let in"},
		{claims.Unruled, "the item has no rule", "annotate it, or add it to Rules; the log names all such items at start"},
		{claims.Unguarded, "the request came by a transport without the guard", "wrap the transport with Guard.Handler"},
		{claims.OwnerMismatch, "the task, or the cursor of a list, was given to another caller, or to nobody", "none needed; look for a client that shares them between users, or that keeps cursors over a restart without SessionKey"},
		{claims.PolicyError, "a function of the configuration failed", "mend the When rule or the Authorize function: it panicked, failed or contradicted itself"},
		{claims.Ungated, "mcp-go answered, and the gate in it was not asked; the answer was kept in", "give Handler the transport of the server that New was given, and New a server with all its options: server.WithHooks after it takes the gate out"},
	}
	Unredeemed = []Refusal{
		{claims.GrantUnsupported, "another grant_type", "let the client redeem an ID-JAG: no other grant is served"},
		{claims.ClientUnauthenticated, "the client did not prove who it is", "see the cause in the log: compare the client's id, secret or key with its entry in Clients"},
		{claims.ClientUnauthorized, "the client may not use this grant", "allow it in its entry in Clients"},
		{claims.ClientMismatch, "the ID-JAG was issued to another client", "register the client at the identity provider under the id it has here; else look for a stolen ID-JAG"},
		{claims.SubjectUnresolved, "no such user here", "create the account, or look at ResolveSubject"},
		{claims.ResourceMismatch, "the resource is not one of this server's", "compare Resources with what the client asked for"},
		{claims.ScopeExceedsGrant, "more scope asked for than the ID-JAG grants", "grant it at the identity provider"},
		{claims.ScopeNotGranted, "the policy leaves no scope", "look at the policy's rules for this user's groups"},
		{claims.AssertionReplayed, "the ID-JAG was redeemed before", "none needed for a client that retries; else look for a stolen ID-JAG"},
		{claims.ProofUnsupported, "a DPoP proof", "turn off DPoP in the client"},
		{claims.AuthenticationTooWeak, "the policy wants a fresher or stronger sign-in", "none needed: the client is told"},
	}
	Undecided = []Refusal{
		{claims.KeysUnavailable, "the issuer's keys could not be had", "look at ema.jwks.fetch for the cause"},
		{claims.StoreUnavailable, "the store of revocations, redeemed ID-JAGs or accounts failed, or is out of date", "look at the store"},
		{claims.GroupsLookupFailed, "groups are kept elsewhere, and were not had", "see the cause in the log, and look at that service"},
		{claims.ClientLookupFailed, "the client's metadata document could not be fetched", "look at the client's host"},
		{claims.Canceled, "the client went away", "none needed; if there are many, requests take too long"},
		{claims.Internal, "the mapping's Func failed, or this library has a mistake", "see the cause in the log: mend the Func, or report it"},
	}
)

// A Failure is a row of the table of causes: why an issuer's keys could not be
// had.
type Failure struct{ Cause, Meaning, Cure string }

// Causes are those of internal/keys, which this package may not import.
var Causes = []Failure{
	{"timeout", "no answer in time", "look at the issuer, and at what stands between"},
	{"dns", "its name was not found", "look at this host's resolver, and at the spelling of Issuer or JWKSURL"},
	{"connect", "no connection, or it broke", "look at firewalls, proxies and the issuer"},
	{"tls", "its certificate is not trusted here, or no version of TLS is common", "give HTTPClient the authority that signed the certificate; look for a proxy that opens TLS"},
	{"redirect", "a redirect to another origin, or more than three", "configure the address that answers"},
	{"address", "a private, loopback or otherwise local address", "set DangerouslyAllowPrivateNetwork, if the issuer is meant to be there; else ask who changed its name's address"},
	{"status", "another status than 200", "see http.response.status_code: with 404 the address is wrong, with 401 or 403 this host is turned away, with 5xx the issuer is in trouble"},
	{"too_large", "an answer over 1 MiB", "look at what answers there: no issuer has as many keys"},
	{"malformed", "no JSON, or no key set", "look for a proxy or a sign-in page that answers in the issuer's place"},
	{"no_usable_key", "a key set in which no key can be used", "the log line says why the first one was left out"},
	{"issuer", "metadata that is another issuer's", "set Issuer to what the document says, byte for byte: a slash at the end counts"},
	{"jwks_uri", "metadata without jwks_uri, or with one that is not https or is on this machine", "set JWKSURL"},
	{"canceled", "the program ends", "none needed"},
	{"other", "what has no word here", "report it"},
}

var causes = func() (words []string) {
	for _, c := range Causes {
		words = append(words, c.Cause)
	}
	return words
}()

// Reasons are all reasons.
func Reasons() []Refusal {
	return slices.Concat(Unacceptable, Unauthenticated, Unauthorized, Unredeemed, Undecided)
}

func reasonWords() []string {
	words := []string{}
	for _, r := range Reasons() {
		words = append(words, string(r.Reason))
	}
	return words
}

// errorTypes are the causes of a fetch, and the reasons that judge takes for
// undecided.
func errorTypes() []string {
	words := append([]string{}, causes...)
	for _, r := range Undecided {
		words = append(words, string(r.Reason))
	}
	return append(words, string(claims.PolicyError), string(claims.Ungated))
}
