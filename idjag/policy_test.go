package idjag_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/idjag"
)

// user is a principal as a request of a policy has it.
func user(change func(p *claims.Principal)) claims.Principal {
	p := claims.Principal{Issuer: idpIssuer, Subject: "00u1alice", Groups: claims.Groups{State: claims.GroupsComplete}}
	if change != nil {
		change(&p)
	}
	return p
}

func groups(names ...string) func(p *claims.Principal) {
	return func(p *claims.Principal) { p.Groups.Names = names }
}

func unknownGroups(p *claims.Principal) { p.Groups = claims.Groups{} }

func TestDecide(t *testing.T) {
	all := []string{"files:admin", "files:read", "files:write"}
	readers := idjag.Rule{Name: "readers", Scopes: []string{"files:read"}}
	engineers := idjag.Rule{Name: "engineers", Groups: []string{"Engineering", "Platform"}, Scopes: []string{"files:read", "files:write"}}
	admins := idjag.Rule{Name: "admins", Roles: []string{"admin"}, Scopes: []string{"files:admin"}, TokenLifetime: time.Minute}
	noGuests := idjag.Rule{Name: "no guests", Groups: []string{"Guests"}, Deny: true}
	noRoleGuests := idjag.Rule{Name: "no guest roles", Roles: []string{"guest"}, Deny: true}
	fresh := idjag.Rule{Name: "fresh", Scopes: []string{"files:admin"}, MaxAuthenticationAge: 15 * time.Minute}
	strong := idjag.Rule{Name: "strong", Scopes: []string{"files:admin"}, ACRValues: []string{"phrh", "phr"}}
	signedIn := func(ago time.Duration) func(p *claims.Principal) {
		return func(p *claims.Principal) { p.Authentication.Time = begin.Add(-ago) }
	}
	acr := func(value string) func(p *claims.Principal) {
		return func(p *claims.Principal) { p.Authentication.Context = value }
	}

	tests := []struct {
		name    string
		rules   []idjag.Rule
		user    func(p *claims.Principal)
		offered []string
		asked   []string
		want    idjag.Decision
	}{
		{"a rule for all", []idjag.Rule{readers}, nil, all, nil, idjag.Decision{Scopes: []string{"files:read"}, Rules: []string{"readers"}}},
		{"by one of two groups", []idjag.Rule{engineers}, groups("Platform"), all, nil, idjag.Decision{Scopes: []string{"files:read", "files:write"}, Rules: []string{"engineers"}}},
		{"not in the group", []idjag.Rule{engineers}, groups("Sales"), all, nil, idjag.Decision{Reason: claims.ScopeNotGranted}},
		{"the group in another case", []idjag.Rule{engineers}, groups("engineering"), all, nil, idjag.Decision{Reason: claims.ScopeNotGranted}},
		{"groups unknown", []idjag.Rule{engineers}, unknownGroups, all, nil, idjag.Decision{Reason: claims.GroupsUnknown}},
		{"groups unknown, another rule gives", []idjag.Rule{engineers, readers}, unknownGroups, all, nil, idjag.Decision{Scopes: []string{"files:read"}, Rules: []string{"readers"}}},
		{"rules add up", []idjag.Rule{engineers, admins}, func(p *claims.Principal) { groups("Engineering")(p); p.Roles = []string{"admin"} }, all, nil,
			idjag.Decision{Scopes: all, Rules: []string{"engineers", "admins"}, Lifetime: time.Minute}},
		{"only what is offered", []idjag.Rule{engineers}, groups("Platform"), []string{"files:read"}, nil, idjag.Decision{Scopes: []string{"files:read"}, Rules: []string{"engineers"}}},
		{"only what is asked for", []idjag.Rule{engineers, readers}, groups("Platform"), all, []string{"files:write"}, idjag.Decision{Scopes: []string{"files:write"}, Rules: []string{"engineers"}}},
		{"a rule that gives nothing of it does not shorten it", []idjag.Rule{engineers, admins}, func(p *claims.Principal) { groups("Platform")(p); p.Roles = []string{"admin"} }, all, []string{"files:write"},
			idjag.Decision{Scopes: []string{"files:write"}, Rules: []string{"engineers"}}},
		{"a resource without scopes", []idjag.Rule{readers}, nil, nil, nil, idjag.Decision{}},

		{"the shortest life of several rules", []idjag.Rule{{Name: "short", Scopes: []string{"files:read"}, TokenLifetime: time.Minute}, {Name: "long", Scopes: []string{"files:write"}, TokenLifetime: time.Hour}}, nil, all, nil,
			idjag.Decision{Scopes: []string{"files:read", "files:write"}, Rules: []string{"short", "long"}, Lifetime: time.Minute}},
		{"the shortest life, which comes last", []idjag.Rule{{Name: "long", Scopes: []string{"files:write"}, TokenLifetime: time.Hour}, {Name: "short", Scopes: []string{"files:read"}, TokenLifetime: time.Minute}}, nil, all, nil,
			idjag.Decision{Scopes: []string{"files:read", "files:write"}, Rules: []string{"long", "short"}, Lifetime: time.Minute}},
		{"the first of several windows to close, which comes last", []idjag.Rule{{Name: "fresh enough", Scopes: []string{"files:read"}, MaxAuthenticationAge: time.Hour}, fresh}, signedIn(14 * time.Minute), all, nil,
			idjag.Decision{Scopes: []string{"files:admin", "files:read"}, Rules: []string{"fresh enough", "fresh"}, NotAfter: begin.Add(time.Minute)}},
		{"the first of several windows to close", []idjag.Rule{fresh, {Name: "fresh enough", Scopes: []string{"files:read"}, MaxAuthenticationAge: time.Hour}}, signedIn(14 * time.Minute), all, nil,
			idjag.Decision{Scopes: []string{"files:admin", "files:read"}, Rules: []string{"fresh", "fresh enough"}, NotAfter: begin.Add(time.Minute)}},

		{"denied", []idjag.Rule{readers, noGuests}, groups("Guests"), all, nil, idjag.Decision{Reason: claims.SubjectUnresolved, Rules: []string{"no guests"}}},
		{"not denied", []idjag.Rule{readers, noGuests}, groups("Sales"), all, nil, idjag.Decision{Scopes: []string{"files:read"}, Rules: []string{"readers"}}},
		{"denied by role", []idjag.Rule{readers, noRoleGuests}, func(p *claims.Principal) { p.Roles = []string{"guest"} }, all, nil, idjag.Decision{Reason: claims.SubjectUnresolved, Rules: []string{"no guest roles"}}},
		{"not denied by role", []idjag.Rule{readers, noRoleGuests}, func(p *claims.Principal) { p.Roles = []string{"staff"} }, all, nil, idjag.Decision{Scopes: []string{"files:read"}, Rules: []string{"readers"}}},
		{"not denied without a role", []idjag.Rule{readers, noRoleGuests}, func(p *claims.Principal) { p.Roles = []string{} }, all, nil, idjag.Decision{Scopes: []string{"files:read"}, Rules: []string{"readers"}}},
		{"roles not stated may be denied ones", []idjag.Rule{readers, noRoleGuests}, nil, all, nil, idjag.Decision{Reason: claims.SubjectUnresolved, Rules: []string{"no guest roles"}}},
		{"roles not stated give nothing", []idjag.Rule{admins}, nil, all, nil, idjag.Decision{Reason: claims.ScopeNotGranted}},
		{"roles not stated, and another group", []idjag.Rule{readers, {Name: "both", Groups: []string{"Guests"}, Roles: []string{"guest"}, Deny: true}}, groups("Sales"), all, nil, idjag.Decision{Scopes: []string{"files:read"}, Rules: []string{"readers"}}},
		{"groups unknown may be denied ones", []idjag.Rule{readers, noGuests}, unknownGroups, all, nil, idjag.Decision{Reason: claims.GroupsUnknown, Rules: []string{"no guests"}}},

		{"fresh enough", []idjag.Rule{fresh}, signedIn(14 * time.Minute), all, nil,
			idjag.Decision{Scopes: []string{"files:admin"}, Rules: []string{"fresh"}, NotAfter: begin.Add(time.Minute)}},
		{"not fresh", []idjag.Rule{fresh}, signedIn(15 * time.Minute), all, nil,
			idjag.Decision{Reason: claims.AuthenticationTooWeak, Rules: []string{"fresh"}, MaxAge: 15 * time.Minute}},
		{"signed in tomorrow", []idjag.Rule{fresh}, signedIn(-24 * time.Hour), all, nil,
			idjag.Decision{Reason: claims.AuthenticationTooWeak, Rules: []string{"fresh"}, MaxAge: 15 * time.Minute}},
		{"signed in by a clock that is ahead", []idjag.Rule{fresh}, signedIn(-time.Minute), all, nil,
			idjag.Decision{Scopes: []string{"files:admin"}, Rules: []string{"fresh"}, NotAfter: begin.Add(16 * time.Minute)}},
		{"nobody said when", []idjag.Rule{fresh}, nil, all, nil,
			idjag.Decision{Reason: claims.AuthenticationTooWeak, Rules: []string{"fresh"}, MaxAge: 15 * time.Minute}},
		{"not fresh, and not asked for", []idjag.Rule{fresh, readers}, nil, all, nil, idjag.Decision{Scopes: []string{"files:read"}, Rules: []string{"readers"}}},
		{"not fresh, and asked for", []idjag.Rule{fresh, readers}, nil, all, []string{"files:read", "files:admin"},
			idjag.Decision{Reason: claims.AuthenticationTooWeak, Rules: []string{"fresh"}, MaxAge: 15 * time.Minute}},
		{"not fresh, and not offered", []idjag.Rule{fresh, readers}, nil, []string{"files:read"}, nil, idjag.Decision{Scopes: []string{"files:read"}, Rules: []string{"readers"}}},
		{"not fresh, and another rule gives it", []idjag.Rule{fresh, {Name: "anyway", Scopes: []string{"files:admin"}}}, nil, all, []string{"files:admin"},
			idjag.Decision{Scopes: []string{"files:admin"}, Rules: []string{"anyway"}}},
		{"strong enough", []idjag.Rule{strong}, acr("phr"), all, nil, idjag.Decision{Scopes: []string{"files:admin"}, Rules: []string{"strong"}}},
		{"too weak", []idjag.Rule{strong}, acr("pwd"), all, nil,
			idjag.Decision{Reason: claims.AuthenticationTooWeak, Rules: []string{"strong"}, ACRValues: []string{"phrh", "phr"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &idjag.Policy{Rules: tt.rules}
			got := p.Decide(idjag.Request{User: user(tt.user), ClientID: clientID, Resource: resourceID, Offered: tt.offered, Asked: tt.asked, Now: begin})
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("decided\n%+v, want\n%+v", got, tt.want)
			}
		})
	}
}

// TestNobodySaidWhen: without auth_time no sign-in is fresh, not even for a
// caller who forgets Now.
func TestNobodySaidWhen(t *testing.T) {
	p := &idjag.Policy{Rules: []idjag.Rule{{Name: "fresh", Scopes: []string{"a"}, MaxAuthenticationAge: time.Hour}}}
	if got := p.Decide(idjag.Request{Offered: []string{"a"}}); got.Reason != claims.AuthenticationTooWeak {
		t.Errorf("decided %+v", got)
	}
}

// TestRuleConditions: each list narrows whom a rule is for.
func TestRuleConditions(t *testing.T) {
	tests := []struct {
		name  string
		rule  idjag.Rule
		match bool
	}{
		{"nothing demanded", idjag.Rule{}, true},
		{"resource", idjag.Rule{Resources: []string{otherMCP, resourceID}}, true},
		{"another resource", idjag.Rule{Resources: []string{otherMCP}}, false},
		{"provider", idjag.Rule{IdentityProviders: []string{idpIssuer}}, true},
		{"another provider", idjag.Rule{IdentityProviders: []string{"https://second.example.com"}}, false},
		{"tenant", idjag.Rule{Tenants: []string{"acme"}}, true},
		{"another tenant", idjag.Rule{Tenants: []string{"blue"}}, false},
		{"client", idjag.Rule{Clients: []string{clientID}}, true},
		{"another client", idjag.Rule{Clients: []string{"second"}}, false},
		{"role", idjag.Rule{Roles: []string{"admin", "operator"}}, true},
		{"another role", idjag.Rule{Roles: []string{"admin"}}, false},
		{"all but one", idjag.Rule{Resources: []string{resourceID}, Tenants: []string{"acme"}, Roles: []string{"admin"}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.rule.Name, tt.rule.Scopes = "rule", []string{"files:read"}
			p := &idjag.Policy{Rules: []idjag.Rule{tt.rule}}
			got := p.Decide(idjag.Request{
				User:     user(func(p *claims.Principal) { p.Tenant, p.Roles = "acme", []string{"operator"} }),
				ClientID: clientID, Resource: resourceID, Offered: []string{"files:read"}, Now: begin,
			})
			if match := got.Reason == ""; match != tt.match {
				t.Errorf("matches: %v, want %v", match, tt.match)
			}
		})
	}
}

func TestGroupScopes(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *idjag.Config) {
		cfg.GroupScopes = map[string][]string{"Engineering": {"files:read", "files:write"}, "Admins": {"files:admin"}}
	})
	everything := claimSet{"scope": "files:read files:write files:admin"}
	mint := func(groups any) string {
		return w.mint(func(h, c claimSet) { with(everything)(h, c); with(claimSet{"groups": groups})(h, c) })
	}
	if got := w.granted(w.redeem(mint([]string{"Engineering"})))["scope"]; got != "files:read files:write" {
		t.Errorf("Engineering: %v", got)
	}
	if got := w.granted(w.redeem(mint([]string{"Engineering", "Admins"})))["scope"]; got != "files:admin files:read files:write" {
		t.Errorf("both: %v", got)
	}
	w.refused(w.redeem(mint([]string{"Sales"})), 400, "invalid_scope", "scope_not_granted")
	w.refused(w.redeem(mint(nil)), 400, "invalid_scope", "groups_unknown")
}

// TestRolesNotStated: a rule that denies a role denies whom a provider sends no
// roles for, and not whom it says has none.
func TestRolesNotStated(t *testing.T) {
	clearing := claims.IDJAG()
	clearing.Func = func(_ context.Context, _ *claims.Payload, p *claims.Principal) error {
		p.Roles = nil
		return nil
	}
	filling := claims.IDJAG()
	filling.Func = func(_ context.Context, _ *claims.Payload, p *claims.Principal) error {
		if p.Roles == nil {
			p.Roles = []string{}
		}
		return nil
	}
	spaced := claims.IDJAG()
	spaced.Roles = []claims.Source{{Pointer: "/roles", As: claims.AsSpace}}
	keyed := claims.IDJAG()
	keyed.Roles = []claims.Source{{Pointer: "/roles", As: claims.AsKeys}}
	tests := []struct {
		name    string
		mapping claims.Mapping
		roles   any
		granted bool
	}{
		{"not stated", claims.IDJAG(), nil, false},
		{"the one that is denied", claims.IDJAG(), []string{"staff", "guest"}, false},
		{"another", claims.IDJAG(), []string{"staff"}, true},
		{"none", claims.IDJAG(), []string{}, true},
		{"none, in a text", spaced, "", true},
		{"none, in an object", keyed, claimSet{}, true},
		{"one that is taken away", clearing, []string{"staff"}, true},
		{"not stated, and nothing taken away", clearing, nil, false},
		{"not stated, and said to be none", filling, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, func(_ *world, cfg *idjag.Config) {
				cfg.IdentityProviders[0].Claims = tt.mapping
				cfg.Policy = &idjag.Policy{Rules: []idjag.Rule{
					{Name: "readers", Scopes: []string{"files:read"}}, {Name: "no guests", Roles: []string{"guest"}, Deny: true},
				}}
			})
			a := w.redeem(w.mint(with(claimSet{"roles": tt.roles})))
			if tt.granted {
				w.granted(a)
				return
			}
			w.refused(a, 400, "invalid_grant", "subject_unresolved")
		})
	}
}

// TestStepUp: the client is told which sign-in to ask for (RFC 9470), and a
// token does not outlive the sign-in that it needed.
func TestStepUp(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *idjag.Config) {
		cfg.Policy = &idjag.Policy{Rules: []idjag.Rule{
			{Name: "fresh", Scopes: []string{"files:write"}, MaxAuthenticationAge: 15 * time.Minute, ACRValues: []string{"phrh", "phr"}},
		}}
	})
	a := w.redeem(w.mint(nil), "scope", "files:write")
	w.refused(a, 400, "insufficient_user_authentication", "authentication_too_weak")
	if a.body["max_age"] != 900.0 || a.body["acr_values"] != "phrh phr" {
		t.Errorf("body %s, want max_age 900 and acr_values", a.raw)
	}
	signedIn := begin.Add(-10 * time.Minute).Unix()
	got := w.granted(w.redeem(w.mint(with(claimSet{"auth_time": signedIn, "acr": "phr"})), "scope", "files:write"))
	if exp := got["exp"].(float64); exp != float64(signedIn+900) {
		t.Errorf("exp %v, want %d: the sign-in is good until then", exp, signedIn+900)
	}
}

// TestSignInRunsOut: the sign-in was fresh when the request began, and is not any
// more when the token would be made, whatever took the time.
func TestSignInRunsOut(t *testing.T) {
	for _, slow := range []string{"resolver", "store"} {
		t.Run(slow, func(t *testing.T) {
			w := newWorld(t, func(w *world, cfg *idjag.Config) {
				cfg.Policy = &idjag.Policy{Rules: []idjag.Rule{{Name: "fresh", Scopes: []string{"files:read"}, MaxAuthenticationAge: time.Minute}}}
				hang := func(where string) {
					if where == slow {
						w.clock.advance(2 * time.Second)
					}
				}
				cfg.Replay = slowStore{idjag.NewReplayStore(0, w.clock.Now), func() { hang("store") }}
				cfg.ResolveSubject = func(context.Context, claims.Principal) (string, error) {
					hang("resolver")
					return "user_42", nil
				}
			})
			a := w.redeem(w.mint(with(claimSet{"auth_time": begin.Add(-59 * time.Second).Unix()})))
			w.refused(a, 400, "insufficient_user_authentication", "authentication_too_weak")
		})
	}
}

// slowStore is a store that takes its time.
type slowStore struct {
	idjag.ReplayStore
	hang func()
}

func (s slowStore) Consume(ctx context.Context, key string, until time.Time) (bool, error) {
	s.hang()
	return s.ReplayStore.Consume(ctx, key, until)
}

// TestRuleLifetime: the shortest life of the rules that gave something, and never
// more than the server's.
func TestRuleLifetime(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *idjag.Config) {
		cfg.Policy = &idjag.Policy{Rules: []idjag.Rule{
			{Name: "read", Scopes: []string{"files:read"}, TokenLifetime: time.Hour},
			{Name: "write", Scopes: []string{"files:write"}, TokenLifetime: 90 * time.Second},
		}}
	})
	for scope, want := range map[string]float64{"files:read": 600, "files:write": 90, "files:read files:write": 90} {
		if a := w.redeem(w.mint(nil), "scope", scope); a.body["expires_in"] != want {
			t.Errorf("%s: answered %s, want %v seconds", scope, a.raw, want)
		}
	}
}

// TestReasonsOfAuthorize: each reason that a function gives has the code that it
// has everywhere.
func TestReasonsOfAuthorize(t *testing.T) {
	for reason, want := range map[claims.Reason]struct {
		status int
		code   string
	}{
		claims.RequestMalformed:      {400, "invalid_request"},
		claims.ClientUnauthorized:    {400, "unauthorized_client"},
		claims.ClientUnauthenticated: {400, "invalid_client"},
		claims.ScopeNotGranted:       {400, "invalid_scope"},
		claims.AuthenticationTooWeak: {400, "insufficient_user_authentication"},
		claims.TenantNotAllowed:      {400, "invalid_grant"},
		claims.GroupsLookupFailed:    {503, "temporarily_unavailable"},
		claims.Internal:              {500, "server_error"},
		"a reason of his own":        {400, "invalid_grant"},
	} {
		w := newWorld(t, func(_ *world, cfg *idjag.Config) {
			cfg.Authorize = func(context.Context, idjag.Request, idjag.Decision) (idjag.Decision, error) {
				return idjag.Decision{Reason: reason}, nil
			}
		})
		if a := w.redeem(w.mint(nil)); a.status != want.status || a.code() != want.code || strings.Contains(a.raw, "his own") {
			t.Errorf("%s: answered %d %s, want %d %s", reason, a.status, a.raw, want.status, want.code)
		}
	}
}

