package integration_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/emamw"
)

// token walks the flow with nothing but net/http, for scopes.
func (e *enterprise) token(t *testing.T, user string, scopes ...string) string {
	t.Helper()
	assertion := accessToken(t, e.idp.Issuer()+"/token", idpClient, idpSecret, url.Values{
		"grant_type":           {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"requested_token_type": {"urn:ietf:params:oauth:token-type:id-jag"},
		"subject_token":        {e.idp.SignIn(user, idpClient)},
		"subject_token_type":   {"urn:ietf:params:oauth:token-type:id_token"},
		"audience":             {e.issuer},
		"resource":             {e.resource},
		"scope":                {strings.Join(scopes, " ")},
	})
	return accessToken(t, e.issuer+"/token", asClient, asSecret, url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
		"assertion":  {assertion},
	})
}

// newClient returns mcp-go's client with a token, or none, not yet initialized.
func newClient(t *testing.T, e *enterprise, protocol, token string) *client.Client {
	t.Helper()
	var options []transport.StreamableHTTPCOption
	if token != "" {
		options = append(options, transport.WithHTTPHeaders(map[string]string{"Authorization": "Bearer " + token}))
	}
	c, err := transport.NewStreamableHTTP(e.resource, options...)
	if err != nil {
		t.Fatal(err)
	}
	mcpClient := client.NewClient(c, client.WithProtocolVersion(protocol))
	if err := mcpClient.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mcpClient.Close() })
	return mcpClient
}

