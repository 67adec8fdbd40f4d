package claims

import (
	"context"
	"errors"
	"reflect"
	"slices"
)

// custom runs the mapping's Func, and holds it to what it may do: a policy
// should not have to read other people's code to know who is calling.
func (m *Mapper) custom(ctx context.Context, p *Payload, c *Principal) error {
	before := c.Clone()
	if err := m.fn(ctx, p, c); err != nil {
		var known *Error
		if errors.As(err, &known) {
			return known
		}
		if ctx.Err() != nil {
			return &Error{Reason: Canceled, detail: "the request ended while the mapping's Func ran"}
		}
		return &Error{Reason: Internal, detail: "the mapping's Func failed: let it return a *claims.Error to give a reason"}
	}
	c.payload = before.payload
	if field := overstepped(before, c); field != "" {
		return &Error{Reason: Internal, detail: "the mapping's Func changed " + field + ", which it must not: see claims.Mapping"}
	}
	c.Scopes, c.Roles = stated(before.Scopes, c.Scopes), stated(before.Roles, c.Roles)
	return nil
}

// stated keeps a list that the token has from becoming nil, which is a list that
// the token does not have: the Func that takes the last scope away must not make
// room for those that a policy would choose.
func stated(before, after []string) []string {
	if before != nil && after == nil {
		return []string{}
	}
	return after
}

// overstepped names the first field of after that the mapping's Func had no
// right to set, or "".
func overstepped(before, after *Principal) string {
	switch {
	case after.Issuer != before.Issuer:
		return "Issuer"
	case after.Subject != before.Subject:
		return "Subject"
	case after.Tenant != before.Tenant:
		return "Tenant"
	case before.ClientID != "" && after.ClientID != before.ClientID:
		return "ClientID"
	case before.Kind == Service && after.Kind != Service:
		return "Kind"
	case before.Actor != nil && !reflect.DeepEqual(before.Actor, after.Actor):
		return "Actor"
	case before.IdentityProvider != "" && after.IdentityProvider != before.IdentityProvider:
		return "IdentityProvider"
	case before.ProviderSubject != "" && after.ProviderSubject != before.ProviderSubject:
		return "ProviderSubject"
	case !before.AssertionIssuedAt.IsZero() && !after.AssertionIssuedAt.Equal(before.AssertionIssuedAt):
		return "AssertionIssuedAt"
	case before.Assertion != "" && after.Assertion != before.Assertion:
		return "Assertion"
	case !sameToken(before.Token, after.Token):
		return "Token"
	case !within(after.Scopes, before.Scopes):
		return "Scopes"
	case !within(after.Permissions, before.Permissions):
		return "Permissions"
	case !within(after.Roles, before.Roles):
		return "Roles"
	case before.Groups.Known() && !(after.Groups.Known() && within(after.Groups.Names, before.Groups.Names)):
		return "Groups"
	}
	return ""
}

func sameToken(a, b Token) bool {
	return a.ID == b.ID && slices.Equal(a.Audience, b.Audience) &&
		a.IssuedAt.Equal(b.IssuedAt) && a.NotBefore.Equal(b.NotBefore) && a.ExpiresAt.Equal(b.ExpiresAt)
}

// within reports whether every name of part is one of whole.
func within(part, whole []string) bool {
	for _, name := range part {
		if !slices.Contains(whole, name) {
			return false
		}
	}
	return true
}
