package claims

import "strings"

// A condition is a compiled [Condition].
type condition struct {
	path
	equals, unequal []step
	contains        *step
	absent          bool
	subjectIsClient bool
}

// holds evaluates c. present tells whether the claim is there at all, for the
// reason of a refusal.
func (c *condition) holds(p *Payload, subject, client string) (holds, present bool, err error) {
	if c.subjectIsClient {
		return subject == client, true, nil
	}
	raw, present, err := c.find(p)
	if err != nil {
		return false, false, err
	}
	if !present {
		return c.absent || c.unequal != nil, false, nil
	}
	if c.absent {
		return false, true, nil
	}
	if c.equals == nil && c.unequal == nil && c.contains == nil {
		return true, true, nil
	}
	value, ok := scalar(raw)
	if !ok {
		return false, true, nil
	}
	switch {
	case c.equals != nil:
		ok, err = oneOf(value, c.equals, p)
	case c.unequal != nil:
		ok, err = oneOf(value, c.unequal, p)
		ok = !ok
	default:
		var part string
		part, ok, err = c.contains.name(p)
		ok = ok && raw[0] == '"' && strings.Contains(value, part)
	}
	return ok && err == nil, true, err
}

func oneOf(value string, wanted []step, p *Payload) (bool, error) {
	for i := range wanted {
		want, ok, err := wanted[i].name(p)
		if err != nil {
			return false, err
		}
		if ok && want == value {
			return true, nil
		}
	}
	return false, nil
}

// scalar returns a string's value, or the text of a boolean or number.
func scalar(raw string) (string, bool) {
	switch raw[0] {
	case '"':
		return unquote(raw), true
	case '{', '[', 'n':
		return "", false
	}
	return raw, true
}

// anyHolds reports whether at least one of cs does.
func anyHolds(cs []condition, p *Payload, subject, client string) (bool, error) {
	for i := range cs {
		ok, _, err := cs[i].holds(p, subject, client)
		if ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// require refuses a payload for which one of cs does not hold.
func require(cs []condition, p *Payload) error {
	for i := range cs {
		ok, present, err := cs[i].holds(p, "", "")
		if err != nil {
			return err
		}
		if ok {
			continue
		}
		if !present {
			return missing(cs[i].label, "absent, and every access token of this product has it")
		}
		return &Error{Reason: TokenKindNotAllowed, Claim: cs[i].label, detail: "its value belongs to another kind of token than an access token"}
	}
	return nil
}
