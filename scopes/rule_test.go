package scopes_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/scopes"
)

var (
	alice = &claims.Principal{
		Issuer: "https://as.example", Subject: "alice", Tenant: "acme", ClientID: "agent", Kind: claims.User,
		Scopes:           []string{"files:read", "files:admin"},
		Groups:           claims.Groups{Names: []string{"engineering"}, State: claims.GroupsComplete},
		Roles:            []string{"realm:operator"},
		Permissions:      []string{"reports.run"},
		IdentityProvider: "https://idp.example",
	}
	unknownGroups = &claims.Principal{Issuer: "https://as.example", Subject: "bob", Kind: claims.User, Scopes: []string{"files:read"}, Groups: claims.Groups{State: claims.GroupsOverage}}
	robot         = &claims.Principal{
		Issuer: "https://as.example", Subject: "robot", ClientID: "robot", Kind: claims.Service,
		Scopes: []string{"files:read"}, Roles: []string{"realm:operator"}, Permissions: []string{"reports.run"},
		Groups: claims.Groups{Names: []string{"engineering"}, State: claims.GroupsComplete},
	}
	hierarchy = scopes.Hierarchy{"files:admin": {"files:write"}, "files:write": {"files:append"}}

	scope = scopes.Scope
	group = scopes.Group
)

