package claims_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/claims"
)

// full returns a principal with something in every field, read from a token.
func full(tb testing.TB) *claims.Principal {
	tb.Helper()
	p, err := mapToken(tb, claims.RFC9068(), edited(tb, "rfc9068-generic.json", object{
		"tenant": "acme", "scope": "tools:read tools:write", "groups": []string{"g1", "g2"}, "roles": []string{"r1", "r2"},
		"entitlements": []string{"e1", "e2"}, "amr": []string{"pwd", "mfa"}, "aud": []string{"a1", "a2"}, "email": "alice@example.com",
		"act": object{"sub": "agent", "act": object{"sub": "agent2"}}, "idp": "https://acme.okta.com", "assertion": "h", "nbf": 1790000000,
	}))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// TestFromContextCopies: what a handler does to its principal reaches nobody.
func TestFromContextCopies(t *testing.T) {
	want := full(t)
	ctx := claims.NewContext(t.Context(), *full(t))
	spoil := func(p *claims.Principal) {
		for _, list := range [][]string{p.Scopes, p.Permissions, p.Roles, p.Groups.Names, p.Authentication.Methods, p.Token.Audience} {
			if len(list) != 2 {
				t.Fatalf("a list of %d: every list of the example has two", len(list))
			}
			list[0] = "spoiled"
			_ = append(list[:1], "spoiled")
			_ = append(list, "spoiled")
		}
		p.Subject, p.Actor.Subject, p.Actor.Actor.Subject = "spoiled", "spoiled", "spoiled"
	}
	p, ok := claims.FromContext(ctx)
	if !ok || !reflect.DeepEqual(p, *want) {
		t.Fatalf("got %+v, %v", p, ok)
	}
	spoil(&p)
	again, _ := claims.FromContext(ctx)
	if !reflect.DeepEqual(again, *want) {
		t.Error("a change of one copy reached the next")
	}
	c := again.Clone()
	spoil(c)
	if !reflect.DeepEqual(again, *want) {
		t.Error("a change of the clone reached the original")
	}
	if (&claims.Principal{}).Clone().Scopes != nil {
		t.Error("a clone makes lists of what was none")
	}
}

func TestContext(t *testing.T) {
	type extra struct {
		Jti string `json:"jti"`
	}
	if p, ok := claims.FromContext(t.Context()); ok || p.Subject != "" {
		t.Errorf("an empty context holds %v", p)
	}
	if _, err := claims.As[extra](t.Context()); !errors.Is(err, claims.ErrNoPrincipal) {
		t.Errorf("As of an empty context: %v", err)
	}
	if _, err := claims.As[extra](claims.NewContext(t.Context(), claims.Principal{Subject: "stdio"})); !errors.Is(err, claims.ErrNoPayload) {
		t.Errorf("As of a principal without a token: %v", err)
	}
	ctx := claims.NewContext(t.Context(), *full(t))
	if got, err := claims.As[extra](ctx); err != nil || got.Jti != "j-1" {
		t.Errorf("As = %v, %v", got, err)
	}
	if _, err := claims.As[int](ctx); err == nil {
		t.Error("an object was decoded into an int")
	}
	var none *claims.Principal
	if err := none.Decode(new(extra)); !errors.Is(err, claims.ErrNoPayload) {
		t.Errorf("Decode of nil: %v", err)
	}
	var raw struct {
		Groups json.RawMessage `json:"groups"`
	}
	p := full(t)
	if err := p.Decode(&raw); err != nil {
		t.Fatal(err)
	}
	raw.Groups[0] = '#'
	if err := p.Decode(&raw); err != nil || string(raw.Groups) != `["g1","g2"]` {
		t.Errorf("what a caller decodes is not its own: %s, %v", raw.Groups, err)
	}
}

// TestKey: no two of these callers are one, whatever stands in their names.
func TestKey(t *testing.T) {
	parts := []string{"", "a", "ab", "b", ":", "1:", "1:a", "0:", "a0:", "|", "a|b", "\x00", "0:0:0:"}
	seen := make(map[string]claims.Principal)
	for _, issuer := range parts {
		for _, tenant := range parts {
			for _, subject := range parts {
				p := claims.Principal{Issuer: issuer, Tenant: tenant, Subject: subject}
				if other, dup := seen[p.Key()]; dup {
					t.Fatalf("%q,%q,%q and %q,%q,%q have the key %q", issuer, tenant, subject, other.Issuer, other.Tenant, other.Subject, p.Key())
				}
				seen[p.Key()] = p
			}
		}
	}
	// Lengths that run into what stands beside them.
	long, short := claims.Principal{Issuer: "8tttttttt4a", Subject: "x"}, claims.Principal{Issuer: "1", Tenant: "tttttttt", Subject: "a01x"}
	if long.Key() == short.Key() {
		t.Errorf("%+v and %+v have one key", long, short)
	}
	p, q := full(t), full(t)
	q.Email.Address, q.ClientID, q.Scopes, q.Token.ID = "new@example.com", "other", nil, "j-2"
	if p.Key() != q.Key() {
		t.Error("the key depends on more than issuer, tenant and subject")
	}
}

// TestPrincipalKeepsQuiet prints and logs a principal in every way, and looks
// for what must not be there.
func TestPrincipalKeepsQuiet(t *testing.T) {
	const canary = "canary"
	p := claims.Principal{
		Issuer: "https://as.example.com", Subject: canary, Tenant: canary, Kind: claims.User, ClientID: "client-1",
		Actor: &claims.Actor{Subject: canary}, Scopes: []string{canary}, Permissions: []string{canary}, Roles: []string{canary},
		Groups: claims.Groups{Names: []string{canary}, State: claims.GroupsComplete}, Email: claims.Email{Address: canary},
		Authentication: claims.Authentication{Context: canary, Methods: []string{canary}}, Token: claims.Token{ID: canary, Audience: []string{canary}},
		IdentityProvider: canary, Assertion: canary,
	}
	mapped, err := mapToken(t, with(func(m *claims.Mapping) { m.Groups = ptr("/g") }), token(`,"canary":"canary","g":["canary"]`))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []claims.Principal{p, *mapped} {
		var log bytes.Buffer
		for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
			slog.New(handler).InfoContext(context.Background(), "m", "value", p, "pointer", &p, slog.Group("g", "caller", p))
		}
		for _, printed := range []string{
			log.String(), p.String(), fmt.Sprint(p), fmt.Sprint(&p), fmt.Sprintf("%v %+v %s %q", p, p, p, p),
			fmt.Sprintf("%+v", struct{ P claims.Principal }{p}), fmt.Sprintf("%v", []claims.Principal{p}),
		} {
			if strings.Contains(printed, canary) || strings.Contains(printed, "alice") {
				t.Errorf("leaks: %s", printed)
			}
			if !strings.Contains(printed, p.Issuer) {
				t.Errorf("says nothing: %s", printed)
			}
		}
	}
}