func TestReportOnly(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *idjag.Config) {
		cfg.Policy = &idjag.Policy{ReportOnly: true, Rules: []idjag.Rule{{Name: "readers", Scopes: []string{"files:read"}}}}
	})
	if got := w.granted(w.redeem(w.mint(nil)))["scope"]; got != "files:read files:write" {
		t.Errorf("scope %v: a policy that only reports took something away", got)
	}
	record := w.audits.last(t)
	if withheld := record["ema.policy.report.withheld"]; !reflect.DeepEqual(withheld, []string{"files:write"}) {
		t.Errorf("reported %v, want files:write", withheld)
	}
}

func TestSetPolicy(t *testing.T) {
	w := newWorld(t, nil)
	p := &idjag.Policy{Rules: []idjag.Rule{{Name: "readers", Scopes: []string{"files:read"}}}}
	if err := w.SetPolicy(p); err != nil {
		t.Fatal(err)
	}
	p.Rules[0].Scopes[0] = "files:write" // the server has its own copy
	if got := w.granted(w.redeem(w.mint(nil)))["scope"]; got != "files:read" {
		t.Errorf("scope %v, want files:read", got)
	}
	if err := w.SetPolicy(&idjag.Policy{Rules: []idjag.Rule{{Name: "x", Scopes: []string{"typo"}}}}); err == nil {
		t.Error("a policy with a dangling scope was taken")
	}
	if got := w.granted(w.redeem(w.mint(nil)))["scope"]; got != "files:read" {
		t.Errorf("scope %v after a policy that was refused", got)
	}
	if err := w.SetPolicy(nil); err != nil {
		t.Fatal(err)
	}
	if got := w.granted(w.redeem(w.mint(nil)))["scope"]; got != "files:read files:write" {
		t.Errorf("scope %v without a policy", got)
	}
}

func TestAuthorize(t *testing.T) {
	tests := []struct {
		name   string
		f      func(r idjag.Request, d idjag.Decision) (idjag.Decision, error)
		scope  string
		status int
		code   string
		reason string
	}{
		{"as it is", func(_ idjag.Request, d idjag.Decision) (idjag.Decision, error) { return d, nil }, "files:read files:write", 200, "", ""},
		{"narrowed", func(_ idjag.Request, d idjag.Decision) (idjag.Decision, error) {
			d.Scopes = []string{"files:write"}
			return d, nil
		}, "files:write", 200, "", ""},
		{"cannot widen", func(_ idjag.Request, d idjag.Decision) (idjag.Decision, error) {
			d.Scopes = append(d.Scopes, "files:admin", "root")
			return d, nil
		}, "files:read files:write", 200, "", ""},
		{"cannot widen the offer itself", func(r idjag.Request, d idjag.Decision) (idjag.Decision, error) {
			d.Scopes = append(r.Offered[:0], "files:admin", "root")
			return d, nil
		}, "", 400, "invalid_scope", "scope_not_granted"},
		{"nothing left", func(_ idjag.Request, d idjag.Decision) (idjag.Decision, error) { return idjag.Decision{}, nil }, "", 400, "invalid_scope", "scope_not_granted"},
		{"refused", func(_ idjag.Request, d idjag.Decision) (idjag.Decision, error) {
			return idjag.Decision{Reason: claims.SubjectUnresolved}, nil
		}, "", 400, "invalid_grant", "subject_unresolved"},
		{"failed", func(_ idjag.Request, d idjag.Decision) (idjag.Decision, error) { return d, errors.New("down") }, "", 500, "server_error", "policy_error"},
		{"panicked", func(_ idjag.Request, d idjag.Decision) (idjag.Decision, error) { panic("boom") }, "", 500, "server_error", "policy_error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, func(_ *world, cfg *idjag.Config) {
				cfg.Authorize = func(_ context.Context, r idjag.Request, d idjag.Decision) (idjag.Decision, error) { return tt.f(r, d) }
			})
			a := w.redeem(w.mint(nil))
			if tt.status != 200 {
				w.refused(a, tt.status, tt.code, tt.reason)
				return
			}
			if got := w.granted(a)["scope"]; got != tt.scope {
				t.Errorf("scope %v, want %q", got, tt.scope)
			}
		})
	}
}

