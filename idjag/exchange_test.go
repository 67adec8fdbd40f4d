package idjag_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/idjag"
	"github.com/emamw/mcp-ema/internal/jose"
)

// TestToken reads a whole response and the whole token in it.
func TestToken(t *testing.T) {
	w := newWorld(t, nil)
	signedIn := begin.Add(-5 * time.Minute).Unix()
	assertion := w.mint(with(claimSet{
		"jti": "the-jti", "groups": []string{"Engineering", "Everyone"}, "roles": []string{"operator"},
		"auth_time": signedIn, "acr": "phr", "amr": []string{"mfa", "pwd"}, "email": "alice@example.com",
		"authorization_details": []any{claimSet{"type": "files", "actions": []string{"admin"}}}, // dropped: RFC 9396 is not spoken here
		"act":                   claimSet{"sub": "agent-1", "sub_profile": "ai_agent", "act": claimSet{"iss": "https://x.example.com", "sub": "agent-0"}},
	}))
	a := w.redeem(assertion)
	got := w.granted(a)

	token, err := jose.Parse(a.body["access_token"].(string))
	if err != nil {
		t.Fatal(err)
	}
	if token.Header.Type != "at+jwt" || token.Header.Algorithm != "ES256" || token.Header.KeyID == "" {
		t.Errorf("header %+v, want at+jwt, ES256 and a kid", token.Header)
	}
	subject, id := got["sub"].(string), got["jti"].(string)
	if subject == "" || subject == "00u1alice" || len(id) < 22 {
		t.Errorf("sub %q and jti %q: want a digest and 128 random bits", subject, id)
	}
	at, jtiHash := float64(begin.Unix()), sha256.Sum256([]byte("the-jti"))
	want := claimSet{
		"iss": ownIssuer, "sub": subject, "aud": resourceID, "client_id": clientID, "jti": id,
		"iat": at, "exp": at + 600, "scope": "files:read files:write",
		"groups": []any{"Engineering", "Everyone"}, "roles": []any{"operator"},
		"auth_time": float64(signedIn), "acr": "phr", "amr": []any{"mfa", "pwd"},
		"act": claimSet{"sub": "agent-1", "sub_profile": "ai_agent", "act": claimSet{"iss": "https://x.example.com", "sub": "agent-0"}},
		"idp": idpIssuer, "idp_sub": "00u1alice", "assertion": base64.RawURLEncoding.EncodeToString(jtiHash[:]), "assertion_iat": at,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("claims\n%v, want\n%v", got, want)
	}

	body := claimSet{
		"access_token": a.body["access_token"], "token_type": "Bearer", "expires_in": 600.0,
		"scope": "files:read files:write", "resource": resourceID,
	}
	if !reflect.DeepEqual(a.body, body) {
		t.Errorf("body\n%v, want\n%v", a.body, body)
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache"} {
		if got := a.header.Get(name); got != value {
			t.Errorf("%s %q, want %q", name, got, value)
		}
	}
}

// readBack reads the token of an answer as the guard of an MCP server does.
func (w *world) readBack(a answer) *claims.Principal {
	w.t.Helper()
	w.granted(a)
	token, err := jose.Parse(a.body["access_token"].(string))
	if err != nil {
		w.t.Fatal(err)
	}
	mapper, err := claims.RFC9068().Mapper()
	if err != nil {
		w.t.Fatal(err)
	}
	payload, err := claims.ParsePayload(token.Payload)
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := mapper.Map(w.t.Context(), payload)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func TestTokenReadsBack(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *idjag.Config) {
		cfg.IdentityProviders[0].Tenants = []string{"acme"}
		cfg.IdentityProviders[0].Claims = claims.IDJAG()
		cfg.IdentityProviders[0].Claims.Permissions = []claims.Source{{Pointer: "/entitlements"}}
	})
	p := w.readBack(w.redeem(w.mint(with(claimSet{"tenant": "acme", "groups": []string{}, "act": claimSet{"sub": "agent-1"}, "entitlements": []string{"reports.run"}}))))
	if p.Kind != claims.User || !slices.Equal(p.Permissions, []string{"reports.run"}) {
		t.Errorf("read back as %s with %q", p.Kind, p.Permissions)
	}
	if agent := w.readBack(w.redeem(w.mint(with(claimSet{"tenant": "acme", "sub_profile": "ai_agent"})))); agent.Kind != claims.Agent {
		t.Errorf("an agent became %s", agent.Kind)
	}
	if p.Issuer != ownIssuer || p.Tenant != "acme" || p.ClientID != clientID ||
		p.IdentityProvider != idpIssuer || p.ProviderSubject != "00u1alice" || p.Assertion == "" || !p.AssertionIssuedAt.Equal(begin) ||
		!p.Groups.Known() || len(p.Groups.Names) != 0 || p.Actor == nil || p.Actor.Subject != "agent-1" || len(p.Scopes) != 2 {
		t.Errorf("read back as %+v", p)
	}
}

