package integration_test

import (
	"testing"

	"github.com/emamw/mcp-ema/claims"
)

// Both servers call a claim mapping by one name, however it was configured.
func TestTelemetryOfMappings(t *testing.T) {
	for _, tc := range []struct {
		name    string
		mapping claims.Mapping
		want    string // on the MCP server; the authorization server has a default of its own
		grants  string
	}{
		{"the default", claims.Mapping{}, "rfc9068", "id-jag"},
		{"by name", claims.Mapping{Preset: "id-jag"}, "id-jag", "id-jag"},
		{"another product's by name", claims.Mapping{Preset: "auth0"}, "auth0", "auth0"},
		{"by function", claims.IDJAG(), "id-jag", "id-jag"},
		{"with a name of its own", claims.Mapping{Name: "ours", Preset: "id-jag"}, "ours", "ours"},
	} {
		g := newGuarded(t, newWatch(t), func(s *guardedSetup) {
			s.config.AuthorizationServers[0].Claims = tc.mapping
			s.config.AuthorizationServers[0].TokenTypes = []string{"at+jwt"}
		})
		g.forget()
		g.send(g.token(), listTools)
		if got := valueOf(g.span("ema.authenticate"), "ema.issuer.preset"); got != tc.want {
			t.Errorf("%s: the guard says %q, want %q", tc.name, got, tc.want)
		}
		r := newExchanger(t, newWatch(t), func(s *exchangerSetup) { s.config.IdentityProviders[0].Claims = tc.mapping })
		r.forget()
		r.redeem(r.assertion(), exchange{})
		if got := valueOf(r.span("ema.id_jag.exchange"), "ema.issuer.preset"); got != tc.grants {
			t.Errorf("%s: the authorization server says %q, want %q", tc.name, got, tc.grants)
		}
	}
}
