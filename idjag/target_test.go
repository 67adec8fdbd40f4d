package idjag_test

import (
	"context"
	"testing"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/idjag"
)

// TestTarget is the table of RFC 8707 section 2 and the ID-JAG draft: what the
// claim says, what the request says, and where the token is for.
func TestTarget(t *testing.T) {
	const third = "https://mcp.example.com/third"
	one := []idjag.Resource{{ID: resourceID, Scopes: []string{"files:read"}}}
	two := append(one, idjag.Resource{ID: otherMCP, Scopes: []string{"files:read"}})
	tests := []struct {
		name      string
		resources []idjag.Resource
		claim     any
		asked     []string
		want      string // the token's aud; "" is a refusal
		code      string
	}{
		{"nothing said, one configured", one, nil, nil, resourceID, ""},
		{"nothing said, two configured", two, nil, nil, "", "invalid_target"},
		{"claimed", two, otherMCP, nil, otherMCP, ""},
		{"claimed and asked for", two, otherMCP, []string{otherMCP}, otherMCP, ""},
		{"asked for, nothing claimed", two, nil, []string{otherMCP}, otherMCP, ""},
		{"one of two claimed is asked for", two, []string{resourceID, otherMCP}, []string{otherMCP}, otherMCP, ""},
		{"two claimed, none asked for", two, []string{resourceID, otherMCP}, nil, "", "invalid_target"},
		{"two asked for", two, nil, []string{resourceID, otherMCP}, "", "invalid_target"},
		{"the claim wins", two, resourceID, []string{otherMCP}, "", "invalid_target"},
		{"asked for what is not ours", two, nil, []string{third}, "", "invalid_target"},
		{"asked for beside what is not ours", two, nil, []string{resourceID, third}, "", "invalid_target"},
		{"asked for no URI", two, resourceID, []string{"mcp"}, "", "invalid_target"},
		{"asked for with a slash", one, nil, []string{resourceID + "/"}, "", "invalid_target"},
		{"asked for below", one, nil, []string{resourceID + "-evil"}, "", "invalid_target"},
		{"claimed what is not ours", two, third, nil, "", "invalid_grant"},
		{"claimed what is not ours, asked for ours", two, []string{third, otherMCP}, []string{otherMCP}, "", "invalid_grant"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, func(_ *world, cfg *idjag.Config) { cfg.Resources = tt.resources })
			var more []string
			for _, id := range tt.asked {
				more = append(more, "resource", id)
			}
			a := w.redeem(w.mint(with(claimSet{"resource": tt.claim, "scope": "files:read"})), more...)
			if tt.want == "" {
				w.refused(a, 400, tt.code, "resource_mismatch")
				return
			}
			if got := w.granted(a)["aud"]; got != tt.want || a.body["resource"] != tt.want {
				t.Errorf("aud %v, resource %v, want %s", got, a.body["resource"], tt.want)
			}
		})
	}
}

func TestClientResources(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *idjag.Config) {
		cfg.Resources = append(cfg.Resources, idjag.Resource{ID: otherMCP})
		cfg.Clients[0].Resources = []string{otherMCP}
	})
	w.refused(w.redeem(w.mint(nil)), 400, "invalid_grant", "resource_mismatch")
	w.granted(w.redeem(w.mint(with(claimSet{"resource": otherMCP}))))
}

