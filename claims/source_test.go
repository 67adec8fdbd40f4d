package claims_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/claims"
)

// token returns a payload that the minimal mapping accepts, with more members.
func token(members string) []byte {
	return []byte(`{"iss":"https://as.example.com","sub":"alice","aud":"https://mcp.example.com","exp":1790000600` + members + `}`)
}

// TestScopes reads one claim in each shape (RFC 6749 section 3.3).
func TestScopes(t *testing.T) {
	const refused = "refused"
	for _, c := range []struct {
		value               string
		auto, space, either string
	}{
		{`"a"`, "a", "a", "a"},
		{`"a b"`, refused, "a|b", "a|b"},
		{`""`, refused, "", ""},
		{`[]`, "", refused, ""},
		{`["a","b"]`, "a|b", refused, "a|b"},
		{`["a b"]`, refused, refused, refused},
		{`"a  b"`, refused, refused, refused},
		{`" a"`, refused, refused, refused},
		{`"a "`, refused, refused, refused},
		{`" "`, refused, refused, refused},
		{`"a\tb"`, refused, refused, refused},
		{`"a,b"`, "a,b", "a,b", "a,b"},
		{`"a b a"`, refused, "a|b", "a|b"},
		{`["a","b","a"]`, "a|b", refused, "a|b"},
		{`["a","A"]`, "a|A", refused, "a|A"},
		{`"files:read/x.y-z~!#$%&'()*+;<=>?@[]^_{|}"`, "files:read/x.y-z~!#$%&'()*+;<=>?@[]^_{|}", "files:read/x.y-z~!#$%&'()*+;<=>?@[]^_{|}", "files:read/x.y-z~!#$%&'()*+;<=>?@[]^_{|}"},
		{`"a\"b"`, refused, refused, refused},
		{`"a\\b"`, refused, refused, refused},
		{`"é"`, refused, refused, refused},
		{`"a\u007f"`, refused, refused, refused},
		{`"a\u0000"`, refused, refused, refused},
		{`[""]`, refused, refused, refused},
		{`null`, refused, refused, refused},
		{`1`, refused, refused, refused},
		{`["a",null]`, refused, refused, refused},
		{`{"a":{}}`, refused, refused, refused},
	} {
		for shape, want := range map[string]string{"": c.auto, claims.AsSpace: c.space, claims.AsEither: c.either} {
			m := with(func(m *claims.Mapping) { m.Scopes = []claims.Source{{Pointer: "/s", As: shape}} })
			got := refused
			p, err := mapToken(t, m, token(`,"s":`+c.value))
			if err == nil {
				got = strings.Join(p.Scopes, "|")
			} else if reason, claim := reasonOf(err); reason != claims.ClaimMalformed || claim != "s" {
				t.Errorf("%s as %q: %v", c.value, shape, err)
			}
			if got != want {
				t.Errorf("%s as %q = %q, want %q (%v)", c.value, shape, got, want, err)
			}
		}
	}
}

// TestEmptyIsStated: a list that holds nothing is not nil, which is a list that the
// token does not have.
func TestEmptyIsStated(t *testing.T) {
	for _, c := range []struct {
		members, shape string
		stated         bool
	}{
		{`,"l":[]`, "", true},
		{`,"l":[]`, claims.AsEither, true},
		{`,"l":""`, claims.AsSpace, true},
		{`,"l":""`, claims.AsEither, true},
		{``, "", false},
	} {
		l := []claims.Source{{Pointer: "/l", As: c.shape}}
		p, err := mapToken(t, with(func(m *claims.Mapping) { m.Roles, m.Permissions = l, l }), token(c.members))
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Roles)+len(p.Permissions) > 0 || (p.Roles != nil) != c.stated || (p.Permissions != nil) != c.stated {
			t.Errorf("%s as %q: roles %#v, permissions %#v", c.members, c.shape, p.Roles, p.Permissions)
		}
	}
}

