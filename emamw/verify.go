package emamw

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/jose"
	"github.com/emamw/mcp-ema/internal/keys"
	"github.com/emamw/mcp-ema/internal/telemetry"
)

// A TokenError is why a token was refused. Its text names the reason and never
// anything out of the token.
type TokenError struct {
	Reason claims.Reason

	// Claim is the claim that is at fault, in the words of the configured mapping:
	// "client_id". It is empty where the reason is about no one claim.
	Claim string
}

func (e *TokenError) Error() string {
	if e.Claim != "" {
		return "emamw: token refused: " + string(e.Reason) + ": " + e.Claim
	}
	return "emamw: token refused: " + string(e.Reason)
}

// identity is a verified token, as the cache keeps it: what it says and what
// was derived from it, but not the token.
type identity struct {
	principal  *claims.Principal // shared by requests: handed out only as copies
	issuer     *issuer
	generation uint64 // of the issuer's keys when the signature was checked
	expires    time.Time
	fresh      time.Time // until then it may be remembered
	algorithm  string
	size       int // bytes that it keeps in memory, roughly

	once    sync.Once // derive
	caller  string
	told    *telemetry.Caller
	session boundSession // what the caller's requests carry as their session

	asked sync.Once // who
	held  context.Context
}

// derive makes what requests need of an identity, and a bare Verify does not:
// caller is the principal and its client in one string, which is who owns sessions
// and tasks. The client is part of it: two clients of one person are two
// parties (RFC 6749 section 1.1).
func (id *identity) derive(r *telemetry.Recorder) {
	id.once.Do(func() {
		id.caller = callerKey(id.principal)
		id.told = r.Caller(id.principal, id.issuer.told, id.algorithm)
	})
}

// who returns a context that holds the principal, for handlers to find it in. Not
// every handler looks, so it is made for the first that does.
func (id *identity) who() context.Context {
	id.asked.Do(func() { id.held = claims.NewContext(context.Background(), *id.principal) })
	return id.held
}

// Verify authenticates a token as the guard does for a request: signature,
// issuer, type, audience, times, tenant, revocation. The Principal is the
// caller's own copy. The error is a [*TokenError]; when its Reason is Undecided
// the token may be good, and the caller should be told to try again.
func (g *Guard) Verify(ctx context.Context, token string) (*claims.Principal, error) {
	var t trail
	id, reason := g.identify(ctx, token, &t)
	if reason != "" {
		return nil, &TokenError{Reason: reason, Claim: t.claim}
	}
	if g.identities.off {
		return id.principal, nil // nobody else has it
	}
	return id.principal.Clone(), nil
}

// identify looks a token up among those that were verified, or verifies it.
func (g *Guard) identify(ctx context.Context, token string, t *trail) (*identity, claims.Reason) {
	switch {
	case token == "":
		return nil, claims.TokenMissing
	case len(token) > jose.MaxTokenBytes:
		return nil, claims.TokenMalformed
	}
	id, reason := g.recall(ctx, token, t)
	if reason != "" {
		return nil, reason
	}
	return id, g.revoked.reason(ctx, id.principal)
}

// recall asks the cache first. Only the hash of a token is kept there: a heap
// dump holds no bearer tokens. To hash it, the bytes of the string are read as they
// lie, since a copy of them would be made for each request.
func (g *Guard) recall(ctx context.Context, token string, t *trail) (*identity, claims.Reason) {
	if g.identities.off {
		return g.verify(ctx, token, t)
	}
	sum := sha256.Sum256(unsafe.Slice(unsafe.StringData(token), len(token)))
	id, reason := g.identities.load(ctx, sum, g.now, t, func() (*identity, claims.Reason) {
		return g.verify(ctx, token, t)
	})
	g.telemetry.CacheLookup(ctx, telemetry.TokenCache, t.cache)
	return id, reason
}

// verify checks a token in the order of cost: what can be refused for nothing
// comes first, so that a flood of expired or foreign tokens pays for no
// signature. The holder of a token can read it, so nothing is given away by it.
func (g *Guard) verify(ctx context.Context, token string, learned *trail) (*identity, claims.Reason) {
	t, err := jose.Parse(token)
	if err != nil {
		return nil, learned.reason(err)
	}
	payload, err := claims.ParsePayload(t.Payload)
	if err != nil {
		return nil, learned.reason(err)
	}
	iss, tenant, reason := g.issuerOf(payload, learned)
	if reason != "" {
		return nil, reason
	}
	learned.issuer = iss
	if reason := iss.suits(t.Header); reason != "" {
		return nil, reason
	}
	expires, reason := g.lifetime(payload, iss.maxAge, learned)
	if reason != "" {
		return nil, reason
	}
	if reason := iss.addresses(payload, learned); reason != "" {
		return nil, reason
	}
	// Read before the key: should a key be withdrawn between here and there, the
	// identity is out of date at once.
	generation := iss.keys.Generation()
	key, err := iss.keys.Key(ctx, t.Header.KeyID, t.Header.Algorithm)
	if err != nil {
		return nil, learned.reason(err)
	}
	if err := t.Verify(key); err != nil {
		return nil, learned.reason(err)
	}
	principal, err := iss.mapper.Map(ctx, payload)
	if err != nil {
		return nil, g.unmapped(iss, err, learned)
	}
	if !iss.admits(tenant, principal.Tenant) {
		return nil, claims.TenantNotAllowed
	}
	fresh := expires
	if iss.groupsTTL > 0 {
		// Who leaves a group must not keep it for the life of a token.
		if next := g.now().Add(iss.groupsTTL); next.Before(fresh) {
			fresh = next
		}
	}
	return &identity{
		principal:  principal,
		issuer:     iss,
		generation: generation,
		expires:    expires,
		fresh:      fresh,
		algorithm:  t.Header.Algorithm,
		size:       len(t.Payload) * 3,
	}, ""
}

