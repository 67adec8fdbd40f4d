package emamw_test

import (
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
		}
		if b.runs("open") != 0 {
			t.Errorf("%s: the tool ran", tt.name)
		}
	}
}
