package claims

import (
	"slices"
	"strings"
	"time"
)

// A source is a compiled [Source].
type source struct {
	path
	shape           string
	field           string
	keyHas          *step
	keep, trim, add string
	bare            bool // it has no prefix to apply
	also            bool
}

// sources are the compiled sources of one field.
type sources []source

// first returns the text of the first source that is present.
func (ss sources) first(p *Payload) (raw string, from *source, err error) {
	for i := range ss {
		raw, ok, err := ss[i].find(p)
		if err != nil {
			return "", nil, err
		}
		if ok {
			return raw, &ss[i], nil
		}
	}
	return "", nil, nil
}

// text reads a field that is one string, and refuses the empty one: an empty
// tenant or subject would be that of everybody who has none.
func (ss sources) text(p *Payload) (string, error) {
	raw, from, err := ss.first(p)
	if err != nil || from == nil {
		return "", err
	}
	return from.one(raw)
}

// note is text for what is only shown: it may be empty.
func (ss sources) note(p *Payload) (string, error) {
	raw, from, err := ss.first(p)
	if err != nil || from == nil || raw == `""` {
		return "", err
	}
	return from.one(raw)
}

// agreed is text for a field whose present sources must all say the same.
func (ss sources) agreed(p *Payload) (string, error) {
	var value string
	for i := range ss {
		raw, ok, err := ss[i].find(p)
		if err != nil {
			return "", err
		}
		if !ok {
			continue
		}
		next, err := ss[i].one(raw)
		if err != nil {
			return "", err
		}
		if value != "" && value != next {
			return "", malformed(ss[i].label, "another claim of the same meaning says something else")
		}
		value = next
	}
	return value, nil
}

func (s *source) one(raw string) (string, error) {
	if raw[0] != '"' {
		return "", malformed(s.label, detailNotString)
	}
	value, keep := s.change(unquote(raw))
	if !keep || value == "" {
		return "", malformed(s.label, "empty: the issuer must leave the claim out instead")
	}
	if strings.IndexByte(raw, '\\') >= 0 && hasControl(value) {
		return "", malformed(s.label, detailControl)
	}
	return value, nil
}

// change applies the prefixes of s to one value.
func (s *source) change(value string) (string, bool) {
	if !strings.HasPrefix(value, s.keep) {
		return "", false
	}
	value = strings.TrimPrefix(value, s.trim)
	if s.add != "" {
		value = s.add + value
	}
	return value, true
}

// list reads a field that is a list, into room where it fits; found is false, and
// values nil, when no source is present, and only then: a list that is empty was
// stated.
func (ss sources) list(p *Payload, room []string) (values []string, found bool, err error) {
	values = room
	for i := range ss {
		s := &ss[i]
		if found && !s.also {
			continue
		}
		raw, ok, err := s.find(p)
		if err != nil {
			return nil, false, err
		}
		if !ok {
			continue
		}
		found = true
		if values, err = s.read(values, raw, p); err != nil {
			return nil, false, err
		}
	}
	if !found {
		return nil, false, nil
	}
	if values == nil {
		values = []string{}
	}
	return values, true, nil
}

// scopes reads the scopes: all sources that are present must name the same set,
// each name must be a scope-token, and a name given twice counts once. They go into
// room where they fit.
func (ss sources) scopes(p *Payload, room []string) ([]string, error) {
	var values []string
	found := false
	for i := range ss {
		s := &ss[i]
		raw, ok, err := s.find(p)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		next, err := s.read(room, raw, p)
		if err != nil {
			return nil, err
		}
		for _, scope := range next {
			if !scopeToken(scope) {
				return nil, malformed(s.label, "not a list of scope tokens with one space between them (RFC 6749 section 3.3)")
			}
		}
		next = distinct(next)
		switch {
		case !found:
			values = next
		case s.also:
			values = distinct(append(values, next...))
		case !sameSet(values, next):
			return nil, malformed(s.label, "another claim of the same meaning names other scopes")
		}
		found, room = true, nil
	}
	return values, nil
}

