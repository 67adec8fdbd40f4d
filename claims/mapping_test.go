package claims_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/claims"
)

// ptr returns sources that are nothing but pointers.
func ptr(pointers ...string) []claims.Source {
	var list []claims.Source
	for _, p := range pointers {
		list = append(list, claims.Source{Pointer: p})
	}
	return list
}

// minimal is the smallest mapping there can be.
func minimal() claims.Mapping {
	return claims.Mapping{Name: "minimal", TokenTypes: []string{"at+jwt"}, Subject: ptr("/sub")}
}

// with returns the minimal mapping with a change.
func with(change func(*claims.Mapping)) claims.Mapping {
	m := minimal()
	change(&m)
	return m
}

// mistakesIn returns the fields that err complains of.
func mistakesIn(err error) []string {
	var fields []string
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			var mistake *claims.MappingError
			if errors.As(e, &mistake) {
				fields = append(fields, mistake.Field)
			}
		}
	}
	slices.Sort(fields)
	return fields
}

func TestMappingMistakes(t *testing.T) {
	scopes := func(s claims.Source) claims.Mapping {
		return with(func(m *claims.Mapping) { m.Scopes = []claims.Source{s} })
	}
	require := func(c claims.Condition) claims.Mapping {
		return with(func(m *claims.Mapping) { m.Require = []claims.Condition{c} })
	}
	for _, c := range []struct {
		name    string
		mapping claims.Mapping
		fields  string
	}{
		{"none", minimal(), ""},
		{"the zero mapping is that of RFC 9068", claims.Mapping{}, ""},
		{"nothing but a name", claims.Mapping{Name: "x"}, "subject token_types"},
		{"no audience", with(func(m *claims.Mapping) { m.Audience = []claims.Source{} }), "audience"},
		{"no such preset", claims.Mapping{Preset: "oktaa"}, "preset subject token_types"},
		{"preset without its variable", claims.Mapping{Preset: "keycloak"}, "vars.client"},
		{"preset with an empty variable", claims.Mapping{Preset: "keycloak", Vars: map[string]string{"client": ""}}, "vars.client"},
		{"Keycloak without a client", claims.Keycloak(""), "vars.client"},
		{"preset with a variable that nothing uses", claims.Mapping{Preset: "okta", Vars: map[string]string{"client": "x"}}, "vars.client"},
		{"variable that nothing uses", with(func(m *claims.Mapping) { m.Vars = map[string]string{"x": "y"} }), "vars.x"},
		{"token type beyond ASCII", with(func(m *claims.Mapping) { m.TokenTypes = []string{"at+jẅt"} }), "token_types[0]"},
		{"token type with a space", with(func(m *claims.Mapping) { m.TokenTypes = []string{"at jwt"} }), "token_types[0]"},
		{"no such kind", with(func(m *claims.Mapping) { m.Kind = "robot" }), "kind"},
		{"overage without groups", with(func(m *claims.Mapping) { m.Overage = []claims.Condition{{Pointer: "/x"}} }), "groups"},
		{"absent groups without groups", with(func(m *claims.Mapping) { m.AbsentGroupsMeanNone = true }), "groups"},

		{"source without a path", scopes(claims.Source{}), "scopes[0].pointer"},
		{"pointer and path", scopes(claims.Source{Pointer: "/a", Path: []string{"a"}}), "scopes[0]"},
		{"pointer without a slash", scopes(claims.Source{Pointer: "scope"}), "scopes[0].pointer"},
		{"pointer with a lone tilde", scopes(claims.Source{Pointer: "/a~"}), "scopes[0].pointer"},
		{"pointer with another escape", scopes(claims.Source{Pointer: "/a~2"}), "scopes[0].pointer"},
		{"pointer with an empty step", scopes(claims.Source{Pointer: "/a//b"}), "scopes[0].path"},
		{"pointer to nothing", scopes(claims.Source{Pointer: "/"}), "scopes[0].path"},
		{"unknown variable", scopes(claims.Source{Pointer: "/{x}"}), "scopes[0].path"},
		{"brace without an end", scopes(claims.Source{Pointer: "/a{x"}), "scopes[0].path"},
		{"brace without an end around a variable", with(func(m *claims.Mapping) {
			m.Vars, m.Scopes = map[string]string{"x": "y"}, ptr("/a{x")
		}), "scopes[0].path vars.x"},
		{"braces without a name", scopes(claims.Source{Pointer: "/a/{}"}), "scopes[0].path"},
		{"braces without a claim", scopes(claims.Source{Pointer: "/a/{=}"}), "scopes[0].path"},
		{"first step from the token", scopes(claims.Source{Pointer: "/{=x}/roles"}), "scopes[0].path"},
		{"prefix from the token", scopes(claims.Source{Pointer: "/a", AddPrefix: "{=x}"}), "scopes[0].add_prefix"},
		{"no such shape", scopes(claims.Source{Pointer: "/a", As: "comma"}), "scopes[0].as"},
		{"field of a string", scopes(claims.Source{Pointer: "/a", As: claims.AsSpace, Field: "value"}), "scopes[0].field"},
		{"key_has without keys", scopes(claims.Source{Pointer: "/a", KeyHas: "x"}), "scopes[0].key_has"},
		{"also as the first", scopes(claims.Source{Pointer: "/a", Also: true}), "scopes[0].also"},
		{"shape of a single string", with(func(m *claims.Mapping) { m.Tenant = []claims.Source{{Pointer: "/a", As: claims.AsKeys}} }), "tenant[0]"},
		{"field of a single string", with(func(m *claims.Mapping) { m.Tenant = []claims.Source{{Pointer: "/a", Field: "x"}} }), "tenant[0]"},
		{"key of a single string", with(func(m *claims.Mapping) { m.Tenant = []claims.Source{{Pointer: "/a", KeyHas: "x"}} }), "tenant[0] tenant[0].key_has"},
		{"one more single string", with(func(m *claims.Mapping) {
			m.Tenant = []claims.Source{{Pointer: "/a"}, {Pointer: "/b", Also: true}}
		}), "tenant[1]"},
		{"prefix kept of a boolean", with(func(m *claims.Mapping) {
			m.EmailVerified = []claims.Source{{Pointer: "/a", KeepPrefix: "x"}}
		}), "email_verified[0]"},
		{"prefix added to a boolean", with(func(m *claims.Mapping) {
			m.EmailVerified = []claims.Source{{Pointer: "/a", AddPrefix: "x"}}
		}), "email_verified[0]"},
		{"prefix of a boolean", with(func(m *claims.Mapping) {
			m.EmailVerified = []claims.Source{{Pointer: "/a", TrimPrefix: "x"}}
		}), "email_verified[0]"},

		{"condition without a path", require(claims.Condition{Absent: true}), "require[0].pointer"},
		{"condition with two tests", require(claims.Condition{Pointer: "/a", Absent: true, Contains: "x"}), "require[0]"},
		{"condition with no values", require(claims.Condition{Pointer: "/a", Equals: []string{}}), "require[0].equals"},
		{"condition with an unknown variable", require(claims.Condition{Pointer: "/a", Equals: []string{"{x}"}}), "require[0].equals[0]"},
		{"guard on a subject that is not read yet", require(claims.Condition{SubjectIsClient: true}), "require[0].subject_is_client"},
		{"subject_is_client with a path", with(func(m *claims.Mapping) {
			m.Client = ptr("/b")
			m.Service = []claims.Condition{{SubjectIsClient: true, Pointer: "/a"}}
		}), "service[0]"},
		{"a service told by a client that is not read", with(func(m *claims.Mapping) {
			m.Client, m.Service = []claims.Source{}, []claims.Condition{{Pointer: "/a"}, {SubjectIsClient: true}}
		}), "service[1].subject_is_client"},
		{"an agent told so", with(func(m *claims.Mapping) {
			m.Client, m.Service, m.Agent = []claims.Source{}, []claims.Condition{}, []claims.Condition{{SubjectIsClient: true}}
		}), "agent[0].subject_is_client"},
		{"a preset without its client", claims.Mapping{Preset: "ory", Client: []claims.Source{}}, "service[0].subject_is_client"},
		{"subject_is_client with steps", with(func(m *claims.Mapping) {
			m.Client = ptr("/b")
			m.Service = []claims.Condition{{SubjectIsClient: true, Path: []string{"a"}}}
		}), "service[0]"},

		{"lookup without a function", with(func(m *claims.Mapping) { m.GroupsLookup = &claims.GroupsLookup{} }), "groups_lookup.lookup"},
		{"lookup with negative bounds", with(func(m *claims.Mapping) {
			m.GroupsLookup = &claims.GroupsLookup{Timeout: -1, TTL: -1, MaxGroups: -1, MaxPrincipals: -1}
		}), "groups_lookup.lookup groups_lookup.max_groups groups_lookup.max_principals groups_lookup.timeout groups_lookup.ttl"},

		{"every mistake at once", claims.Mapping{Name: "x", Kind: "robot", Scopes: ptr("a", "b"), Overage: []claims.Condition{{}}}, "groups kind overage[0].pointer scopes[0].pointer scopes[1].pointer subject token_types"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := c.mapping.Mapper()
			if (m == nil) != (err != nil) {
				t.Errorf("Mapper() = %v, %v", m, err)
			}
			if got := strings.Join(mistakesIn(err), " "); got != c.fields {
				t.Errorf("mistakes in %q, want %q:\n%v", got, c.fields, err)
			}
			if err != nil {
				for line := range strings.Lines(err.Error()) {
					if !strings.HasPrefix(line, "claims: mapping: ") {
						t.Errorf("a line begins without the package: %q", line)
					}
				}
			}
		})
	}
}

