package claims

import "strings"

// A path is a compiled Path or Pointer.
type path struct {
	steps []step // at least one, the first of them fixed
	label string // as it was configured: for errors
}

// A step is the name of one member. In nearly every mapping it is fixed.
type step struct {
	fixed string
	sign  uint32 // of fixed
	parts []part // instead of fixed, when a claim takes part in the name
}

// A part of a name is either text or the value of a top-level claim.
type part struct {
	text, claim string
}

// name returns the member name that the step means in p, and false when a claim
// in it is absent.
func (s *step) name(p *Payload) (name string, ok bool, err error) {
	if s.parts == nil {
		return s.fixed, true, nil
	}
	var b strings.Builder
	for _, part := range s.parts {
		if part.claim == "" {
			b.WriteString(part.text)
			continue
		}
		value, ok, err := p.Text(part.claim)
		if err != nil || !ok {
			return "", false, err
		}
		b.WriteString(value)
	}
	return b.String(), true, nil
}

// find returns the JSON text that t leads to. A step into what is no object is
// a claim of the wrong type.
func (t *path) find(p *Payload) (raw string, ok bool, err error) {
	raw, ok = p.signed(t.steps[0].fixed, t.steps[0].sign)
	for i := 1; ok && i < len(t.steps); i++ {
		name, known, err := t.steps[i].name(p)
		if err != nil || !known {
			return "", false, err
		}
		if raw[0] != '{' {
			return "", false, malformed(t.label, "a part of the path is not an object")
		}
		raw, ok = child(raw, name)
	}
	return raw, ok, nil
}

// splitPointer splits a JSON Pointer (RFC 6901 section 3) and undoes its
// escapes. It returns what is wrong with it, or "".
func splitPointer(pointer string) (steps []string, wrong string) {
	if !strings.HasPrefix(pointer, "/") {
		return nil, `begin it with a slash: "/sub"`
	}
	steps = strings.Split(pointer[1:], "/")
	for i, s := range steps {
		rest := strings.NewReplacer("~0", "", "~1", "").Replace(s)
		if strings.Contains(rest, "~") {
			return nil, "a tilde must be followed by 0 or 1 (RFC 6901 section 3)"
		}
		steps[i] = strings.NewReplacer("~0", "~", "~1", "/").Replace(s)
	}
	return steps, ""
}

// parseStep puts the variables of vars into text. It returns the names of those
// it met, and what is wrong with text, or "".
func parseStep(text string, vars map[string]string) (s step, used []string, wrong string) {
	var parts []part
	for text != "" {
		plain, rest, found := strings.Cut(text, "{")
		if plain != "" {
			parts = append(parts, part{text: plain})
		}
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		switch {
		case !closed:
			return step{}, used, "{ without }"
		case name == "" || name == "=":
			return step{}, used, "{} names no variable"
		case name[0] == '=':
			parts = append(parts, part{claim: name[1:]})
		default:
			value, ok := vars[name]
			if !ok {
				return step{}, used, "vars has no value for {" + name + "}"
			}
			used = append(used, name)
			parts = append(parts, part{text: value})
		}
		text = after
	}
	return join(parts), used, ""
}

// join makes a fixed step of parts that hold no claim.
func join(parts []part) step {
	var b strings.Builder
	for _, p := range parts {
		if p.claim != "" {
			return step{parts: parts}
		}
		b.WriteString(p.text)
	}
	return step{fixed: b.String(), sign: signature(b.String())}
}