// Each row: who, the rule, allowed or the reason, and the scopes to ask for.
func TestEvaluate(t *testing.T) {
	production := scopes.When(func(args map[string]any) scopes.Rule {
		if args["environment"] == "staging" {
			return scope("files:read")
		}
		return scopes.All(scope("deploy"), scope("deploy:production"))
	})
	panics := scopes.When(func(args map[string]any) scopes.Rule { return scope(args["missing"].(string)) })

	tests := []struct {
		name   string
		caller *claims.Principal
		rule   scopes.Rule
		args   map[string]any
		reason claims.Reason // empty: allowed
		ask    string
	}{
		{"the zero rule", alice, scopes.Rule{}, nil, claims.Unruled, ""},
		{"nobody", nil, scopes.Authenticated(), nil, claims.Unguarded, ""},
		{"any valid token", alice, scopes.Authenticated(), nil, "", ""},
		{"any valid token of a service", robot, scopes.Authenticated(), nil, "", ""},

		{"scope held", alice, scope("files:read"), nil, "", ""},
		{"scope implied", alice, scope("files:write"), nil, "", ""},
		{"scope implied twice over", alice, scope("files:append"), nil, "", ""},
		{"scope not held", alice, scope("mail"), nil, claims.ScopeMissing, "mail"},
		{"a prefix is not the scope", alice, scope("files"), nil, claims.ScopeMissing, "files"},
		{"other case is not the scope", alice, scope("Files:Read"), nil, claims.ScopeMissing, "Files:Read"},
		{"the narrow scope does not imply the broad", unknownGroups, scope("files:admin"), nil, claims.ScopeMissing, "files:admin"},

		{"group held", alice, group("engineering"), nil, "", ""},
		{"group not held", alice, group("admins"), nil, claims.GroupMissing, ""},
		{"groups unknown", unknownGroups, group("engineering"), nil, claims.GroupsUnknown, ""},
		{"role held", alice, scopes.Role("realm:operator"), nil, "", ""},
		{"role without its origin", alice, scopes.Role("operator"), nil, claims.RoleMissing, ""},
		{"permission held", alice, scopes.Permission("reports.run"), nil, "", ""},
		{"a scope is no permission", alice, scopes.Permission("files:read"), nil, claims.PermissionMissing, ""},
		{"a permission is no scope", alice, scope("reports.run"), nil, claims.ScopeMissing, "reports.run"},
		{"tenant listed", alice, scopes.Tenant("other", "acme"), nil, "", ""},
		{"tenant not listed", alice, scopes.Tenant("other"), nil, claims.TenantDenied, ""},
		{"no tenant, and the empty one listed", robot, scopes.Tenant(""), nil, claims.TenantDenied, ""},
		{"issuer listed", alice, scopes.Issuer("https://as.example"), nil, "", ""},
		{"issuer with a slash", alice, scopes.Issuer("https://as.example/"), nil, claims.IssuerDenied, ""},
		{"client listed", alice, scopes.Client("agent"), nil, "", ""},
		{"client not listed", alice, scopes.Client("other"), nil, claims.ClientDenied, ""},
		{"identity provider named", alice, scopes.IdentityProvider("https://idp.example"), nil, "", ""},
		{"identity provider not said", robot, scopes.IdentityProvider("https://idp.example", ""), nil, claims.IdentityProviderDenied, ""},

		{"all held", alice, scopes.All(scope("files:read"), group("engineering")), nil, "", ""},
		{"all of nothing", alice, scopes.All(), nil, claims.Unruled, ""},
		{"any of nothing", alice, scopes.Any(), nil, claims.Unruled, ""},
		{"all names held scopes too", alice, scopes.All(scope("files:read"), scope("mail"), scope("calendar")), nil, claims.ScopeMissing, "files:read mail calendar"},
		{"all leaves out what is implied", alice, scopes.All(scope("files:write"), scope("files:admin"), scope("mail")), nil, claims.ScopeMissing, "files:admin mail"},
		{"a missing group beside a missing scope", alice, scopes.All(scope("mail"), group("admins")), nil, claims.GroupMissing, ""},
		{"a missing group before a missing scope", alice, scopes.All(group("admins"), scope("mail")), nil, claims.GroupMissing, ""},
		{"the first of two incurable", alice, scopes.All(scopes.Tenant("x"), group("admins")), nil, claims.TenantDenied, ""},
		{"any, the first held", alice, scopes.Any(scope("files:read"), scope("mail")), nil, "", ""},
		{"any, the last held", alice, scopes.Any(scope("mail"), scope("files:read")), nil, "", ""},
		{"any, the smallest set", alice, scopes.Any(scopes.All(scope("a"), scope("b")), scope("c"), scope("d")), nil, claims.ScopeMissing, "c"},
		{"any, incurable beside curable", alice, scopes.Any(group("admins"), scope("mail")), nil, claims.ScopeMissing, "mail"},
		{"any, only incurable", alice, scopes.Any(group("admins"), scopes.Role("x")), nil, claims.GroupMissing, ""},
		{"any inside all, held alternative kept", alice, scopes.All(scopes.Any(scope("x"), scope("files:read")), scope("mail")), nil, claims.ScopeMissing, "files:read mail"},
		{"any inside all, shared alternative", alice, scopes.All(scopes.Any(scope("a"), scope("b")), scope("b")), nil, claims.ScopeMissing, "b"},

		{"a service at a scope", robot, scope("files:read"), nil, claims.PrincipalKindDenied, ""},
		{"a service at a group", robot, group("engineering"), nil, claims.PrincipalKindDenied, ""},
		{"a service at a role", robot, scopes.Role("realm:operator"), nil, claims.PrincipalKindDenied, ""},
		{"a service at a permission", robot, scopes.Permission("reports.run"), nil, claims.PrincipalKindDenied, ""},
		{"a service where the rule says so", robot, scopes.All(scopes.Service(), scope("files:read")), nil, "", ""},
		{"a service where the rule says so, scope missing", robot, scopes.All(scopes.Service(), scope("mail")), nil, claims.ScopeMissing, "mail"},
		{"a service where an outer all says so", robot, scopes.All(scopes.Service(), scopes.Any(scope("x"), scope("files:read"))), nil, "", ""},
		{"a service where an outer all says so, all of the inner held", robot, scopes.All(scopes.Service(), scopes.All(scope("files:read"))), nil, "", ""},
		{"a service where an outer all says so, one of the inner missing", robot, scopes.All(scopes.Service(), scopes.All(scope("files:read"), scope("x"))), nil, claims.ScopeMissing, "files:read x"},
		{"a service at all that does not say so", robot, scopes.All(scope("files:read"), group("engineering")), nil, claims.PrincipalKindDenied, ""},
		{"a service where only a sibling all says so", robot, scopes.Any(scopes.All(scopes.Service(), scope("x")), scope("files:read")), nil, claims.ScopeMissing, "x"},
		{"a user where only services may", alice, scopes.All(scopes.Service(), scope("files:read")), nil, claims.PrincipalKindDenied, ""},
		{"both kinds, service", robot, scopes.Any(scope("files:read"), scopes.All(scopes.Service(), scope("files:read"))), nil, "", ""},
		{"both kinds, user", alice, scopes.Any(scope("files:read"), scopes.All(scopes.Service(), scope("files:read"))), nil, "", ""},

		{"arguments that need less", alice, production, map[string]any{"environment": "staging"}, "", ""},
		{"arguments that need more", alice, production, map[string]any{"environment": "production"}, claims.ScopeMissing, "deploy deploy:production"},
		{"arguments of another spelling", alice, production, map[string]any{"environment": "Staging"}, claims.ScopeMissing, "deploy deploy:production"},
		{"no arguments", alice, production, nil, claims.ScopeMissing, "deploy deploy:production"},
		{"a rule that panics", alice, panics, nil, claims.PolicyError, ""},
		{"a rule that panics beside a missing scope", alice, scopes.All(scope("mail"), panics), nil, claims.PolicyError, ""},
		{"no function", alice, scopes.When(nil), nil, claims.PolicyError, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := tt.rule.Evaluate(scopes.Request{Principal: tt.caller, Arguments: tt.args, Hierarchy: hierarchy})
			if d.Allowed != (tt.reason == "") || d.Reason != tt.reason || strings.Join(d.Scopes, " ") != tt.ask {
				t.Errorf("got allowed=%t reason=%q scopes=%q, want reason=%q scopes=%q", d.Allowed, d.Reason, d.Scopes, tt.reason, tt.ask)
			}
		})
	}
}

