package integration_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/auth/extauth"
	gosdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/revocation"
)

// eras are the protocols and transports that each test of a client runs on.
func eras(t *testing.T, test func(t *testing.T, protocol string, s setup)) {
	for _, protocol := range []string{modern, legacy} {
		t.Run(protocol, func(t *testing.T) { test(t, protocol, setup{scopes: []string{readScope}}) })
		t.Run(protocol+" stateless", func(t *testing.T) {
			test(t, protocol, setup{scopes: []string{readScope}, transport: stateless})
		})
	}
}

// The SDK's client, which knows nothing of this library, gets from no token to a
// tool call.
func TestGoSDKWalksTheFlow(t *testing.T) {
	eras(t, func(t *testing.T, protocol string, s setup) {
		e := newEnterprise(t, s)
		session, err := connect(t, e, protocol, e.enterpriseHandler(t, "alice"))
		if err != nil {
			t.Fatal(err)
		}
		if got := session.InitializeResult().ProtocolVersion; got != protocol {
			t.Errorf("the session speaks %s, want %s", got, protocol)
		}
		if _, ok := session.InitializeResult().Capabilities.Extensions["io.modelcontextprotocol/enterprise-managed-authorization"]; !ok {
			t.Errorf("the extension is not declared: %v", session.InitializeResult().Capabilities.Extensions)
		}
		tools, err := session.ListTools(t.Context(), nil)
		if err != nil || len(tools.Tools) != 4 {
			t.Errorf("tools: %v, %v", tools, err)
		}
		if text, err := tool(t, session, "whoami"); text != "alice of engineering+on-call with "+readScope {
			t.Errorf("whoami: %q, %v", text, err)
		}
		if text, err := tool(t, session, "read_file"); text != "done: read_file" {
			t.Errorf("read_file: %q, %v", text, err)
		}
		if n := len(e.tokenRequests.to("POST", "/token")); n != 1 {
			t.Errorf("%d access tokens were redeemed, want 1 for the whole session", n)
		}
		checkForms(t, e)
	})
}

// checkForms holds what makes this client worth testing with. Should a later
// version of the SDK send something else, the tests no longer show what they
// say.
func checkForms(t *testing.T, e *enterprise) {
	t.Helper()
	for _, q := range append(e.tokenRequests.to("POST", "/token"), e.exchanges.to("POST", "/token")...) {
		form := q.form(t)
		if q.header.Get("Authorization") != "" || form.Get("client_secret") == "" {
			t.Error("the client does not authenticate with client_secret_post")
		}
		if code, sent := form["code"]; !sent || !slices.Equal(code, []string{""}) {
			t.Errorf("the client sends code=%q, and used to send an empty one", code)
		}
		if form.Has("scope") {
			t.Errorf("the client asks for scope=%q, and used to ask for none", form["scope"])
		}
	}
	if form := e.tokenRequests.to("POST", "/token")[0].form(t); form.Has("resource") || form.Get("assertion") == "" {
		t.Errorf("the client redeems with resource=%q, and used to send none", form["resource"])
	}
}

// The SDK refuses metadata without PKCE, although nothing here uses it. Without
// the member that says so the flow ends before it began.
func TestGoSDKNeedsCodeChallengeMethods(t *testing.T) {
	e := newEnterprise(t, setup{as: func(as http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet {
				as.ServeHTTP(w, r)
				return
			}
			answer := &bodyWriter{header: w.Header()}
			as.ServeHTTP(answer, r)
			_, _ = w.Write(bytes.Replace(answer.body.Bytes(), []byte("code_challenge_methods_supported"), []byte("something_else"), 1))
		})
	}})
	_, err := connect(t, e, modern, e.enterpriseHandler(t, "alice"))
	if err == nil || !strings.Contains(err.Error(), "PKCE") {
		t.Errorf("metadata without code_challenge_methods_supported: %v", err)
	}
	if n := len(e.tokenRequests.to("POST", "/token")); n > 0 {
		t.Errorf("the client redeemed all the same, %d times", n)
	}
}

type bodyWriter struct {
	header http.Header
	body   bytes.Buffer
}