// TestPresets holds what all presets have in common.
func TestPresets(t *testing.T) {
	want := []string{"auth0", "authentik", "cognito", "descope", "entra", "id-jag", "keycloak", "okta", "onelogin", "ory", "pingfederate", "pingone", "rfc9068", "stytch", "supabase", "workos", "zitadel"}
	if got := claims.Presets(); !slices.Equal(got, want) {
		t.Errorf("Presets() = %q, want %q", got, want)
	}
	vars := map[string]map[string]string{"keycloak": {"client": "mcp-server"}, "auth0": {"ns": "https://example.com/"}, "zitadel": {"project": "42"}}
	for _, name := range claims.Presets() {
		t.Run(name, func(t *testing.T) {
			byName, err := claims.Preset(name, vars[name])
			if err != nil {
				t.Fatal(err)
			}
			mapper, err := byName.Mapper()
			if err != nil {
				t.Fatal(err)
			}
			if byName.Name != name || len(mapper.TokenTypes()) == 0 {
				t.Errorf("Name %q, TokenTypes %q", byName.Name, mapper.TokenTypes())
			}
			if _, err := (claims.Mapping{Preset: name, Vars: vars[name]}).Mapper(); err != nil {
				t.Error(err)
			}
			if slices.Contains(mapper.TokenTypes(), "oauth-id-jag+jwt") != (name == "id-jag") {
				t.Errorf("TokenTypes %q: an ID-JAG is no access token", mapper.TokenTypes())
			}
			// What a configuration file can hold is the same mapping.
			text, err := json.Marshal(byName)
			if err != nil {
				t.Fatal(err)
			}
			var back claims.Mapping
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(back, byName) {
				t.Errorf("through JSON it becomes\n%+v, was\n%+v", back, byName)
			}
		})
	}
}

