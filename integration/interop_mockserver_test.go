package integration_test

import (
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
)

// password is the token response for a person.
func (p *mockServer) password(t *testing.T, user string) map[string]any {
	t.Helper()
	_, answer := postForm(t, p.origin(t)+"/token", idpClient, idpSecret, url.Values{
		"grant_type": {"password"}, "username": {user}, "password": {"any"}, "scope": {readScope},
	})
	return answer
}

// own is the token of a client for itself.
func (p *mockServer) own(t *testing.T, audience ...string) string {
	t.Helper()
	return accessToken(t, p.origin(t)+"/token", idpClient, idpSecret, url.Values{
		"grant_type": {"client_credentials"}, "scope": {readScope}, "aud": audience,
	})
}

// serviceByClient reads tokens of clients that have client_id and no sub.
var serviceByClient = setting{"a mapping whose subject may be the client", func(as *emamw.AuthorizationServer) {
	as.Claims = claims.Mapping{
		Name:       "client-is-subject",
		TokenTypes: []string{"at+jwt"},
		Require:    []claims.Condition{{Pointer: "/scope"}},
		Subject:    []claims.Source{{Pointer: "/sub"}, {Pointer: "/client_id"}},
		Client:     []claims.Source{{Pointer: "/client_id"}},
		Scopes:     []claims.Source{{Pointer: "/scope", As: claims.AsSpace}},
		Service:    []claims.Condition{{SubjectIsClient: true}},
		Kind:       claims.User,
	}
}, claims.ClaimMissing}

// oauth2-mock-server has the type JWT, no client_id, no jti and no use in its key
// set, and gives people's tokens no audience and clients' tokens no subject: what
// a test environment adds to them decides whether they can be accepted at all.
func TestMockServerTokens(t *testing.T) {
	t.Run("with an audience for people", func(t *testing.T) {
		p := startMockServer(t, mockConfig{Payload: map[string]any{"aud": []string{"https://reports.example.com", files}}})
		tokens := p.password(t, "alice")
		access, idToken := tokens["access_token"].(string), tokens["id_token"].(string)
		settings := []setting{allowType("JWT"), noClient}
		if got := tell(onlyWith(t, p.issuer, access, settings...)); got != `unknown alice of client "" with [files:read]` {
			t.Errorf("the token stands for %s", got)
		}
		if _, reason := judgeAt(t, with(p.issuer, settings...), access, inTwoHours); reason != claims.TokenExpired {
			t.Errorf("in two hours: %q", reason)
		}

		// Its ID tokens have the same type, and no claim that access tokens lack.
		for _, c := range []struct {
			name string
			as   emamw.AuthorizationServer
			want claims.Reason
		}{
			{"as it comes", with(p.issuer), claims.TypeNotAllowed},
			{"configured", with(p.issuer, settings...), claims.AudienceMismatch},
			{"its audience is accepted", with(p.issuer, append(settings, listAudience(idpClient))...), claims.ClaimMissing}, // scope
			{"nothing is left that tells them apart", unrequired(with(p.issuer, append(settings, listAudience(idpClient))...)), ""},
		} {
			if _, got := judge(t, c.as, idToken); got != c.want {
				t.Errorf("ID token, %s: %q, want %q", c.name, got, c.want)
			}
		}
	})
	t.Run("as it comes", func(t *testing.T) {
		p := startMockServer(t, mockConfig{})
		refusals{
			"a person's, without an audience": {p.password(t, "alice")["access_token"].(string), claims.ClaimMissing},
			"a client's, without a subject":   {p.own(t, files), claims.ClaimMissing},
			"a client's, with two audiences":  {p.own(t, "https://reports.example.com", files), claims.ClaimMissing},
			"a client's, for another server":  {p.own(t, "https://reports.example.com"), claims.AudienceMismatch},
		}.check(t, with(p.issuer, allowType("JWT"), noClient))
	})
	t.Run("with a client_id", func(t *testing.T) {
		p := startMockServer(t, mockConfig{Payload: map[string]any{"client_id": "robot"}})
		for _, audience := range [][]string{{files}, {"https://reports.example.com", files}} {
			if got := tell(onlyWith(t, p.issuer, p.own(t, audience...), allowType("JWT"), serviceByClient)); got != `service robot of client "robot" with [files:read]` {
				t.Errorf("the token stands for %s", got)
			}
		}
	})
	t.Run("as RFC 9068 wants them", func(t *testing.T) {
		p := startMockServer(t, mockConfig{
			Header:  map[string]any{"typ": "at+jwt"},
			Payload: map[string]any{"client_id": "robot", "sub": "robot", "jti": "1"},
		})
		if got := tell(onlyWith(t, p.issuer, p.own(t, files))); got != `service robot of client "robot" with [files:read]` {
			t.Errorf("the token stands for %s", got)
		}
	})
}

// A server that accepts them is called as any other.
func TestMockServerTokensInCalls(t *testing.T) {
	s := httptest.NewUnstartedServer(nil)
	resource := origin(s) + "/mcp"
	p := startMockServer(t, mockConfig{Payload: map[string]any{"aud": []string{resource}}})
	startServer(t, s, protectedBy(t.Context(), t, resource, with(p.issuer, allowType("JWT"), noClient)))

	tokens := p.authorizationCode(t, p.origin(t)+"/authorize", p.origin(t)+"/token", "", url.Values{"scope": {readScope}})
	calls(t, resource, tokens["access_token"].(string), "johndoe of  with "+readScope)
	if status := knock(t, resource, tokens["id_token"].(string)); status != 401 {
		t.Errorf("the ID token: %d, want 401", status)
	}
}