// TestWhatIsNotSaidIsNotIssued: absent groups are not "no groups", and a sign-in
// that nobody dated did not happen now.
func TestWhatIsNotSaidIsNotIssued(t *testing.T) {
	w := newWorld(t, nil)
	got := w.granted(w.redeem(w.mint(nil)))
	for _, name := range []string{"groups", "roles", "auth_time", "acr", "amr", "act", "sub_profile", "tenant", "entitlements", "email", "cnf"} {
		if value, ok := got[name]; ok {
			t.Errorf("%s is %v, want it absent", name, value)
		}
	}
	if got := w.granted(w.redeem(w.mint(with(claimSet{"groups": []string{}}))))["groups"]; !reflect.DeepEqual(got, []any{}) {
		t.Errorf("no groups became %v, want an empty list", got)
	}
}

// TestGroupsThatDoNotFit drop out of the token, which makes them unknown.
func TestGroupsThatDoNotFit(t *testing.T) {
	w := newWorld(t, nil)
	var groups []string
	for range 300 {
		groups = append(groups, strings.Repeat("g", 30))
	}
	if _, ok := w.granted(w.redeem(w.mint(with(claimSet{"groups": groups}))))["groups"]; ok {
		t.Error("groups of 9 kB are in the token")
	}
}

// TestTokenThatDoesNotFit: with roles instead, which cannot be left out, there is
// no token rather than one that no server can be sent.
func TestTokenThatDoesNotFit(t *testing.T) {
	w := newWorld(t, nil)
	var roles []string
	for range 300 {
		roles = append(roles, strings.Repeat("r", 30))
	}
	w.refused(w.redeem(w.mint(with(claimSet{"roles": roles, "groups": []string{"g"}}))), http.StatusInternalServerError, "server_error", "internal")
	if !strings.Contains(w.logs.String(), "fewer roles") {
		t.Errorf("log %q does not tell the cure", w.logs)
	}
}

// TestMappingPanics: an answer and an audit record, as for any other failure.
func TestMappingPanics(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *idjag.Config) {
		mapping := claims.IDJAG()
		mapping.Func = func(context.Context, *claims.Payload, *claims.Principal) error { panic("c4n4ry") }
		cfg.IdentityProviders[0].Claims = mapping
	})
	w.refused(w.redeem(w.mint(nil)), http.StatusInternalServerError, "server_error", "internal")
	if strings.Contains(w.logs.String(), "c4n4ry") {
		t.Error("the value of the panic is in the log")
	}
}

// TestConfiguredFunctionsGetCopies: what they do to a user's lists does not
// reach the token.
func TestConfiguredFunctionsGetCopies(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *idjag.Config) {
		cfg.Authorize = func(_ context.Context, r idjag.Request, d idjag.Decision) (idjag.Decision, error) {
			r.User.Groups.Names[0] = "Admins"
			return d, nil
		}
		cfg.ResolveSubject = func(_ context.Context, user claims.Principal) (string, error) {
			user.Groups.Names[0] = "Admins"
			return "user_42", nil
		}
	})
	got := w.granted(w.redeem(w.mint(with(claimSet{"groups": []string{"Sales"}}))))["groups"]
	if !reflect.DeepEqual(got, []any{"Sales"}) {
		t.Errorf("groups %v", got)
	}
}

