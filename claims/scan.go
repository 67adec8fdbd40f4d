package claims

import (
	"math/bits"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A fault is what makes a text no payload. The empty fault is none. The words
// reach logs, so they are constants and hold nothing of the text.
type fault string

const (
	faultNotObject = fault("the payload is not a JSON object")
	faultTrailing  = fault("the payload goes on after its JSON object")
	faultSyntax    = fault("the payload is not valid JSON (RFC 8259)")
	faultControl   = fault("the payload has an unescaped control character in a string")
	faultUTF8      = fault("the payload is not valid UTF-8")
	faultSurrogate = fault("the payload has half of a surrogate pair in a string")
	faultDuplicate = fault("the payload has one member twice, or two that differ only in case: the issuer must send each claim once")
	faultTooDeep   = fault("the payload is nested deeper than 32 levels")
	faultTooLarge  = fault("the payload is larger than 64 KiB: let the issuer send fewer claims, or fewer groups")
)

// skipPlain returns the index of the first byte from s[i] on that does not stand
// for itself in a JSON string. Nine tenths of a token are such bytes, so eight are
// looked at together: an arithmetic on each byte of a word sets its highest bit for
// what a string cannot simply hold. Where a subtraction borrows, it does so from
// bytes behind one that is marked, and only the first mark counts.
func skipPlain(s string, i int) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(s); i += 8 {
		w := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		quote, backslash := w^ones*'"', w^ones*'\\'
		marks := (w | (w - ones*' ') | (quote - ones) | (backslash - ones)) & tops
		if marks != 0 {
			// A mark of quote-ones or backslash-ones may also be that of a byte over
			// 0x80, which is marked anyway.
			return i + bits.TrailingZeros64(marks)/8
		}
	}
	for i < len(s) && plain[s[i]] {
		i++
	}
	return i
}

// plain holds the bytes that stand for themselves in a JSON string.
var plain = func() (t [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

func skipSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r') {
		i++
	}
	return i
}

// member is one member of a JSON object: its name, and where in the text its value
// stands.
type member struct {
	name       string // decoded
	at         uint32 // where the name stands; 0 when it is written with escapes
	start, end uint32
}

// objectReader walks the members of one object.
type objectReader struct {
	s     string
	pos   int
	depth int
	begun bool
}

// openObject starts at the brace s[i]. depth is the object's own level.
func openObject(s string, i, depth int) (objectReader, fault) {
	if i >= len(s) || s[i] != '{' {
		return objectReader{}, faultNotObject
	}
	return objectReader{s: s, pos: i + 1, depth: depth}, ""
}

// next returns the next member, or false after the last one; pos is then
// behind the closing brace.
func (r *objectReader) next() (m member, ok bool, f fault) {
	s, i := r.s, skipSpace(r.s, r.pos)
	if i >= len(s) {
		return m, false, faultSyntax
	}
	switch {
	case s[i] == '}':
		r.pos = i + 1
		return m, false, ""
	case !r.begun:
		r.begun = true
	case s[i] != ',':
		return m, false, faultSyntax
	default:
		i = skipSpace(s, i+1)
	}
	if i >= len(s) || s[i] != '"' {
		return m, false, faultSyntax
	}
	end, escaped, f := scanString(s, i)
	if f != "" {
		return m, false, f
	}
	m.name, m.at = s[i+1:end-1], uint32(i+1)
	if escaped {
		m.name, m.at = unescape(m.name), 0
	}
	if i = skipSpace(s, end); i >= len(s) || s[i] != ':' {
		return m, false, faultSyntax
	}
	i = skipSpace(s, i+1)
	end, f = scanValue(s, i, r.depth)
	m.start, m.end, r.pos = uint32(i), uint32(end), end
	return m, f == "", f
}

// scanValue returns the index behind the value that starts at s[i]. depth is
// the level of what holds it.
func scanValue(s string, i, depth int) (int, fault) {
	if i >= len(s) {
		return i, faultSyntax
	}
	switch c := s[i]; {
	case c == '"':
		end, _, f := scanString(s, i)
		return end, f
	case c == '-' || '0' <= c && c <= '9':
		return scanNumber(s, i)
	case c == '{' || c == '[':
		if depth >= maxDepth {
			return i, faultTooDeep
		}
		if c == '[' {
			return scanArray(s, i, depth+1)
		}
		return scanObject(s, i, depth+1)
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(s[i:], word) {
			return i + len(word), ""
		}
	}
	return i, faultSyntax
}