func (w *bodyWriter) Header() http.Header         { return w.header }
func (w *bodyWriter) WriteHeader(int)             {}
func (w *bodyWriter) Write(b []byte) (int, error) { return w.body.Write(b) }

// A call without its scope does not reach the tool. The SDK's handler answers
// the 403 by going the whole way again, for the same scopes: it does not read
// the challenge. It must not be led into a loop by that.
func TestGoSDKIsRefused(t *testing.T) {
	eras(t, func(t *testing.T, protocol string, s setup) {
		for _, name := range []string{"write_file", "purge"} {
			e := newEnterprise(t, s)
			session, err := connect(t, e, protocol, e.enterpriseHandler(t, "alice"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tool(t, session, name); err == nil || !strings.Contains(err.Error(), "Forbidden") {
				t.Errorf("%s: %v, want to be forbidden", name, err)
			}
			if n := e.hasRun(name); n > 0 {
				t.Errorf("%s ran %d times", name, n)
			}
			if n := len(e.tokenRequests.to("POST", "/token")); n != 2 {
				t.Errorf("%s: %d tokens were redeemed, want the first and one more", name, n)
			}
		}
	})
}

// After a 403 that its handler could not cure, the SDK gives the session up: it
// would keep it only for a body that is a JSON-RPC error with an id. The next
// session works, and the token is none the worse.
func TestGoSDKSessionEndsWithARefusal(t *testing.T) {
	e := newEnterprise(t, setup{scopes: []string{readScope}})
	handler := e.enterpriseHandler(t, "alice")
	session, err := connect(t, e, legacy, handler)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tool(t, session, "write_file"); err == nil {
		t.Fatal("write_file ran")
	}
	if _, err := tool(t, session, "read_file"); err == nil {
		t.Error("the session survived a refusal: better than this test knows, which can go")
	}
	again, err := connect(t, e, legacy, handler)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tool(t, again, "read_file"); err != nil {
		t.Error(err)
	}
}

// With a handler that reads it, the challenge leads to a wider token and the
// same call goes through, in the same session.
func TestGoSDKStepsUp(t *testing.T) {
	eras(t, func(t *testing.T, protocol string, s setup) {
		s.scopes = nil // the identity provider grants what is asked for
		s.guard = func(c *emamw.Config) { c.BaseScopes = []string{readScope} }
		e := newEnterprise(t, s)
		session, err := connect(t, e, protocol, newStepUp(t, e, "alice"))
		if err != nil {
			t.Fatal(err)
		}
		if text, err := tool(t, session, "whoami"); text != "alice of engineering+on-call with "+readScope {
			t.Fatalf("whoami: %q, %v", text, err)
		}
		if text, err := tool(t, session, "write_file"); text != "done: write_file" {
			t.Errorf("write_file: %q, %v", text, err)
		}
		if text, err := tool(t, session, "whoami"); text != "alice of engineering+on-call with "+readScope+"+"+writeScope {
			t.Errorf("whoami: %q, %v", text, err)
		}
		if n := len(e.tokenRequests.to("POST", "/token")); n != 2 {
			t.Errorf("%d tokens were redeemed, want 2", n)
		}
		if _, err := tool(t, session, "purge"); err == nil || !strings.Contains(err.Error(), "no scope cures") {
			t.Errorf("purge, which needs a group: %v", err)
		}
		oneSession(t, e)
	})
}

// oneSession checks that all requests with a session had the same one.
func oneSession(t *testing.T, e *enterprise) {
	t.Helper()
	ids := map[string]bool{}
	for _, q := range e.calls.to("POST", "/mcp") {
		if id := q.header.Get("Mcp-Session-Id"); id != "" {
			ids[id] = true
		}
	}
	if len(ids) > 1 {
		t.Errorf("the client went through %d sessions", len(ids))
	}
}

// A token that expires is replaced without the user, and the session goes on.
func TestGoSDKRenews(t *testing.T) {
	eras(t, func(t *testing.T, protocol string, s setup) {
		e := newEnterprise(t, s)
		session, err := connect(t, e, protocol, e.enterpriseHandler(t, "alice"))
		if err != nil {
			t.Fatal(err)
		}
		e.advance(11 * time.Minute) // past the token and the skew
		if text, err := tool(t, session, "read_file"); text != "done: read_file" {
			t.Errorf("read_file: %q, %v", text, err)
		}
		if n := len(e.tokenRequests.to("POST", "/token")); n != 2 {
			t.Errorf("%d tokens were redeemed, want 2", n)
		}
		oneSession(t, e)
	})
}

// Whoever leaves the company is out at once: the token is revoked, and the
// identity provider gives no new one. The client keeps no stream open here: when
// the guard ends a stream whose token was revoked, the SDK opens it again with
// the same token, is refused, and gives the session up before it could ask for
// another token.
func TestGoSDKIsShutOut(t *testing.T) {
	eras(t, func(t *testing.T, protocol string, s setup) {
		e := newEnterprise(t, s)
		idToken := e.idp.SignIn("alice", idpClient)
		config := e.enterpriseConfig("alice")
		config.IDTokenFetcher = func(context.Context) (*oauth2.Token, error) {
			return new(oauth2.Token).WithExtra(map[string]any{"id_token": idToken}), nil
		}
		handler, err := extauth.NewEnterpriseHandler(config)
		if err != nil {
			t.Fatal(err)
		}
		withoutStream := func(c *gosdk.StreamableClientTransport) { c.DisableStandaloneSSE = true }
		session, err := connect(t, e, protocol, handler, withoutStream)
		if err != nil {
			t.Fatal(err)
		}
		e.idp.Update(func(cfg *emamwtest.IdPConfig) { cfg.Users = cfg.Users[1:] })
		if err := e.guard.Revoke(t.Context(), revocation.Revocation{Issuer: e.issuer, Subject: "alice"}); err != nil {
			t.Fatal(err)
		}
		if _, err := tool(t, session, "read_file"); err == nil || !strings.Contains(err.Error(), "token exchange failed") {
			t.Errorf("read_file: %v, want a failed token exchange", err)
		}
		if n := e.hasRun("read_file"); n > 0 {
			t.Errorf("read_file ran %d times", n)
		}
	})
}

// What the client is not told: nothing that it can be shown differs between a
// wrong secret and an unknown client.
func TestGoSDKWithWrongCredentials(t *testing.T) {
	e := newEnterprise(t, setup{scopes: []string{readScope}})
	var seen []string
	for _, credentials := range []*oauthex.ClientCredentials{secretOf(asClient, "wrong"), secretOf("nobody", asSecret)} {
		config := e.enterpriseConfig("alice")
		config.MCPCredentials = credentials
		handler, err := extauth.NewEnterpriseHandler(config)
		if err != nil {
			t.Fatal(err)
		}
		_, err = connect(t, e, modern, handler)
		var answer *oauth2.RetrieveError
		if !errors.As(err, &answer) || answer.ErrorCode != "invalid_client" {
			t.Errorf("%s: %v", credentials.ClientID, err)
			continue
		}
		seen = append(seen, answer.ErrorCode+" "+answer.ErrorDescription+" "+answer.Response.Status)
	}
	if len(slices.Compact(seen)) != 1 {
		t.Errorf("the two are told apart: %q", seen)
	}
}

// The metadata that the SDK's own reader makes of the guard's document.
func TestGoSDKReadsTheMetadata(t *testing.T) {
	e := newEnterprise(t, setup{guard: func(c *emamw.Config) { c.BaseScopes = []string{readScope} }})
	base, err := url.Parse(e.resource)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"} {
		m, err := oauthex.GetProtectedResourceMetadata(t.Context(), base.Scheme+"://"+base.Host+path, e.resource, http.DefaultClient)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if !slices.Equal(m.AuthorizationServers, []string{e.issuer}) || !slices.Equal(m.ScopesSupported, []string{readScope}) {
			t.Errorf("%s: %+v", path, m)
		}
	}
	m, err := auth.GetAuthServerMetadata(t.Context(), e.issuer, http.DefaultClient)
	if err != nil || m == nil || m.TokenEndpoint == "" {
		t.Errorf("the authorization server: %+v, %v", m, err)
	}
}
