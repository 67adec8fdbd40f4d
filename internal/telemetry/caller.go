package telemetry

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/emamw/mcp-ema/claims"
)

// An Issuer is a configured issuer. Make one at start with [Recorder.Issuer]; nil
// stands for none that is trusted.
type Issuer struct {
	name, preset string

	hit, miss []metric.RecordOption // of an authentication that succeeded

	fetch atomic.Pointer[trace.SpanContext] // of the last fetch of its keys
}

// Issuer returns what telemetry needs of a configured issuer: its name, and that
// of its claim mapping. It is nil for a nil Recorder.
func (r *Recorder) Issuer(name, preset string) *Issuer {
	if r == nil {
		return nil
	}
	i := &Issuer{name: name, preset: preset}
	key := authenticationKey{token: tokenAccess, issuer: name}
	key.cache = Hit
	i.hit = []metric.RecordOption{key.option()}
	key.cache = Miss
	i.miss = []metric.RecordOption{key.option()}
	return i
}

// MappingName is what telemetry calls a claim mapping: its own name, or that of
// the preset it builds on. A mapping that has neither, and does not say where the
// subject stands, is the standard one; any other is the operator's own, and has
// no name.
func MappingName(m, standard claims.Mapping) string {
	if m.Subject == nil {
		return cmp.Or(m.Name, m.Preset, standard.Name)
	}
	return cmp.Or(m.Name, m.Preset)
}

func (i *Issuer) label() string {
	if i == nil {
		return ""
	}
	return i.name
}

// A Caller is what telemetry says of a verified token. Make one per token with
// [Recorder.Caller] and keep it for as long as the token is cached: the digests
// are computed once, and not before somebody records them.
type Caller struct {
	recorder  *Recorder
	principal *claims.Principal
	issuer    *Issuer
	algorithm string

	once  [targets]sync.Once
	attrs [targets][]attribute.KeyValue
}

// Caller returns what telemetry says of p, whose token that issuer signed with
// the algorithm alg; both may be missing. It keeps p, which must not change. It
// is nil for a nil Recorder or principal.
func (r *Recorder) Caller(p *claims.Principal, issuer *Issuer, alg string) *Caller {
	if r == nil || p == nil {
		return nil
	}
	return &Caller{recorder: r, principal: p, issuer: issuer, algorithm: alg}
}

// attributes returns what may be said to t, with no room behind it: what a
// request appends goes into a slice of its own.
func (c *Caller) attributes(t target) []attribute.KeyValue {
	if c == nil {
		return nil
	}
	c.once[t].Do(func() {
		a := attributes{}
		a.issuer(c.issuer)
		a.word(keyAlgorithm, c.algorithm, algorithms)
		a.text(keyTokenID, digest(c.principal.Token.ID))
		if isIDHash(c.principal.Assertion) {
			a.text(keyAssertionID, c.principal.Assertion)
		}
		a.principal(c.principal, c.recorder, c.recorder.plain[t])
		c.attrs[t] = slices.Clip(a)
	})
	return c.attrs[t]
}

// principal adds who calls: digests, numbers, words of closed lists, and what the
// operator asked for in plain text.
func (a *attributes) principal(p *claims.Principal, r *Recorder, plain Identity) {
	if p.Subject != "" {
		a.text(keyUserHash, r.pseudonyms.of(p.Issuer, p.Tenant, p.Subject))
	}
	if p.ClientID != "" {
		a.text(keyClientHash, r.pseudonyms.of("client", p.ClientID))
	}
	if p.Actor != nil {
		a.text(keyActorHash, r.pseudonyms.of(actorIssuer(p), "", p.Actor.Subject))
		*a = append(*a, keyActorDepth.Int(depth(p.Actor)))
	}
	a.kind(p.Kind)
	if p.Groups.Known() {
		*a = append(*a, keyGroupsCount.Int(len(p.Groups.Names)))
	}
	a.groups(p.Groups.State)
	a.claim(plain.UserID, keyUserID, p.Subject)
	a.claim(plain.Tenant, keyTenant, p.Tenant)
	a.claim(plain.ClientID, keyClientID, withoutQuery(p.ClientID))
	a.claimList(plain.Roles, keyUserRoles, p.Roles)
	a.claimList(plain.Scopes, keyGranted, p.Scopes)
}

func (a *attributes) kind(k claims.Kind) {
	if k == claims.KindUnknown {
		a.text(keyKind, kindUnknown)
		return
	}
	a.word(keyKind, string(k), kinds)
}

func (a *attributes) groups(s claims.GroupsState) {
	if s == claims.GroupsAbsent {
		a.text(keyGroupsState, groupsAbsent)
		return
	}
	a.word(keyGroupsState, string(s), groupsStates)
}

// actorIssuer is the actor's own issuer, or that of the token where the actor
// names none: the pseudonym of a party is then the same as when it calls itself.
func actorIssuer(p *claims.Principal) string {
	if p.Actor.Issuer != "" {
		return p.Actor.Issuer
	}
	return p.Issuer
}

func depth(a *claims.Actor) int {
	n := 0
	for ; a != nil; a = a.Actor {
		n++
	}
	return n
}

// withoutQuery cuts what stands behind the path of a client id that is a URL: it
// can hold anything.
func withoutQuery(id string) string {
	if i := strings.IndexAny(id, "?#"); i >= 0 && strings.Contains(id, "://") {
		return id[:i]
	}
	return id
}