// TestPresetFunctions: the functions and the names are the same presets.
func TestPresetFunctions(t *testing.T) {
	for name, m := range map[string]claims.Mapping{
		"rfc9068": claims.RFC9068(), "id-jag": claims.IDJAG(), "okta": claims.Okta(), "entra": claims.Entra(),
		"auth0": claims.Auth0("https://example.com/"), "keycloak": claims.Keycloak("c"), "pingone": claims.PingOne(), "cognito": claims.Cognito(),
	} {
		byName := withVars(name, m.Vars)
		if !reflect.DeepEqual(byName, m) {
			t.Errorf("%s: by name\n%+v, by function\n%+v", name, byName, m)
		}
	}
}

func TestPresetMistakes(t *testing.T) {
	for _, c := range []struct {
		name   string
		vars   map[string]string
		fields string
	}{
		{"google", nil, "preset"},
		{"jumpcloud", nil, "preset"},
		{"", nil, "preset"},
		{"Okta", nil, "preset"},
		{"okta", map[string]string{"client": "x", "ns": "y"}, "vars.client vars.ns"},
		{"keycloak", nil, "vars.client"},
		{"keycloak", map[string]string{"client": "x"}, ""},
		{"auth0", nil, ""},
		{"zitadel", nil, ""},
	} {
		m, err := claims.Preset(c.name, c.vars)
		if got := strings.Join(mistakesIn(err), " "); got != c.fields {
			t.Errorf("Preset(%q, %v): mistakes in %q, want %q (%v)", c.name, c.vars, got, c.fields, err)
		}
		if err != nil && !reflect.DeepEqual(m, claims.Mapping{}) {
			t.Errorf("Preset(%q, %v) returns a mapping beside an error", c.name, c.vars)
		}
	}
}

