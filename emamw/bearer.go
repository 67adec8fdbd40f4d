package emamw

import (
	"net/http"
	"strings"

	"github.com/emamw/mcp-ema/claims"
)

// bearer returns what a request's one Authorization header has behind its scheme
// (RFC 6750 section 2.1), whatever that is. A token in the query or in a form is not
// looked at: the MCP authorization specification forbids clients to send it there.
func bearer(h http.Header) (token string, reason claims.Reason) {
	values := h["Authorization"]
	switch {
	case len(values) == 0:
		return "", claims.TokenMissing
	case len(values) > 1:
		// Two credentials are two answers to who is calling, and a proxy in
		// front may have checked the other one.
		return "", claims.MultipleCredentials
	}
	scheme, rest, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", claims.SchemeUnsupported
	}
	return strings.TrimLeft(rest, " "), ""
}

// isToken68 reports whether s is a token68 of RFC 9110 section 11.2. A second
// credential behind a comma is none, nor is a tab or a quoted string. Every token
// that verifies is one, so it is asked of the others only: to look at each character
// takes as long as to hash them all.
func isToken68(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		switch c := body[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '.', c == '_', c == '~', c == '+', c == '/':
		default:
			return false
		}
	}
	return body != ""
}
