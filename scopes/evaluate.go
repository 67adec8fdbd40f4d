package scopes

import (
	"slices"

	"github.com/emamw/mcp-ema/claims"
)

// A Request is what a rule is evaluated against.
type Request struct {
	Principal *claims.Principal // the verified caller; nil is nobody
	Arguments map[string]any    // of a tool or prompt call, as mcp-go read them; nil in lists
	Hierarchy Hierarchy
}

// A Decision is the outcome of a rule. The zero Decision denies.
type Decision struct {
	Allowed bool
	Reason  claims.Reason // why not; empty when allowed

	// Scopes is everything that a token needs for this operation, also what the
	// caller already has, when a token with more scope would be allowed. It is
	// what the one insufficient_scope challenge names. It is empty when more
	// scope would not help: a caller who lacks a group is not sent to ask for
	// scopes in a loop.
	Scopes []string
}

// Evaluate decides r for the caller of q. A denial names everything that is
// missing at once.
func (r Rule) Evaluate(q Request) Decision {
	if q.Principal == nil {
		return Decision{Reason: claims.Unguarded}
	}
	e := evaluation{Request: q}
	if e.holds(r, false) {
		return Decision{Allowed: true}
	}
	o := e.explain(r, false)
	if o.ok {
		// A When rule that answers differently the second time. Its first answer
		// stands, and it was a denial.
		return Decision{Reason: claims.PolicyError}
	}
	return Decision{Reason: o.reason, Scopes: e.smallest(o.sets)}
}

type evaluation struct {
	Request

	// assumed takes every condition but scopes for met, and no scope for held:
	// what remains is what a client would have to ask for.
	assumed bool
}

// holds is the allowed path: no allocation, first answer wins. service says
// that the surrounding All names Service.
func (e *evaluation) holds(r Rule, service bool) bool {
	switch r.op {
	case opAll:
		service = service || namesService(r.rules)
		for _, rule := range r.rules {
			if !e.holds(rule, service) {
				return false
			}
		}
		return len(r.rules) > 0
	case opAny:
		for _, rule := range r.rules {
			if e.holds(rule, service) {
				return true
			}
		}
		return false
	case opWhen:
		rule, ok := e.dependent(r)
		return ok && e.holds(rule, service)
	}
	return e.leaf(r, service) == ""
}

// leaf decides a rule without children: the empty reason means that it holds.
func (e *evaluation) leaf(r Rule, service bool) claims.Reason {
	p := e.Principal
	switch r.op {
	case opScope, opGroup, opRole, opPermission:
		if p.Kind == claims.Service && !service {
			return claims.PrincipalKindDenied
		}
	}
	switch r.op {
	case opAuthenticated:
		return ""
	case opScope:
		return unless(e.Hierarchy.grants(p.Scopes, r.values[0]), claims.ScopeMissing)
	case opGroup:
		if !p.Groups.Known() {
			return claims.GroupsUnknown
		}
		return unless(p.Groups.Has(r.values[0]), claims.GroupMissing)
	case opRole:
		return unless(slices.Contains(p.Roles, r.values[0]), claims.RoleMissing)
	case opPermission:
		return unless(slices.Contains(p.Permissions, r.values[0]), claims.PermissionMissing)
	case opTenant:
		return unless(named(r.values, p.Tenant), claims.TenantDenied)
	case opIssuer:
		return unless(named(r.values, p.Issuer), claims.IssuerDenied)
	case opClient:
		return unless(named(r.values, p.ClientID), claims.ClientDenied)
	case opIdentityProvider:
		return unless(named(r.values, p.IdentityProvider), claims.IdentityProviderDenied)
	case opService:
		return unless(p.Kind == claims.Service, claims.PrincipalKindDenied)
	}
	return claims.Unruled
}

func unless(holds bool, reason claims.Reason) claims.Reason {
	if holds {
		return ""
	}
	return reason
}

// named reports whether value is on the list. The empty value is on none, so
// that Tenant("") does not let every token without a tenant in.
func named(list []string, value string) bool {
	return value != "" && slices.Contains(list, value)
}

func namesService(rules []Rule) bool {
	return slices.ContainsFunc(rules, func(r Rule) bool { return r.op == opService })
}

// dependent asks a When rule for the rule that these arguments call for. Its
// code is the user's, and it looks at the caller's arguments: a panic in it is
// a refusal, never a crash and never an opening.
func (e *evaluation) dependent(r Rule) (rule Rule, ok bool) {
	if r.when == nil {
		return Rule{}, false
	}
	defer func() {
		if recover() != nil {
			rule, ok = Rule{}, false
		}
	}()
	return r.when(e.Arguments), true
}