// scanObject refuses a name given twice. Names that differ only in case are
// allowed below the top: there they are often not claims but ids that somebody
// chose, such as the clients in Keycloak's resource_access.
func scanObject(s string, i, depth int) (int, fault) {
	it, _ := openObject(s, i, depth)
	var (
		first [8]string
		names = first[:0]
		seen  map[string]struct{}
	)
	for {
		m, ok, f := it.next()
		if !ok || f != "" {
			return it.pos, f
		}
		if seen == nil && len(names) == cap(names) {
			seen = make(map[string]struct{}, 4*len(names))
			for _, name := range names {
				seen[name] = struct{}{}
			}
		}
		if seen != nil {
			if _, dup := seen[m.name]; dup {
				return it.pos, faultDuplicate
			}
			seen[m.name] = struct{}{}
			continue
		}
		for _, name := range names {
			if name == m.name {
				return it.pos, faultDuplicate
			}
		}
		names = append(names, m.name)
	}
}

func scanArray(s string, i, depth int) (int, fault) {
	i = skipSpace(s, i+1)
	if i < len(s) && s[i] == ']' {
		return i + 1, ""
	}
	for {
		end, f := scanValue(s, i, depth)
		if f != "" {
			return end, f
		}
		if i = skipSpace(s, end); i >= len(s) {
			return i, faultSyntax
		}
		if s[i] == ']' {
			return i + 1, ""
		}
		if s[i] != ',' {
			return i, faultSyntax
		}
		i = skipSpace(s, i+1)
	}
}

// scanString returns the index behind the string whose opening quote is s[i],
// and whether it has escapes.
func scanString(s string, i int) (end int, escaped bool, f fault) {
	for i++; ; {
		i = skipPlain(s, i)
		if i >= len(s) {
			return i, escaped, faultSyntax
		}
		switch c := s[i]; {
		case c == '"':
			return i + 1, escaped, ""
		case c == '\\':
			n, _, f := scanEscape(s[i:])
			if f != "" {
				return i, true, f
			}
			escaped = true
			i += n
		case c < ' ':
			return i, escaped, faultControl
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				return i, escaped, faultUTF8
			}
			i += n
		}
	}
}

// scanEscape reads the escape at the start of s: how many bytes it takes, and
// the character it means.
func scanEscape(s string) (n int, r rune, f fault) {
	if len(s) < 2 {
		return 0, 0, faultSyntax
	}
	if s[1] != 'u' {
		at := strings.IndexByte(`"\/bfnrt`, s[1])
		if at < 0 {
			return 0, 0, faultSyntax
		}
		return 2, rune("\"\\/\b\f\n\r\t"[at]), ""
	}
	r, ok := hex4(s)
	if !ok {
		return 0, 0, faultSyntax
	}
	if r < 0xD800 || r > 0xDFFF {
		return 6, r, ""
	}
	low, ok := hex4(s[6:])
	if !ok || r > 0xDBFF || low < 0xDC00 || low > 0xDFFF {
		return 0, 0, faultSurrogate
	}
	return 12, (r-0xD800)<<10 + (low - 0xDC00) + 0x10000, ""
}

// hex4 reads \u and its four digits at the start of s.
func hex4(s string) (r rune, ok bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	for _, c := range []byte(s[2:6]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// scanNumber follows the grammar of RFC 8259 section 6.
func scanNumber(s string, i int) (int, fault) {
	if s[i] == '-' {
		i++
	}
	start := i
	if i = skipDigits(s, i); i == start || s[start] == '0' && i > start+1 {
		return i, faultSyntax
	}
	if i < len(s) && s[i] == '.' {
		start = i + 1
		if i = skipDigits(s, start); i == start {
			return i, faultSyntax
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		if i++; i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		start = i
		if i = skipDigits(s, start); i == start {
			return i, faultSyntax
		}
	}
	return i, ""
}

func skipDigits(s string, i int) int {
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	return i
}

// signature is cheap to compare, and equal for names that differ only in case:
// the length and both ends.
func signature(name string) uint32 {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			name = foldName(name)
			break
		}
	}
	if name == "" {
		return 0
	}
	return uint32(len(name))<<16 | uint32(name[0]|0x20)<<8 | uint32(name[len(name)-1]|0x20)
}

// foldName maps the names that encoding/json takes for one to one: under
// Unicode simple folding the Kelvin sign is a k, and the long s an s.
func foldName(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r
		}
		// SimpleFold goes round the circle of equal characters, upwards until
		// it wraps: what it wraps to is the smallest.
		for {
			next := unicode.SimpleFold(r)
			if next <= r {
				return next
			}
			r = next
		}
	}, name)
}
