package scopes

import (
	"encoding/json"
	"slices"
)

// A Rule is a condition on the verified caller of one operation. The zero Rule
// holds for nobody. Rules are immutable and safe for concurrent use.
type Rule struct {
	op     op
	values []string
	rules  []Rule
	when   func(args map[string]any) Rule
}

type op uint8

const (
	opDeny op = iota
	opAuthenticated
	opAll
	opAny
	opWhen
	opScope
	opGroup
	opRole
	opPermission
	opTenant
	opIssuer
	opClient
	opIdentityProvider
	opService
)

// All holds when every one of rules does. Without any it holds for nobody: a
// list that was built at run time and came out empty must not open a tool.
func All(rules ...Rule) Rule { return Rule{op: opAll, rules: slices.Clone(rules)} }

// Any holds when at least one of rules does. A caller who satisfies none is
// challenged with the smallest set of scopes that would, if there is one.
func Any(rules ...Rule) Rule { return Rule{op: opAny, rules: slices.Clone(rules)} }

// Scope holds when the token grants the scope token, itself or through a
// broader scope of the [Hierarchy]. Tokens are compared exactly and
// case-sensitively (RFC 6749 section 3.3).
func Scope(token string) Rule { return Rule{op: opScope, values: []string{token}} }

// Group holds when the caller is known to be in the group name. A caller whose
// groups are unknown is refused with [claims.GroupsUnknown], not taken for one
// without groups.
func Group(name string) Rule { return Rule{op: opGroup, values: []string{name}} }

// Role holds when the caller has the role name. A role with an origin carries
// it: "realm:operator" is not "operator".
func Role(name string) Rule { return Rule{op: opRole, values: []string{name}} }

// Permission holds when the product's own access control gives the caller the
// permission name. Permissions say what the user may do, scopes what this
// client was allowed to do for the user: demand both with [All].
func Permission(name string) Rule { return Rule{op: opPermission, values: []string{name}} }

// Tenant holds when the caller belongs to one of the tenants ids. It keeps a
// personal or foreign account out of a tool that its scopes would open.
func Tenant(ids ...string) Rule { return Rule{op: opTenant, values: slices.Clone(ids)} }

// Issuer holds when one of the authorization servers issuers issued the token.
func Issuer(issuers ...string) Rule { return Rule{op: opIssuer, values: slices.Clone(issuers)} }

// Client holds when one of the OAuth clients ids presented the token.
func Client(ids ...string) Rule { return Rule{op: opClient, values: slices.Clone(ids)} }

// IdentityProvider holds when the token says that it was redeemed for an
// ID-JAG of one of the identity providers issuers. Tokens that do not say are
// refused.
func IdentityProvider(issuers ...string) Rule {
	return Rule{op: opIdentityProvider, values: slices.Clone(issuers)}
}

// Service holds for a service: a client on its own behalf, without a user.
//
// Scope, Group, Role and Permission are meant for users, and a service's token
// does not satisfy them, whatever it carries: products put application roles
// into the same claims as user roles. To let a service in, say so in the same
// All: All(Service(), Scope("reports:read")). For both kinds of caller write
// Any(Scope("reports:read"), All(Service(), Scope("reports:read"))).
func Service() Rule { return Rule{op: opService} }

// Authenticated holds for every caller with a valid token, services included.
// Use it to open an item on purpose.
func Authenticated() Rule { return Rule{op: opAuthenticated} }

// When makes the rule depend on the call's arguments, as mcp-go read them:
//
//	scopes.When(func(args map[string]any) scopes.Rule {
//		if args["environment"] == "production" {
//			return scopes.All(scopes.Scope("deploy"), scopes.Scope("deploy:production"))
//		}
//		return scopes.Scope("deploy")
//	})
//
// The arguments are the caller's, so name the safe values and treat every
// other one as the strictest case; compare what the handler will compare. rule
// is called with nil where there are no arguments: in lists, and for items that
// take none. It must not change args, and should be quick. Should it panic, the
// call is refused with [claims.PolicyError].
func When(rule func(args map[string]any) Rule) Rule { return Rule{op: opWhen, when: rule} }

// MarshalJSON shows the scopes that a client should ask for to satisfy r, should
// all its other conditions hold, and nothing else of the rule:
// {"scopes":["files:write"]}. Where r has alternatives they are the smallest set.
func (r Rule) MarshalJSON() ([]byte, error) { return json.Marshal(r.public()) }

// publicForm is what clients see of a rule. A list of strings always marshals.
type publicForm struct {
	Scopes []string `json:"scopes"`
}

func (r Rule) public() publicForm {
	e := evaluation{assumed: true}
	scopes := e.smallest(nonEmptyFirst(e.explain(r, true).sets))
	if scopes == nil {
		scopes = []string{}
	}
	return publicForm{scopes}
}

// nonEmptyFirst drops the empty set when there is another: "or be in a group"
// does not tell a client what it could ask for, "files:write" does.
func nonEmptyFirst(sets [][]string) [][]string {
	filled := slices.DeleteFunc(slices.Clone(sets), func(set []string) bool { return len(set) == 0 })
	if len(filled) == 0 {
		return sets
	}
	return filled
}