func initialize(t *testing.T, c *client.Client) *mcp.InitializeResult {
	t.Helper()
	result, err := c.Initialize(t.Context(), mcp.InitializeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func callTool(ctx context.Context, c *client.Client, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var request mcp.CallToolRequest
	request.Params.Name = name
	result, err := c.CallTool(ctx, request)
	if err != nil {
		return "", err
	}
	text, ok := result.Content[0].(mcp.TextContent)
	if !ok || result.IsError {
		return "", errors.New("the tool answered with an error or with no text")
	}
	return text.Text, nil
}

// mcp-go's own client, with no token: it is told where to read on.
func TestMCPGoWithoutAToken(t *testing.T) {
	eras(t, func(t *testing.T, protocol string, s setup) {
		e := newEnterprise(t, s)
		_, err := newClient(t, e, protocol, "").Initialize(t.Context(), mcp.InitializeRequest{})
		var refused *transport.AuthorizationRequiredError
		if !errors.As(err, &refused) {
			t.Fatalf("without a token: %v", err)
		}
		resp, err := http.Get(refused.ResourceMetadataURL)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("the metadata that the challenge names: %s", resp.Status)
		}
	})
}

// mcp-go's own client, with a token: each kind of item opens and closes by its
// rule, and a denial leaves the session as it was.
func TestMCPGo(t *testing.T) {
	eras(t, func(t *testing.T, protocol string, s setup) {
		e := newEnterprise(t, s)
		c := newClient(t, e, protocol, e.token(t, "alice", readScope))
		if result := initialize(t, c); result.ProtocolVersion != protocol {
			t.Errorf("protocol %s, want %s", result.ProtocolVersion, protocol)
		}
		if tools, err := c.ListTools(t.Context(), mcp.ListToolsRequest{}); err != nil || len(tools.Tools) != 4 {
			t.Errorf("tools: %v, %v", tools, err)
		}
		if text, err := callTool(t.Context(), c, "whoami"); text != "alice of engineering+on-call with "+readScope {
			t.Errorf("whoami: %q, %v", text, err)
		}
		for name, open := range map[string]bool{"read_file": true, "write_file": false, "purge": false} {
			_, err := callTool(t.Context(), c, name)
			check(t, e, "tool "+name, open, err)
			if (e.hasRun(name) > 0) != open {
				t.Errorf("%s ran %d times", name, e.hasRun(name))
			}
		}
		for name, open := range map[string]bool{"summarize": true, "rewrite": false} {
			var request mcp.GetPromptRequest
			request.Params.Name = name
			_, err := c.GetPrompt(t.Context(), request)
			check(t, e, "prompt "+name, open, err)
		}
		for uri, open := range map[string]bool{"file:///readme": true, "file:///secret": false} {
			var request mcp.ReadResourceRequest
			request.Params.URI = uri
			_, err := c.ReadResource(t.Context(), request)
			check(t, e, "resource "+uri, open, err)
		}
		if _, err := callTool(t.Context(), c, "read_file"); err != nil {
			t.Errorf("read_file, after denials: %v", err)
		}
		oneSession(t, e)
	})
}

// check checks what came of the latest request.
func check(t *testing.T, e *enterprise, what string, open bool, err error) {
	t.Helper()
	calls := e.calls.to("POST", "/mcp")
	status := calls[len(calls)-1].status
	switch {
	case open && (err != nil || status != http.StatusOK):
		t.Errorf("%s: status %d and %v", what, status, err)
	case !open && (err == nil || status != http.StatusForbidden):
		t.Errorf("%s: status %d and %v, want a 403", what, status, err)
	}
}

// A session is its owner's: with another token of the same user it goes on, with
// another user's it does not exist.
func TestMCPGoSessionBelongsToItsOwner(t *testing.T) {
	e := newEnterprise(t, setup{})
	var token string
	c, err := transport.NewStreamableHTTP(e.resource, transport.WithHTTPHeaderFunc(func(context.Context) map[string]string {
		return map[string]string{"Authorization": "Bearer " + token}
	}))
	if err != nil {
		t.Fatal(err)
	}
	mcpClient := client.NewClient(c, client.WithProtocolVersion(legacy))
	if err := mcpClient.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	token = e.token(t, "alice", readScope)
	initialize(t, mcpClient)
	if c.GetSessionId() == "" {
		t.Fatal("there is no session")
	}
	token = e.token(t, "alice", readScope, writeScope)
	if _, err := callTool(t.Context(), mcpClient, "write_file"); err != nil {
		t.Errorf("another token of the same user: %v", err)
	}
	token = e.token(t, "bob", readScope, writeScope)
	if _, err := callTool(t.Context(), mcpClient, "write_file"); !errors.Is(err, transport.ErrSessionTerminated) {
		t.Errorf("another user's token: %v, want a session that does not exist", err)
	}
	if n := e.hasRun("write_file"); n != 1 {
		t.Errorf("write_file ran %d times, want 1", n)
	}
}

// With HideDenied the client does not learn that there is more.
func TestMCPGoHideDenied(t *testing.T) {
	eras(t, func(t *testing.T, protocol string, s setup) {
		s.guard = func(c *emamw.Config) { c.HideDenied = true }
		e := newEnterprise(t, s)
		c := newClient(t, e, protocol, e.token(t, "alice", readScope))
		initialize(t, c)
		tools, err := c.ListTools(t.Context(), mcp.ListToolsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, tool := range tools.Tools {
			names = append(names, tool.Name)
		}
		if slices.Sort(names); !slices.Equal(names, []string{"read_file", "whoami"}) {
			t.Errorf("listed: %q", names)
		}
		_, hidden := callTool(t.Context(), c, "write_file")
		_, unknown := callTool(t.Context(), c, "writ_efile")
		if hidden == nil || unknown == nil || hidden.Error() != strings.Replace(unknown.Error(), "writ_efile", "write_file", 1) {
			t.Errorf("a hidden tool answers %v, an unknown one %v", hidden, unknown)
		}
	})
}

// The legacy SSE transport, where a denial is an error on the stream.
func TestMCPGoSSE(t *testing.T) {
	e := newEnterprise(t, setup{transport: func(m *server.MCPServer) http.Handler { return server.NewSSEServer(m) }})
	token := e.token(t, "alice", readScope)
	base := strings.TrimSuffix(e.resource, "/mcp")
	c, err := client.NewSSEMCPClient(base+"/sse", transport.WithHeaders(map[string]string{"Authorization": "Bearer " + token}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	initialize(t, c)
	if text, err := callTool(ctx, c, "whoami"); text != "alice of engineering+on-call with "+readScope {
		t.Errorf("whoami: %q, %v", text, err)
	}
	if _, err := callTool(ctx, c, "write_file"); err == nil || e.hasRun("write_file") > 0 {
		t.Errorf("write_file: %v, and it ran %d times", err, e.hasRun("write_file"))
	}
	if _, err := callTool(ctx, c, "read_file"); err != nil {
		t.Errorf("read_file: %v", err)
	}
}
