package idjag

import (
	"cmp"
	"slices"
	"time"

	"github.com/emamw/mcp-ema/claims"
)

// A Policy says which scopes a user may have. It only ever narrows: what the
// ID-JAG does not grant and what the resource does not know is never issued,
// whatever a rule says. A user whom no rule matches gets no scope, and so no
// token. For a resource that has no scopes there are none to give: there, only
// a rule that denies keeps a user out.
//
// A Policy is data, so that it can be reviewed, and [Policy.Decide] is a pure
// function, so that it can be tested.
type Policy struct {
	Rules []Rule

	// ReportOnly decides as if there were no policy, and writes into the audit
	// record what the rules would have taken away. It is for the days between
	// writing a policy and relying on it.
	ReportOnly bool
}

// A Rule gives scopes to the users it matches. Each list that is not nil must be
// met by one of its values, and all of them must be met; an empty one is refused.
// The rules of a policy add up, and a rule that denies beats them all.
type Rule struct {
	Name string // for audit records; unique

	Resources         []string
	IdentityProviders []string
	Tenants           []string
	Clients           []string
	Groups            []string // of any of IdentityProviders; unknown groups match no rule that gives, and every rule that denies
	Roles             []string // likewise, where the ID-JAG has no roles claim: Principal.Roles is nil then

	// Scopes are what the rule gives.
	Scopes []string

	// Deny refuses the users that the rule matches. Scopes must be empty.
	Deny bool

	// MaxAuthenticationAge and ACRValues are what the user's sign-in must be
	// like before the rule gives anything: no older than the one, and of one
	// of the others (acr, best first). An ID-JAG that does not say is too
	// weak. A client that asked for such a scope is told to have the user sign
	// in again; a token never outlives MaxAuthenticationAge.
	MaxAuthenticationAge time.Duration
	ACRValues            []string

	// TokenLifetime is the longest life of a token with a scope of this rule.
	// Zero, and whatever is longer than Config.TokenLifetime: that one.
	TokenLifetime time.Duration
}

// A Request is what a policy decides on. Everything in it was verified.
type Request struct {
	User     claims.Principal // as the ID-JAG has it: Issuer is the identity provider
	ClientID string           // the authenticated client
	Resource string

	// Offered are the scopes that can be granted at all: those of the ID-JAG
	// that the resource knows, or all that it knows when the ID-JAG states
	// none, which Unstated then says.
	Offered  []string
	Unstated bool

	// Asked are the scopes of the request, a subset of what the ID-JAG grants.
	// Empty: whatever can be had.
	Asked []string

	Now time.Time
}

// A Decision is what a user gets. Reason is empty when it is a token.
type Decision struct {
	Scopes   []string
	Lifetime time.Duration // zero: Config.TokenLifetime
	NotAfter time.Time     // zero: no other bound

	Reason claims.Reason // why there is no token
	Rules  []string      // the rules that gave a scope, or the one that refused

	// MaxAge and ACRValues are the sign-in to ask for when Reason is
	// claims.AuthenticationTooWeak.
	MaxAge    time.Duration
	ACRValues []string
}

// Decide applies the rules. It reads no clock and no store.
func (p *Policy) Decide(r Request) Decision {
	var d Decision
	var locked []*Rule // would match after a better sign-in
	groupsUnknown := false
	for i := range p.Rules {
		rule := &p.Rules[i]
		switch rule.match(&r) {
		case no:
		case unknown:
			if rule.Deny {
				return Decision{Reason: claims.GroupsUnknown, Rules: []string{rule.Name}}
			}
			groupsUnknown = true
		case yes:
			if rule.Deny {
				return Decision{Reason: claims.SubjectUnresolved, Rules: []string{rule.Name}}
			}
			if !rule.strongEnough(&r) {
				locked = append(locked, rule)
				continue
			}
			d.add(rule, &r)
		}
	}
	if missing := locks(locked, &r, d.Scopes); missing != nil {
		return Decision{
			Reason: claims.AuthenticationTooWeak, Rules: []string{missing.Name},
			MaxAge: missing.MaxAuthenticationAge, ACRValues: missing.ACRValues,
		}
	}
	d.Scopes = ordered(d.Scopes)
	if len(d.Scopes) == 0 && len(r.Offered) > 0 {
		d.Reason = claims.ScopeNotGranted
		if groupsUnknown {
			d.Reason = claims.GroupsUnknown
		}
	}
	return d
}

// add gives what rule gives and r wants.
func (d *Decision) add(rule *Rule, r *Request) {
	given := wanted(rule.Scopes, r)
	if len(given) == 0 {
		return
	}
	d.Scopes = append(d.Scopes, given...)
	d.Rules = append(d.Rules, rule.Name)
	if rule.TokenLifetime > 0 && (d.Lifetime == 0 || rule.TokenLifetime < d.Lifetime) {
		d.Lifetime = rule.TokenLifetime
	}
	if rule.MaxAuthenticationAge > 0 {
		window := r.User.Authentication.Time.Add(rule.MaxAuthenticationAge)
		if d.NotAfter.IsZero() || window.Before(d.NotAfter) {
			d.NotAfter = window
		}
	}
}