// TestManyScopes takes the way that does not compare each with each.
func TestManyScopes(t *testing.T) {
	var list []string
	for i := range 100 {
		list = append(list, fmt.Sprintf("s%d", i%50))
	}
	m := with(func(m *claims.Mapping) { m.Scopes = []claims.Source{{Pointer: "/s", As: claims.AsSpace}} })
	p, err := mapToken(t, m, token(`,"s":"`+strings.Join(list, " ")+`"`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(p.Scopes, " "), strings.Join(list[:50], " "); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestSeveralScopeSources: sources must agree, unless the mapping adds them up.
func TestSeveralScopeSources(t *testing.T) {
	agree := []claims.Source{{Pointer: "/s"}, {Pointer: "/t"}}
	union := []claims.Source{{Pointer: "/s"}, {Pointer: "/t", Also: true}}
	for _, c := range []struct {
		sources []claims.Source
		members string
		want    string
	}{
		{agree, `,"s":["a","b"]`, "a b"},
		{agree, `,"t":["a","b"]`, "a b"},
		{agree, `,"s":["a","b"],"t":["b","a"]`, "a b"},
		{agree, `,"s":["b","a"],"t":["a","b"]`, "b a"},
		{agree, `,"s":["a","b"],"t":["a"]`, "refused"},
		{agree, `,"s":["a"],"t":["b"]`, "refused"},
		{agree, `,"s":["a"],"t":1`, "refused"},
		{agree, `,"s":1,"t":["a"]`, "refused"},
		{agree, ``, ""},
		{ptr("/sub/x"), ``, "refused"},
		{union, `,"s":["a","b"],"t":["c","a"]`, "a b c"},
		{union, `,"t":["c"]`, "c"},
		{union, `,"s":["a"],"t":[" "]`, "refused"},
	} {
		m := with(func(m *claims.Mapping) { m.Scopes = c.sources })
		got := "refused"
		if p, err := mapToken(t, m, token(c.members)); err == nil {
			got = strings.Join(p.Scopes, " ")
		}
		if got != c.want {
			t.Errorf("%s = %q, want %q", c.members, got, c.want)
		}
	}
}

// TestRoles reads lists through every option of a source.
func TestRoles(t *testing.T) {
	const body = `,"tenant":"t1","odd":1,"a/b":{"c~d":["x"]},"list":["p:a","p:b","q"],"more":["z"],"scim":["s",{"value":"v"}],
		"keys":{"k1":{"t1":1},"k2":{"t2":1},"k3":{"t1":1,"t2":1}},"by":{"t1":["mine"],"t2":["theirs"],"t1/x":["path"]},"one":"p:o","slash":"t1/x"`
	for _, c := range []struct {
		name    string
		sources []claims.Source
		want    string
	}{
		{"pointer with escapes", ptr("/a~1b/c~0d"), "x"},
		{"path needs none", []claims.Source{{Path: []string{"a/b", "c~d"}}}, "x"},
		{"one string", ptr("/one"), "p:o"},
		{"keep", []claims.Source{{Pointer: "/list", KeepPrefix: "p:"}}, "p:a p:b"},
		{"trim", []claims.Source{{Pointer: "/list", TrimPrefix: "p:"}}, "a b q"},
		{"keep and trim", []claims.Source{{Pointer: "/list", KeepPrefix: "p:", TrimPrefix: "p:"}}, "a b"},
		{"keep, trim and add", []claims.Source{{Pointer: "/list", KeepPrefix: "p:", TrimPrefix: "p:", AddPrefix: "r:"}}, "r:a r:b"},
		{"first present wins", ptr("/absent", "/more", "/list"), "z"},
		{"union", []claims.Source{{Pointer: "/more"}, {Pointer: "/list", KeepPrefix: "q", Also: true}}, "z q"},
		{"union with what is absent", []claims.Source{{Pointer: "/absent"}, {Pointer: "/more", Also: true}}, "z"},
		{"union after a fallback", []claims.Source{{Pointer: "/absent"}, {Pointer: "/more"}, {Pointer: "/one", Also: true}}, "z p:o"},
		{"field", []claims.Source{{Pointer: "/scim", Field: "value"}}, "s v"},
		{"field of one string", []claims.Source{{Pointer: "/one", Field: "value"}}, "p:o"},
		{"keys", []claims.Source{{Pointer: "/keys", As: claims.AsKeys}}, "k1 k2 k3"},
		{"keys that have", []claims.Source{{Pointer: "/keys", As: claims.AsKeys, KeyHas: "t2"}}, "k2 k3"},
		{"keys that have what a claim says", []claims.Source{{Pointer: "/keys", As: claims.AsKeys, KeyHas: "{=tenant}"}}, "k1 k3"},
		{"keys that have what no claim says", []claims.Source{{Pointer: "/keys", As: claims.AsKeys, KeyHas: "{=absent}"}}, ""},
		{"a claim in the path", ptr("/by/{=tenant}"), "mine"},
		{"a claim with a slash is one step", ptr("/by/{=slash}"), "path"},
		{"a claim and text make one step", []claims.Source{{Path: []string{"by", "{=tenant}/x"}}}, "path"},
		{"a step into a list, after a claim", ptr("/by/{=tenant}/x"), "refused"},
		{"a claim in the path is absent", ptr("/by/{=absent}", "/more"), "z"},
		{"a claim in the path is no string", ptr("/by/{=odd}", "/more"), "refused"},
		{"a claim in key_has is no string", []claims.Source{{Pointer: "/keys", As: claims.AsKeys, KeyHas: "{=odd}"}}, "refused"},
		{"a step into a string", ptr("/one/x", "/more"), "refused"},
		{"a step into a list", ptr("/list/0", "/more"), "refused"},
		{"wrong type, and another source", ptr("/odd", "/more"), "refused"},
		{"keys of a list", []claims.Source{{Pointer: "/list", As: claims.AsKeys}}, "refused"},
		{"objects without a field", ptr("/scim"), "refused"},
		{"field of a number", []claims.Source{{Pointer: "/odd", Field: "value"}}, "refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := with(func(m *claims.Mapping) { m.Roles = c.sources })
			p, err := mapToken(t, m, token(body))
			got := "refused"
			if err == nil {
				got = strings.Join(p.Roles, " ")
			}
			if got != c.want {
				t.Errorf("got %q, want %q (%v)", got, c.want, err)
			}
		})
	}
}

// TestClientSources: the sources of the client must agree.
func TestClientSources(t *testing.T) {
	for _, c := range []struct {
		sources []claims.Source
		members string
		want    string
	}{
		{ptr("/c", "/d"), `,"c":"x"`, "x"},
		{ptr("/c", "/d"), `,"d":"x"`, "x"},
		{ptr("/c", "/d"), `,"c":"x","d":"x"`, "x"},
		{ptr("/c", "/d"), `,"c":"x","d":"X"`, "refused"},
		{ptr("/c", "/d"), `,"c":"x","d":""`, "refused"},
		{ptr("/c", "/d"), `,"c":"x","d":null`, "refused"},
		{ptr("/c", "/d"), ``, "refused"},
		{ptr("/c", "/sub/x"), `,"c":"x"`, "refused"},
		{ptr("/sub/x"), ``, "refused"},
		{nil, `,"client_id":"x"`, ""},
	} {
		m := with(func(m *claims.Mapping) { m.Client = c.sources })
		got := "refused"
		if p, err := mapToken(t, m, token(c.members)); err == nil {
			got = p.ClientID
		}
		if got != c.want {
			t.Errorf("%s = %q, want %q", c.members, got, c.want)
		}
	}
}

// TestPrefixesOfText: a single string goes through the prefixes too.
func TestPrefixesOfText(t *testing.T) {
	for _, c := range []struct {
		source claims.Source
		want   string
	}{
		{claims.Source{Pointer: "/t", TrimPrefix: "urn:"}, "acme"},
		{claims.Source{Pointer: "/t", KeepPrefix: "urn:", AddPrefix: "x:"}, "x:urn:acme"},
		{claims.Source{Pointer: "/t", KeepPrefix: "other:"}, "refused"},
		{claims.Source{Pointer: "/t", TrimPrefix: "urn:acme"}, "refused"},
	} {
		m := with(func(m *claims.Mapping) { m.Tenant = []claims.Source{c.source} })
		got := "refused"
		if p, err := mapToken(t, m, token(`,"t":"urn:acme"`)); err == nil {
			got = p.Tenant
		}
		if got != c.want {
			t.Errorf("%+v = %q, want %q", c.source, got, c.want)
		}
	}
}

// TestVariablesAreNotPaths: no value of a variable or claim adds a step.
func TestVariablesAreNotPaths(t *testing.T) {
	m := claims.Mapping{
		Name: "x", TokenTypes: []string{"JWT"}, Subject: ptr("/sub"),
		Vars:  map[string]string{"ns": "https://example.com/~1/"},
		Roles: ptr("/{ns}roles"),
	}
	p, err := mapToken(t, m, token(`,"https://example.com/~1/roles":["r"]`))
	if err != nil || strings.Join(p.Roles, " ") != "r" {
		t.Errorf("got %v, %v", p, err)
	}
	m.Vars["ns"] = "{=sub}"
	p, err = mapToken(t, m, token(`,"aliceroles":["r"]`))
	if err != nil || len(p.Roles) != 0 {
		t.Errorf("a variable was read as a template: %v, %v", p.Roles, err)
	}
}

func TestConditions(t *testing.T) {
	const body = `,"s":"Bearer","t":true,"n":1.5,"z":null,"a":["Bearer"],"o":{"x":"y"},"me":"alice","part":"are","empty":""`
	for _, c := range []struct {
		name string
		cond claims.Condition
		want bool
	}{
		{"present", claims.Condition{Pointer: "/s"}, true},
		{"present, null", claims.Condition{Pointer: "/z"}, true},
		{"present, absent", claims.Condition{Pointer: "/x"}, false},
		{"present inside", claims.Condition{Path: []string{"o", "x"}}, true},
		{"absent", claims.Condition{Pointer: "/x", Absent: true}, true},
		{"absent, present", claims.Condition{Pointer: "/s", Absent: true}, false},
		{"absent, null", claims.Condition{Pointer: "/z", Absent: true}, false},
		{"equals", claims.Condition{Pointer: "/s", Equals: []string{"Bearer"}}, true},
		{"equals one of", claims.Condition{Pointer: "/s", Equals: []string{"x", "Bearer"}}, true},
		{"equals, other case", claims.Condition{Pointer: "/s", Equals: []string{"bearer"}}, false},
		{"equals, absent", claims.Condition{Pointer: "/x", Equals: []string{"Bearer"}}, false},
		{"equals true", claims.Condition{Pointer: "/t", Equals: []string{"true"}}, true},
		{"equals a number", claims.Condition{Pointer: "/n", Equals: []string{"1.5"}}, true},
		{"equals null", claims.Condition{Pointer: "/z", Equals: []string{"null"}}, false},
		{"equals an array", claims.Condition{Pointer: "/a", Equals: []string{"Bearer"}}, false},
		{"equals a claim", claims.Condition{Pointer: "/me", Equals: []string{"{=sub}"}}, true},
		{"equals a claim that is absent", claims.Condition{Pointer: "/me", Equals: []string{"{=x}"}}, false},
		{"nothing equals a claim that is absent", claims.Condition{Pointer: "/empty", Equals: []string{"{=x}"}}, false},
		{"unequal", claims.Condition{Pointer: "/s", Unequal: []string{"Refresh"}}, true},
		{"unequal, equal", claims.Condition{Pointer: "/s", Unequal: []string{"Refresh", "Bearer"}}, false},
		{"unequal, absent", claims.Condition{Pointer: "/x", Unequal: []string{"Bearer"}}, true},
		{"unequal, an array", claims.Condition{Pointer: "/a", Unequal: []string{"x"}}, false},
		{"contains", claims.Condition{Pointer: "/s", Contains: "are"}, true},
		{"contains a claim", claims.Condition{Pointer: "/s", Contains: "{=part}"}, true},
		{"contains a claim that is absent", claims.Condition{Pointer: "/s", Contains: "{=x}"}, false},
		{"contains, other", claims.Condition{Pointer: "/s", Contains: "x"}, false},
		{"contains, a boolean", claims.Condition{Pointer: "/t", Contains: "true"}, false},
		{"contains, absent", claims.Condition{Pointer: "/x", Contains: "x"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := with(func(m *claims.Mapping) { m.Service, m.Kind = []claims.Condition{c.cond}, claims.User })
			p, err := mapToken(t, m, token(body))
			if err != nil || (p.Kind == claims.Service) != c.want {
				t.Errorf("as a service condition: %v, %v, want %v", p, err, c.want)
			}
			m = with(func(m *claims.Mapping) { m.Require = []claims.Condition{c.cond} })
			if _, err := mapToken(t, m, token(body)); (err == nil) != c.want {
				t.Errorf("as a guard: %v, want %v", err, c.want)
			}
			m = with(func(m *claims.Mapping) { m.Groups, m.Overage = ptr("/g"), []claims.Condition{c.cond} })
			p, err = mapToken(t, m, token(body))
			if err != nil || (p.Groups.State == claims.GroupsOverage) != c.want {
				t.Errorf("as a sign of overage: %v, %v, want %v", p, err, c.want)
			}
		})
	}
}

// TestConditionErrors: a test that cannot be made is no "no".
func TestConditionErrors(t *testing.T) {
	for _, cond := range []claims.Condition{
		{Pointer: "/n/x", Absent: true},
		{Pointer: "/s", Equals: []string{"{=n}"}},
		{Pointer: "/s", Contains: "{=n}"},
	} {
		for field, m := range map[string]claims.Mapping{
			"require": with(func(m *claims.Mapping) { m.Require = []claims.Condition{cond} }),
			"service": with(func(m *claims.Mapping) { m.Service = []claims.Condition{cond} }),
			"agent":   with(func(m *claims.Mapping) { m.Agent = []claims.Condition{cond} }),
			"overage": with(func(m *claims.Mapping) { m.Groups, m.Overage = ptr("/g"), []claims.Condition{cond} }),
		} {
			if _, err := mapToken(t, m, token(`,"n":1,"s":"x"`)); err == nil {
				t.Errorf("%s %+v: accepted", field, cond)
			} else if reason, _ := reasonOf(err); reason != claims.ClaimMalformed {
				t.Errorf("%s %+v: %v", field, cond, err)
			}
		}
	}
}

// TestKinds: service before agent before the mapping's own kind, and nothing is
// guessed.
func TestKinds(t *testing.T) {
	service := []claims.Condition{{Pointer: "/service"}}
	agent := []claims.Condition{{Pointer: "/agent"}}
	for _, c := range []struct {
		members string
		mapping claims.Mapping
		want    claims.Kind
	}{
		{``, minimal(), claims.KindUnknown},
		{``, claims.Mapping{Name: "x", TokenTypes: []string{""}, Subject: ptr("/sub"), Kind: claims.User}, claims.User},
		{`,"agent":1`, claims.Mapping{Name: "x", TokenTypes: []string{""}, Subject: ptr("/sub"), Kind: claims.User, Service: service, Agent: agent}, claims.Agent},
		{`,"agent":1,"service":1`, claims.Mapping{Name: "x", TokenTypes: []string{""}, Subject: ptr("/sub"), Kind: claims.User, Service: service, Agent: agent}, claims.Service},
	} {
		p, err := mapToken(t, c.mapping, token(c.members))
		if err != nil || p.Kind != c.want {
			t.Errorf("%s: %v, %v, want %s", c.members, p, err, c.want)
		}
	}
}