// TestPresetIsYourOwn: what a caller does to a preset stays with the caller.
func TestPresetIsYourOwn(t *testing.T) {
	vars := map[string]string{"client": "mcp-server"}
	m := withVars("keycloak", vars)
	m.Subject[0].Pointer, m.Require[0].Equals[0], m.TokenTypes[0], m.Vars["client"] = "/x", "x", "x", "x"
	if got := withVars("keycloak", vars); got.Subject[0].Pointer != "/sub" || got.Require[0].Equals[0] != "Bearer" || got.TokenTypes[0] != "" {
		t.Errorf("the preset changed: %+v", got)
	}
	if vars["client"] != "mcp-server" {
		t.Error("the caller's variables changed")
	}
	mapper, err := claims.Okta().Mapper()
	if err != nil {
		t.Fatal(err)
	}
	mapper.TokenTypes()[0] = "x"
	if mapper.TokenTypes()[0] == "x" {
		t.Error("TokenTypes hands out its own slice")
	}
}

func TestTokenTypes(t *testing.T) {
	m := with(func(m *claims.Mapping) { m.TokenTypes = []string{"application/AT+JWT", "at+jwt", "", "JWT"} })
	mapper, err := m.Mapper()
	if err != nil {
		t.Fatal(err)
	}
	if got := mapper.TokenTypes(); !slices.Equal(got, []string{"at+jwt", "", "jwt"}) {
		t.Errorf("TokenTypes() = %q", got)
	}
}

func TestMappingJSON(t *testing.T) {
	for _, c := range []struct{ name, text, wrong string }{
		{"preset", `{"preset": "okta"}`, ""},
		{"empty", `{}`, ""},
		{"unknown field", `{"preset": "okta", "requires": []}`, `unknown field "requires"`},
		{"unknown field of a source", `{"subject": [{"ptr": "/sub"}]}`, `unknown field "ptr"`},
		{"unknown field of a condition", `{"require": [{"pointer": "/a", "equal": ["x"]}]}`, `unknown field "equal"`},
		{"a function cannot come from a file", `{"Func": 1}`, `unknown field "Func"`},
		{"wrong type", `{"token_types": "JWT"}`, "cannot unmarshal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m claims.Mapping
			err := json.Unmarshal([]byte(c.text), &m)
			if c.wrong == "" && err != nil || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
				t.Errorf("got %v, want %q", err, c.wrong)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "claims: mapping: ") {
				t.Errorf("the error begins without the package: %v", err)
			}
		})
	}
}