// locks returns the first rule whose demand on the sign-in must be told to the
// client: it asked for one of the rule's scopes by name, or gets nothing at all.
// In all other cases the scope is left out silently, or every user of a server
// with one sensitive tool would be sent to sign in again.
func locks(locked []*Rule, r *Request, granted []string) *Rule {
	for _, rule := range locked {
		missing := slices.DeleteFunc(wanted(rule.Scopes, r), func(s string) bool { return slices.Contains(granted, s) })
		if len(missing) > 0 && (len(r.Asked) > 0 || len(granted) == 0) {
			return rule
		}
	}
	return nil
}

// wanted returns those scopes that are on offer, and asked for if anything is.
func wanted(scopes []string, r *Request) []string {
	var w []string
	for _, s := range scopes {
		if slices.Contains(r.Offered, s) && (len(r.Asked) == 0 || slices.Contains(r.Asked, s)) {
			w = append(w, s)
		}
	}
	return w
}

// ordered sorts and deduplicates, so that a token does not tell which rule came
// first.
func ordered(scopes []string) []string {
	scopes = slices.Clone(scopes)
	slices.Sort(scopes)
	return slices.Compact(scopes)
}

// verdict is three-valued: with groups unknown, "is the user a contractor" has
// no answer, and each use of the answer must fail closed by itself.
type verdict int

const (
	no verdict = iota
	unknown
	yes
)

func (rule *Rule) match(r *Request) verdict {
	if !allows(rule.Resources, r.Resource) || !allows(rule.IdentityProviders, r.User.Issuer) ||
		!allows(rule.Tenants, r.User.Tenant) || !allows(rule.Clients, r.ClientID) {
		return no
	}
	if len(rule.Roles) > 0 && !rule.role(r.User.Roles) {
		return no
	}
	switch {
	case len(rule.Groups) == 0, slices.ContainsFunc(rule.Groups, r.User.Groups.Has):
		return yes
	case !r.User.Groups.Known():
		return unknown
	}
	return no
}

// role reports whether a user with these roles counts as one of the rule's. Roles
// that nobody stated could be any, which is for a rule that denies to assume: "no
// guests" would let every guest of a provider in that sends no roles.
func (rule *Rule) role(stated []string) bool {
	return stated == nil && rule.Deny ||
		slices.ContainsFunc(rule.Roles, func(role string) bool { return slices.Contains(stated, role) })
}

// strongEnough judges the sign-in. What the ID-JAG does not tell did not happen:
// a token without auth_time must not pass for a fresh one. Neither does one that
// lies ahead, by more than a clock may be off: a provider that writes
// milliseconds would have signed everybody in for the next thousand years.
func (rule *Rule) strongEnough(r *Request) bool {
	how := r.User.Authentication
	if len(rule.ACRValues) > 0 && !slices.Contains(rule.ACRValues, how.Context) {
		return false
	}
	if rule.MaxAuthenticationAge == 0 {
		return true
	}
	age := r.Now.Sub(how.Time)
	return !how.Time.IsZero() && age < rule.MaxAuthenticationAge && age >= -maxClockSkew
}

// withoutPolicy is the decision when there are no rules: the scopes that the
// ID-JAG states. One that states none leaves the choice to this server, and
// without a policy nobody has chosen.
func withoutPolicy(r Request) Decision {
	if r.Unstated && len(r.Offered) > 0 {
		return Decision{Reason: claims.ScopeNotGranted}
	}
	scopes := ordered(wanted(r.Offered, &r))
	if len(scopes) == 0 && len(r.Offered) > 0 {
		return Decision{Reason: claims.ScopeNotGranted}
	}
	return Decision{Scopes: scopes}
}

// groupPolicy spells out Config.GroupScopes.
func groupPolicy(scopes map[string][]string) *Policy {
	p := &Policy{}
	for group, given := range scopes {
		p.Rules = append(p.Rules, Rule{Name: "group " + group, Groups: []string{group}, Scopes: slices.Clone(given)})
	}
	slices.SortFunc(p.Rules, func(a, b Rule) int { return cmp.Compare(a.Name, b.Name) })
	return p
}

// clone returns a copy that shares no memory with p.
func (p *Policy) clone() *Policy {
	c := &Policy{Rules: slices.Clone(p.Rules), ReportOnly: p.ReportOnly}
	for i := range c.Rules {
		r := &c.Rules[i]
		for _, list := range []*[]string{
			&r.Resources, &r.IdentityProviders, &r.Tenants, &r.Clients, &r.Groups, &r.Roles, &r.Scopes, &r.ACRValues,
		} {
			*list = slices.Clone(*list)
		}
	}
	return c
}
