package emamw_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/scopes"
)

// Each request is a good one, which is answered 200, with one thing about its
// transport wrong. None runs the tool, none is the server's fault, and none makes
// the guard fetch anything.
func TestHostileRequests(t *testing.T) {
	b := newBench(t, before(func(b *bench) {
		b.mcp.AddTool(mcp.NewTool("open", scopes.Where(scopes.Authenticated())), b.tool("open"))
	}), with(func(c *emamw.Config) { c.MaxRequestBytes = 64 << 10 }))
	good := b.token()
	mine, second, others := b.session(good), b.session(good), b.session(b.tokenOf("mallory"))
	credentials := func(values ...string) requestOption { return header("Authorization", values...) }
	session := func(values ...string) requestOption { return header("Mcp-Session-Id", values...) }
	body := func(text string) requestOption {
		return func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
		}
	}
	endless := func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(endlessly('[')), -1 }
	tests := []struct {
		name   string
		change requestOption
		status int
	}{
		{"no Authorization header", func(r *http.Request) { r.Header.Del("Authorization") }, 401},
		{"an empty one", credentials(""), 400},
		{"two", credentials("Bearer "+good, "Bearer "+good), 400},
		{"two, the first of nobody", credentials("", "Bearer "+good), 400},
		{"the second of another scheme", credentials("Bearer "+good, "Basic YTpi"), 400},
		{"Basic", credentials("Basic YTpi"), 400},
		{"DPoP", credentials("DPoP " + good), 400},
		{"no scheme", credentials(good), 400},
		{"no space behind the scheme", credentials("Bearer" + good), 400},
		{"a tab behind the scheme", credentials("Bearer\t" + good), 400},
		{"a space before the scheme", credentials(" Bearer " + good), 400},
		{"no token", credentials("Bearer "), 401},
		{"two tokens", credentials("Bearer " + good + ", Bearer " + good), 401},
		{"a token and a parameter", credentials("Bearer " + good + ",realm=x"), 401},
		{"a token in quotation marks", credentials(`Bearer "` + good + `"`), 401},
		{"a line break behind the token", credentials("Bearer " + good + "\r\nX: y"), 401},
		{"a zero byte behind the token", credentials("Bearer " + good + "\x00"), 401},
		{"a letter that is not ASCII", credentials("Bearer " + good + "é"), 401},
		{"padding alone", credentials("Bearer =="), 401},
		{"a byte too many", credentials("Bearer " + strings.Repeat("a", 16<<10+1)), 401},
		{"a mebibyte of dots", credentials("Bearer " + strings.Repeat(".", 1<<20)), 401},
		{"the token in the query", func(r *http.Request) { r.Header.Del("Authorization"); r.URL.RawQuery = "access_token=" + good }, 401},
		{"the token in a form", func(r *http.Request) {
			r.Header.Del("Authorization")
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			body("access_token=" + good)(r)
		}, 401},
		{"the token in a cookie", func(r *http.Request) {
			r.Header.Del("Authorization")
			r.Header.Set("Cookie", "Authorization=Bearer "+good)
		}, 401},
		{"the token in Proxy-Authorization", func(r *http.Request) {
			r.Header.Del("Authorization")
			r.Header.Set("Proxy-Authorization", "Bearer "+good)
		}, 401},
		{"the session of another caller", session(others), 404},
		{"a session without its seal", session(mine[:strings.LastIndexByte(mine, '.')]), 404},
		{"the seal of another session", session(mine[:strings.LastIndexByte(mine, '.')] + others[strings.LastIndexByte(others, '.'):]), 404},
		{"the seal of the caller's other session", session(mine[:strings.LastIndexByte(mine, '.')] + second[strings.LastIndexByte(second, '.'):]), 404},
		{"two sessions, the first empty", session("", mine), 404},
		{"a seal cut short", session(mine[:len(mine)-1]), 404},
		{"an empty seal", session(mine[:strings.LastIndexByte(mine, '.')+1]), 404},
		{"two sessions", session(mine, others), 404},
		{"a session that was never opened", session("mcp-session-none"), 404},
		{"a foreign origin", header("Origin", "https://evil.example"), 403},
		{"an opaque origin", header("Origin", "null"), 403},
		{"two origins", header("Origin", "https://mcp.example", "https://evil.example"), 403},
		{"a long body", body(strings.Repeat(" ", 64<<10+1)), 413},
		{"an endless body", endless, 413},
		{"an endless body, modern", func(r *http.Request) { endless(r); r.Header.Set("Mcp-Protocol-Version", modern) }, 413},
		{"no body", body(""), 400},
		{"half a message", body(`{"jsonrpc":"2.0","id":1,"method":"tools/call"`), 400},
		{"a body that is no JSON", body("open"), 400},
		{"another method", func(r *http.Request) { r.Method = http.MethodPut }, 404},
	}
	if len(tests) < 25 {
		t.Errorf("only %d cases", len(tests))
	}
	fetches := b.as.KeyFetches()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := b.post(good, message("tools/call", call("open")), session(mine), tt.change)
			if a.Code != tt.status {
				t.Errorf("answered %d %q, want %d", a.Code, a.body, tt.status)
			}
			if strings.Contains(a.body, good) || strings.Contains(a.Header().Get("WWW-Authenticate"), good) {
				t.Error("the answer repeats the token")
			}
		})
	}
	if n := b.runs("open"); n != 0 {
		t.Errorf("the tool ran %d times", n)
	}
	if n := b.as.KeyFetches() - fetches; n != 0 {
		t.Errorf("the requests caused %d key fetches", n)
	}
	if a := b.post(good, message("tools/call", call("open")), session(mine)); a.Code != http.StatusOK || b.runs("open") != 1 {
		t.Errorf("the good one: %d %s", a.Code, a.body)
	}
}

// endlessly is a body of one character without an end.
type endlessly byte

func (c endlessly) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c)
	}
	return len(p), nil
}
