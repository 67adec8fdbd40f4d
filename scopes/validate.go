package scopes

import (
	"errors"
	"fmt"
	"slices"
)

// Validate reports every part of r that can never hold by mistake: a scope that
// is no scope token, a condition without a name, an empty All or Any, the zero
// Rule. The guard reports them when it is made.
func (r Rule) Validate() error {
	var errs []error
	r.validate(&errs)
	return errors.Join(errs...)
}

func (r Rule) validate(errs *[]error) {
	switch r.op {
	case opDeny:
		*errs = append(*errs, errors.New("scopes: a zero Rule holds for nobody: give the condition, or scopes.Authenticated() to open the item"))
	case opAuthenticated, opService:
	case opAll, opAny:
		if len(r.rules) == 0 {
			*errs = append(*errs, errors.New("scopes: an All, Any, Require or RequireAny without conditions holds for nobody: name at least one"))
		}
		for _, rule := range r.rules {
			rule.validate(errs)
		}
	case opWhen:
		if r.when == nil {
			*errs = append(*errs, errors.New("scopes: When without a function holds for nobody"))
		}
	case opScope:
		if !validToken(r.values[0]) {
			*errs = append(*errs, fmt.Errorf("scopes: %q is no scope token: use printable ASCII without space, quote and backslash, one token a rule", r.values[0]))
		}
	default:
		if len(r.values) == 0 || slices.Contains(r.values, "") {
			*errs = append(*errs, errors.New("scopes: a condition without a name, or with an empty one, holds for nobody: name the group, role, permission, tenant, issuer or client"))
		}
	}
}