func TestSubjects(t *testing.T) {
	second := idjag.IdentityProvider{Issuer: "https://second.example.com", JWKSURL: idpIssuer + "/jwks", DangerouslyAnyTenant: true}
	w := newWorld(t, func(_ *world, cfg *idjag.Config) { cfg.IdentityProviders = append(cfg.IdentityProviders, second) })
	seen := map[string]string{}
	for name, change := range map[string]claimSet{
		"first":                      {},
		"second, tenant acme":        {"iss": second.Issuer, "tenant": "acme"},
		"second, tenant blue":        {"iss": second.Issuer, "tenant": "blue"},
		"second, shifted into sub":   {"iss": second.Issuer, "tenant": "acm", "sub": "e00u1alice"},
		"first, somebody else":       {"sub": "00u1bob"},
		"first, in another spelling": {"sub": "00U1alice"},
	} {
		subject := w.granted(w.redeem(w.mint(with(change))))["sub"].(string)
		if other, ok := seen[subject]; ok {
			t.Errorf("%q and %q are one user", name, other)
		}
		seen[subject] = name
	}
	for _, change := range []claimSet{{}, {"email": "bob@example.com", "email_verified": true}} { // an address is no name
		if again := w.granted(w.redeem(w.mint(with(change))))["sub"].(string); seen[again] != "first" {
			t.Errorf("the same user became another one with %v", change)
		}
	}

	w = newWorld(t, func(_ *world, cfg *idjag.Config) { cfg.IdentityProviders[0].Subject = idjag.VerbatimSubject })
	if got := w.granted(w.redeem(w.mint(nil)))["sub"]; got != "00u1alice" {
		t.Errorf("verbatim sub is %v", got)
	}
}

// TestSubjectIsNoClient: a token whose sub is a client's id is taken for one of the
// client on its own behalf.
func TestSubjectIsNoClient(t *testing.T) {
	verbatim := func(cfg *idjag.Config) { cfg.IdentityProviders[0].Subject = idjag.VerbatimSubject }
	resolving := func(to string) func(*idjag.Config) {
		return func(cfg *idjag.Config) {
			cfg.ResolveSubject = func(context.Context, claims.Principal) (string, error) { return to, nil }
		}
	}
	for _, tt := range []struct {
		name   string
		change func(*idjag.Config)
		client string
		sub    string
		status int
	}{
		{"a user", verbatim, clientID, "00u1alice", 200},
		{"the client", verbatim, clientID, clientID, 400},
		{"another client", verbatim, clientID, "open", 400},
		{"the client, by a document", verbatim, documentID, documentID, 400},
		{"the client, after a digest", func(*idjag.Config) {}, clientID, clientID, 200},
		{"resolved to a user", resolving("user_42"), clientID, clientID, 200},
		{"resolved to the client", resolving(clientID), clientID, "00u1alice", 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, func(w *world, cfg *idjag.Config) {
				manyClients(w, cfg)
				cfg.ClientDocuments = idjag.ClientDocuments{Origins: []string{documentOrigin}, DangerouslyPublic: true}
				w.net.serve(documentID, document(nil))
				tt.change(cfg)
			})
			assertion := w.mint(with(claimSet{"sub": tt.sub, "client_id": tt.client}))
			values, basic := form(assertion), tt.client == clientID
			if !basic {
				values.Set("client_id", tt.client)
			}
			r := tokenRequest(values)
			if basic {
				r.SetBasicAuth(clientID, secret)
			}
			a := w.send(r)
			if tt.status == http.StatusOK {
				w.granted(a)
				return
			}
			w.refused(a, tt.status, "invalid_grant", "subject_unresolved")
		})
	}
}

func TestResolveSubject(t *testing.T) {
	tests := []struct {
		name    string
		subject string
		err     error
		panics  bool
		status  int
		reason  string
	}{
		{"an account", "user_42", nil, false, 200, ""},
		{"no account", "", idjag.ErrNoSubject, false, 400, "subject_unresolved"},
		{"nothing said", "", nil, false, 400, "subject_unresolved"},
		{"the directory is down", "", errors.New("connection refused"), false, 503, "store_unavailable"},
		{"a panic", "", nil, true, 503, "store_unavailable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, func(_ *world, cfg *idjag.Config) {
				cfg.ResolveSubject = func(context.Context, claims.Principal) (string, error) {
					if tt.panics {
						panic("boom")
					}
					return tt.subject, tt.err
				}
			})
			assertion := w.mint(nil)
			a := w.redeem(assertion)
			if tt.status == 200 {
				if got := w.granted(a)["sub"]; got != tt.subject {
					t.Errorf("sub %v, want %s", got, tt.subject)
				}
				return
			}
			code := map[int]string{400: "invalid_grant", 503: "temporarily_unavailable"}[tt.status]
			w.refused(a, tt.status, code, tt.reason)
		})
	}
}

