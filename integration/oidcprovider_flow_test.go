package integration_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/modelcontextprotocol/go-sdk/auth/extauth"
	"golang.org/x/oauth2"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/idjag"
	"github.com/emamw/mcp-ema/scopes"
)

// federation is an enterprise whose users sign in at a real OpenID provider.
type federation struct {
	provider *openIDProvider
	bridge   string // issuer of ID-JAGs
	issuer   string // authorization server

	behind string // the MCP server that trusts the authorization server
	direct string // the one that trusts the OpenID provider itself
	array  string // as direct, with tokens whose aud is an array
	other  string // a resource that is no server here
	sealed string // the resource whose tokens are for direct, and encrypted
}

func newFederation(t *testing.T) *federation {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	f := &federation{other: "https://elsewhere.example.com/mcp", sealed: "https://sealed.example.com/mcp"}

	// All addresses first, as each party must know those of others.
	bridgeServer, asServer := httptest.NewUnstartedServer(nil), httptest.NewUnstartedServer(nil)
	behind, direct, array := httptest.NewUnstartedServer(nil), httptest.NewUnstartedServer(nil), httptest.NewUnstartedServer(nil)
	f.bridge, f.issuer = origin(bridgeServer), origin(asServer)
	f.behind, f.direct, f.array = origin(behind)+"/mcp", origin(direct)+"/mcp", origin(array)+"/mcp"

	all := readScope + " " + writeScope
	f.provider = startOpenIDProvider(t, map[string][]string{"alice": {"engineering"}}, map[string]providerResource{
		f.direct: {Scope: all}, f.array: {Scope: all, Also: "https://reports.example.com"}, f.other: {Scope: all},
		f.sealed: {Scope: all, Audience: f.direct, JWT: map[string]any{"encrypt": map[string]any{"alg": "RSA-OAEP-256", "enc": "A256GCM"}}},
	})
	idp := emamwtest.NewIdP(emamwtest.IdPConfig{Issuer: f.bridge})
	startServer(t, bridgeServer, newBridge(ctx, t, idp, f.provider))
	startServer(t, asServer, f.newAuthorizationServer(ctx, t))
	startServer(t, behind, protected(ctx, t, f.behind, f.issuer))
	startServer(t, direct, protected(ctx, t, f.direct, f.provider.issuer))
	startServer(t, array, protected(ctx, t, f.array, f.provider.issuer))
	return f
}

func origin(s *httptest.Server) string { return "http://" + s.Listener.Addr().(*net.TCPAddr).String() }

func startServer(t *testing.T, s *httptest.Server, h http.Handler) {
	s.Config.Handler = h
	s.Start()
	t.Cleanup(func() {
		s.CloseClientConnections() // streams would hold Close up
		s.Close()
	})
}