// TestScope is the table of RFC 7521 section 4.1: what the ID-JAG grants, what
// is asked for, and what comes out, without a policy.
func TestScope(t *testing.T) {
	tests := []struct {
		name   string
		claim  any
		asked  string
		want   string // the token's scope; "" is a refusal
		reason string
	}{
		{"all of it", "files:read files:write", "", "files:read files:write", ""},
		{"a part of it", "files:read files:write", "files:write", "files:write", ""},
		{"all of it by name, in any order", "files:read files:write", "files:write files:read", "files:read files:write", ""},
		{"asked for twice", "files:read files:write", "files:read files:read", "files:read", ""},
		{"granted twice", "files:read files:read", "", "files:read", ""},
		{"what the resource does not know falls away", "files:read mail:send", "", "files:read", ""},
		{"more than granted", "files:read", "files:read files:write", "", "scope_exceeds_grant"},
		{"nothing of what is granted", "files:read", "files:admin", "", "scope_exceeds_grant"},
		{"a part of a word", "files:read", "files:rea", "", "scope_exceeds_grant"},
		{"in another case", "files:read", "FILES:READ", "", "scope_exceeds_grant"},
		{"a quote", "files:read", "files:\"read", "", "scope_exceeds_grant"},
		{"a tab between", "files:read files:write", "files:read\tfiles:write", "", "scope_exceeds_grant"},
		{"only what the resource does not know", "mail:send", "", "", "scope_not_granted"},
		{"none stated", nil, "", "", "scope_not_granted"},
		{"none stated, one asked for", nil, "files:read", "", "scope_not_granted"},
		{"none stated, an unknown one asked for", nil, "mail:send", "", "scope_exceeds_grant"},
		{"stated as nothing", "", "", "", "scope_not_granted"},
	}
	w := newWorld(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			a := w.redeem(w.mint(with(claimSet{"scope": tt.claim})), "scope", tt.asked)
			if tt.want == "" {
				w.refused(a, 400, "invalid_scope", tt.reason)
				return
			}
			if got := w.granted(a)["scope"]; got != tt.want || a.body["scope"] != tt.want {
				t.Errorf("scope %v, in the response %v; want %q", got, a.body["scope"], tt.want)
			}
		})
	}
	t.Run("a resource without scopes", func(t *testing.T) {
		w := newWorld(t, func(_ *world, cfg *idjag.Config) { cfg.Resources[0].Scopes = nil })
		if scope, ok := w.granted(w.redeem(w.mint(nil)))["scope"]; ok {
			t.Errorf("scope %v, want none", scope)
		}
	})
}

// TestScopeStatedAsNothing: a policy may choose for an ID-JAG that says nothing of
// scopes, and not for one that says there are none.
func TestScopeStatedAsNothing(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *idjag.Config) {
		cfg.Policy = &idjag.Policy{Rules: []idjag.Rule{{Name: "readers", Scopes: []string{"files:read"}}}}
	})
	if got := w.granted(w.redeem(w.mint(with(claimSet{"scope": nil}))))["scope"]; got != "files:read" {
		t.Errorf("not stated: %v, want files:read", got)
	}
	w.refused(w.redeem(w.mint(with(claimSet{"scope": ""}))), 400, "invalid_scope", "scope_not_granted")
}

// TestScopeStatedElsewhere: a provider that states scopes in a claim of its own has
// stated them, none included, and a policy does not choose more. Nor does it for
// what the mapping's Func has taken away.
func TestScopeStatedElsewhere(t *testing.T) {
	mapping := claims.IDJAG()
	mapping.Scopes = []claims.Source{{Path: []string{"scp"}, As: claims.AsEither}}
	clearing := mapping
	clearing.Func = func(_ context.Context, _ *claims.Payload, p *claims.Principal) error {
		p.Scopes = nil
		return nil
	}
	tests := []struct {
		name    string
		mapping claims.Mapping
		scope   any
		scp     any
		want    string // the token's scope; "" is a refusal
	}{
		{"one", mapping, nil, []string{"files:read"}, "files:read"},
		{"one, in a text", mapping, nil, "files:read", "files:read"},
		{"none", mapping, nil, []string{}, ""},
		{"none, in a text", mapping, nil, "", ""},
		{"one, and taken away", clearing, nil, []string{"files:read"}, ""},
		{"in the claim of the standard, which is not read", mapping, "files:read", nil, ""},
		{"not stated", mapping, nil, nil, "files:read files:write"},
		{"not stated, and nothing taken away", clearing, nil, nil, "files:read files:write"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, func(_ *world, cfg *idjag.Config) {
				cfg.IdentityProviders[0].Claims = tt.mapping
				cfg.Policy = &idjag.Policy{Rules: []idjag.Rule{{Name: "writers", Scopes: []string{"files:read", "files:write"}}}}
			})
			a := w.redeem(w.mint(with(claimSet{"scope": tt.scope, "scp": tt.scp})))
			if tt.want == "" {
				w.refused(a, 400, "invalid_scope", "scope_not_granted")
				return
			}
			if got := w.granted(a)["scope"]; got != tt.want {
				t.Errorf("granted %v, want %s", got, tt.want)
			}
		})
	}
}
