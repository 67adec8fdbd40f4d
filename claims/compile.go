package claims

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Mapper checks m and compiles it, once, so that nothing of the configuration
// is interpreted again per token. The error joins a [MappingError] for every
// mistake there is.
func (m Mapping) Mapper() (*Mapper, error) {
	c := &compiler{used: make(map[string]bool)}
	m = c.complete(m)
	c.vars = m.Vars

	if len(m.TokenTypes) == 0 {
		c.mistake("token_types", "", `name the accepted values of the header parameter typ, such as "at+jwt" (RFC 9068 section 2.1)`)
	}
	if len(m.Subject) == 0 {
		c.mistake("subject", "", "a mapping needs at least one source for the subject")
	}
	if len(m.Audience) == 0 {
		c.mistake("audience", "", "the audience is never optional: name the claim that says for whom a token is")
	}
	if !slices.Contains([]Kind{KindUnknown, User, Service, Agent}, m.Kind) {
		c.mistake("kind", string(m.Kind), "no kind of caller: user, service, agent, or none")
	}
	if len(m.Groups) == 0 && (len(m.Overage) > 0 || m.AbsentGroupsMeanNone) {
		c.mistake("groups", "", "overage and absent_groups_mean_none mean nothing without a source for the groups")
	}
	out := c.mapper(m)
	for _, name := range slices.Sorted(maps.Keys(m.Vars)) {
		switch value := m.Vars[name]; {
		case value == "":
			c.mistake("vars."+name, "", "give the variable a value")
		case !c.used[name]:
			c.mistake("vars."+name, value, "no path, prefix or condition has {"+name+"}")
		}
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	return out, nil
}

// fieldForm says which options of a [Source] make sense in a field.
type fieldForm int

const (
	formText  fieldForm = iota // one string
	formList                   // several
	formOther                  // a number, a boolean or an object
)

type compiler struct {
	vars     map[string]string
	used     map[string]bool
	mistakes []error
}

func (c *compiler) mistake(field, value, reason string) {
	c.mistakes = append(c.mistakes, &MappingError{Field: field, Value: value, Reason: reason})
}

// complete puts the preset and the defaults under m.
func (c *compiler) complete(m Mapping) Mapping {
	if m.zero() {
		m.Preset = "rfc9068"
	}
	if m.Preset != "" {
		m = c.preset(m)
	}
	if m.Audience == nil {
		m.Audience = at("/aud")
	}
	if m.TokenID == nil {
		m.TokenID = at("/jti")
	}
	return m
}

// preset puts the preset that m names under m.
func (c *compiler) preset(m Mapping) Mapping {
	base, ok := products[m.Preset]
	if !ok {
		c.mistake("preset", m.Preset, "no such preset: it is one of "+strings.Join(Presets(), ", "))
		return m
	}
	for _, name := range base.vars {
		c.used[name] = true // an override may have made it useless, which is no mistake
		if _, set := m.Vars[name]; !set && !base.optional {
			c.mistake("vars."+name, "", "preset "+m.Preset+" needs it: "+base.meaning)
			m.Vars = maps.Clone(m.Vars)
			if m.Vars == nil {
				m.Vars = make(map[string]string)
			}
			m.Vars[name] = "unset" // so that every path that uses it is not reported as well
		}
	}
	return m.over(base.mapping(m.Vars))
}

func (c *compiler) mapper(m Mapping) *Mapper {
	out := &Mapper{
		types:            c.types(m.TokenTypes),
		require:          c.conditions("require", m.Require),
		audience:         c.sources("audience", m.Audience, formList),
		subject:          c.sources("subject", m.Subject, formText),
		tenant:           c.sources("tenant", m.Tenant, formText),
		client:           c.sources("client", m.Client, formText),
		tokenID:          c.sources("token_id", m.TokenID, formText),
		service:          c.conditions("service", m.Service),
		agent:            c.conditions("agent", m.Agent),
		kind:             m.Kind,
		actor:            c.sources("actor", m.Actor, formOther),
		scopes:           c.sources("scopes", m.Scopes, formList),
		permissions:      c.sources("permissions", m.Permissions, formList),
		roles:            c.sources("roles", m.Roles, formList),
		groups:           c.sources("groups", m.Groups, formList),
		overage:          c.conditions("overage", m.Overage),
		absentMeansNone:  m.AbsentGroupsMeanNone,
		email:            c.sources("email", m.Email, formText),
		emailVerified:    c.sources("email_verified", m.EmailVerified, formOther),
		authTime:         c.sources("auth_time", m.AuthTime, formOther),
		authContext:      c.sources("auth_context", m.AuthContext, formText),
		authMethods:      c.sources("auth_methods", m.AuthMethods, formList),
		identityProvider: c.sources("identity_provider", m.IdentityProvider, formText),
		providerSubject:  c.sources("provider_subject", m.ProviderSubject, formText),
		assertion:        c.sources("assertion", m.Assertion, formText),
		assertionIssued:  c.sources("assertion_issued_at", m.AssertionIssuedAt, formOther),
		fn:               m.Func,
	}
	for i, cond := range m.Require {
		if cond.SubjectIsClient {
			c.mistake("require["+strconv.Itoa(i)+"].subject_is_client", "true", "only service and agent can ask this: guards run before there is a subject")
		}
	}
	if len(m.Client) == 0 {
		c.clientless("service", m.Service)
		c.clientless("agent", m.Agent)
	}
	if m.GroupsLookup != nil {
		out.lookup = c.groupsLookup(*m.GroupsLookup)
	}
	return out
}

// clientless reports the conditions that need a client where none is read. They
// would never hold, and the token that a client gets for itself would pass as a
// person's: at every rule that a service has to be named in.
func (c *compiler) clientless(field string, list []Condition) {
	for i, cond := range list {
		if cond.SubjectIsClient {
			c.mistake(index(field, i)+".subject_is_client", "true", "nothing is read as the client, so this never holds: give client a source, or "+
				field+" conditions of your own, [] where the issuer has no such tokens for this server")
		}
	}
}

// types returns the token types in the form in which they are compared.
func (c *compiler) types(names []string) []string {
	var out []string
	for i, name := range names {
		short := strings.TrimPrefix(strings.ToLower(name), "application/")
		if strings.ContainsFunc(short, func(r rune) bool { return r <= ' ' || r > '~' }) {
			c.mistake(index("token_types", i), name, "not a media type")
		}
		if !slices.Contains(out, short) {
			out = append(out, short)
		}
	}
	return out
}

func (c *compiler) sources(field string, list []Source, form fieldForm) sources {
	var out sources
	for i, s := range list {
		at := index(field, i)
		compiled := source{path: c.path(at, s.Pointer, s.Path), shape: s.As, field: s.Field, also: s.Also}
		if !slices.Contains([]string{"", AsSpace, AsEither, AsKeys}, s.As) {
			c.mistake(at+".as", s.As, `no shape of a list: "space", "either", "keys", or none`)
		}
		if form != formList && (s.As != "" || s.Field != "" || s.KeyHas != "" || s.Also) {
			c.mistake(at, "", "as, field, key_has and also are for lists")
		}
		if form == formOther && (s.KeepPrefix != "" || s.TrimPrefix != "" || s.AddPrefix != "") {
			c.mistake(at, "", "prefixes are for strings")
		}
		if s.Field != "" && s.As != "" {
			c.mistake(at+".field", s.Field, "only an array has elements with a field: leave as out")
		}
		if s.KeyHas != "" {
			if s.As != AsKeys {
				c.mistake(at+".key_has", s.KeyHas, `only goes with "as": "keys"`)
			}
			step := c.step(at+".key_has", s.KeyHas)
			compiled.keyHas = &step
		}
		if s.Also && i == 0 {
			c.mistake(at+".also", "true", "there is no source before it")
		}
		compiled.keep = c.fixed(at+".keep_prefix", s.KeepPrefix)
		compiled.trim = c.fixed(at+".trim_prefix", s.TrimPrefix)
		compiled.add = c.fixed(at+".add_prefix", s.AddPrefix)
		compiled.bare = compiled.keep == "" && compiled.trim == "" && compiled.add == ""
		out = append(out, compiled)
	}
	return out
}

func (c *compiler) conditions(field string, list []Condition) []condition {
	var out []condition
	for i, cond := range list {
		at := index(field, i)
		tests := 0
		for _, set := range [...]bool{cond.Equals != nil, cond.Unequal != nil, cond.Contains != "", cond.Absent, cond.SubjectIsClient} {
			if set {
				tests++
			}
		}
		if tests > 1 {
			c.mistake(at, "", "one condition makes one test: write several conditions")
		}
		compiled := condition{absent: cond.Absent, subjectIsClient: cond.SubjectIsClient}
		if !cond.SubjectIsClient {
			compiled.path = c.path(at, cond.Pointer, cond.Path)
		} else if cond.Pointer != "" || cond.Path != nil {
			c.mistake(at, "", "subject_is_client needs no path")
		}
		compiled.equals = c.values(at+".equals", cond.Equals)
		compiled.unequal = c.values(at+".unequal", cond.Unequal)
		if cond.Contains != "" {
			step := c.step(at+".contains", cond.Contains)
			compiled.contains = &step
		}
		out = append(out, compiled)
	}
	return out
}

// values compiles what a claim is compared with.
func (c *compiler) values(field string, list []string) []step {
	if list == nil {
		return nil
	}
	if len(list) == 0 {
		c.mistake(field, "", "name at least one value")
	}
	out := make([]step, len(list))
	for i, text := range list {
		out[i] = c.step(index(field, i), text)
	}
	return out
}

func (c *compiler) path(field, pointer string, names []string) path {
	switch {
	case pointer != "" && names != nil:
		c.mistake(field, pointer, "set pointer or path, not both")
		return path{}
	case pointer == "" && len(names) == 0:
		c.mistake(field+".pointer", "", `name the claim: "/sub"`)
		return path{}
	case pointer != "":
		var wrong string
		if names, wrong = splitPointer(pointer); wrong != "" {
			c.mistake(field+".pointer", pointer, wrong)
			return path{}
		}
	}
	out := path{label: label(names)}
	for i, name := range names {
		step := c.step(field+".path", name)
		if i == 0 && step.parts != nil {
			c.mistake(field+".path", name, "the first step must not come from the token, or its sender chooses the claim that is read")
		}
		if name == "" {
			c.mistake(field+".path", strings.Join(names, "/"), "a step without a name")
		}
		out.steps = append(out.steps, step)
	}
	if len(out.steps) == 1 {
		out.label = out.steps[0].fixed
	}
	return out
}

func (c *compiler) step(field, text string) step {
	s, used, wrong := parseStep(text, c.vars)
	for _, name := range used {
		c.used[name] = true
	}
	if wrong != "" {
		c.mistake(field, text, wrong)
	}
	return s
}

// fixed compiles text into which no claim may go.
func (c *compiler) fixed(field, text string) string {
	s := c.step(field, text)
	if s.parts != nil {
		c.mistake(field, text, "a prefix must not come from the token")
	}
	return s.fixed
}

// label writes names as a JSON Pointer, with its variables as they are.
func label(names []string) string {
	var b strings.Builder
	for _, name := range names {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
	}
	return b.String()
}

func index(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

func (c *compiler) err() error { return errors.Join(c.mistakes...) }
