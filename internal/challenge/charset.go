package challenge

import "strings"

// ValidScope reports whether token is a scope-token of RFC 6749 section 3.3: one
// or more printable ASCII characters other than space, quote and backslash.
func ValidScope(token string) bool {
	return token != "" && !strings.ContainsFunc(token, notScope)
}

// validText is the character set of error and error_description (RFC 6750
// section 3): that of a scope, and the space.
func validText(text string) bool {
	return text != "" && !strings.ContainsFunc(text, notText)
}

func notScope(r rune) bool { return r == ' ' || notText(r) }

func notText(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }
