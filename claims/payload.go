package claims

import (
	"encoding/json"
	"strings"
	"time"
)

const (
	maxPayloadBytes = 64 << 10
	maxDepth        = 32
)

// A Payload is the claims set of one token (RFC 7519 section 4), checked for
// its form and not yet for its truth: nothing here verifies a signature.
//
// One text must not mean two things. encoding/json takes the last of two
// members with one name, lets "SUB" stand for "sub", and repairs broken UTF-8,
// so a payload that uses any of these could show one subject to the check of
// access and another to the handler. Such a payload is refused.
type Payload struct {
	text    string   // nobody can change it: every value that is handed out is a part of it
	decoded []string // names that are written with escapes
	seen    uint64   // a bit for each signature: most claims that a mapping asks for are absent

	// The first claims live in the Payload itself. No slice of it is kept, which
	// would tie it to the heap: for the time of a verification it needs none.
	count int
	first [22]claim
	more  []claim
}

// claim is a top-level member: where its name and its value stand in the text.
type claim struct {
	name, nameEnd uint32 // without the quotes; or an index into decoded, and 0
	start, end    uint32 // of the value
	sign          uint32 // the name's signature
}

// claim returns the one at i, in the order of the text.
func (p *Payload) claim(i int) *claim {
	if i < len(p.first) {
		return &p.first[i]
	}
	return &p.more[i-len(p.first)]
}

// name returns the name of c, decoded.
func (p *Payload) name(c *claim) string {
	if c.nameEnd == 0 {
		return p.decoded[c.name]
	}
	return p.text[c.name:c.nameEnd]
}

// ParsePayload reads raw, which must be one JSON object in UTF-8 (RFC 8259).
// It refuses, with [ClaimMalformed]: anything after the object, invalid UTF-8
// and lone surrogate escapes, a member given twice, top-level members that
// differ only in case, more than 32 levels, and more than 64 KiB. Bytes are
// copied; a string, which nobody can change, is kept as it is.
func ParsePayload[T ~string | ~[]byte](raw T) (*Payload, error) {
	return (&Payload{text: string(raw)}).parse()
}

// parse is all of ParsePayload that is too long to be compiled into its caller,
// where the Payload then needs no memory of the heap. It returns p, or an error.
func (p *Payload) parse() (*Payload, error) {
	if len(p.text) > maxPayloadBytes {
		return nil, malformed("", string(faultTooLarge))
	}
	if f := p.scan(); f != "" {
		return nil, malformed("", string(f))
	}
	return p, nil
}

// scan finds the claims in one pass over the text.
func (p *Payload) scan() fault {
	it, f := openObject(p.text, skipSpace(p.text, 0), 1)
	if f != "" {
		return faultNotObject
	}
	var folded map[string]struct{}
	for {
		m, ok, f := it.next()
		if f != "" {
			return f
		}
		if !ok {
			break
		}
		if folded, f = p.add(m, folded); f != "" {
			return f
		}
	}
	if skipSpace(p.text, it.pos) != len(p.text) {
		return faultTrailing
	}
	return ""
}

// add appends m unless a member of that name, in whatever case, is there. The
// signature makes the comparison with a few dozen others cheap; from a hundred
// on a set is kept instead, so that a payload of many members costs no more
// than its length.
func (p *Payload) add(m member, folded map[string]struct{}) (map[string]struct{}, fault) {
	const linear = 100
	sign := signature(m.name)
	switch {
	case p.count < linear:
		for i := range p.count {
			if c := p.claim(i); c.sign == sign && strings.EqualFold(p.name(c), m.name) {
				return nil, faultDuplicate
			}
		}
	case folded == nil:
		folded = make(map[string]struct{}, 2*linear)
		for i := range p.count {
			folded[foldName(p.name(p.claim(i)))] = struct{}{}
		}
		fallthrough
	default:
		name := foldName(m.name)
		if _, dup := folded[name]; dup {
			return folded, faultDuplicate
		}
		folded[name] = struct{}{}
	}
	c := claim{name: m.at, nameEnd: m.at + uint32(len(m.name)), start: m.start, end: m.end, sign: sign}
	if m.at == 0 {
		c.name, c.nameEnd = uint32(len(p.decoded)), 0
		p.decoded = append(p.decoded, m.name)
	}
	if p.count < len(p.first) {
		p.first[p.count] = c
	} else {
		p.more = append(p.more, c)
	}
	p.count++
	p.seen |= bit(sign)
	return folded, ""
}

// bit spreads signatures over the bits of a word.
func bit(sign uint32) uint64 { return 1 << ((sign ^ sign>>5 ^ sign>>14) & 63) }

// Lookup returns the JSON text of a value: Lookup("realm_access", "roles") is
// the member roles of the object realm_access. Names are compared exactly. It
// returns false where there is no such member, or a step leads into something
// that is not an object. The result is the caller's own.
func (p *Payload) Lookup(path ...string) (json.RawMessage, bool) {
	if len(path) == 0 {
		return nil, false
	}
	value, ok := p.member(path[0])
	for i := 1; ok && i < len(path); i++ {
		value, ok = child(value, path[i])
	}
	if !ok {
		return nil, false
	}
	return json.RawMessage(value), true
}

// Text returns a claim that must be a JSON string.
func (p *Payload) Text(name string) (value string, present bool, err error) {
	raw, ok := p.member(name)
	if !ok {
		return "", false, nil
	}
	if raw[0] != '"' {
		return "", true, malformed(name, detailNotString)
	}
	return unquote(raw), true, nil
}

// Texts returns a claim that must be a JSON string, which is a list of one, or
// an array of strings (as aud in RFC 7519 section 4.1.3). A string is never
// split: a group name may hold commas.
func (p *Payload) Texts(name string) ([]string, bool, error) {
	raw, ok := p.member(name)
	if !ok {
		return nil, false, nil
	}
	values, err := appendTexts(nil, raw, name)
	return values, true, err
}

// Time returns a claim that must be a NumericDate (RFC 7519 section 2): a JSON
// number, in seconds since 1970. Exponents are legal JSON and are read; a
// fraction is cut off, which makes an exp at most a second earlier. A string
// that holds a number, a negative number and a time after the year 9999 are
// refused.
func (p *Payload) Time(name string) (time.Time, bool, error) {
	raw, ok := p.member(name)
	if !ok {
		return time.Time{}, false, nil
	}
	t, ok := numericDate(raw)
	if !ok {
		return time.Time{}, true, malformed(name, detailNotDate)
	}
	return t, true, nil
}

// member returns the JSON text of a top-level member. It is never empty.
func (p *Payload) member(name string) (string, bool) {
	return p.signed(name, signature(name))
}

// signed is member for who knows the signature of name already.
func (p *Payload) signed(name string, sign uint32) (string, bool) {
	if p.seen&bit(sign) == 0 {
		return "", false
	}
	for i := range p.count {
		if c := p.claim(i); c.sign == sign && p.name(c) == name {
			return p.text[c.start:c.end], true
		}
	}
	return "", false
}

// child returns the JSON text of the member name of object, a text that was
// scanned before. What is no object has none.
func child(object, name string) (string, bool) {
	it, _ := openObject(object, 0, 1)
	for {
		m, ok, f := it.next()
		if !ok || f != "" {
			return "", false
		}
		if m.name == name {
			return object[m.start:m.end], true
		}
	}
}