// read appends the values of raw in the shape of s. A control character can only
// come from an escape, so most lists are done when they are split.
func (s *source) read(dst []string, raw string, p *Payload) (_ []string, err error) {
	before := len(dst)
	switch {
	case s.shape == AsKeys:
		dst, err = s.keys(dst, raw, p)
	case s.shape == AsSpace && raw[0] != '"':
		return nil, malformed(s.label, detailNotString)
	case s.shape != "" && raw[0] == '"':
		dst = appendSplit(dst, unquote(raw))
	default:
		dst, err = appendFields(dst, raw, s.label, s.field)
	}
	if err != nil || s.bare && strings.IndexByte(raw, '\\') < 0 {
		return dst, err
	}
	kept := dst[:before]
	for _, value := range dst[before:] {
		value, keep := s.change(value)
		if hasControl(value) {
			return nil, malformed(s.label, detailControl)
		}
		if keep {
			kept = append(kept, value)
		}
	}
	return kept, nil
}

// appendSplit splits at each single space. What two spaces leave between them
// is the empty string, which is no scope-token.
func appendSplit(dst []string, s string) []string {
	if s == "" {
		return dst
	}
	if n := min(strings.Count(s, " ")+1, 64); len(dst) == 0 && cap(dst) < n {
		dst = make([]string, 0, n)
	}
	for {
		word, rest, more := strings.Cut(s, " ")
		dst = append(dst, word)
		if !more {
			return dst
		}
		s = rest
	}
}

// keys reads the keys of an object.
func (s *source) keys(dst []string, raw string, p *Payload) ([]string, error) {
	if raw[0] != '{' {
		return nil, malformed(s.label, "not an object")
	}
	want := ""
	if s.keyHas != nil {
		name, ok, err := s.keyHas.name(p)
		if err != nil {
			return nil, err
		}
		if !ok {
			return dst, nil // nothing can have a member whose name nobody knows
		}
		want = name
	}
	it, _ := openObject(raw, 0, 1)
	for {
		m, ok, _ := it.next()
		if !ok {
			return dst, nil
		}
		if s.keyHas != nil {
			value := raw[m.start:m.end]
			if value[0] != '{' {
				return nil, malformed(s.label, "the value of a key is not an object")
			}
			if _, has := child(value, want); !has {
				continue
			}
		}
		dst = append(dst, m.name)
	}
}

// time reads a field that is a NumericDate.
func (ss sources) time(p *Payload) (time.Time, error) {
	raw, from, err := ss.first(p)
	if err != nil || from == nil {
		return time.Time{}, err
	}
	t, ok := numericDate(raw)
	if !ok {
		return time.Time{}, malformed(from.label, detailNotDate)
	}
	return t, nil
}

// flag reads a field that is a boolean.
func (ss sources) flag(p *Payload) (bool, error) {
	raw, from, err := ss.first(p)
	if err != nil || from == nil {
		return false, err
	}
	if raw != "true" && raw != "false" {
		return false, malformed(from.label, "not a boolean")
	}
	return raw == "true", nil
}

// actor reads a field that is the act claim of RFC 8693 section 4.1.
func (ss sources) actor(p *Payload) (*Actor, error) {
	raw, from, err := ss.first(p)
	if err != nil || from == nil {
		return nil, err
	}
	return readActor(raw, from.label)
}

// readActor recurses no deeper than a payload may be nested.
func readActor(raw, claim string) (*Actor, error) {
	if raw[0] != '{' {
		return nil, malformed(claim, "not an object")
	}
	a := new(Actor)
	for _, field := range [...]struct {
		name string
		to   *string
	}{{"iss", &a.Issuer}, {"sub", &a.Subject}, {"sub_profile", &a.Profile}} {
		value, ok := child(raw, field.name)
		if !ok {
			continue
		}
		if value[0] != '"' {
			return nil, malformed(claim, "has a member that is not a string")
		}
		if *field.to = unquote(value); hasControl(*field.to) {
			return nil, malformed(claim, detailControl)
		}
	}
	if a.Subject == "" {
		return nil, malformed(claim, "names nobody: sub is absent")
	}
	inner, ok := child(raw, "act")
	if !ok {
		return a, nil
	}
	var err error
	a.Actor, err = readActor(inner, claim)
	return a, err
}

// distinct removes what came before, in place.
func distinct(values []string) []string {
	const linear = 32
	kept := values[:0]
	if len(values) <= linear {
		for _, v := range values {
			if !slices.Contains(kept, v) {
				kept = append(kept, v)
			}
		}
		return kept
	}
	seen := make(map[string]struct{}, len(values))
	for _, v := range values {
		if _, dup := seen[v]; !dup {
			seen[v] = struct{}{}
			kept = append(kept, v)
		}
	}
	return kept
}

// sameSet compares two lists without duplicates.
func sameSet(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
