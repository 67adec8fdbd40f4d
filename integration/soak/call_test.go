package soak_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

// Protocol versions of MCP, one of each era.
const (
	modern = mcp.ProtocolVersion20260728
	legacy = mcp.ProtocolVersion20251125
)

// A message is what a caller sends beside its token.
type message struct {
	protocol string
	session  string // of the legacy era; "" is left out
	method   string
	params   string // members of params, without the braces
	tool     string
}

func toolCall(protocol, session, tool string) message {
	return message{protocol: protocol, session: session, method: "tools/call", params: `"name":"` + tool + `","arguments":{}`, tool: tool}
}

func initializeLegacy() message {
	return message{protocol: legacy, method: "initialize", params: `"protocolVersion":"` + legacy + `","capabilities":{},"clientInfo":{"name":"soak","version":"1"}`}
}

func (m message) request(w *world, token string) *http.Request {
	params := m.params
	if m.protocol == modern {
		params += fmt.Sprintf(`,"_meta":{%q:%q,%q:{"name":"soak","version":"1"},%q:{}}`, mcp.MetaKeyProtocolVersion, modern, mcp.MetaKeyClientInfo, mcp.MetaKeyClientCapabilities)
	}
	body := `{"jsonrpc":"2.0","id":1,"method":"` + m.method + `","params":{` + strings.TrimPrefix(params, ",") + `}}`
	r, err := http.NewRequestWithContext(w.shift, http.MethodPost, w.resource(), strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Header = http.Header{
		"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}, "Authorization": {"Bearer " + token},
	}
	if m.method != "initialize" {
		r.Header["Mcp-Protocol-Version"] = []string{m.protocol}
	}
	if m.session != "" {
		r.Header["Mcp-Session-Id"] = []string{m.session}
	}
	if m.protocol == modern {
		r.Header["Mcp-Method"] = []string{m.method}
		if m.tool != "" {
			r.Header["Mcp-Name"] = []string{m.tool}
		}
	}
	return r
}

// ask sends a message and has the answer judged. It reports whether it was let
// in, and the session of the answer.
func (w *world) ask(q *request, token string, m message) (letIn bool, session string) {
	w.pause.RLock()
	defer w.pause.RUnlock()
	r := &q.reply
	r.sent = time.Now()
	resp, err := w.client.Do(m.request(w, token))
	if err == nil {
		var body []byte
		body, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		r.status, r.header, r.body = resp.StatusCode, resp.Header, string(body)
	}
	r.answered, r.err = time.Now(), err
	if w.shift.Err() != nil {
		return false, "" // broken off by the end
	}
	w.ledger.judge(q)
	return r.status == http.StatusOK, r.header.Get("Mcp-Session-Id")
}