// TestEmail: an address reaches the operator's code only from a provider that
// may vouch for it.
func TestEmail(t *testing.T) {
	tests := []struct {
		name   string
		claims claimSet
		want   claims.Email
	}{
		{"own domain", claimSet{"email": "alice@example.com"}, claims.Email{Address: "alice@example.com", Verified: true}},
		{"own domain in upper case", claimSet{"email": "alice@EXAMPLE.com"}, claims.Email{Address: "alice@EXAMPLE.com", Verified: true}},
		{"said to be verified", claimSet{"email": "alice@example.com", "email_verified": true}, claims.Email{Address: "alice@example.com", Verified: true}},
		{"said not to be verified", claimSet{"email": "alice@example.com", "email_verified": false}, claims.Email{}},
		{"a foreign domain", claimSet{"email": "alice@evil.example"}, claims.Email{}},
		{"a domain below", claimSet{"email": "alice@sub.example.com"}, claims.Email{}},
		{"two at signs", claimSet{"email": "alice@evil.example@example.com"}, claims.Email{}},
		{"no local part", claimSet{"email": "@example.com"}, claims.Email{}},
		{"absent", nil, claims.Email{}},
	}
	var seen claims.Email
	w := newWorld(t, func(_ *world, cfg *idjag.Config) {
		cfg.IdentityProviders[0].EmailDomains = []string{"example.com"}
		cfg.ResolveSubject = func(_ context.Context, user claims.Principal) (string, error) {
			seen = user.Email
			return "user_42", nil
		}
	})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			w.granted(w.redeem(w.mint(with(tt.claims))))
			if seen != tt.want {
				t.Errorf("the resolver saw %+v, want %+v", seen, tt.want)
			}
		})
	}
	t.Run("of a provider without domains", func(t *testing.T) {
		seen = claims.Email{Address: "unseen"}
		w := newWorld(t, func(_ *world, cfg *idjag.Config) {
			cfg.ResolveSubject = func(_ context.Context, user claims.Principal) (string, error) {
				seen = user.Email
				return "user_42", nil
			}
		})
		w.granted(w.redeem(w.mint(with(claimSet{"email": "alice@example.com", "email_verified": true}))))
		if seen != (claims.Email{}) {
			t.Errorf("the resolver saw %+v, want nothing", seen)
		}
	})
}

// TestSingleUse: whatever the number of concurrent requests, one gets a token.
func TestSingleUse(t *testing.T) {
	w := newWorld(t, nil)
	assertion := w.mint(nil)
	var tokens, replays atomic.Int32
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			switch a := w.redeem(assertion); {
			case a.status == http.StatusOK:
				tokens.Add(1)
			case a.code() == "invalid_grant":
				replays.Add(1)
			}
		})
	}
	wg.Wait()
	if tokens.Load() != 1 || replays.Load() != 99 {
		t.Errorf("%d tokens and %d replays, want 1 and 99", tokens.Load(), replays.Load())
	}
}

func TestReplay(t *testing.T) {
	w := newWorld(t, nil)
	assertion := w.mint(nil)
	w.granted(w.redeem(assertion))
	w.refused(w.redeem(assertion), 400, "invalid_grant", "assertion_replayed")
	w.clock.advance(5*time.Minute + 29*time.Second) // the last second of its life, skew included
	w.refused(w.redeem(assertion), 400, "invalid_grant", "assertion_replayed")
	w.clock.advance(time.Second)
	w.refused(w.redeem(assertion), 400, "invalid_grant", "token_expired")

	t.Run("the same jti of another issuer is another assertion", func(t *testing.T) {
		w := newWorld(t, func(_ *world, cfg *idjag.Config) {
			cfg.IdentityProviders = append(cfg.IdentityProviders, idjag.IdentityProvider{Issuer: "https://second.example.com", JWKSURL: idpIssuer + "/jwks"})
		})
		w.granted(w.redeem(w.mint(with(claimSet{"jti": "one"}))))
		w.granted(w.redeem(w.mint(with(claimSet{"jti": "one", "iss": "https://second.example.com"}))))
	})
	t.Run("resubmission, where it is allowed", func(t *testing.T) {
		w := newWorld(t, func(_ *world, cfg *idjag.Config) { cfg.IdentityProviders[0].AllowResubmission = true })
		assertion := w.mint(nil)
		w.granted(w.redeem(assertion))
		w.granted(w.redeem(assertion))
	})
}