func TestParsePolicy(t *testing.T) {
	p, err := idjag.ParsePolicy([]byte(`{
		"report_only": true,
		"rules": [
			{"name": "a", "resources": ["r"], "identity_providers": ["i"], "tenants": ["t"], "clients": ["c"], "groups": ["g"], "roles": ["o"],
			 "scopes": ["s"], "max_authentication_age": "15m", "acr_values": ["phr"], "token_lifetime": "90s"},
			{"name": "b", "groups": ["g"], "deny": true}
		]
	}`))
	want := &idjag.Policy{ReportOnly: true, Rules: []idjag.Rule{
		{Name: "a", Resources: []string{"r"}, IdentityProviders: []string{"i"}, Tenants: []string{"t"}, Clients: []string{"c"}, Groups: []string{"g"}, Roles: []string{"o"},
			Scopes: []string{"s"}, MaxAuthenticationAge: 15 * time.Minute, ACRValues: []string{"phr"}, TokenLifetime: 90 * time.Second},
		{Name: "b", Groups: []string{"g"}, Deny: true},
	}}
	if err != nil || !reflect.DeepEqual(p, want) {
		t.Errorf("read as %+v, %v; want %+v", p, err, want)
	}

	for name, document := range map[string]string{
		"empty":                     ``,
		"not JSON":                  `rules: []`,
		"an unknown member":         `{"rules": [], "mode": "x"}`,
		"a misspelled condition":    `{"rules": [{"name": "a", "group": ["g"], "scopes": ["s"]}]}`,
		"a member twice":            `{"rules": [{"name": "a", "deny": true, "deny": false}]}`,
		"a member in another case":  `{"rules": [{"name": "a", "scopes": ["s"], "Scopes": ["t"]}]}`,
		"something after it":        `{"rules": []} {}`,
		"a duration without a unit": `{"rules": [{"name": "a", "scopes": ["s"], "token_lifetime": 60}]}`,
		"a negative duration":       `{"rules": [{"name": "a", "scopes": ["s"], "token_lifetime": "-1m"}]}`,
		"groups as a string":        `{"rules": [{"name": "a", "scopes": ["s"], "groups": "g"}]}`,
		"groups taken away":         `{"rules": [{"name": "a", "scopes": ["s"], "groups": []}]}`,
		"groups that are nothing":   `{"rules": [{"name": "a", "scopes": ["s"], "groups": null}]}`,
		"clients taken away":        `{"rules": [{"name": "a", "scopes": ["s"], "clients": []}]}`,
		"acr values taken away":     `{"rules": [{"name": "a", "scopes": ["s"], "acr_values": []}]}`,
		"an array":                  `[]`,
		"cut off":                   `{"rules": [{"name": "a"`,
		"cut off in a name":         `{"rules": [{"na`,
		"in Latin-1":                "{\"rules\": [{\"name\": \"a\", \"groups\": [\"G\xe4ste\"], \"deny\": true}]}",
	} {
		if p, err := idjag.ParsePolicy([]byte(document)); err == nil {
			t.Errorf("%s: read as %+v", name, p)
		} else if !strings.HasPrefix(err.Error(), "idjag: policy: ") {
			t.Errorf("%s: error %q does not say where it is from", name, err)
		}
	}
}

// TestPolicyIsChecked at the start: each of these would fail silently later.
func TestPolicyIsChecked(t *testing.T) {
	good := idjag.Rule{Name: "good", Scopes: []string{"files:read"}}
	tests := []struct {
		name   string
		change func(r *idjag.Rule)
		field  string
	}{
		{"no name", func(r *idjag.Rule) { r.Name = "" }, "Policy.Rules[1].Name"},
		{"a name twice", func(r *idjag.Rule) { r.Name = "first" }, "Policy.Rules[1].Name"},
		{"a dangling scope", func(r *idjag.Rule) { r.Scopes = []string{"files:read", "flies:read"} }, "Policy.Rules[1].Scopes[1]"},
		{"a scope of another resource", func(r *idjag.Rule) { r.Resources, r.Scopes = []string{otherMCP}, []string{"files:read"} }, "Policy.Rules[1].Scopes[0]"},
		{"a group mapped to nothing", func(r *idjag.Rule) { r.Groups, r.Scopes = []string{"Engineering"}, nil }, "Policy.Rules[1].Scopes"},
		{"deny with scopes", func(r *idjag.Rule) { r.Deny, r.Groups = true, []string{"g"} }, "Policy.Rules[1].Deny"},
		{"deny with a strength", func(r *idjag.Rule) {
			r.Deny, r.Scopes, r.Groups, r.ACRValues = true, nil, []string{"g"}, []string{"phr"}
		}, "Policy.Rules[1].Deny"},
		{"deny with an age", func(r *idjag.Rule) {
			r.Deny, r.Scopes, r.Groups, r.MaxAuthenticationAge = true, nil, []string{"g"}, time.Minute
		}, "Policy.Rules[1].Deny"},
		{"deny with a lifetime", func(r *idjag.Rule) {
			r.Deny, r.Scopes, r.Groups, r.TokenLifetime = true, nil, []string{"g"}, time.Minute
		}, "Policy.Rules[1].Deny"},
		{"an empty acr value", func(r *idjag.Rule) { r.ACRValues = []string{""} }, "Policy.Rules[1].ACRValues[0]"},
		{"deny for everybody", func(r *idjag.Rule) { r.Deny, r.Scopes = true, nil }, "Policy.Rules[1].Deny"},
		{"groups taken away", func(r *idjag.Rule) { r.Groups = []string{} }, "Policy.Rules[1].Groups"},
		{"roles taken away", func(r *idjag.Rule) { r.Roles = []string{} }, "Policy.Rules[1].Roles"},
		{"acr values taken away", func(r *idjag.Rule) { r.ACRValues = []string{} }, "Policy.Rules[1].ACRValues"},
		{"tenants taken away", func(r *idjag.Rule) { r.Tenants = []string{} }, "Policy.Rules[1].Tenants"},
		{"a client that its provider may not speak for", func(r *idjag.Rule) {
			r.IdentityProviders, r.Clients = []string{"https://second.example.com"}, []string{clientID}
		}, "Policy.Rules[1]"},
		{"a resource that its client may not use", func(r *idjag.Rule) {
			r.Clients, r.Resources, r.Scopes = []string{"second"}, []string{resourceID}, []string{"files:read"}
		}, "Policy.Rules[1]"},
		{"a tenant of another provider than its client's", func(r *idjag.Rule) {
			r.Clients, r.Tenants = []string{clientID}, []string{"blue"}
		}, "Policy.Rules[1]"},
		{"a lifetime below a second", func(r *idjag.Rule) { r.TokenLifetime = time.Millisecond }, "Policy.Rules[1].TokenLifetime"},
		{"an unknown resource", func(r *idjag.Rule) { r.Resources = []string{resourceID, "https://x.example.com"} }, "Policy.Rules[1].Resources[1]"},
		{"an unknown provider", func(r *idjag.Rule) { r.IdentityProviders = []string{idpIssuer + "/"} }, "Policy.Rules[1].IdentityProviders[0]"},
		{"an unknown tenant", func(r *idjag.Rule) { r.Tenants = []string{"acme"} }, "Policy.Rules[1].Tenants[0]"},
		{"a tenant of another provider", func(r *idjag.Rule) { r.IdentityProviders, r.Tenants = []string{idpIssuer}, []string{"blue"} }, "Policy.Rules[1].Tenants[0]"},
		{"an unknown client", func(r *idjag.Rule) { r.Clients = []string{"nobody"} }, "Policy.Rules[1].Clients[0]"},
		{"an empty group", func(r *idjag.Rule) { r.Groups = []string{""} }, "Policy.Rules[1].Groups[0]"},
		{"an empty role", func(r *idjag.Rule) { r.Roles = []string{""} }, "Policy.Rules[1].Roles[0]"},
		{"a negative age", func(r *idjag.Rule) { r.MaxAuthenticationAge = -1 }, "Policy.Rules[1].MaxAuthenticationAge"},
		{"a negative lifetime", func(r *idjag.Rule) { r.TokenLifetime = -1 }, "Policy.Rules[1].TokenLifetime"},
		{"two acr values in one", func(r *idjag.Rule) { r.ACRValues = []string{"a b"} }, "Policy.Rules[1].ACRValues[0]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rule := good
			tt.change(&rule)
			fields := mistakes(t, func(_ *world, cfg *idjag.Config) {
				cfg.Resources = append(cfg.Resources, idjag.Resource{ID: otherMCP, Scopes: []string{"mail:send"}})
				cfg.IdentityProviders = append(cfg.IdentityProviders, idjag.IdentityProvider{
					Issuer: "https://second.example.com", Tenants: []string{"blue"}, Clients: []string{"second"},
				})
				cfg.Clients = append(cfg.Clients, idjag.Client{ID: "second", SecretHashes: []string{idjag.HashSecret("x")}, Resources: []string{otherMCP}})
				cfg.Policy = &idjag.Policy{Rules: []idjag.Rule{{Name: "first", Scopes: []string{"files:read"}}, rule}}
			})
			if !slices.Equal(fields, []string{tt.field}) {
				t.Errorf("mistakes in %v, want %s", fields, tt.field)
			}
		})
	}
	// In the same order each time, so that two starts can be compared.
	for range 20 {
		fields := mistakes(t, func(_ *world, cfg *idjag.Config) {
			hasty := good
			hasty.MaxAuthenticationAge, hasty.TokenLifetime = 1, 1
			cfg.Policy = &idjag.Policy{Rules: []idjag.Rule{hasty}}
		})
		if !slices.Equal(fields, []string{"Policy.Rules[0].MaxAuthenticationAge", "Policy.Rules[0].TokenLifetime"}) {
			t.Fatalf("mistakes in %v", fields)
		}
	}
	if fields := mistakes(t, func(_ *world, cfg *idjag.Config) { cfg.Policy = &idjag.Policy{} }); !slices.Equal(fields, []string{"Policy.Rules"}) {
		t.Errorf("an empty policy: mistakes in %v", fields)
	}
	if fields := mistakes(t, func(_ *world, cfg *idjag.Config) { cfg.GroupScopes = map[string][]string{"a": {"typo"}} }); !slices.Equal(fields, []string{`GroupScopes["a"].Scopes[0]`}) {
		t.Errorf("GroupScopes: mistakes in %v", fields)
	}
}

// deny makes a rule one that refuses whom the change names.
func deny(whom func(r *idjag.Rule)) func(*idjag.Config, *idjag.Rule) {
	return func(_ *idjag.Config, r *idjag.Rule) {
		r.Deny, r.Scopes = true, nil
		whom(r)
	}
}

