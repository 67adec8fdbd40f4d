package claims

import (
	"maps"
	"slices"
)

// A product is what a preset's name stands for.
type product struct {
	mapping  func(vars map[string]string) Mapping
	vars     []string // the variables it knows
	meaning  string   // what they are, for error messages
	optional bool     // whether it works without them
}

// fixed is a product without variables.
func fixed(mapping func() Mapping) product {
	return product{mapping: func(map[string]string) Mapping { return mapping() }}
}

var products = map[string]product{
	"rfc9068":      fixed(RFC9068),
	"id-jag":       fixed(IDJAG),
	"okta":         fixed(Okta),
	"entra":        fixed(Entra),
	"auth0":        {func(v map[string]string) Mapping { return Auth0(v["ns"]) }, []string{"ns"}, "the URL that begins the names of custom claims", true},
	"keycloak":     {func(v map[string]string) Mapping { return Keycloak(v["client"]) }, []string{"client"}, "the client id that stands for this server", false},
	"pingone":      fixed(PingOne),
	"pingfederate": fixed(pingFederate),
	"cognito":      fixed(Cognito),
	"workos":       fixed(workOS),
	"descope":      fixed(descope),
	"stytch":       fixed(stytch),
	"zitadel":      {func(v map[string]string) Mapping { return zitadel(v["project"]) }, []string{"project"}, "the id of the project whose roles count", true},
	"ory":          fixed(ory),
	"authentik":    fixed(authentik),
	"onelogin":     fixed(oneLogin),
	"supabase":     fixed(supabase),
}

// Presets returns the names that [Preset] knows, sorted.
func Presets() []string { return slices.Sorted(maps.Keys(products)) }

// Preset returns a mapping by the name of its product, for a command-line flag
// or a configuration file. In a literal, Mapping{Preset: name} is the same.
//
// The standards and the products that most people run have a function too:
// [RFC9068], [IDJAG], [Okta], [Entra], [Auth0], [Keycloak], [PingOne] and
// [Cognito]. The others have their name: pingfederate, workos, descope, stytch,
// zitadel, ory, authentik, onelogin and supabase. docs/identity-providers.md says
// of each where its values come from and what to beware of. Google and JumpCloud
// are not among them: their access tokens are opaque, and an ID token is no
// access token.
//
// vars are the product's variables: "client" for keycloak, which needs it, "ns"
// for auth0 and "project" for zitadel, which work without. An unknown name or
// variable is a [*MappingError] (by errors.As; the error joins all mistakes).
func Preset(name string, vars map[string]string) (Mapping, error) {
	c := &compiler{used: make(map[string]bool)}
	m := c.preset(Mapping{Preset: name, Vars: maps.Clone(vars)})
	for _, v := range slices.Sorted(maps.Keys(vars)) {
		if !slices.Contains(products[name].vars, v) {
			c.mistake("vars."+v, vars[v], "preset "+name+" has no such variable")
		}
	}
	if err := c.err(); err != nil {
		return Mapping{}, err
	}
	m.Preset = ""
	return m, nil
}

// at are sources that are nothing but pointers.
func at(pointers ...string) []Source {
	list := make([]Source, len(pointers))
	for i, pointer := range pointers {
		list[i].Pointer = pointer
	}
	return list
}

// split is the usual form of a scope claim.
func split(pointer string) []Source {
	return []Source{{Pointer: pointer, As: AsSpace}}
}

// scim are sources of lists that may hold the objects of SCIM.
func scim(pointer string) []Source {
	return []Source{{Pointer: pointer, Field: "value"}}
}

// has are conditions that the claims are present.
func has(pointers ...string) []Condition {
	list := make([]Condition, len(pointers))
	for i, pointer := range pointers {
		list[i].Pointer = pointer
	}
	return list
}

// subjectIsClient is how most products show that no person is involved: the
// client itself is the subject (RFC 9068 section 2.2).
func subjectIsClient() []Condition { return []Condition{{SubjectIsClient: true}} }

// anyType is for products that give their access tokens no type of their own.
// What tells them from an ID token is then a guard or the client claim.
func anyType() []string { return []string{"", "JWT", "at+jwt"} }

// standard puts what OpenID Connect products share under m: the claims of a
// sign-in, and a person unless something says otherwise.
func standard(m Mapping) Mapping {
	m.Kind = User
	m.AuthTime, m.AuthContext, m.AuthMethods = at("/auth_time"), at("/acr"), at("/amr")
	return m
}
