package claims

import (
	"strconv"
	"strings"
	"time"
)

const (
	detailNotString = "not a string"
	detailNotList   = "neither a string nor an array of strings, or of what the mapping has a field for"
	detailControl   = "has a control character"
	detailNotDate   = "not a NumericDate: a JSON number of seconds since 1970, not a string, not negative, before the year 10000 (RFC 7519 section 2)"
)

// unquote returns the value of a scanned JSON string with its quotes.
func unquote(raw string) string {
	inner := raw[1 : len(raw)-1]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner
	}
	return unescape(inner)
}

func unescape(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		n, r, _ := scanEscape(s[i:])
		b.WriteRune(r)
		s = s[i+n:]
	}
}

// appendTexts appends the string raw, or the strings of the array raw.
func appendTexts(dst []string, raw, claim string) ([]string, error) {
	return appendFields(dst, raw, claim, "")
}

// appendFields also takes, as an element, an object that holds the string in its
// member field; "" takes none.
func appendFields(dst []string, raw, claim, field string) ([]string, error) {
	if raw[0] == '"' {
		return append(dst, unquote(raw)), nil
	}
	if raw[0] != '[' {
		return dst, malformed(claim, detailNotList)
	}
	// The commas say how many elements there are at most. They may stand in
	// strings, and this runs before a signature is checked: hence the bound.
	if n := min(strings.Count(raw, ",")+1, 64); len(dst) == 0 && cap(dst) < n {
		dst = make([]string, 0, n)
	}
	escaped := strings.IndexByte(raw, '\\') >= 0
	for i := skipSpace(raw, 1); raw[i] != ']'; {
		var text string
		var end int
		switch {
		case raw[i] == '"' && !escaped: // the usual case, kept short: nothing to look for but the quote
			end = i + 2 + strings.IndexByte(raw[i+1:], '"')
			text = raw[i+1 : end-1]
		default:
			end, _ = scanValue(raw, i, 0)
			element := raw[i:end]
			if element[0] == '{' && field != "" {
				element, _ = child(element, field)
			}
			if element == "" || element[0] != '"' {
				return dst, malformed(claim, detailNotList)
			}
			text = unquote(element)
		}
		dst = append(dst, text)
		if i = skipSpace(raw, end); raw[i] == ',' {
			i = skipSpace(raw, i+1)
		}
	}
	return dst, nil
}

// hasControl reports whether s has a C0 control character. In an identity they
// are of use only to somebody who wants to break a log line, or a C program.
func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' {
			return true
		}
	}
	return false
}

const (
	maxDateDigits = 12
	maxDate       = 253402300799 // the last second of the year 9999
)

// numericDate reads a scanned JSON number. It counts digits and goes nowhere
// near a float: 1790000000.9999999 must not become the next second.
func numericDate(raw string) (time.Time, bool) {
	if raw[0] < '0' || raw[0] > '9' {
		return time.Time{}, false
	}
	digits := raw
	if skipDigits(raw, 0) < len(raw) {
		var ok bool
		if digits, ok = wholePart(raw); !ok {
			return time.Time{}, false
		}
	}
	if len(digits) > maxDateDigits {
		return time.Time{}, false
	}
	var seconds int64
	for i := range len(digits) {
		seconds = seconds*10 + int64(digits[i]-'0')
	}
	return time.Unix(seconds, 0).UTC(), seconds <= maxDate
}

// wholePart returns the digits before the decimal point of a number with a
// fraction or an exponent, once the exponent has moved the point.
func wholePart(raw string) (string, bool) {
	number, exponent := raw, 0
	if i := strings.IndexAny(raw, "eE"); i >= 0 {
		var err error
		number = raw[:i]
		if exponent, err = strconv.Atoi(raw[i+1:]); err != nil || exponent > maxPayloadBytes || exponent < -maxPayloadBytes {
			return "", false // far outside of any time
		}
	}
	whole, fraction, _ := strings.Cut(number, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	point := len(whole) + exponent - (len(whole) + len(fraction) - len(digits))
	switch {
	case digits == "" || point <= 0:
		return "0", true
	case point > maxDateDigits:
		return "", false
	case point > len(digits):
		digits += strings.Repeat("0", point-len(digits))
	}
	return digits[:point], true
}

// scopeToken reports whether s is a scope-token of RFC 6749 section 3.3. What
// is none could break out of the quoted scope of a challenge.
func scopeToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '"' || c == '\\' || c >= 0x7F {
			return false
		}
	}
	return s != ""
}