// A function that first says no and then yes must not be talked into yes.
func TestWhenAnswersTwice(t *testing.T) {
	calls := 0
	rule := scopes.When(func(map[string]any) scopes.Rule {
		calls++
		if calls == 1 {
			return scope("mail")
		}
		return scopes.Authenticated()
	})
	if d := rule.Evaluate(scopes.Request{Principal: alice}); d.Allowed || d.Reason != claims.PolicyError {
		t.Errorf("got %+v, want a denial", d)
	}
}

// A denial must stay cheap for a rule whose alternatives multiply.
func TestAlternativesAreBounded(t *testing.T) {
	pairs := make([]scopes.Rule, 40)
	for i := range pairs {
		pairs[i] = scopes.Any(scope("a"+string(rune('A'+i))), scope("b"+string(rune('A'+i))))
	}
	d := scopes.All(pairs...).Evaluate(scopes.Request{Principal: alice})
	if d.Allowed || len(d.Scopes) != len(pairs) {
		t.Errorf("got allowed=%t and %d scopes, want %d", d.Allowed, len(d.Scopes), len(pairs))
	}
}

func TestAllowedPathDoesNotAllocate(t *testing.T) {
	rule := scopes.All(scope("files:append"), scopes.Any(group("admins"), group("engineering")), scopes.Tenant("acme"))
	q := scopes.Request{Principal: alice, Hierarchy: hierarchy}
	if n := testing.AllocsPerRun(100, func() { rule.Evaluate(q) }); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}

// Rules keep no slice of their caller.
func TestRulesAreImmutable(t *testing.T) {
	tenants := []string{"acme"}
	rules := []scopes.Rule{scopes.Tenant(tenants...)}
	rule := scopes.All(rules...)
	tenants[0], rules[0] = "other", scopes.Authenticated()
	if !rule.Evaluate(scopes.Request{Principal: alice}).Allowed || rule.Evaluate(scopes.Request{Principal: robot}).Allowed {
		t.Error("changing the arguments of a constructor changed the rule")
	}
}

