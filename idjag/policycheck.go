package idjag

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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
		if rule.Name == "" || names[rule.Name] {
			m.add(at+".Name", rule.Name, "must be set and unique: audit records tell rules apart by it")
		}
		names[rule.Name] = true
		m = append(m, rule.checkEffect(s, at)...)
		m = append(m, rule.checkConditions(s, at)...)
	}
	return m
}

// checkEffect judges what the rule does.
func (rule *Rule) checkEffect(s *Server, at string) (m mistakes) {
	switch {
	case rule.Deny && (len(rule.Scopes) > 0 || len(rule.ACRValues) > 0 || rule.MaxAuthenticationAge != 0 || rule.TokenLifetime != 0):
		m.add(at+".Deny", "", "refuses the user: Scopes, ACRValues, MaxAuthenticationAge and TokenLifetime mean nothing beside it")
	case !rule.Deny && len(rule.Scopes) == 0:
		m.add(at+".Scopes", "", "must not be empty: whom the rule matches gets nothing from it; set Deny to refuse them")
	}
	for i, scope := range rule.Scopes {
		if !rule.somewhere(s, scope) {
			m.add(fmt.Sprintf("%s.Scopes[%d]", at, i), scope, "is a scope of no resource that the rule is for: add it to Resource.Scopes, or correct it")
		}
	}
	if rule.MaxAuthenticationAge < 0 {
		m.add(at+".MaxAuthenticationAge", rule.MaxAuthenticationAge.String(), "must not be negative")
	}
	if rule.TokenLifetime < 0 {
		m.add(at+".TokenLifetime", rule.TokenLifetime.String(), "must not be negative")
	}
	for i, acr := range rule.ACRValues {
		if acr == "" || strings.ContainsAny(acr, " \"\\") {
			m.add(fmt.Sprintf("%s.ACRValues[%d]", at, i), acr, "must be one acr value without spaces or quotes")
		}
	}
	return m
}

// somewhere reports whether a resource of the rule knows scope.
func (rule *Rule) somewhere(s *Server, scope string) bool {
	for _, resource := range s.resources {
		if (len(rule.Resources) == 0 || slices.Contains(rule.Resources, resource.ID)) && slices.Contains(resource.Scopes, scope) {
			return true
		}
	}
	return false
}

// checkConditions judges whom the rule is for.
func (rule *Rule) checkConditions(s *Server, at string) (m mistakes) {
	each := func(field string, list []string, exists func(string) bool, reason string) {
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
		if len(rule.IdentityProviders) > 0 && !slices.Contains(rule.IdentityProviders, issuer) {
			continue
		}
		if tenant != "" && (p.DangerouslyAnyTenant || slices.Contains(p.Tenants, tenant)) {
			return true
		}
	}
	return false
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