// TestErrorsKeepQuiet puts a canary into every claim of every fixture, in turn,
// and looks for it in the errors.
func TestErrorsKeepQuiet(t *testing.T) {
	refused := 0
	for _, f := range fixtures {
		var all object
		if err := json.Unmarshal(readFixture(t, f.file), &all); err != nil {
			t.Fatal(err)
		}
		for name := range all {
			for _, value := range []any{"canary\n", []any{"canary", 1}, object{"canary": "canary"}, nil} {
				set := object{name: value, "canary": 1}
				if value == nil {
					set = object{"CANARY": 1, "canary": 1} // refused as a duplicate
				}
				_, err := mapToken(t, f.mapping, edited(t, f.file, set))
				if err == nil {
					continue
				}
				refused++
				if strings.Contains(strings.ToLower(err.Error()), "canary") || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s, %s = %v: %v", f.file, name, value, err)
				}
				var e *claims.Error
				if !errors.As(err, &e) || e.Reason == "" {
					t.Errorf("%s, %s = %v: %v is no *claims.Error", f.file, name, value, err)
				}
			}
		}
	}
	if refused < 300 {
		t.Errorf("only %d refusals: the test looks at too little", refused)
	}
}

func TestGroups(t *testing.T) {
	for _, c := range []struct {
		groups     claims.Groups
		known, has bool
	}{
		{claims.Groups{}, false, false},
		{claims.Groups{Names: []string{"g"}}, false, false},
		{claims.Groups{Names: []string{"g"}, State: claims.GroupsOverage}, false, false},
		{claims.Groups{Names: []string{"g"}, State: claims.GroupsComplete}, true, true},
		{claims.Groups{Names: []string{"G"}, State: claims.GroupsComplete}, true, false},
		{claims.Groups{State: claims.GroupsComplete}, true, false},
	} {
		if c.groups.Known() != c.known || c.groups.Has("g") != c.has {
			t.Errorf("%+v: Known %v, Has %v", c.groups, c.groups.Known(), c.groups.Has("g"))
		}
	}
}

// TestUndecided lists the reasons after which the answer is "try again".
func TestUndecided(t *testing.T) {
	for reason, want := range map[claims.Reason]bool{
		claims.KeysUnavailable: true, claims.StoreUnavailable: true, claims.GroupsLookupFailed: true,
		claims.ClientLookupFailed: true, claims.Canceled: true, claims.Internal: true,
		claims.TokenExpired: false, claims.ScopeMissing: false, claims.GroupsUnknown: false, claims.AssertionReplayed: false, "": false,
	} {
		if reason.Undecided() != want {
			t.Errorf("%q: Undecided = %v", reason, !want)
		}
	}
}
