package idjag

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// check reports what is wrong with a policy for this server: names that nothing
// here answers to, rules that give nothing, rules that can never match. Such a
// rule is a typing mistake nearly always, and it fails silently: the group that
// was meant gets nothing, or, worse, the one that was to be denied does.
func (p *Policy) check(s *Server, field string) []error {
	var m mistakes
	if len(p.Rules) == 0 {
		m.add(field+".Rules", "", "must not be empty: nobody would get a token; leave the policy out to grant what the ID-JAG states")
	}
	names := make(map[string]bool)
	for i := range p.Rules {
		rule := &p.Rules[i]
		at := fmt.Sprintf("%s.Rules[%d]", field, i)
		if field == "GroupScopes" { // its rules are ours, and in no order of the operator's
			at = fmt.Sprintf("%s[%q]", field, rule.Groups[0])
		}
		if rule.Name == "" || names[rule.Name] {
			m.add(at+".Name", rule.Name, "must be set and unique: audit records tell rules apart by it")
		}
		names[rule.Name] = true
		m = append(m, rule.checkEffect(s, at)...)
		if wrong := rule.checkConditions(s, at); len(wrong) > 0 {
			m = append(m, wrong...)
		} else if !rule.possible(s) {
			m.add(at, rule.Name, "names a client, resource or tenant that none of its identity providers may speak for, or a resource that none of its clients may use: the rule would never match")
		}
	}
	return m
}

// checkEffect judges what the rule does.
func (rule *Rule) checkEffect(s *Server, at string) (m mistakes) {
	switch {
	case rule.Deny && (len(rule.Scopes) > 0 || len(rule.ACRValues) > 0 || rule.MaxAuthenticationAge != 0 || rule.TokenLifetime != 0):
		m.add(at+".Deny", "", "refuses the user: Scopes, ACRValues, MaxAuthenticationAge and TokenLifetime mean nothing beside it")
	case rule.Deny && rule.unconditional():
		m.add(at+".Deny", "", "refuses everybody, since the rule has no condition: name whom it is for")
	case !rule.Deny && len(rule.Scopes) == 0:
		m.add(at+".Scopes", "", "must not be empty: whom the rule matches gets nothing from it; set Deny to refuse them")
	}
	for i, scope := range rule.Scopes {
		if !rule.somewhere(s, scope) {
			m.add(fmt.Sprintf("%s.Scopes[%d]", at, i), scope, "is a scope of no resource that the rule is for: add it to Resource.Scopes, or correct it")
		}
	}
	m.atLeastSecond(at+".MaxAuthenticationAge", rule.MaxAuthenticationAge)
	m.atLeastSecond(at+".TokenLifetime", rule.TokenLifetime)
	notEmptied(&m, at+".ACRValues", rule.ACRValues)
	for i, acr := range rule.ACRValues {
		if acr == "" || strings.ContainsAny(acr, " \"\\") {
			m.add(fmt.Sprintf("%s.ACRValues[%d]", at, i), acr, "must be one acr value without spaces or quotes")
		}
	}
	return m
}

// atLeastSecond judges a bound of how long tokens live, where 0 is none.
func (m *mistakes) atLeastSecond(field string, d time.Duration) {
	if d != 0 && d < time.Second {
		m.add(field, d.String(), "must be a second or more: no token would live to be used")
	}
}

// somewhere reports whether a resource of the rule knows scope.
func (rule *Rule) somewhere(s *Server, scope string) bool {
	for _, resource := range s.resources {
		if allows(rule.Resources, resource.ID) && slices.Contains(resource.Scopes, scope) {
			return true
		}
	}
	return false
}

// checkConditions judges whom the rule is for.
func (rule *Rule) checkConditions(s *Server, at string) (m mistakes) {
	each := func(field string, list []string, exists func(string) bool, reason string) {
		notEmptied(&m, at+"."+field, list)
		for i, value := range list {
			if !exists(value) {
				m.add(fmt.Sprintf("%s.%s[%d]", at, field, i), value, reason)
			}
		}
	}
	each("Resources", rule.Resources, func(id string) bool { return s.resource(id) != nil },
		"is not in Config.Resources: the rule would never match it")
	each("IdentityProviders", rule.IdentityProviders, func(id string) bool { return s.providers[id] != nil },
		"is not in Config.IdentityProviders: the rule would never match it")
	each("Clients", rule.Clients, func(id string) bool { return s.clients[id] != nil || s.documents.admits(id) },
		"is not in Config.Clients and its document is not admitted: the rule would never match it")
	each("Tenants", rule.Tenants, func(tenant string) bool { return rule.tenantExists(s, tenant) },
		"is a tenant of no identity provider that the rule is for: the rule would never match it")
	notEmpty := func(value string) bool { return value != "" }
	each("Groups", rule.Groups, notEmpty, "must not be empty")
	each("Roles", rule.Roles, notEmpty, "must not be empty")
	return m
}

func (rule *Rule) tenantExists(s *Server, tenant string) bool {
	for issuer, p := range s.providers {
		if tenant != "" && allows(rule.IdentityProviders, issuer) && (p.DangerouslyAnyTenant || slices.Contains(p.Tenants, tenant)) {
			return true
		}
	}
	return false
}

// unconditional reports whether the rule matches everybody.
func (rule *Rule) unconditional() bool {
	return len(rule.Resources)+len(rule.IdentityProviders)+len(rule.Tenants)+len(rule.Clients)+len(rule.Groups)+len(rule.Roles) == 0
}

// possible reports whether some request can meet the conditions together: each
// by itself names something that exists.
func (rule *Rule) possible(s *Server) bool {
	for _, p := range s.providers {
		if allows(rule.IdentityProviders, p.Issuer) && rule.tenantOf(p) && rule.clientOf(s, p) {
			return true
		}
	}
	return false
}

// allows reports whether a list that may be left out has value.
func allows(list []string, value string) bool { return len(list) == 0 || slices.Contains(list, value) }

func (rule *Rule) tenantOf(p *provider) bool {
	return len(rule.Tenants) == 0 || p.DangerouslyAnyTenant ||
		slices.ContainsFunc(rule.Tenants, func(tenant string) bool { return slices.Contains(p.Tenants, tenant) })
}

// clientOf reports whether p may speak for a client of the rule at a resource of
// the rule. Clients with documents are as many as there are documents.
func (rule *Rule) clientOf(s *Server, p *provider) bool {
	resources := func(client []string) bool {
		return slices.ContainsFunc(s.resources, func(r Resource) bool {
			return allows(rule.Resources, r.ID) && allows(p.Resources, r.ID) && allows(client, r.ID)
		})
	}
	for id, c := range s.clients {
		if allows(rule.Clients, id) && allows(p.Clients, id) && resources(c.resources) {
			return true
		}
	}
	if s.documents == nil || !resources(nil) {
		return false
	}
	admitted := func(id string) bool {
		return s.documents.admits(id) && allows(rule.Clients, id) && allows(p.Clients, id)
	}
	return len(rule.Clients) == 0 && len(p.Clients) == 0 ||
		slices.ContainsFunc(rule.Clients, admitted) || slices.ContainsFunc(p.Clients, admitted)
}

// acrValues are those a policy may demand, for the metadata.
func (p *Policy) acrValues() []string {
	values := make(map[string]struct{})
	for _, rule := range p.Rules {
		for _, acr := range rule.ACRValues {
			values[acr] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(values))
}
