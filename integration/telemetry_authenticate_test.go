package integration_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/internal/telemetry"
	"github.com/emamw/mcp-ema/revocation"
)

// What is known when a request is authenticated, and the attributes that this
// adds to ema.authenticate. Each stands on the one before it.
const (
	ofEach     = "ema.decision ema.token.type"
	ofRefusals = "ema.reason http.response.status_code"
	ofErrors   = "error.type"
	ofLookups  = "ema.cache.result"
	ofIssuers  = "ema.issuer ema.issuer.preset"
	ofCallers  = ofIssuers + " ema.token.alg ema.token.id_hash user.hash ema.client.hash ema.principal.kind ema.groups.state"
	ofGroups   = "ema.groups.count"
	ofSessions = "ema.session.id_hash"
	ofLifetime = "ema.token.remaining"
	ofClaims   = "ema.token.claim"
)

// known is how far the check of a token came.
type known int

const (
	nothing known = iota
	issuerKnown
	callerKnown
)

// An authenticateRow is a request that is refused before MCP is asked.
type authenticateRow struct {
	reason claims.Reason
	name   string
	change func(*guardedSetup)                      // of the server; nil for none
	send   func(*guarded) (token string, m message) // "" and a header of its own, for what is no bearer token
	status int
	token  string // ema.token.type
	cache  string // ema.cache.result; "" where the cache was not asked
	known  known
}

var listTools = message{method: "tools/list"}

func withHeader(name string, values ...string) message {
	return message{method: "tools/list", header: http.Header{name: values}}
}

// authenticateRows are the refusals that are not about the token's text; those
// are the corpus of the test kit.
var authenticateRows = []authenticateRow{
	{claims.TokenMissing, "no token", nil, func(*guarded) (string, message) { return "", listTools }, 401, "none", "", nothing},
	{claims.OriginNotAllowed, "a page of another origin", nil, func(g *guarded) (string, message) {
		return g.token(), withHeader("Origin", "https://evil.example")
	}, 403, "none", "", nothing},
	{claims.OriginNotAllowed, "two origins", nil, func(g *guarded) (string, message) {
		return g.token(), withHeader("Origin", watchedIssuer, watchedIssuer)
	}, 403, "none", "", nothing},
	{claims.SchemeUnsupported, "another scheme", nil, func(*guarded) (string, message) {
		return "", withHeader("Authorization", "Basic YTpi")
	}, 400, "none", "", nothing},
	{claims.MultipleCredentials, "two headers", nil, func(g *guarded) (string, message) {
		return "", withHeader("Authorization", "Bearer "+g.token(), "Bearer "+g.token())
	}, 400, "none", "", nothing},
	{claims.TokenMalformed, "not token68", nil, func(*guarded) (string, message) {
		return "", withHeader("Authorization", "Bearer a,b")
	}, 401, "access_token", "miss", nothing},
	{claims.TenantNotAllowed, "a foreign tenant", onlyTenant("acme"), func(g *guarded) (string, message) {
		return g.token(func(t *emamwtest.Token) { t.Tenant = "umbrella" }), listTools
	}, 401, "access_token", "miss", issuerKnown},
	{claims.TokenKindNotAllowed, "a claim that says so", keycloak, func(g *guarded) (string, message) {
		return g.as.MintClaims(nil, map[string]any{
			"iss": watchedIssuer, "sub": "alice", "azp": "client", "aud": watchedResource, "typ": "ID", "jti": "1",
			"iat": time.Now().Unix(), "exp": time.Now().Unix() + 60,
		}), listTools
	}, 401, "access_token", "miss", issuerKnown},
	{claims.SessionMismatch, "another caller's session", nil, func(g *guarded) (string, message) {
		return g.token(), withHeader("Mcp-Session-Id", "session.seal")
	}, 404, "access_token", "miss", callerKnown},
	{claims.TokenRevoked, "a revoked token", revokeAll, func(g *guarded) (string, message) { return g.token(), listTools },
		401, "access_token", "miss", callerKnown},
	{claims.KeysUnavailable, "no keys", func(s *guardedSetup) { s.cold = true }, func(g *guarded) (string, message) {
		return g.token(), listTools
	}, 503, "access_token", "miss", issuerKnown},
	{claims.StoreUnavailable, "a store that says nothing", func(s *guardedSetup) { s.config.Revocations = silentStore{} },
		func(g *guarded) (string, message) {
			ctx, cancel := context.WithCancel(g.t.Context())
			cancel() // nobody waits for the store's first word
			return g.warmed(), message{method: "tools/list", ctx: ctx}
		}, 503, "access_token", "hit", callerKnown},
	{claims.GroupsLookupFailed, "groups that could not be looked up", mapped(&claims.Error{Reason: claims.GroupsLookupFailed}),
		func(g *guarded) (string, message) { return g.token(), listTools }, 503, "access_token", "miss", issuerKnown},
	{claims.Internal, "a mapping that fails", mapped(errors.New("no reason")),
		func(g *guarded) (string, message) { return g.token(), listTools }, 503, "access_token", "miss", issuerKnown},
	{claims.Canceled, "a client that went away", mapped(nil), func(g *guarded) (string, message) {
		ctx, cancel := context.WithCancel(g.t.Context())
		cancel()
		return g.token(), message{method: "tools/list", ctx: ctx}
	}, 503, "access_token", "miss", issuerKnown},
}

