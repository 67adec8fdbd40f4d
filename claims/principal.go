package claims

import (
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind says what sort of caller a token speaks for.
type Kind string

// The kinds of caller. A token that does not tell a person from a machine is
// of the unknown kind, which is the zero value.
const (
	KindUnknown Kind = ""
	User        Kind = "user"    // a person, through a client
	Service     Kind = "service" // a client on its own behalf (client credentials): no person is involved
	Agent       Kind = "agent"   // a workload that the token itself names as its subject
)

// A Principal is the verified caller of a request. Its values come from one
// verified token, read by one [Mapping]; the zero Principal is nobody.
type Principal struct {
	Issuer   string // exact iss of the authorization server that issued the token
	Subject  string // the caller's stable id within Issuer and Tenant
	Tenant   string // the customer's organization; "" when the issuer itself stands for it
	Kind     Kind
	ClientID string // the OAuth client that presented the token
	Actor    *Actor // who acts for the subject (RFC 8693 act); nil when nobody does

	Scopes      []string // delegated scopes of this token, and nothing else; nil when it has no such claim
	Permissions []string // what the subject may do by the product's own RBAC: never merged into Scopes
	Roles       []string // a role that has an origin carries it: "realm:operator"; nil when the token has no such claim
	Groups      Groups

	Email          Email // for display and support; never a key, never a proof
	Authentication Authentication
	Token          Token

	// IdentityProvider is the issuer of the ID-JAG that this token was redeemed
	// for, ProviderSubject its sub, Assertion the hash of its jti, and
	// AssertionIssuedAt its iat. Each is empty when the token does not say.
	IdentityProvider  string
	ProviderSubject   string
	Assertion         string
	AssertionIssuedAt time.Time

	payload string // the verified claims set: immutable, so copies may share it
}

// Groups are the caller's groups, as far as the token tells. Compare names
// exactly: they are opaque, case-sensitive, and some products send ids.
type Groups struct {
	Names []string
	State GroupsState
}

// GroupsState says how much a token tells of its subject's groups.
type GroupsState string

// Absent and Overage both mean that the groups are unknown. Neither means that
// there are none: a rule that needs a group is then refused with
// [GroupsUnknown], which tells the operator to configure the claim.
const (
	GroupsAbsent   GroupsState = ""         // the token carries no group claim
	GroupsComplete GroupsState = "complete" // Names is the whole list, possibly empty
	GroupsOverage  GroupsState = "overage"  // too many to fit: the identity provider keeps them elsewhere
)

// Known reports whether Names is the whole list.
func (g Groups) Known() bool { return g.State == GroupsComplete }

// Has reports whether the caller is known to be in the group name. It is false
// for unknown groups, so a rule of the form "not in this group" must ask Known
// first.
func (g Groups) Has(name string) bool { return g.Known() && slices.Contains(g.Names, name) }

// An Actor is the party that acts for the subject, outermost first. Only the
// outermost counts for access control (RFC 8693 section 4.1).
type Actor struct {
	Issuer  string
	Subject string
	Profile string // what the issuer calls it, such as "ai_agent"
	Actor   *Actor // who stood there before, for information only
}

// Email is the caller's address as the token has it. Verified is false unless
// the token says otherwise.
type Email struct {
	Address  string
	Verified bool
}

// Authentication says how and when the subject signed in, where the token
// tells (RFC 9068 section 2.2.1). The zero Time means that it does not.
type Authentication struct {
	Time    time.Time
	Context string   // acr
	Methods []string // amr
}

// Token describes the access token itself. A time that the token does not
// state is zero.
type Token struct {
	ID        string // jti, or the product's own name for it
	Audience  []string
	IssuedAt  time.Time
	NotBefore time.Time
	ExpiresAt time.Time
}

// ErrNoPayload is returned by [Principal.Decode] and [As] for a Principal that
// was not made from a token, such as one given to a stdio transport.
var ErrNoPayload = errors.New("claims: this principal was not read from a token: there is no payload to decode")

// Key identifies the caller: issuer, tenant and subject in one string that no
// two callers share. It is meant for maps and quotas, not for display: it holds
// the subject. A changed name or e-mail address leaves it as it is.
func (p *Principal) Key() string {
	var b strings.Builder
	b.Grow(len(p.Issuer) + len(p.Tenant) + len(p.Subject) + 9)
	for _, part := range [...]string{p.Issuer, p.Tenant, p.Subject} {
		// A length before each part: without it, issuer "a" with tenant "bc"
		// would be the same caller as issuer "ab" with tenant "c".
		b.WriteString(strconv.Itoa(len(part)))
		b.WriteByte(':')
		b.WriteString(part)
	}
	return b.String()
}

// Decode unmarshals the verified payload into v, for claims that Principal has
// no field for. It returns [ErrNoPayload] when there is none.
func (p *Principal) Decode(v any) error {
	if p == nil || len(p.payload) == 0 {
		return ErrNoPayload
	}
	return json.Unmarshal([]byte(p.payload), v)
}

// LogValue names the caller without personal data: its kind, issuer and client,
// and how much is known of its groups.
func (p Principal) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("kind", string(p.Kind)),
		slog.String("issuer", p.Issuer),
		slog.String("client_id", p.ClientID),
		slog.String("groups_state", string(p.Groups.State)),
	)
}

// String is [Principal.LogValue] as text, so that printing a Principal with
// fmt leaks no more than logging it does.
func (p Principal) String() string {
	return "claims.Principal{kind=" + string(p.Kind) + " issuer=" + p.Issuer + " client_id=" + p.ClientID + "}"
}

// Clone returns a copy that shares no memory with p which either could change.
func (p *Principal) Clone() *Principal {
	c := p.copied()
	return &c
}

// copied is a clone in one allocation for all the texts, since the guard makes
// one for each request that asks for its caller.
func (p *Principal) copied() Principal {
	c := *p
	lists := [...]*[]string{&c.Scopes, &c.Permissions, &c.Roles, &c.Groups.Names, &c.Authentication.Methods, &c.Token.Audience}
	n := 0
	for _, list := range lists {
		n += len(*list)
	}
	texts := make([]string, 0, n)
	for _, list := range lists {
		if *list == nil {
			continue
		}
		start := len(texts)
		texts = append(texts, *list...)
		// Without the third index, an append to one list would write into the next.
		*list = texts[start:len(texts):len(texts)]
	}
	for actor := &c.Actor; *actor != nil; actor = &(*actor).Actor {
		next := **actor
		*actor = &next
	}
	return c
}
