package emamw

import (
	"maps"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/scopes"
)

// rules are the central rules of a Config, made ready for requests.
type rules struct {
	tools, prompts map[string]scopes.Rule
	resources      []pattern
}

type pattern struct {
	text string
	rule scopes.Rule
}

func compileRules(r Rules) rules {
	compiled := rules{tools: r.Tools, prompts: r.Prompts}
	for _, text := range slices.Sorted(maps.Keys(r.Resources)) {
		compiled.resources = append(compiled.resources, pattern{text, r.Resources[text]})
	}
	return compiled
}

// matches reports whether uri is one that the pattern stands for, with * for
// any run of characters. The URI is compared as it is written: a rule for
// file:///etc/* does not cover file:///%65tc/passwd, so a handler must not
// decode what it was given.
func (p pattern) matches(uri string) bool {
	first, rest, wild := strings.Cut(p.text, "*")
	if !wild {
		return uri == p.text
	}
	if !strings.HasPrefix(uri, first) {
		return false
	}
	uri = uri[len(first):]
	parts := strings.Split(rest, "*")
	last := parts[len(parts)-1]
	for _, part := range parts[:len(parts)-1] {
		i := strings.Index(uri, part)
		if i < 0 {
			return false
		}
		uri = uri[i+len(part):]
	}
	return strings.HasSuffix(uri, last)
}

// central returns every rule whose pattern covers one of names: a URI, or the text of
// the template that serves it.
func (r *rules) central(names ...string) []scopes.Rule {
	var found []scopes.Rule
	for _, p := range r.resources {
		if slices.ContainsFunc(names, p.matches) {
			found = append(found, p.rule)
		}
	}
	return found
}

// baseRule is what every request needs. Unlike the rule of a tool it asks
// services and users alike.
func baseRule(tokens []string) scopes.Rule {
	if len(tokens) == 0 {
		return scopes.Authenticated()
	}
	each := []scopes.Rule{}
	for _, token := range tokens {
		each = append(each, scopes.Scope(token))
	}
	return scopes.Any(scopes.All(each...), scopes.All(append(each, scopes.Service())...))
}

// ruleSet is all that must hold for one item. Few items have more than an
// annotation, so the first has its own place and no memory is needed for it.
type ruleSet struct {
	name  string    // of a resource: its registered URI or template
	fixed bool      // it is that of a resource, and not of templates that match
	meta  *mcp.Meta // of that resource
	first scopes.Rule
	more  []scopes.Rule
	count int
}

func (s *ruleSet) add(rules ...scopes.Rule) {
	for _, rule := range rules {
		if s.count == 0 {
			s.first = rule
		} else {
			s.more = append(s.more, rule)
		}
		s.count++
	}
}

// item adds the rules of one item: its annotation and the central rules for it,
// or Unruled when there is neither.
func (s *ruleSet) item(g *Guard, meta *mcp.Meta, central ...scopes.Rule) {
	annotated, ok := scopes.FromMeta(meta)
	if ok {
		s.add(annotated)
	}
	s.add(central...)
	if !ok && len(central) == 0 {
		s.add(g.unruled)
	}
}

// bind returns the set as it is for these arguments, and whether it depended on
// them.
func (s *ruleSet) bind(args map[string]any) (bound ruleSet, dependent bool) {
	bound = *s
	bound.first, dependent = s.first.Bind(args)
	bound.more = make([]scopes.Rule, len(s.more))
	for i, rule := range s.more {
		var depends bool
		bound.more[i], depends = rule.Bind(args)
		dependent = dependent || depends
	}
	return bound, dependent
}

func (s *ruleSet) dependent() bool {
	_, dependent := s.bind(nil)
	return dependent
}

// decide evaluates the rules, and the base scopes with them, so that one
// challenge names everything that the operation needs.
func (g *Guard) decide(p *claims.Principal, args map[string]any, s *ruleSet) scopes.Decision {
	q := scopes.Request{Principal: p, Arguments: args, Hierarchy: g.hierarchy}
	rule := s.rule()
	if g.baseRule.Evaluate(q).Allowed && rule.Evaluate(q).Allowed {
		return scopes.Decision{Allowed: true}
	}
	d := scopes.All(g.baseRule, rule).Evaluate(q)
	if d.Allowed {
		// A When rule that changed its mind. It said no, and that stands.
		return scopes.Decision{Reason: claims.PolicyError}
	}
	return d
}

// rule is all of the set in one, as if they had been written side by side: a
// central rule for services says it for the annotation too.
func (s *ruleSet) rule() scopes.Rule {
	if len(s.more) == 0 {
		return s.first
	}
	return scopes.All(append([]scopes.Rule{s.first}, s.more...)...)
}