func (f *federation) newAuthorizationServer(ctx context.Context, t *testing.T) http.Handler {
	t.Helper()
	as, err := idjag.New(ctx, idjag.Config{
		Issuer:            f.issuer,
		Resources:         []idjag.Resource{{ID: f.behind, Scopes: []string{readScope, writeScope}}},
		IdentityProviders: []idjag.IdentityProvider{{Issuer: f.bridge, Subject: idjag.VerbatimSubject}},
		Clients:           []idjag.Client{{ID: asClient, SecretHashes: []string{idjag.HashSecret(asSecret)}}},
		Keys:              idjag.Keys{Current: idjag.DangerouslyEphemeralKey()},
		GroupScopes:       map[string][]string{"engineering": {readScope}},
		Logger:            quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	return as
}

// protected is an MCP server that accepts the access tokens of one issuer, with
// no setting that is made for this issuer.
func protected(ctx context.Context, t *testing.T, resource, issuer string) http.Handler {
	t.Helper()
	return protectedBy(ctx, t, resource, emamw.AuthorizationServer{Issuer: issuer})
}

func protectedBy(ctx context.Context, t *testing.T, resource string, trusted emamw.AuthorizationServer) http.Handler {
	t.Helper()
	m := server.NewMCPServer("files", "1.0.0")
	m.AddTool(mcp.NewTool("whoami", scopes.Where(scopes.Authenticated())), whoami)
	m.AddTool(mcp.NewTool("read_file", scopes.Require(readScope)), done)
	m.AddTool(mcp.NewTool("write_file", scopes.Require(writeScope)), done)
	guard, err := emamw.New(ctx, m, emamw.Config{
		Resource:             resource,
		AuthorizationServers: []emamw.AuthorizationServer{trusted},
		Logger:               quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	return guard.Handler(server.NewStreamableHTTPServer(m))
}

// One person signs in at a real OpenID provider, and everything else follows
// from the ID token that it gives.
func TestOpenIDProvider(t *testing.T) {
	f := newFederation(t)
	idToken := func(t *testing.T, user string) string {
		return f.provider.signIn(t, user, "openid groups", f.other)["id_token"].(string)
	}
	exchange := func(t *testing.T, subjectToken string) (int, map[string]any) {
		return postForm(t, f.bridge+"/token", idpClient, idpSecret, url.Values{
			"grant_type":           {"urn:ietf:params:oauth:grant-type:token-exchange"},
			"requested_token_type": {"urn:ietf:params:oauth:token-type:id-jag"},
			"subject_token":        {subjectToken},
			"subject_token_type":   {"urn:ietf:params:oauth:token-type:id_token"},
			"audience":             {f.issuer},
			"resource":             {f.behind},
			"scope":                {readScope + " " + writeScope},
		})
	}

	t.Run("ID token to tool call", func(t *testing.T) {
		_, answer := exchange(t, idToken(t, "alice"))
		assertion, _ := answer["access_token"].(string)
		form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
		token := accessToken(t, f.issuer+"/token", asClient, asSecret, form)
		calls(t, f.behind, token, "alice of engineering with "+readScope)
		if status, _ := postForm(t, f.issuer+"/token", asClient, asSecret, form); status != http.StatusBadRequest {
			t.Errorf("the ID-JAG was redeemed again: %d", status)
		}
	})
	t.Run("by an independent client", func(t *testing.T) {
		e := &enterprise{idp: emamwtest.NewIdP(emamwtest.IdPConfig{Issuer: f.bridge}), issuer: f.issuer, resource: f.behind}
		config := e.enterpriseConfig("")
		config.IDTokenFetcher = func(context.Context) (*oauth2.Token, error) {
			return new(oauth2.Token).WithExtra(map[string]any{"id_token": idToken(t, "alice")}), nil
		}
		config.MCPScopes = []string{readScope}
		handler, err := extauth.NewEnterpriseHandler(config)
		if err != nil {
			t.Fatal(err)
		}
		session, err := connect(t, e, legacy, handler)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tool(t, session, "whoami"); got != "alice of engineering with "+readScope {
			t.Errorf("whoami: %q, %v", got, err)
		}
	})
	t.Run("what the provider says of a user decides", func(t *testing.T) {
		_, answer := exchange(t, idToken(t, "bob")) // in no group
		assertion, _ := answer["access_token"].(string)
		status, refused := postForm(t, f.issuer+"/token", asClient, asSecret, url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion},
		})
		if status != http.StatusBadRequest || refused["error"] != "invalid_scope" {
			t.Errorf("bob, who is in no group, is answered %d %v", status, refused)
		}
	})
	t.Run("each token opens one door", func(t *testing.T) { f.doors(t) })
	t.Run("access tokens accepted by configuration", func(t *testing.T) {
		for name, resource := range map[string]string{"aud is a string": f.direct, "aud is an array": f.array} {
			t.Run(name, func(t *testing.T) {
				tokens := f.provider.signIn(t, "alice", "openid "+readScope, resource)
				calls(t, resource, tokens["access_token"].(string), "alice of engineering with "+readScope)
			})
		}
	})
}

// calls makes the three calls that a token for reading may and may not make.
func calls(t *testing.T, resource, token, who string) {
	t.Helper()
	e := &enterprise{resource: resource}
	c := newClient(t, e, legacy, token)
	initialize(t, c)
	if got, err := callTool(t.Context(), c, "whoami"); got != who {
		t.Errorf("whoami: %q, %v; want %q", got, err, who)
	}
	if got, err := callTool(t.Context(), c, "read_file"); got != "done: read_file" {
		t.Errorf("read_file: %q, %v", got, err)
	}
	if got, err := callTool(t.Context(), c, "write_file"); err == nil {
		t.Errorf("write_file is open: %q", got)
	}
}

// doors presents every token at every door that is not its own.
func (f *federation) doors(t *testing.T) {
	elsewhere := f.provider.signIn(t, "alice", "openid groups "+readScope, f.other)
	here := f.provider.signIn(t, "alice", "openid groups "+readScope, f.direct)
	sealed := f.provider.signIn(t, "alice", "openid "+readScope, f.sealed)["access_token"].(string)
	idp, access := here["id_token"].(string), here["access_token"].(string)
	for _, c := range []struct{ name, resource, token string }{
		{"an ID token", f.direct, idp},
		{"an access token for another resource", f.direct, elsewhere["access_token"].(string)},
		{"an access token for this issuer's other server", f.array, access},
		{"an access token of an issuer that is not trusted", f.behind, access},
		{"an encrypted access token", f.direct, sealed},
		{"an ID token behind the authorization server", f.behind, idp},
	} {
		if status := knock(t, c.resource, c.token); status != http.StatusUnauthorized {
			t.Errorf("%s: %d, want 401", c.name, status)
		}
	}
	if status := knock(t, f.direct, access); status != http.StatusOK {
		t.Errorf("the token at its own door: %d, want 200", status)
	}
	for name, assertion := range map[string]string{"an ID token": idp, "an access token": access} {
		status, refused := postForm(t, f.issuer+"/token", asClient, asSecret, url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion},
		})
		if status != http.StatusBadRequest || refused["error"] != "invalid_grant" {
			t.Errorf("%s as an ID-JAG: %d %v, want invalid_grant", name, status, refused)
		}
	}
}