func onlyTenant(tenant string) func(*guardedSetup) {
	return func(s *guardedSetup) { s.config.AuthorizationServers[0].Tenants = []string{tenant} }
}

func keycloak(s *guardedSetup) { s.config.AuthorizationServers[0].Claims = claims.Keycloak("mcp") }

// mapped has a step of its own in the mapping of claims: it fails with err, or,
// when that is nil, with the end of the request.
func mapped(err error) func(*guardedSetup) {
	return func(s *guardedSetup) {
		m := claims.RFC9068()
		m.Func = func(ctx context.Context, _ *claims.Payload, _ *claims.Principal) error {
			if err == nil {
				return context.Cause(ctx)
			}
			return err
		}
		s.config.AuthorizationServers[0].Claims = m
	}
}

// revokeAll has revoked all tokens of alice.
func revokeAll(s *guardedSetup) {
	store := revocation.NewMemory(0, nil)
	if err := store.Revoke(context.Background(), revocation.Revocation{
		Issuer: watchedIssuer, Subject: "alice", Before: time.Now().Add(time.Hour), Until: time.Now().Add(48 * time.Hour),
	}); err != nil {
		panic(err)
	}
	s.config.Revocations = store
}

// silentStore is a store that cannot be reached.
type silentStore struct{}

func (silentStore) Revoke(context.Context, revocation.Revocation) error { return errors.ErrUnsupported }

func (silentStore) Follow(ctx context.Context, _ func([]revocation.Revocation)) error {
	<-ctx.Done()
	return ctx.Err()
}

// warmed returns a token that the cache knows already.
func (g *guarded) warmed() string {
	token := g.token()
	ctx, cancel := context.WithCancel(g.t.Context())
	cancel()
	serve(g.handler, message{method: "tools/list", ctx: ctx}.request(token))
	g.forget()
	return token
}

func TestTelemetryOfAuthentication(t *testing.T) {
	for _, row := range authenticateRows {
		t.Run(string(row.reason)+", "+row.name, func(t *testing.T) {
			g := newGuarded(t, newWatch(t), func(s *guardedSetup) {
				if row.change != nil {
					row.change(s)
				}
			})
			token, m := row.send(g)
			g.forget()
			a := g.send(token, m)
			g.t = t
			claim := ""
			if row.reason == claims.TokenKindNotAllowed {
				claim = "typ" // of Keycloak's tokens, which are told apart by it
			}
			g.checkAuthentication(row, claim, a.Code)
		})
	}
}

