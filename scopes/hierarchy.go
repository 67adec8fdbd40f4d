package scopes

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Hierarchy says which narrower scopes a broad one implies, to any depth:
//
//	scopes.Hierarchy{"files:admin": {"files:write"}, "files:write": {"files:read"}}
//
// The MCP authorization specification (2026-07-28, step-up flow) wants a
// server to take such hierarchies into account when it judges whether a token's
// scopes suffice. The nil Hierarchy implies nothing.
type Hierarchy map[string][]string

// Validate reports every scope token that is none (RFC 6749 section 3.3) and
// every scope that implies itself.
func (h Hierarchy) Validate() error {
	var errs []error
	for _, broad := range slices.Sorted(maps.Keys(h)) {
		for _, token := range append([]string{broad}, h[broad]...) {
			if !validToken(token) {
				errs = append(errs, fmt.Errorf("scopes: %q in the hierarchy is no scope token: use printable ASCII without space, quote and backslash", token))
			}
		}
		for _, narrow := range h[broad] {
			if narrow == broad || h.implies(narrow, broad) {
				errs = append(errs, fmt.Errorf("scopes: %q and %q imply each other in the hierarchy: a cycle makes every scope in it the broadest", broad, narrow))
			}
		}
	}
	return errors.Join(errs...)
}

// grants reports whether the held scopes include want, or one that implies it.
func (h Hierarchy) grants(held []string, want string) bool {
	if slices.Contains(held, want) {
		return true
	}
	if len(h) == 0 {
		return false
	}
	for _, broad := range held {
		if h.implies(broad, want) {
			return true
		}
	}
	return false
}

// implies reports whether broad implies narrow, through any number of others. Each
// is looked at once, so that neither a cycle nor a web of them costs more.
func (h Hierarchy) implies(broad, narrow string) bool {
	var room [16]string // for the common case, without memory
	reached := append(room[:0], broad)
	for i := 0; i < len(reached); i++ {
		for _, next := range h[reached[i]] {
			if next == narrow {
				return true
			}
			if !slices.Contains(reached, next) {
				reached = append(reached, next)
			}
		}
	}
	return false
}

// reduce leaves out what another scope of the set implies.
func (h Hierarchy) reduce(set []string) []string {
	if len(h) == 0 || len(set) < 2 {
		return set
	}
	return slices.DeleteFunc(slices.Clone(set), func(token string) bool {
		return slices.ContainsFunc(set, func(other string) bool {
			return other != token && h.implies(other, token)
		})
	})
}

// validToken is scope-token of RFC 6749 section 3.3.
func validToken(token string) bool {
	for i := range len(token) {
		if c := token[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return token != ""
}
