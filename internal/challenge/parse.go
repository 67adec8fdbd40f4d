package challenge

import (
	"errors"
	"strings"
)

// Parse reads a header that holds one challenge, with its parameters by their
// names in lower case. It is stricter than RFC 9110 section 11.6.1 demands of a
// reader, so that a test finds what some client in the field would trip over:
// every value in quotes, no escapes, single separators, no parameter twice or
// empty, and scope in the form of RFC 6749 section 3.3.
func Parse(header string) (scheme string, params map[string]string, err error) {
	scheme, rest, found := strings.Cut(header, " ")
	if !found || !isToken(scheme) {
		return "", nil, errors.New("challenge: no scheme with one space and a parameter after it")
	}
	params = make(map[string]string)
	for {
		name, after, found := strings.Cut(rest, `="`)
		if !found || !isToken(name) {
			return "", nil, errors.New(`challenge: no parameter of the form name="value"`)
		}
		value, after, found := strings.Cut(after, `"`)
		if !found || !validText(value) {
			return "", nil, errors.New("challenge: a value is empty, not closed, or has a character that RFC 6750 section 3 does not allow")
		}
		name = strings.ToLower(name)
		if _, twice := params[name]; twice {
			return "", nil, errors.New("challenge: a parameter stands twice")
		}
		if (name == "scope" || name == "acr_values") && !isList(value) {
			return "", nil, errors.New("challenge: a list is not separated by single spaces")
		}
		params[name] = value
		if after == "" {
			return scheme, params, nil
		}
		if rest, found = strings.CutPrefix(after, ", "); !found {
			return "", nil, errors.New("challenge: something other than a comma and a space between two parameters")
		}
	}
}

func isList(value string) bool {
	for token := range strings.SplitSeq(value, " ") {
		if token == "" {
			return false
		}
	}
	return true
}

// isToken follows RFC 9110 section 5.6.2.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		digit := '0' <= r && r <= '9'
		return !letter && !digit && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}