// The corpus of bad tokens, each in the row of its reason. A token whose issuer
// could not be read, or is not trusted, has no issuer in its telemetry.
func TestTelemetryOfBadTokens(t *testing.T) {
	g := newGuarded(t, newWatch(t))
	for _, defect := range emamwtest.Defects(g.as) {
		t.Run(defect.Name, func(t *testing.T) {
			g.t = t
			row := authenticateRow{reason: defect.Reason, status: 401, token: "access_token", cache: "miss"}
			switch {
			case strings.HasPrefix(defect.Token, " "):
				t.Skip("in a header, this is one more space before the token")
			case !token68(defect.Token):
				// Looked at only once the cache does not know it, like any other.
				if row.reason = claims.TokenMalformed; len(defect.Token) > 16<<10 {
					row.cache = ""
				}
			case len(defect.Token) > 16<<10:
				row.cache = "" // it is not worth a hash
			case knowsIssuer(defect):
				row.known = issuerKnown
			}
			g.forget()
			a := g.send(defect.Token, listTools)
			g.checkAuthentication(row, claimAtFault(defect), a.Code)
		})
	}
}

// token68 reports whether a token can stand in a header as it is (RFC 9110
// section 11.2): what cannot is refused before it is read.
func token68(token string) bool {
	return token != "" && strings.Trim(strings.TrimRight(token, "="), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/") == ""
}

// knowsIssuer says how far a defect lets the check of a token come: not to the
// issuer, where header or payload cannot be read, or name none that is trusted.
func knowsIssuer(defect emamwtest.Defect) bool {
	switch defect.Reason {
	case claims.TokenMalformed, claims.TokenEncrypted, claims.HeaderMalformed, claims.IssuerUntrusted:
		return false
	case claims.ClaimMissing, claims.ClaimMalformed:
		return !strings.HasPrefix(defect.Name, "iss ") && !strings.HasPrefix(defect.Name, "payload ")
	case claims.AlgorithmNotAllowed:
		// What nobody could verify, such as none and HS256, is refused as soon as
		// the header is read; what this issuer may not use, after iss.
		algorithm, _, _ := strings.Cut(strings.TrimPrefix(defect.Name, "alg "), " ")
		return slices.Contains(listOf("ema.token.alg"), algorithm)
	}
	return true
}

// claimAtFault is the claim that a defect is in, and "" where it is in none or in the
// payload as a whole.
func claimAtFault(defect emamwtest.Defect) string {
	claim, _, _ := strings.Cut(defect.Name, " ")
	if defect.Reason != claims.ClaimMissing && defect.Reason != claims.ClaimMalformed || claim == "payload" {
		return ""
	}
	return claim
}

// listOf is the closed list of an attribute's values.
func listOf(key attribute.Key) []string {
	for _, a := range telemetry.Attributes {
		if a.Key == key {
			return a.Values
		}
	}
	return nil
}

// checkAuthentication holds the span, the metric and the audit record of one
// refused request to its row, and to the one claim that is at fault, if it is one.
func (w *watch) checkAuthentication(row authenticateRow, claim string, status int) {
	w.t.Helper()
	decision, wantStatus, want := "deny", codes.Unset, keys(ofEach, ofRefusals)
	if row.reason.Undecided() {
		decision, wantStatus, want = "error", codes.Error, keys(want, ofErrors)
	}
	if row.cache != "" {
		want = keys(want, ofLookups)
	}
	switch row.known {
	case issuerKnown:
		want = keys(want, ofIssuers)
	case callerKnown:
		want = keys(want, ofCallers, ofGroups, ofLifetime)
	}
	if claim != "" {
		want = keys(want, ofClaims)
	}
	if status != row.status {
		w.t.Errorf("answered %d, want %d", status, row.status)
	}
	s := w.span("ema.authenticate")
	if s.SpanKind() != trace.SpanKindInternal || s.Status().Code != wantStatus || s.Status().Description != "" || len(s.Events()) > 0 {
		w.t.Errorf("kind %v, status %v, %d events", s.SpanKind(), s.Status(), len(s.Events()))
	}
	if got := keysOf(s.Attributes()); got != want {
		w.t.Errorf("attributes\n%s, want\n%s", got, want)
	}
	w.checkValues(s, map[string]string{
		"ema.decision": decision, "ema.reason": string(row.reason), "ema.token.type": row.token, "ema.cache.result": row.cache,
		ofClaims: claim,
	})
	labels := map[string]string{
		"ema.decision": decision, "ema.reason": string(row.reason), "ema.token.type": row.token, "ema.cache.result": row.cache,
	}
	if decision == "error" {
		labels["error.type"] = string(row.reason)
	}
	if row.known > nothing {
		labels["ema.issuer"] = watchedIssuer
	}
	w.checkPoint("ema.authentication.duration", labels)
	w.checkRecord("ema.authentication", want, string(row.reason))
	if n := len(w.named("ema.authorize")); n > 0 {
		w.t.Errorf("%d decisions on a request that was not authenticated", n)
	}
}

func TestTelemetryOfAnAuthenticatedRequest(t *testing.T) {
	g := newGuarded(t, newWatch(t))
	token := g.token()
	for _, cache := range []string{"miss", "hit"} {
		g.forget()
		if a := g.send(token, listTools); a.Code != http.StatusOK {
			t.Fatalf("answered %d", a.Code)
		}
		want := keys(ofEach, ofLookups, ofCallers, ofGroups, ofSessions, ofLifetime)
		s := g.span("ema.authenticate")
		if got := keysOf(s.Attributes()); got != want || s.Status().Code != codes.Unset {
			t.Errorf("status %v, attributes\n%s, want\n%s", s.Status(), got, want)
		}
		values := map[string]string{"ema.decision": "allow", "ema.token.type": "access_token", "ema.cache.result": cache, "ema.issuer": watchedIssuer}
		g.checkPoint("ema.authentication.duration", values)
		values["ema.principal.kind"], values["ema.groups.state"], values["ema.groups.count"] = "user", "complete", "1"
		values["ema.issuer.preset"], values["ema.token.alg"] = "rfc9068", "ES256"
		g.checkValues(s, values)
		g.checkRecord("ema.authentication", want, "")
	}
}

// With everything that an operator can ask for, these attributes come on top.
func TestTelemetryOfIdentity(t *testing.T) {
	all := emamw.Disclosure{UserID: true, Roles: true, Tenant: true, ClientID: true, Scopes: true}
	g := newGuarded(t, newWatch(t), func(s *guardedSetup) { s.config.SpanIdentity = all })
	g.forget()
	g.send(g.token(func(t *emamwtest.Token) {
		t.Roles, t.Tenant, t.Claims = []string{"operator"}, "acme", map[string]any{"act": map[string]any{"sub": "agent"}}
	}), listTools)
	acted := "ema.actor.hash ema.actor.depth"
	plain := "user.id user.roles ema.tenant.id ema.client.id ema.scopes.granted"
	s := g.span("ema.authenticate")
	if got, want := keysOf(s.Attributes()), keys(ofEach, ofLookups, ofCallers, ofGroups, ofSessions, ofLifetime, acted, plain); got != want {
		t.Errorf("attributes\n%s, want\n%s", got, want)
	}
	g.checkValues(s, map[string]string{
		"user.id": "alice", "user.roles": `["operator"]`, "ema.tenant.id": "acme", "ema.client.id": "mcp-client",
		"ema.scopes.granted": `["files:read"]`, "ema.actor.depth": "1",
	})
	// Audit records are asked for apart.
	g.checkRecord("ema.authentication", keys(ofEach, ofLookups, ofCallers, ofGroups, ofSessions, ofLifetime, acted), "")
}