// TestOverride changes presets field by field, as a configuration file does.
// Only the zero mapping is that of RFC 9068. One that says anything, and not how
// to read the subject, is a mistake rather than another mapping than it seems.
func TestZeroMapping(t *testing.T) {
	for name, m := range map[string]claims.Mapping{
		"variables":     {Vars: map[string]string{}},
		"token types":   {TokenTypes: []string{}},
		"guards":        {Require: []claims.Condition{}},
		"services":      {Service: []claims.Condition{}},
		"agents":        {Agent: []claims.Condition{}},
		"kind":          {Kind: claims.User},
		"overage":       {Overage: []claims.Condition{}},
		"absent groups": {AbsentGroupsMeanNone: true},
		"a list":        {Email: []claims.Source{}},
	} {
		if _, err := m.Mapper(); !slices.Contains(mistakesIn(err), "subject") {
			t.Errorf("%s: %v, want the subject to be missed", name, err)
		}
	}
}

func TestOverride(t *testing.T) {
	for _, c := range []struct {
		name    string
		mapping claims.Mapping
		file    string
		set     object
		show    func(*claims.Principal) string
		want    string
	}{
		{"a source instead of the preset's", fromJSON(`{"preset": "okta", "groups": [{"pointer": "/g"}]}`), "okta-custom-as.json", object{"g": []string{"G"}}, groups, "complete:G"},
		{"nothing else changes", fromJSON(`{"preset": "okta", "groups": [{"pointer": "/g"}]}`), "okta-custom-as.json", nil, scopes, "openid tools:read tools:write"},
		{"an empty list is from nowhere", fromJSON(`{"preset": "entra", "groups": []}`), "entra-overage.json", nil, groups, ":"},
		{"overage stays with another source", fromJSON(`{"preset": "entra", "groups": [{"pointer": "/g"}]}`), "entra-overage.json", object{"g": []string{"G"}}, groups, "overage:"},
		{"absence means none only for the preset's own claim", fromJSON(`{"preset": "cognito", "groups": [{"pointer": "/g"}]}`), "cognito.json", nil, groups, ":"},
		{"absence means none where the mapping says so", fromJSON(`{"preset": "okta", "absent_groups_mean_none": true}`), "okta-custom-as.json", object{"groups": nil}, groups, "complete:"},
		{"kind", fromJSON(`{"preset": "okta", "kind": "agent"}`), "okta-custom-as.json", nil, kind, "agent"},
		{"service", fromJSON(`{"preset": "okta", "service": []}`), "okta-custom-as-service.json", nil, kind, "user"},
		{"variables", fromJSON(`{"preset": "keycloak", "vars": {"client": "account"}, "roles": [{"pointer": "/resource_access/{client}/roles"}]}`), "keycloak.json", nil, roles, "view-profile"},
		{"one variable in two places", fromJSON(`{"preset": "auth0", "vars": {"ns": "https://example.com/"}, "roles": [{"path": ["{ns}groups"]}]}`), "auth0.json", nil, roles, "Engineering"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := mapToken(t, c.mapping, edited(t, c.file, c.set))
			if err != nil {
				t.Fatal(err)
			}
			if got := c.show(p); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestOverrideKeepsGuards: an override that adds a guard must not lose others.
func TestOverrideKeepsGuards(t *testing.T) {
	m := fromJSON(`{"preset": "keycloak", "vars": {"client": "c"}, "require": [{"pointer": "/acr", "equals": ["1"]}], "token_types": ["JWT"]}`)
	for _, c := range []struct {
		set   object
		claim string
	}{
		{nil, ""},
		{object{"typ": "ID"}, "typ"},
		{object{"acr": "0"}, "acr"},
	} {
		_, err := mapToken(t, m, edited(t, "keycloak.json", c.set))
		if _, claim := reasonOf(err); claim != c.claim {
			t.Errorf("%v: refused for %q, want %q", c.set, claim, c.claim)
		}
	}
	base := claims.Keycloak("c")
	mapper, err := m.Mapper()
	if err != nil || !slices.Equal(mapper.TokenTypes(), []string{"jwt"}) || len(base.Require) != 1 {
		t.Errorf("%v, %v, %v", mapper, err, base.Require)
	}
}
