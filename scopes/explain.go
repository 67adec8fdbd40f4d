package scopes

import (
	"slices"

	"github.com/emamw/mcp-ema/claims"
)

// outcome is what one rule came to, with the ways in which more scope would
// satisfy it: each set, alone, together with what already holds. No set means
// that scopes cannot cure the denial; the empty set, that none are needed.
type outcome struct {
	ok     bool
	reason claims.Reason
	sets   [][]string
}

// maxSets bounds the alternatives that an explanation follows. A rule of
// Any inside All multiplies them, and a When rule could build such a rule from
// the caller's arguments. Beyond the bound the smallest found so far serve.
const maxSets = 64

// explain is the denied path: it looks at every part of the rule, so that one
// challenge can name all that is missing.
func (e *evaluation) explain(r Rule, service bool) outcome {
	switch r.op {
	case opAll:
		return e.explainAll(r.rules, service)
	case opAny:
		return e.explainAny(r.rules, service)
	case opWhen:
		rule, ok := e.dependent(r)
		if !ok {
			return outcome{reason: claims.PolicyError}
		}
		return e.explain(rule, service)
	case opScope:
		return e.explainScope(r, service)
	}
	if e.assumed && r.op != opDeny {
		return outcome{ok: true, sets: [][]string{{}}}
	}
	if reason := e.leaf(r, service); reason != "" {
		return outcome{reason: reason}
	}
	return outcome{ok: true, sets: [][]string{{}}}
}

func (e *evaluation) explainScope(r Rule, service bool) outcome {
	if e.assumed {
		return outcome{ok: true, sets: [][]string{r.values}}
	}
	switch reason := e.leaf(r, service); reason {
	case "":
		return outcome{ok: true, sets: [][]string{r.values}}
	case claims.ScopeMissing:
		return outcome{reason: reason, sets: [][]string{r.values}}
	default:
		return outcome{reason: reason}
	}
}

func (e *evaluation) explainAll(rules []Rule, service bool) outcome {
	if len(rules) == 0 {
		return outcome{reason: claims.Unruled}
	}
	service = service || namesService(rules)
	all := outcome{ok: true, sets: [][]string{{}}}
	for _, rule := range rules {
		o := e.explain(rule, service)
		all.ok = all.ok && o.ok
		all.reason = graver(all, o)
		all.sets = e.product(all.sets, o.sets)
	}
	return all
}

// graver returns the reason of an All: the first that no scope can cure, else
// that scopes are missing.
func graver(all, next outcome) claims.Reason {
	switch {
	case next.ok:
		return all.reason
	case all.reason == "" || (all.reason == claims.ScopeMissing && len(next.sets) == 0):
		return next.reason
	}
	return all.reason
}

func (e *evaluation) explainAny(rules []Rule, service bool) outcome {
	either := outcome{reason: claims.Unruled}
	for i, rule := range rules {
		o := e.explain(rule, service)
		if i == 0 {
			either.reason = o.reason
		}
		if o.ok && !either.ok {
			// What holds needs no cure: only its own scopes count from here on.
			either = outcome{ok: true}
		}
		if o.ok == either.ok {
			either.sets = append(either.sets, o.sets...)
		}
	}
	if !either.ok && len(either.sets) > 0 {
		either.reason = claims.ScopeMissing
	}
	either.sets = bounded(either.sets)
	return either
}

// product returns every union of a set of a with a set of b.
func (e *evaluation) product(a, b [][]string) [][]string {
	var sets [][]string
	for _, x := range a {
		for _, y := range b {
			union := slices.Clone(x)
			for _, token := range y {
				if !slices.Contains(union, token) {
					union = append(union, token)
				}
			}
			sets = append(sets, union)
		}
	}
	return bounded(sets)
}

func bounded(sets [][]string) [][]string {
	if len(sets) <= maxSets {
		return sets
	}
	slices.SortStableFunc(sets, func(a, b []string) int { return len(a) - len(b) })
	return sets[:maxSets]
}

// smallest returns the set with the fewest scopes, the first of several, after
// what the hierarchy implies was left out of each: a token with files:admin
// needs no files:read beside it.
func (e *evaluation) smallest(sets [][]string) []string {
	var best []string
	for i, set := range sets {
		set = e.Hierarchy.reduce(set)
		if i == 0 || len(set) < len(best) {
			best = set
		}
	}
	return best
}