// What clients are shown: scopes, and never the name of anything else.
func TestPublicForm(t *testing.T) {
	tests := []struct {
		name string
		rule scopes.Rule
		want string
	}{
		{"zero", scopes.Rule{}, `{"scopes":[]}`},
		{"authenticated", scopes.Authenticated(), `{"scopes":[]}`},
		{"scope", scope("a"), `{"scopes":["a"]}`},
		{"all", scopes.All(scope("a"), scope("b"), scope("a")), `{"scopes":["a","b"]}`},
		{"smallest alternative", scopes.Any(scopes.All(scope("a"), scope("b")), scope("c")), `{"scopes":["c"]}`},
		{"names stay inside", scopes.All(scope("a"), group("secret"), scopes.Role("secret"), scopes.Permission("secret"), scopes.Tenant("secret"), scopes.Issuer("secret"), scopes.Client("secret"), scopes.IdentityProvider("secret"), scopes.Service()), `{"scopes":["a"]}`},
		{"a scope or a group", scopes.Any(group("secret"), scope("a")), `{"scopes":["a"]}`},
		{"arguments", scopes.When(func(args map[string]any) scopes.Rule { return scope("a") }), `{"scopes":["a"]}`},
		{"panic", scopes.When(func(args map[string]any) scopes.Rule { panic("secret") }), `{"scopes":[]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := json.Marshal(tt.rule)
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v, want %s", got, err, tt.want)
			}
		})
	}
}

func TestRuleValidate(t *testing.T) {
	good := []scopes.Rule{
		scopes.Authenticated(), scopes.Service(), scope("a:b/c"), scopes.All(scope("a"), group("x")), scopes.Tenant("a", "b"),
		scopes.When(func(map[string]any) scopes.Rule { return scopes.Rule{} }),
	}
	for i, rule := range good {
		if err := rule.Validate(); err != nil {
			t.Errorf("good rule %d: %v", i, err)
		}
	}
	bad := map[string]scopes.Rule{
		"zero": {}, "empty all": scopes.All(), "empty any": scopes.Any(), "nil function": scopes.When(nil),
		"empty scope": scope(""), "space": scope("a b"), "quote": scope(`a"`), "backslash": scope(`a\`), "control": scope("a\n"), "not ascii": scope("é"),
		"empty group": group(""), "no tenants": scopes.Tenant(), "empty client": scopes.Client("a", ""),
		"nested": scopes.All(scope("a"), scopes.Any(group(""))),
	}
	for name, rule := range bad {
		if err := rule.Validate(); err == nil || !strings.HasPrefix(err.Error(), "scopes: ") {
			t.Errorf("%s: got %v, want an error", name, err)
		}
	}
	err := scopes.All(scope(""), group(""), scopes.Any()).Validate()
	if n := len(slices.Collect(strings.SplitSeq(err.Error(), "\n"))); n != 3 {
		t.Errorf("got %d mistakes, want all 3: %v", n, err)
	}
}

func TestHierarchyValidate(t *testing.T) {
	if err := hierarchy.Validate(); err != nil {
		t.Error(err)
	}
	if err := (scopes.Hierarchy)(nil).Validate(); err != nil {
		t.Error(err)
	}
	for name, h := range map[string]scopes.Hierarchy{
		"itself": {"a": {"a"}}, "a pair": {"a": {"b"}, "b": {"a"}}, "a ring": {"a": {"b"}, "b": {"c"}, "c": {"a"}},
		"broad is no token": {"a b": {"c"}}, "narrow is no token": {"a": {""}},
	} {
		if err := h.Validate(); err == nil || !strings.HasPrefix(err.Error(), "scopes: ") {
			t.Errorf("%s: got %v, want an error", name, err)
		}
	}
	// A cycle that was not validated must still end, and imply no more than it says.
	ring := scopes.Hierarchy{"a": {"b"}, "b": {"a"}}
	p := &claims.Principal{Kind: claims.User, Scopes: []string{"a"}}
	if !scope("b").Evaluate(scopes.Request{Principal: p, Hierarchy: ring}).Allowed || scope("c").Evaluate(scopes.Request{Principal: p, Hierarchy: ring}).Allowed {
		t.Error("a cyclic hierarchy decides wrongly")
	}
}

// A bound rule decides as the rule did for the arguments it was bound to.
func TestBind(t *testing.T) {
	when := scopes.When(func(args map[string]any) scopes.Rule {
		if args["to"] == "staging" {
			return scope("files:read")
		}
		return scope("deploy")
	})
	twice := scopes.When(func(map[string]any) scopes.Rule { return scopes.Any(when, scope("x")) })
	tests := []struct {
		name      string
		rule      scopes.Rule
		args      map[string]any
		dependent bool
		allowed   bool
	}{
		{"no arguments asked for", scope("files:read"), nil, false, true},
		{"nested, none asked for", scopes.All(scope("files:read"), scopes.Any(scope("x"))), nil, false, false},
		{"allowed", when, map[string]any{"to": "staging"}, true, true},
		{"denied", when, map[string]any{"to": "production"}, true, false},
		{"asked for by the first of two", scopes.All(when, scope("files:read")), map[string]any{"to": "staging"}, true, true},
		{"nested", scopes.All(scopes.Authenticated(), scopes.Any(when)), map[string]any{"to": "staging"}, true, true},
		{"a When in a When", twice, map[string]any{"to": "staging"}, true, true},
		{"panic", scopes.When(func(map[string]any) scopes.Rule { panic(0) }), nil, true, false},
	}
	for _, tt := range tests {
		bound, dependent := tt.rule.Bind(tt.args)
		if got := bound.Evaluate(scopes.Request{Principal: alice}).Allowed; got != tt.allowed || dependent != tt.dependent {
			t.Errorf("%s: allowed=%t dependent=%t", tt.name, got, dependent)
		}
	}
}