// TestReplayAtASlowerReplica: what one replica has redeemed is remembered for as
// long as another accepts it, whose clock is behind by what clocks may be off.
func TestReplayAtASlowerReplica(t *testing.T) {
	for _, skew := range []time.Duration{30 * time.Second, 5 * time.Minute} {
		var store idjag.ReplayStore
		replica := func(w *world, cfg *idjag.Config) {
			if store == nil {
				store = idjag.NewReplayStore(0, w.clock.Now) // it goes by the clock of who redeemed
			}
			cfg.Replay, cfg.ClockSkew = store, skew
		}
		fast, slow := newWorld(t, replica), newWorld(t, replica)
		slow.clock.advance(-skew)
		assertion := slow.mint(nil)
		fast.granted(fast.redeem(assertion))
		last := 5*time.Minute + skew - time.Second // of its life, at the slower one
		fast.clock.advance(last)
		slow.clock.advance(last)
		slow.refused(slow.redeem(assertion), 400, "invalid_grant", "assertion_replayed")
	}
}

// TestNothingIsConsumed: an assertion that was part of a refused request is as
// good as before. Otherwise whoever sees one could burn it.
func TestNothingIsConsumed(t *testing.T) {
	resolves := errors.New("down")
	w := newWorld(t, func(w *world, cfg *idjag.Config) {
		manyClients(w, cfg)
		cfg.Resources = append(cfg.Resources, idjag.Resource{ID: otherMCP})
		cfg.ResolveSubject = func(context.Context, claims.Principal) (string, error) { return "user_42", resolves }
		cfg.Authorize = func(_ context.Context, r idjag.Request, d idjag.Decision) (idjag.Decision, error) {
			switch {
			case slices.Equal(r.Asked, []string{"files:write"}):
				d.Reason = claims.SubjectUnresolved
			case slices.Equal(r.Asked, []string{"files:read"}):
				d.NotAfter = r.Now // no token would live
			}
			return d, nil
		}
	})
	assertion := w.mint(nil)
	attempts := map[string]func() answer{
		"wrong secret": func() answer {
			r := tokenRequest(form(assertion))
			r.SetBasicAuth(clientID, "wrong")
			return w.send(r)
		},
		"another client": func() answer {
			values := form(assertion)
			values.Set("client_id", "open")
			return w.send(tokenRequest(values))
		},
		"another resource": func() answer { return w.redeem(assertion, "resource", otherMCP) },
		"too much scope":   func() answer { return w.redeem(assertion, "scope", "files:admin") },
		"policy":           func() answer { return w.redeem(assertion, "scope", "files:write") },
		"no directory":     func() answer { return w.redeem(assertion) },
		"no time left": func() answer {
			down := resolves
			resolves = nil
			defer func() { resolves = down }()
			return w.redeem(assertion, "scope", "files:read")
		},
		"a proof": func() answer {
			r := tokenRequest(form(assertion))
			r.SetBasicAuth(clientID, secret)
			r.Header.Set("DPoP", "x")
			return w.send(r)
		},
		"a broken signature": func() answer { return w.redeem(assertion[:len(assertion)-8] + "AAAAAAAA") },
	}
	for name, attempt := range attempts {
		if a := attempt(); a.status == http.StatusOK {
			t.Fatalf("%s: got a token", name)
		}
	}
	resolves = nil
	w.granted(w.redeem(assertion))
}

// failing has a key and does not sign.
type failing struct{ crypto.Signer }

func (failing) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the key service is down")
}

