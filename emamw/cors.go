package emamw

import (
	"net/http"
	"slices"
	"strings"
)

// origins are the web origins whose pages may call the server.
type origins []string

const (
	corsMethods = "GET, POST, DELETE, OPTIONS"
	corsHeaders = "Authorization, Content-Type, Accept, Last-Event-ID, Mcp-Session-Id, MCP-Protocol-Version, Mcp-Method, Mcp-Name"
	corsExposed = "WWW-Authenticate, Mcp-Session-Id, Retry-After"
)

// allow reports whether a request with these values of the Origin header may go
// on, and says in the answer which origin may read it. A server must refuse
// others (MCP streamable HTTP, "Security"): a page could otherwise reach a
// server on its visitor's own network. Programs that are not browsers send none.
//
// Access-Control-Allow-Credentials is never sent. The credential is a bearer
// token that the page holds itself, so cookies have no part in it.
func (o origins) allow(w http.ResponseWriter, values []string) bool {
	switch {
	case len(values) == 0:
		return true
	case len(values) > 1:
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	if !slices.Contains(o, values[0]) && !slices.Contains(o, "*") {
		return false
	}
	h.Set("Access-Control-Allow-Origin", values[0])
	h.Set("Access-Control-Expose-Headers", corsExposed)
	return true
}

// isPreflight recognizes the question that a browser asks before a request. It
// carries no token and must be answered without one, but never reaches MCP.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

func answerPreflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", corsMethods)
	h.Set("Access-Control-Allow-Headers", corsHeaders+paramHeaders(r.Header.Get("Access-Control-Request-Headers")))
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}

// paramHeaders returns the Mcp-Param-* headers among those asked for. Their
// names come from the tools' schemas, so no list can hold them (MCP 2026-07-28,
// "Standard Request Headers").
func paramHeaders(asked string) string {
	var b strings.Builder
	for name := range strings.SplitSeq(asked, ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		if strings.HasPrefix(name, "mcp-param-") && isToken68(name) && len(name) <= 64 && b.Len() < 1024 {
			b.WriteString(", ")
			b.WriteString(name)
		}
	}
	return b.String()
}
