package emamw_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// The names of parameter headers come from the page that asks. Of those that are
// allowed, none may be more than a header name, nor all of them more than the
// answer should grow: an attacker would else write that header of the answer.
func TestPreflightHeaders(t *testing.T) {
	b := newBench(t, stateless)
	ask := func(asked string) []string {
		r := newRequest(http.MethodOptions, "", "", header("Origin", "https://mcp.example"), header("Access-Control-Request-Method", "POST"), header("Access-Control-Request-Headers", asked))
		return strings.Split(b.do(r).Header().Get("Access-Control-Allow-Headers"), ", ")
	}
	for name, allowed := range map[string]bool{
		"mcp-param-region":                     true,
		"Mcp-Param-Region":                     true,
		"mcp-param-" + strings.Repeat("x", 54): true,
		"mcp-param-" + strings.Repeat("x", 55): false,
		"mcp-param-a b":                        false,
		`mcp-param-"`:                          false,
		"mcp-param-a\r\nx":                     false,
		"mcp-param-é":                          false,
		"x-mcp-param-a":                        false,
	} {
		if got := slices.Contains(ask(name), strings.ToLower(name)); got != allowed {
			t.Errorf("%q: allowed=%t, want %t", name, got, allowed)
		}
	}
	many := strings.Repeat("mcp-param-region,", 1000)
	if n := len(strings.Join(ask(many), ", ")); n > 2000 {
		t.Errorf("1000 headers make an answer of %d bytes", n)
	}
}

// A browser is told what it asked, and for how long. What only resembles its
// question needs a token like any other request.
func TestPreflightAnswer(t *testing.T) {
	b := newBench(t, stateless)
	origin, method := header("Origin", "https://mcp.example"), header("Access-Control-Request-Method", "DELETE")
	a := b.do(newRequest(http.MethodOptions, "", "", origin, method))
	methods := strings.Split(a.Header().Get("Access-Control-Allow-Methods"), ", ")
	if a.Code != http.StatusNoContent || a.Header().Get("Access-Control-Max-Age") != "600" ||
		!slices.Contains(methods, "GET") || !slices.Contains(methods, "POST") || !slices.Contains(methods, "DELETE") {
		t.Errorf("%d %v", a.Code, a.Header())
	}
	for name, request := range map[string]*http.Request{
		"no method asked for": newRequest(http.MethodOptions, "", "", origin),
		"no origin":           newRequest(http.MethodOptions, "", "", method),
		"another method":      newRequest(http.MethodPost, "", "", origin, method),
	} {
		if a := b.do(request); a.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d, want 401", name, a.Code)
		}
	}
}
