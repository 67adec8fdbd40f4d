package integration_test

import (
	"net/http"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/scopes"
)

// A tool may ask for a caller whose token was born from an ID-JAG of a named
// identity provider. No scope cures another birth, so no client is sent to ask
// for one.
func TestToolForOneIdentityProvider(t *testing.T) {
	var e *enterprise
	e = newEnterprise(t, setup{transport: func(m *server.MCPServer) http.Handler {
		born := func(provider func() string) mcp.ToolOption {
			return scopes.Where(scopes.When(func(map[string]any) scopes.Rule { return scopes.IdentityProvider(provider()) }))
		}
		m.AddTool(mcp.NewTool("ours", born(func() string { return e.idp.Issuer() })), done)
		m.AddTool(mcp.NewTool("theirs", born(func() string { return "https://idp.partner.example.com" })), done)
		m.AddTool(mcp.NewTool("almost", born(func() string { return e.idp.Issuer() + "/" })), done)
		return stateless(m)
	}})
	c := newClient(t, e, legacy, e.token(t, "alice", readScope))
	initialize(t, c)
	for tool, open := range map[string]bool{"ours": true, "theirs": false, "almost": false} {
		if text, err := callTool(t.Context(), c, tool); (err == nil) != open {
			t.Errorf("%s: %q, %v; want open: %v", tool, text, err, open)
		}
	}
	for _, q := range e.calls.to(http.MethodPost, "/mcp") {
		if q.status == http.StatusForbidden && q.challenge != "" {
			t.Errorf("a 403 with the challenge %s", q.challenge)
		}
	}
}
