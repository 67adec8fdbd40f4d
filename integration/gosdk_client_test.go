package integration_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/auth/extauth"
	gosdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"
)

// enterpriseConfig is what an administrator gives the SDK's client.
func (e *enterprise) enterpriseConfig(user string) *extauth.EnterpriseHandlerConfig {
	return &extauth.EnterpriseHandlerConfig{
		IdPIssuerURL:     e.idp.Issuer(),
		IdPCredentials:   secretOf(idpClient, idpSecret),
		MCPAuthServerURL: e.issuer,
		MCPResourceURI:   e.resource,
		MCPCredentials:   secretOf(asClient, asSecret),
		IDTokenFetcher: func(context.Context) (*oauth2.Token, error) {
			idToken := e.idp.SignIn(user, idpClient)
			return new(oauth2.Token).WithExtra(map[string]any{"id_token": idToken}), nil
		},
	}
}

func secretOf(id, secret string) *oauthex.ClientCredentials {
	return &oauthex.ClientCredentials{ClientID: id, ClientSecretAuth: &oauthex.ClientSecretAuth{ClientSecret: secret}}
}

func (e *enterprise) enterpriseHandler(t *testing.T, user string) *extauth.EnterpriseHandler {
	t.Helper()
	h, err := extauth.NewEnterpriseHandler(e.enterpriseConfig(user))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// connect opens a session of the SDK's client.
func connect(t *testing.T, e *enterprise, protocol string, handler auth.OAuthHandler, changes ...func(*gosdk.StreamableClientTransport)) (*gosdk.ClientSession, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	client := gosdk.NewClient(&gosdk.Implementation{Name: "independent", Version: "1.0.0"}, nil)
	transport := &gosdk.StreamableClientTransport{Endpoint: e.resource, OAuthHandler: handler, MaxRetries: -1}
	for _, change := range changes {
		change(transport)
	}
	session, err := client.Connect(ctx, transport, &gosdk.ClientSessionOptions{ProtocolVersion: protocol})
	if err == nil {
		t.Cleanup(func() { _ = session.Close() })
	}
	return session, err
}

// tool calls a tool and returns its text.
func tool(t *testing.T, session *gosdk.ClientSession, name string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	result, err := session.CallTool(ctx, &gosdk.CallToolParams{Name: name})
	if err != nil {
		return "", err
	}
	if len(result.Content) != 1 || result.IsError {
		return "", fmt.Errorf("%s answered with %v", name, result)
	}
	text, ok := result.Content[0].(*gosdk.TextContent)
	if !ok {
		return "", fmt.Errorf("%s answered with %T", name, result.Content[0])
	}
	return text.Text, nil
}

// stepUp is the handler of a client that reads challenges: it asks for what it
// had and for what it was told that it needs.
type stepUp struct {
	config *extauth.EnterpriseHandlerConfig
	*extauth.EnterpriseHandler
}

func newStepUp(t *testing.T, e *enterprise, user string) *stepUp {
	t.Helper()
	s := &stepUp{config: e.enterpriseConfig(user)}
	var err error
	if s.EnterpriseHandler, err = extauth.NewEnterpriseHandler(s.config); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stepUp) Authorize(ctx context.Context, q *http.Request, resp *http.Response) error {
	challenges, err := oauthex.ParseWWWAuthenticate(resp.Header["Www-Authenticate"])
	if err != nil {
		return err
	}
	for _, c := range challenges {
		for scope := range strings.FieldsSeq(c.Params["scope"]) {
			if !slices.Contains(s.config.MCPScopes, scope) {
				s.config.MCPScopes = append(s.config.MCPScopes, scope)
			}
		}
	}
	if len(challenges) == 0 && resp.StatusCode == http.StatusForbidden {
		return errors.Join(errors.New("a 403 that no scope cures"), drain(resp))
	}
	return s.EnterpriseHandler.Authorize(ctx, q, resp)
}

func drain(resp *http.Response) error {
	_, err := io.Copy(io.Discard, resp.Body)
	return errors.Join(err, resp.Body.Close())
}