// TestRulesThatCannotMatch: what each condition names exists, and no provider may
// speak for all of it together. Or it is no name at all.
func TestRulesThatCannotMatch(t *testing.T) {
	tests := []struct {
		name   string
		change func(cfg *idjag.Config, r *idjag.Rule)
		field  string
	}{
		{"a resource that no provider may speak for", func(cfg *idjag.Config, r *idjag.Rule) {
			cfg.Resources = append(cfg.Resources, idjag.Resource{ID: otherMCP, Scopes: []string{"files:read"}})
			cfg.IdentityProviders[0].Resources, r.Resources = []string{resourceID}, []string{otherMCP}
		}, "Policy.Rules[0]"},
		{"a resource that no provider may speak for, and clients with documents", func(cfg *idjag.Config, r *idjag.Rule) {
			admitDocuments(nil, cfg)
			cfg.Resources = append(cfg.Resources, idjag.Resource{ID: otherMCP, Scopes: []string{"files:read"}})
			cfg.IdentityProviders[0].Resources, r.Resources = []string{resourceID}, []string{otherMCP}
		}, "Policy.Rules[0]"},
		{"a client with a document, of a provider that speaks for another", func(cfg *idjag.Config, r *idjag.Rule) {
			admitDocuments(nil, cfg)
			cfg.IdentityProviders[0].Clients, r.Clients = []string{documentOrigin + "/other.json"}, []string{documentID}
		}, "Policy.Rules[0]"},
		{"a client, of a provider that speaks for another", func(cfg *idjag.Config, r *idjag.Rule) {
			cfg.Clients = append(cfg.Clients, idjag.Client{ID: "another", DangerouslyPublic: true})
			cfg.IdentityProviders[0].Clients, r.Clients = []string{"another"}, []string{clientID}
		}, "Policy.Rules[0]"},
		{"the empty tenant, of a provider that serves any", func(cfg *idjag.Config, r *idjag.Rule) {
			cfg.IdentityProviders[0].DangerouslyAnyTenant, r.Tenants = true, []string{""}
		}, "Policy.Rules[0].Tenants[0]"},
	}
	for _, tt := range tests {
		rule := idjag.Rule{Name: "rule", Scopes: []string{"files:read"}}
		fields := mistakes(t, func(_ *world, cfg *idjag.Config) {
			tt.change(cfg, &rule)
			cfg.Policy = &idjag.Policy{Rules: []idjag.Rule{rule}}
		})
		if !slices.Equal(fields, []string{tt.field}) {
			t.Errorf("%s: mistakes in %v, want %s", tt.name, fields, tt.field)
		}
	}
}

// TestRulesThatCanMatch are let in, with whom they are for narrowed on every side.
func TestRulesThatCanMatch(t *testing.T) {
	tests := []struct {
		name   string
		change func(cfg *idjag.Config, r *idjag.Rule)
	}{
		{"a client of a provider, at a resource of both", func(cfg *idjag.Config, r *idjag.Rule) {
			cfg.Clients[0].Resources, cfg.IdentityProviders[0].Resources, cfg.IdentityProviders[0].Clients = []string{resourceID}, []string{resourceID}, []string{clientID}
			r.Clients, r.Resources, r.IdentityProviders = []string{clientID}, []string{resourceID}, []string{idpIssuer}
		}},
		{"a tenant of a provider that serves any", func(cfg *idjag.Config, r *idjag.Rule) {
			cfg.IdentityProviders[0].DangerouslyAnyTenant, r.Tenants = true, []string{"acme"}
		}},
		{"a client with a document", func(w *idjag.Config, r *idjag.Rule) {
			admitDocuments(nil, w)
			r.Clients = []string{documentID}
		}},
		{"a client with a document, for whom its provider speaks", func(cfg *idjag.Config, r *idjag.Rule) {
			admitDocuments(nil, cfg)
			cfg.IdentityProviders[0].Clients = []string{documentID}
		}},
		{"any client with a document", func(cfg *idjag.Config, _ *idjag.Rule) { admitDocuments(nil, cfg) }},
		{"a tenant of a provider that lists it", func(cfg *idjag.Config, r *idjag.Rule) {
			cfg.IdentityProviders[0].Tenants, r.Tenants = []string{"acme", "blue"}, []string{"none", "blue"}
			cfg.IdentityProviders = append(cfg.IdentityProviders, idjag.IdentityProvider{Issuer: "https://second.example.com", Tenants: []string{"none"}})
		}},
		{"a denied group", deny(func(r *idjag.Rule) { r.Groups = []string{"Guests"} })},
		{"a denied role", deny(func(r *idjag.Rule) { r.Roles = []string{"guest"} })},
		{"a denied client", deny(func(r *idjag.Rule) { r.Clients = []string{clientID} })},
		{"a denied resource", deny(func(r *idjag.Rule) { r.Resources = []string{resourceID} })},
		{"a denied provider", deny(func(r *idjag.Rule) { r.IdentityProviders = []string{idpIssuer} })},
	}
	for _, tt := range tests {
		rule := idjag.Rule{Name: "rule", Scopes: []string{"files:read"}}
		fields := mistakes(t, func(_ *world, cfg *idjag.Config) {
			tt.change(cfg, &rule)
			cfg.Policy = &idjag.Policy{Rules: []idjag.Rule{rule}}
		})
		if len(fields) > 0 {
			t.Errorf("%s: mistakes in %v", tt.name, fields)
		}
	}
}