func TestIssuingFails(t *testing.T) {
	good := idjag.DangerouslyEphemeralKey()
	broken := good
	broken.Signer = failing{good.Signer}
	w := newWorld(t, func(_ *world, cfg *idjag.Config) { cfg.Keys = idjag.Keys{Current: broken} })
	assertion := w.mint(nil)
	w.refused(w.redeem(assertion), http.StatusInternalServerError, "server_error", "internal")
	// The assertion is used up: nobody knows what became of the token.
	w.refused(w.redeem(assertion), 400, "invalid_grant", "assertion_replayed")
}

// TestExpiryIsCheckedAgain: an assertion that expires while the request is being
// decided gets no token.
func TestExpiryIsCheckedAgain(t *testing.T) {
	w := newWorld(t, func(w *world, cfg *idjag.Config) {
		cfg.ResolveSubject = func(context.Context, claims.Principal) (string, error) {
			w.clock.advance(6 * time.Minute)
			return "user_42", nil
		}
	})
	w.refused(w.redeem(w.mint(nil)), 400, "invalid_grant", "token_expired")
}

func TestUnavailable(t *testing.T) {
	t.Run("keys", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { // the request waits for keys
			w := newWorld(t, func(w *world, _ *idjag.Config) {
				w.net.set(idpIssuer+"/jwks", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
			})
			a := w.redeem(w.mint(nil))
			w.refused(a, http.StatusServiceUnavailable, "temporarily_unavailable", "keys_unavailable")
			if a.header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
		})
	})
	t.Run("replay store", func(t *testing.T) {
		w := newWorld(t, func(_ *world, cfg *idjag.Config) { cfg.Replay = downStore{} })
		a := w.redeem(w.mint(nil))
		w.refused(a, http.StatusServiceUnavailable, "temporarily_unavailable", "store_unavailable")
		if a.header.Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
	})
	t.Run("replay store full", func(t *testing.T) {
		w := newWorld(t, func(w *world, cfg *idjag.Config) { cfg.Replay = idjag.NewReplayStore(1, w.clock.Now) })
		w.granted(w.redeem(w.mint(nil)))
		w.refused(w.redeem(w.mint(nil)), http.StatusServiceUnavailable, "temporarily_unavailable", "store_unavailable")
		w.clock.advance(7 * time.Minute) // the first has expired
		w.granted(w.redeem(w.mint(nil)))
	})
}

// TestClientLeaves: a client that hangs up is no outage of a store or a directory,
// and has lost nothing. Code that panics all the same has failed.
func TestClientLeaves(t *testing.T) {
	const before, resolving, panicking = "before", "while it is resolved", "and that panics"
	for where, reason := range map[string]string{before: "canceled", resolving: "canceled", panicking: "store_unavailable"} {
		t.Run(where, func(t *testing.T) {
			var leave context.CancelFunc
			w := newWorld(t, func(_ *world, cfg *idjag.Config) {
				cfg.ResolveSubject = func(ctx context.Context, _ claims.Principal) (string, error) {
					leave()
					if where == panicking {
						panic("boom")
					}
					return "user_42", ctx.Err()
				}
			})
			ctx, cancel := context.WithCancel(t.Context())
			if leave = cancel; where == before {
				leave()
			}
			assertion := w.mint(nil)
			r := tokenRequest(form(assertion)).WithContext(ctx)
			r.SetBasicAuth(clientID, secret)
			w.refused(w.send(r), http.StatusServiceUnavailable, "temporarily_unavailable", reason)
			if told := strings.Contains(w.logs.String(), "level=ERROR"); told != (where == panicking) {
				t.Errorf("the operator is told: %v\n%s", told, w.logs)
			}
			if where != panicking {
				w.granted(w.redeem(assertion))
			}
		})
	}
}

type downStore struct{}

func (downStore) Consume(context.Context, string, time.Time) (bool, error) {
	return false, errors.New("connection refused")
}

func TestTokenLifetime(t *testing.T) {
	for configured, want := range map[time.Duration]float64{0: 600, 90 * time.Second: 90, time.Hour: 3600} {
		w := newWorld(t, func(_ *world, cfg *idjag.Config) { cfg.TokenLifetime = configured })
		a := w.redeem(w.mint(nil))
		got := w.granted(a)
		if life := got["exp"].(float64) - got["iat"].(float64); life != want || a.body["expires_in"] != want {
			t.Errorf("%v: lives %v, expires_in %v, want %v", configured, life, a.body["expires_in"], want)
		}
	}
}
