package emamw_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/scopes"
)

const (
	whereToAsk     = `resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp"`
	nobody         = `Bearer scope="base", ` + whereToAsk
	invalidToken   = `Bearer error="invalid_token", scope="base", ` + whereToAsk
	invalidRequest = `Bearer error="invalid_request", ` + whereToAsk
)

// RFC 6750 sections 2.1 and 3.1, RFC 9110 section 11.4.
func TestCredentials(t *testing.T) {
	b := newBench(t, with(func(c *emamw.Config) { c.BaseScopes = []string{"base"} }))
	b.mcp.AddTool(mcp.NewTool("open", scopes.Where(scopes.Authenticated())), b.tool("open"))
	good := b.token("base")

	tests := []struct {
		name      string
		values    []string // of the Authorization header
		status    int
		challenge string
	}{
		{"none", nil, 401, nobody},
		{"good", []string{"Bearer " + good}, 200, ""},
		{"lower case", []string{"bearer " + good}, 200, ""},
		{"upper case", []string{"BEARER " + good}, 200, ""},
		{"several spaces", []string{"Bearer   " + good}, 200, ""},
		{"two headers", []string{"Bearer " + good, "Bearer " + good}, 400, invalidRequest},
		{"two headers, one empty", []string{"", "Bearer " + good}, 400, invalidRequest},
		{"empty", []string{""}, 400, invalidRequest},
		{"basic", []string{"Basic YTpi"}, 400, invalidRequest},
		{"dpop", []string{"DPoP " + good}, 400, invalidRequest},
		{"scheme glued", []string{"Bearer" + good}, 400, invalidRequest},
		{"scheme and tab", []string{"Bearer\t" + good}, 400, invalidRequest},
		{"no token", []string{"Bearer"}, 401, invalidToken},
		{"blank token", []string{"Bearer  "}, 401, invalidToken},
		{"two credentials in one", []string{"Bearer " + good + ", Bearer " + good}, 401, invalidToken},
		{"trailing space", []string{"Bearer " + good + " "}, 401, invalidToken},
		{"quoted", []string{`Bearer "` + good + `"`}, 401, invalidToken},
		{"line break", []string{"Bearer " + good + "\r\nX: y"}, 401, invalidToken},
		{"not ASCII", []string{"Bearer " + good + "é"}, 401, invalidToken},
		{"only padding", []string{"Bearer ===="}, 401, invalidToken},
		{"junk", []string{"Bearer junk"}, 401, invalidToken},
		{"16 KiB and a byte", []string{"Bearer " + strings.Repeat("a", 16<<10+1)}, 401, invalidToken},
		{"a mebibyte", []string{"Bearer " + strings.Repeat("a.", 1<<19)}, 401, invalidToken},
		{"tampered", []string{"Bearer " + tamper(good)}, 401, invalidToken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := b.post("", message("tools/call", call("open")), header("Authorization", tt.values...), func(r *http.Request) {
				if tt.values == nil {
					delete(r.Header, "Authorization")
				}
				r.Header.Set("Mcp-Session-Id", b.session(good))
			})
			b.wantAnswer(a, tt.status, tt.challenge)
			if strings.Contains(a.body, "eyJ") || strings.Contains(a.body, "junk") {
				t.Errorf("the answer repeats the request: %q", a.body)
			}
		})
	}
}

// tamper changes one character in the middle of the payload.
func tamper(token string) string {
	i := strings.IndexByte(token, '.') + 10
	c := byte('A')
	if token[i] == c {
		c = 'B'
	}
	return token[:i] + string(c) + token[i+1:]
}

// MCP authorization, "Token Requirements": a token in the query is not one. It
// neither stands in for the header nor counts beside it (OAuth 2.1 section 5.1).
func TestTokenInQuery(t *testing.T) {
	b := newBench(t, stateless, before(openTool))
	for _, tt := range []struct {
		name, header, query string
		status              int
		challenge           string
	}{
		{"alone", "", b.token(), 401, `Bearer ` + whereToAsk},
		{"beside a good one", b.token(), b.tokenOf("mallory"), 200, ""},
		{"bad, beside a good one", b.token(), "junk", 200, ""},
		{"beside a bad one", "junk", b.token(), 401, `Bearer error="invalid_token", ` + whereToAsk},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b.t = t
			a := b.post(tt.header, message("tools/call", call("open")), func(r *http.Request) { r.URL.RawQuery = "access_token=" + tt.query })
			b.wantAnswer(a, tt.status, tt.challenge)
		})
	}
}

// Every request is authenticated, also one that asks for nothing, and on a session
// that is open as before one: its id is no credential.
func TestEveryMethodIsAuthenticated(t *testing.T) {
	b := newBench(t)
	for name, id := range map[string]string{"no session": "", "an open session": b.session(b.token())} {
		session := header("Mcp-Session-Id", id)
		refused := func(what string, a answer) {
			if a.Code != http.StatusUnauthorized {
				t.Errorf("%s, %s without a token: %d, want 401", name, what, a.Code)
			}
		}
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch} {
			refused(method, b.do(newRequest(method, "", message("ping", nil), session)))
		}
		for _, body := range []string{"", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, `{"jsonrpc":"2.0","id":1,"result":{}}`} {
			refused(body, b.post("", body, session))
		}
		for _, e := range eras {
			for _, method := range []string{"initialize", "ping", "server/discover", "tools/list", "tools/call", "resources/read", "subscriptions/listen", "tasks/list", "own/method"} {
				refused(e.name+" "+method, e.send(b, "", method, nil, session))
			}
		}
	}
}

// The token stops at the guard (MCP authorization, "Token Handling").
func TestTokenIsNotPassedOn(t *testing.T) {
	var seen http.Header
	b := newBench(t, stateless)
	b.mcp.AddTool(mcp.NewTool("open", scopes.Where(scopes.Authenticated())), func(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		seen = r.Header
		return mcp.NewToolResultText(""), nil
	})
	r := newRequest(http.MethodPost, b.token(), message("tools/call", call("open")), header("X-Own", "kept"))
	if a := b.do(r); a.Code != http.StatusOK {
		t.Fatal(a.Code, a.body)
	}
	if _, passed := seen["Authorization"]; passed || seen.Get("X-Own") != "kept" {
		t.Errorf("the handler saw %v", seen)
	}
	if r.Header.Get("Authorization") == "" {
		t.Error("the guard changed the request of its caller")
	}
}
