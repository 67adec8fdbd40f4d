package integration_test

import (
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
)

// signIn signs a user in and returns the token response.
func (p *fositeProvider) signIn(t *testing.T, user string, audience ...string) map[string]any {
	t.Helper()
	wanted := url.Values{"scope": {"openid " + readScope}, "nonce": {"a nonce of some length"}}
	if len(audience) > 0 {
		wanted["audience"] = audience
	}
	return p.authorizationCode(t, p.origin(t)+"/authorize", p.origin(t)+"/token", user, wanted)
}

// The settings for a server that is made with fosite. Ory's products are, and they
// put client_id in.
var (
	oryPreset = setting{"the preset ory", func(as *emamw.AuthorizationServer) { as.Claims.Preset = "ory" }, claims.TypeNotAllowed}
	noSource  = setting{"no source for the client", func(as *emamw.AuthorizationServer) {
		if as.Claims.Preset == "" {
			as.Claims.Preset = "rfc9068" // what an empty mapping is
		}
		as.Claims.Client, as.Claims.Service = []claims.Source{}, []claims.Condition{}
		as.Claims.Require = []claims.Condition{{Pointer: "/scp"}}
	}, claims.ClaimMissing}
)

// fosite has the type JWT, an array of audiences and one of scopes, and no
// client_id, if its program does not change that. Its key set has no use.
func TestFositeTokens(t *testing.T) {
	audiences := []string{files, "https://reports.example.com"}
	rows := map[string]struct {
		config   fositeConfig
		settings []setting
		who      string
	}{
		"as it comes":              {fositeConfig{}, []setting{oryPreset, noSource}, `user alice of client "" with [openid files:read]`},
		"scopes in both forms":     {fositeConfig{Scopes: "both"}, []setting{oryPreset, noSource}, `user alice of client "" with [openid files:read]`},
		"no kid":                   {fositeConfig{NoKeyID: true}, []setting{oryPreset, noSource}, `user alice of client "" with [openid files:read]`},
		"client_id":                {fositeConfig{ClientID: true}, []setting{oryPreset}, `user alice of client "desktop" with [openid files:read]`},
		"client_id, scope is text": {fositeConfig{ClientID: true, Scopes: "string"}, []setting{oryPreset}, `user alice of client "desktop" with [openid files:read]`},
		"client_id and at+jwt":     {fositeConfig{ClientID: true, Type: "at+jwt"}, nil, `user alice of client "desktop" with [openid files:read]`},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			row.config.Audiences = audiences
			p := startFosite(t, row.config)
			for _, audience := range [][]string{{files}, {"https://reports.example.com", files}} {
				token := p.signIn(t, "alice", audience...)["access_token"].(string)
				if got := tell(onlyWith(t, p.issuer, token, row.settings...)); got != row.who {
					t.Errorf("the token stands for %s, want %s", got, row.who)
				}
			}
		})
	}
}

func TestFositeTokensRefused(t *testing.T) {
	p := startFosite(t, fositeConfig{Audiences: []string{files, "https://reports.example.com"}})
	tokens := p.signIn(t, "alice", files)
	access, idToken := tokens["access_token"].(string), tokens["id_token"].(string)
	configured := with(p.issuer, oryPreset, noSource)
	nameless := startFosite(t, fositeConfig{NoIssuer: true, Audiences: []string{files}})
	refusals{
		"without an issuer":  {nameless.signIn(t, "alice", files)["access_token"].(string), claims.ClaimMissing},
		"for another server": {p.signIn(t, "alice", "https://reports.example.com")["access_token"].(string), claims.AudienceMismatch},
		"for nobody":         {p.signIn(t, "alice")["access_token"].(string), claims.ClaimMissing}, // an empty aud
	}.check(t, configured)
	if _, reason := judgeAt(t, configured, access, inTwoHours); reason != claims.TokenExpired {
		t.Errorf("in two hours: %q", reason)
	}
	for _, c := range []struct {
		name string
		as   emamw.AuthorizationServer
		want claims.Reason
	}{
		{"as it comes", with(p.issuer), claims.TypeNotAllowed},
		{"configured", configured, claims.AudienceMismatch},
		{"its audience is accepted", with(p.issuer, oryPreset, noSource, listAudience(idpClient)), claims.ClaimMissing},      // scp
		{"its audience is accepted, by the preset", with(p.issuer, oryPreset, listAudience(idpClient)), claims.ClaimMissing}, // client_id
		{"nothing is left that tells them apart", unrequired(with(p.issuer, oryPreset, noSource, listAudience(idpClient))), ""},
	} {
		if _, got := judge(t, c.as, idToken); got != c.want {
			t.Errorf("ID token, %s: %q, want %q", c.name, got, c.want)
		}
	}
	t.Run("a client's own token", func(t *testing.T) {
		own := func(p *fositeProvider) string {
			return accessToken(t, p.origin(t)+"/token", idpClient, url.QueryEscape(idpSecret), url.Values{
				"grant_type": {"client_credentials"}, "audience": {files}, "scope": {readScope},
			})
		}
		// Without client_id nothing tells it from a person's: who gives clients such
		// tokens for this server must put client_id in.
		if got := tell(onlyWith(t, p.issuer, own(p), oryPreset, noSource)); got != `user desktop of client "" with [files:read]` {
			t.Errorf("the token stands for %s", got)
		}
		hydra := startFosite(t, fositeConfig{Audiences: []string{files}, ClientID: true})
		if got := tell(onlyWith(t, hydra.issuer, own(hydra), oryPreset)); got != `service desktop of client "desktop" with [files:read]` {
			t.Errorf("the token stands for %s", got)
		}
	})
}

func TestFositeTokensInCalls(t *testing.T) {
	s := httptest.NewUnstartedServer(nil)
	resource := origin(s) + "/mcp"
	p := startFosite(t, fositeConfig{Audiences: []string{resource}})
	startServer(t, s, protectedBy(t.Context(), t, resource, with(p.issuer, oryPreset, noSource)))
	tokens := p.signIn(t, "alice", resource)
	calls(t, resource, tokens["access_token"].(string), "alice of  with "+readScope+"+openid")
	if status := knock(t, resource, tokens["id_token"].(string)); status != 401 {
		t.Errorf("the ID token: %d, want 401", status)
	}
}
