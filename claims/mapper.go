package claims

import (
	"context"
	"slices"
)

// A Mapper is a compiled [Mapping]. It is safe for concurrent use.
type Mapper struct {
	types            []string
	require          []condition
	audience         sources
	subject          sources
	tenant           sources
	client           sources
	tokenID          sources
	service, agent   []condition
	kind             Kind
	actor            sources
	scopes           sources
	permissions      sources
	roles            sources
	groups           sources
	overage          []condition
	absentMeansNone  bool
	email            sources
	emailVerified    sources
	authTime         sources
	authContext      sources
	authMethods      sources
	identityProvider sources
	providerSubject  sources
	assertion        sources
	assertionIssued  sources
	lookup           *groupsCache
	fn               func(context.Context, *Payload, *Principal) error
}

// TokenTypes returns the accepted values of the header parameter typ, in lower
// case and without "application/"; "" stands for the absent parameter.
func (m *Mapper) TokenTypes() []string { return slices.Clone(m.types) }

// Addresses reports whether p is meant for one of names, which are those of this
// server. It is cheap enough to ask before the signature is verified. A payload
// that names no audience is refused with [ClaimMissing].
func (m *Mapper) Addresses(p *Payload, names []string) (bool, error) {
	var room [8]string
	values, err := m.audiences(p, room[:0])
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(values, func(aud string) bool { return slices.Contains(names, aud) }), nil
}

func (m *Mapper) audiences(p *Payload, room []string) ([]string, error) {
	values, found, err := m.audience.list(p, room)
	if err != nil {
		return nil, err
	}
	if !found || len(values) == 0 {
		return nil, missing(m.audience[0].label, "absent or empty: let the authorization server name this server in the token, or configure the claim that does")
	}
	return values, nil
}

// Map reads the caller out of p. It fills in what the token says and trusts
// none of it: signature, issuer, audience, times, type and tenant are for the
// caller of Map to check. A token without iss, exp, an audience or a subject is
// refused with [ClaimMissing], other faults are those of the [Mapping]'s fields.
// Every error is an [*Error]. Verify the signature first where the mapping has a
// GroupsLookup or a Func, or anybody can make this server ask its directory.
func (m *Mapper) Map(ctx context.Context, p *Payload) (*Principal, error) {
	if err := require(m.require, p); err != nil {
		return nil, err
	}
	room := new(roomy)
	c := &room.Principal
	c.payload = p.text
	// Most tokens name one audience and two or three scopes.
	c.Token.Audience, c.Scopes = room.texts[0:0:1], room.texts[1:1:4]
	if err := m.read(c, p); err != nil {
		return nil, err
	}
	if m.lookup != nil {
		if err := m.lookup.fill(ctx, c); err != nil {
			return nil, err
		}
	}
	if m.fn != nil {
		own := *p // it may keep what it is given; without one, p stays the caller's
		if err := m.custom(ctx, &own, c); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (m *Mapper) read(c *Principal, p *Payload) error {
	if err := m.token(c, p); err != nil {
		return err
	}
	if err := m.identity(c, p); err != nil {
		return err
	}
	if err := m.grants(c, p); err != nil {
		return err
	}
	if err := m.readGroups(c, p); err != nil {
		return err
	}
	return m.signIn(c, p)
}

// roomy is a Principal with room for its short lists, all in one allocation.
type roomy struct {
	Principal
	texts [4]string
}

// token reads what the token says of itself.
func (m *Mapper) token(c *Principal, p *Payload) (err error) {
	var found bool
	if c.Issuer, found, err = p.Text("iss"); err != nil {
		return err
	}
	if !found || c.Issuer == "" {
		return missing("iss", "absent: a token must name its issuer (RFC 7519 section 4.1.1)")
	}
	t := &c.Token
	if t.ExpiresAt, found, err = p.Time("exp"); err != nil {
		return err
	}
	if !found {
		return missing("exp", "absent: a token must end (RFC 7519 section 4.1.4)")
	}
	if t.IssuedAt, _, err = p.Time("iat"); err != nil {
		return err
	}
	if t.NotBefore, _, err = p.Time("nbf"); err != nil {
		return err
	}
	if t.Audience, err = m.audiences(p, t.Audience); err != nil {
		return err
	}
	t.ID, err = m.tokenID.text(p)
	return err
}

// identity reads who calls.
func (m *Mapper) identity(c *Principal, p *Payload) (err error) {
	if c.Subject, err = m.subject.text(p); err != nil {
		return err
	}
	if c.Subject == "" {
		return missing(m.subject[0].label, "absent: a token must name its subject")
	}
	if c.Tenant, err = m.tenant.text(p); err != nil {
		return err
	}
	if c.ClientID, err = m.client.agreed(p); err != nil {
		return err
	}
	if c.ClientID == "" && len(m.client) > 0 {
		return missing(m.client[0].label, "absent: an access token must name its client; a token without one is often another kind of token")
	}
	if c.Actor, err = m.actor.actor(p); err != nil {
		return err
	}
	c.Kind, err = m.kindOf(c, p)
	return err
}

func (m *Mapper) kindOf(c *Principal, p *Payload) (Kind, error) {
	if is, err := anyHolds(m.service, p, c.Subject, c.ClientID); is || err != nil {
		return Service, err
	}
	if is, err := anyHolds(m.agent, p, c.Subject, c.ClientID); is || err != nil {
		return Agent, err
	}
	return m.kind, nil
}

// grants reads what the caller may do.
func (m *Mapper) grants(c *Principal, p *Payload) (err error) {
	if c.Scopes, err = m.scopes.scopes(p, c.Scopes); err != nil {
		return err
	}
	if c.Permissions, _, err = m.permissions.list(p, nil); err != nil {
		return err
	}
	c.Roles, _, err = m.roles.list(p, nil)
	return err
}

// readGroups reads the groups. A list beside a sign of overage is not the whole
// list, so it is dropped.
func (m *Mapper) readGroups(c *Principal, p *Payload) error {
	over, err := anyHolds(m.overage, p, c.Subject, c.ClientID)
	if err != nil {
		return err
	}
	if over {
		c.Groups.State = GroupsOverage
		return nil
	}
	names, found, err := m.groups.list(p, nil)
	if err != nil {
		return err
	}
	if found || m.absentMeansNone {
		c.Groups = Groups{Names: names, State: GroupsComplete}
	}
	return nil
}

// signIn reads how the subject signed in, and what is known besides.
func (m *Mapper) signIn(c *Principal, p *Payload) (err error) {
	a := &c.Authentication
	if a.Time, err = m.authTime.time(p); err != nil {
		return err
	}
	if a.Context, err = m.authContext.note(p); err != nil {
		return err
	}
	if a.Methods, _, err = m.authMethods.list(p, nil); err != nil {
		return err
	}
	if c.Email.Address, err = m.email.note(p); err != nil {
		return err
	}
	if c.Email.Verified, err = m.emailVerified.flag(p); err != nil {
		return err
	}
	return m.bornFrom(c, p)
}

// bornFrom reads which ID-JAG the token was redeemed for.
func (m *Mapper) bornFrom(c *Principal, p *Payload) (err error) {
	if c.IdentityProvider, err = m.identityProvider.text(p); err != nil {
		return err
	}
	if c.ProviderSubject, err = m.providerSubject.text(p); err != nil {
		return err
	}
	if c.AssertionIssuedAt, err = m.assertionIssued.time(p); err != nil {
		return err
	}
	c.Assertion, err = m.assertion.text(p)
	return err
}