// unmapped is the refusal of a token out of which no caller was read. Where the
// mapping's Func or its lookup of groups is at fault, the reason says no more than
// that something is: which of its mistakes it was is told here or nowhere. What its
// own error says is not, as it may name a user.
func (g *Guard) unmapped(iss *issuer, err error, learned *trail) claims.Reason {
	reason := learned.reason(err)
	if reason == claims.Internal || reason == claims.GroupsLookupFailed {
		g.raise(mappingAlarm, "ema.issuer", iss.name, "cause", err.Error())
	}
	return reason
}

// issuerOf finds the issuer that the token claims to come from. Trust begins
// with the configured list: no key is looked up for another name.
func (g *Guard) issuerOf(p *claims.Payload, learned *trail) (*issuer, string, claims.Reason) {
	name, present, err := p.Text("iss")
	if err != nil {
		return nil, "", learned.reason(err)
	}
	if !present {
		return nil, "", learned.missing("iss")
	}
	iss, tenant := g.issuers.find(name)
	if iss == nil {
		return nil, "", claims.IssuerUntrusted
	}
	return iss, tenant, ""
}

// suits checks the header: an algorithm off the list is refused before any key
// is looked up (RFC 8725 section 3.1), and so is another kind of token, which
// the issuer may well sign with the same key (section 3.11).
func (iss *issuer) suits(h jose.Header) claims.Reason {
	switch {
	case !slices.Contains(iss.algorithms, h.Algorithm):
		return claims.AlgorithmNotAllowed
	case !slices.Contains(iss.types, h.Type):
		return claims.TypeNotAllowed
	}
	return ""
}

// lifetime checks exp, nbf and iat against the clock (RFC 7519 sections 4.1.4
// to 4.1.6) and returns when the token expires.
func (g *Guard) lifetime(p *claims.Payload, maxAge time.Duration, learned *trail) (time.Time, claims.Reason) {
	now := g.now()
	expires, present, err := p.Time("exp")
	switch {
	case err != nil:
		return time.Time{}, learned.reason(err)
	case !present:
		return time.Time{}, learned.missing("exp")
	case !now.Before(expires.Add(g.skew)):
		return time.Time{}, claims.TokenExpired
	}
	if notBefore, present, err := p.Time("nbf"); err != nil {
		return time.Time{}, learned.reason(err)
	} else if present && now.Before(notBefore.Add(-g.skew)) {
		return time.Time{}, claims.TokenNotYetValid
	}
	issued, present, err := p.Time("iat")
	switch {
	case err != nil:
		return time.Time{}, learned.reason(err)
	case !present:
		issued = now // a token that does not tell its age may live no longer from now on
	case now.Before(issued.Add(-g.skew)):
		return time.Time{}, claims.TokenNotYetValid
	}
	if expires.Sub(issued) > maxAge {
		return time.Time{}, claims.TokenLivesTooLong
	}
	return expires, ""
}

// addresses checks that the token is for this server, and that it is a bearer
// token: cnf binds one to a key, and to accept it without a proof of that key
// would undo the binding (RFC 9449 section 7.2, RFC 8705 section 3).
func (iss *issuer) addresses(p *claims.Payload, learned *trail) claims.Reason {
	meant, err := iss.mapper.Addresses(p, iss.audiences)
	if err != nil {
		return learned.reason(err)
	}
	if !meant {
		return claims.AudienceMismatch
	}
	if _, bound := p.Lookup("cnf"); bound {
		return claims.ConfirmationRequired
	}
	return ""
}

// admits checks the tenant against the list, and against the one in the name of
// an issuer that serves several.
func (iss *issuer) admits(named, tenant string) bool {
	if named != "" && tenant != "" && named != tenant {
		return false
	}
	if tenant == "" {
		tenant = named
	}
	return len(iss.tenants) == 0 || slices.Contains(iss.tenants, tenant)
}

func callerKey(p *claims.Principal) string { return p.Key() + p.ClientID }

// missing is the refusal of a token without a claim that each must have.
func (t *trail) missing(claim string) claims.Reason {
	t.claim = claim
	return claims.ClaimMissing
}

// reason reads the reason out of an error of the packages that verify, and which
// claim is at fault.
func (t *trail) reason(err error) claims.Reason {
	var (
		token *jose.Error
		claim *claims.Error
		key   *keys.Error
	)
	switch {
	case errors.As(err, &token):
		return token.Reason
	case errors.As(err, &claim):
		t.claim = claim.Claim
		return claim.Reason
	case errors.As(err, &key):
		return key.Reason
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return claims.Canceled
	}
	return claims.Internal
}
