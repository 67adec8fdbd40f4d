package emamw_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
)

// What mcp-go refuses of protocol versions goes out as it is. The guard leans on
// the first two: it believes the header about the version of a cancellation, and
// whether a request listens.
func TestVersionMismatches(t *testing.T) {
	tests := []struct {
		name, header, body string
		code               int
	}{
		{"2026-07-28 in the body alone", "", modern, mcp.HEADER_MISMATCH},
		{"an older one in the header", legacy, modern, mcp.HEADER_MISMATCH},
		{"2026-07-28 in the header alone", modern, "", mcp.INVALID_PARAMS},
		{"one that is yet to come", "2999-01-01", "2999-01-01", mcp.UNSUPPORTED_PROTOCOL_VERSION},
	}
	for _, tt := range tests {
		b := newBench(t, stateless, before(openTool))
		params := `"name":"open"`
		if tt.body != "" {
			params += fmt.Sprintf(`,"_meta":{%q:%q,%q:{"name":"c","version":"1"},%q:{}}`, mcp.MetaKeyProtocolVersion, tt.body, mcp.MetaKeyClientInfo, mcp.MetaKeyClientCapabilities)
		}
		for method, body := range map[string]string{
			"tools/call":              `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{` + params + `}}`,
			"notifications/cancelled": `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,` + params + `}}`,
			"subscriptions/listen":    `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{` + params + `}}`,
		} {
			if method == "notifications/cancelled" && tt.header != "" && tt.header != legacy {
				continue // the guard drops it: TestCancellationsStayWithTheirCaller
			}
			a := b.post(b.token(), body, header("Mcp-Method", method), header("Mcp-Name", "open"), func(r *http.Request) {
				r.Header.Del("Mcp-Protocol-Version")
				if tt.header != "" {
					r.Header.Set("Mcp-Protocol-Version", tt.header)
				}
			})
			if a.Code != http.StatusBadRequest || !strings.Contains(a.body, fmt.Sprintf(`"code":%d`, tt.code)) {
				t.Errorf("%s, %s: %d %s, want 400 and %d", tt.name, method, a.Code, a.body, tt.code)
			}
			if told := strings.Contains(a.body, `"supported":["`); told != (tt.code == mcp.UNSUPPORTED_PROTOCOL_VERSION) {
				t.Errorf("%s, %s: the versions that are supported are told: %t: %s", tt.name, method, told, a.body)
			}
		}
		if b.runs("open") != 0 {
			t.Errorf("%s: the tool ran", tt.name)
		}
	}
}

// A modern message says of itself what the protocol needs, or mcp-go refuses it. Who
// the client is it may leave out.
func TestIncompleteMeta(t *testing.T) {
	version, capabilities := fmt.Sprintf("%q:%q", mcp.MetaKeyProtocolVersion, modern), fmt.Sprintf("%q:{}", mcp.MetaKeyClientCapabilities)
	b := newBench(t, stateless, before(openTool))
	for meta, ok := range map[string]bool{
		"{" + version + "," + capabilities + "}": true,
		"{" + version + "}":                      false,
		"{" + capabilities + "}":                 false,
		fmt.Sprintf("{%q:7,%s}", mcp.MetaKeyProtocolVersion, capabilities):        false,
		fmt.Sprintf("{%s,%q:[]}", version, mcp.MetaKeyClientCapabilities):         false,
		fmt.Sprintf("{%q:{%s,%s}}", mcp.MetaKeyClientInfo, version, capabilities): false,
		"null": false,
	} {
		b.forget()
		a := b.post(b.token(), `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"open","_meta":`+meta+`}}`,
			header("Mcp-Protocol-Version", modern), header("Mcp-Method", "tools/call"), header("Mcp-Name", "open"))
		_, code := a.result(t)
		if ok != (a.Code == http.StatusOK && b.runs("open") == 1) || !ok && (a.Code != http.StatusBadRequest || code != mcp.INVALID_PARAMS) {
			t.Errorf("%s: %d %s, want it accepted: %t", meta, a.Code, a.body, ok)
		}
	}
}

// The headers that mirror a modern message are mcp-go's to compare with it (MCP
// 2026-07-28, "Server Validation"), before the gate is asked and whoever asks. The
// spelling of the header's name does not count, and that of its value does.
func TestMirroredHeaders(t *testing.T) {
	call := map[string]string{"tools/call": `"name":"write"`, "prompts/get": `"name":"ask"`, "resources/read": `"uri":"file:///fixed"`}
	name := map[string]string{"tools/call": "write", "prompts/get": "ask", "resources/read": "file:///fixed"}
	tests := []struct {
		name   string
		change func(h http.Header, name string)
		ok     bool
	}{
		{"as the body says", func(http.Header, string) {}, true},
		{"in base64", func(h http.Header, name string) {
			h.Set("Mcp-Name", "=?base64?"+base64.StdEncoding.EncodeToString([]byte(name))+"?=")
		}, true},
		{"no method", func(h http.Header, _ string) { h.Del("Mcp-Method") }, false},
		{"another method", func(h http.Header, _ string) { h.Set("Mcp-Method", "tools/list") }, false},
		{"the method in upper case", func(h http.Header, _ string) { h.Set("Mcp-Method", strings.ToUpper(h.Get("Mcp-Method"))) }, false},
		{"no name", func(h http.Header, _ string) { h.Del("Mcp-Name") }, false},
		{"another name", func(h http.Header, _ string) { h.Set("Mcp-Name", "open") }, false},
		{"the name in upper case", func(h http.Header, name string) { h.Set("Mcp-Name", strings.ToUpper(name)) }, false},
		{"another name in base64", func(h http.Header, _ string) { h.Set("Mcp-Name", "=?base64?b3Blbg==?=") }, false},
		{"the name in BASE64", func(h http.Header, name string) {
			h.Set("Mcp-Name", "=?BASE64?"+base64.StdEncoding.EncodeToString([]byte(name))+"?=")
		}, false},
	}
	b := newBench(t, stateless, before(furnish))
	held, other := b.token("files:write", "prompts", "fixed"), b.token()
	for method, item := range call {
		body := `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + item + `,"_meta":` + modernMeta + `}}`
		for _, tt := range tests {
			mirrored := func(r *http.Request) {
				r.Header.Set("Mcp-Protocol-Version", modern)
				r.Header.Set("Mcp-Method", method)
				r.Header.Set("Mcp-Name", name[method])
				tt.change(r.Header, name[method])
			}
			b.forget()
			allowed, denied := b.post(held, body, mirrored), b.post(other, body, mirrored)
			if tt.ok {
				if allowed.Code != http.StatusOK || denied.Code != http.StatusForbidden {
					t.Errorf("%s, %s: %d with the scope, %d without", method, tt.name, allowed.Code, denied.Code)
				}
				continue
			}
			for _, a := range []answer{allowed, denied} {
				if _, code := a.result(t); a.Code != http.StatusBadRequest || code != mcp.HEADER_MISMATCH {
					t.Errorf("%s, %s: %d %s, want 400 and %d", method, tt.name, a.Code, a.body, mcp.HEADER_MISMATCH)
				}
			}
			if ran := b.whatRan(); len(ran) > 0 {
				t.Errorf("%s, %s: %q ran", method, tt.name, ran)
			}
		}
	}
}
