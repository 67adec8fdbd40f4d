package integration_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/idjag"
	"github.com/emamw/mcp-ema/revocation"
)

// The attributes of ema.id_jag.exchange, by how far the request came.
const (
	ofClients    = "ema.client.hash ema.client.id ema.client.auth_method"
	ofAssertions = ofIssuers + " user.hash ema.principal.kind ema.groups.state ema.assertion.id_hash"
	ofTargets    = "ema.resource"
	ofPolicies   = "ema.policy.rules"
	ofTokens     = "ema.scopes.granted ema.token.id_hash"

	atClient    = ofClients
	atIssuer    = atClient + " " + ofIssuers
	atAssertion = atClient + " " + ofAssertions + " " + ofGroups
	atTarget    = atAssertion + " " + ofTargets
)

// An exchangeRow is a request to the token endpoint.
type exchangeRow struct {
	reason claims.Reason // "" for a token
	name   string
	change func(*exchangerSetup) // of the server; nil for none
	send   func(*exchanger) *httptest.ResponseRecorder
	status int
	keys   string // beside decision, token type and reason
}

// form sends a good ID-JAG with other parameters.
func form(pairs ...string) func(*exchanger) *httptest.ResponseRecorder {
	return func(r *exchanger) *httptest.ResponseRecorder {
		x := exchange{form: url.Values{}}
		for i := 0; i+1 < len(pairs); i += 2 {
			x.form[pairs[i]] = []string{pairs[i+1]}
		}
		return r.redeem(r.assertion(), x)
	}
}

// heads sends a good ID-JAG with another header.
func heads(name string, values ...string) func(*exchanger) *httptest.ResponseRecorder {
	return func(r *exchanger) *httptest.ResponseRecorder {
		return r.redeem(r.assertion(), exchange{header: http.Header{name: values}})
	}
}

// asserts sends another ID-JAG.
func asserts(change func(*emamwtest.Token)) func(*exchanger) *httptest.ResponseRecorder {
	return func(r *exchanger) *httptest.ResponseRecorder { return r.redeem(r.assertion(change), exchange{}) }
}

// documented sends an ID-JAG for a client that is named by its document.
func documented(r *exchanger) *httptest.ResponseRecorder {
	return r.redeem(r.assertion(func(t *emamwtest.Token) { t.ClientID = documentOrigin + "/app" }), exchange{
		form: url.Values{"client_id": {documentOrigin + "/app"}}, header: http.Header{"Authorization": nil},
	})
}

func policy(rules ...idjag.Rule) func(*exchangerSetup) {
	return func(s *exchangerSetup) { s.config.Policy = &idjag.Policy{Rules: rules} }
}

var exchangeRows = []exchangeRow{
	{"", "a token", nil, form(), 200, atTarget + " " + ofTokens},
	{"", "a token by a policy", policy(idjag.Rule{Name: "readers", Scopes: []string{"files:read"}}), form(), 200, atTarget + " " + ofPolicies + " " + ofTokens},
	{"", "a token for a client with a document", documents(map[string]any{"token_endpoint_auth_method": "none"}), documented, 200, atTarget + " " + ofTokens},
	{claims.RequestMalformed, "no assertion", nil, form("assertion", ""), 400, ""},
	{claims.GrantUnsupported, "another grant", nil, form("grant_type", "password"), 400, ""},
	{claims.ClientUnauthenticated, "a wrong secret", nil, heads("Authorization", "Basic YTpi"), 401, ""},
	{claims.MultipleCredentials, "two kinds of them", nil, form("client_secret", asSecret), 400, ""},
	{claims.ClientUnauthorized, "a client whose document lists other grants", documents(map[string]any{"grant_types": []string{"authorization_code"}}), documented, 400, atClient},
	{claims.ClientLookupFailed, "a document that cannot be had", unreachable, documented, 503, ""},
	{claims.ProofUnsupported, "a DPoP proof", nil, heads("Dpop", "x"), 400, atClient},
	{claims.ClientDenied, "a client that the identity provider may not speak for", func(s *exchangerSetup) {
		s.config.Clients = append(s.config.Clients, idjag.Client{ID: "other", SecretHashes: []string{idjag.HashSecret("x")}})
		s.config.IdentityProviders[0].Clients = []string{"other"}
	}, form(), 400, atIssuer},
	{claims.KeysUnavailable, "no keys", func(s *exchangerSetup) { s.cold = true }, form(), 503, atIssuer + " " + ofErrors},
	{claims.ScopeExceedsGrant, "more scope than was granted", nil, form("scope", "files:write"), 400, atTarget},
	{claims.ScopeNotGranted, "a policy that leaves none", policy(idjag.Rule{Name: "admins", Groups: []string{"admins"}, Scopes: []string{"files:read"}}), form(), 400, atTarget},
	{claims.GroupsUnknown, "a policy on groups that are not known", policy(idjag.Rule{Name: "admins", Groups: []string{"admins"}, Scopes: []string{"files:read"}}),
		asserts(func(t *emamwtest.Token) { t.Subject, t.Groups = "bob", nil }), 400, atClient + " " + ofAssertions + " " + ofTargets},
	{claims.AuthenticationTooWeak, "a policy that wants a fresh sign-in", policy(idjag.Rule{Name: "fresh", Scopes: []string{"files:read"}, MaxAuthenticationAge: time.Minute}),
		asserts(func(t *emamwtest.Token) { t.Claims = map[string]any{"auth_time": nil} }), 400, atTarget + " " + ofPolicies},
	{claims.SubjectUnresolved, "a user without an account", resolving(idjag.ErrNoSubject), form(), 400, atTarget},
	{claims.StoreUnavailable, "accounts that cannot be looked up", resolving(errors.New("down")), form(), 503, atTarget + " " + ofErrors},
	{claims.PolicyError, "an Authorize that fails", func(s *exchangerSetup) {
		s.config.Authorize = func(context.Context, idjag.Request, idjag.Decision) (idjag.Decision, error) {
			return idjag.Decision{}, errors.New("no reason")
		}
	}, form(), 500, atTarget + " " + ofErrors},
	{claims.TokenRevoked, "a user who was revoked", func(s *exchangerSetup) { s.config.Revocations = aliceRevoked() }, form(), 400, atTarget},
	{claims.StoreUnavailable, "a store that says nothing", func(s *exchangerSetup) { s.config.Revocations = silentStore{} }, func(r *exchanger) *httptest.ResponseRecorder {
		ctx, cancel := context.WithCancel(r.t.Context())
		cancel()
		return r.redeem(r.assertion(), exchange{ctx: ctx})
	}, 503, atTarget + " " + ofErrors},
	{claims.AssertionReplayed, "an ID-JAG that was redeemed", nil, func(r *exchanger) *httptest.ResponseRecorder {
		assertion := r.assertion()
		r.redeem(assertion, exchange{})
		r.forget()
		return r.redeem(assertion, exchange{})
	}, 400, atTarget},
}

// documents serves a metadata document for every client.
func documents(members map[string]any) func(*exchangerSetup) {
	return func(s *exchangerSetup) {
		s.documents = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			document := map[string]any{"client_id": documentOrigin + r.URL.Path, "client_name": "app", "redirect_uris": []string{documentOrigin + "/cb"}}
			for name, value := range members {
				document[name] = value
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(document)
		})
	}
}

func unreachable(s *exchangerSetup) {
	s.documents = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

func resolving(err error) func(*exchangerSetup) {
	return func(s *exchangerSetup) {
		s.config.ResolveSubject = func(context.Context, claims.Principal) (string, error) { return "", err }
	}
}

// aliceRevoked is a store in which all tokens of alice have ended.
func aliceRevoked() revocation.Store {
	store := revocation.NewMemory(0, nil)
	for _, issuer := range []string{watchedIssuer, watchedIdP} {
		if err := store.Revoke(context.Background(), revocation.Revocation{
			Issuer: issuer, Subject: "alice", Before: time.Now().Add(time.Hour), Until: time.Now().Add(48 * time.Hour),
		}); err != nil {
			panic(err)
		}
	}
	return store
}

func TestTelemetryOfExchanges(t *testing.T) {
	for _, row := range exchangeRows {
		t.Run(string(row.reason)+", "+row.name, func(t *testing.T) {
			r := newExchanger(t, newWatch(t), func(s *exchangerSetup) {
				if row.change != nil {
					row.change(s)
				}
			})
			r.forget()
			a := row.send(r)
			r.checkExchange(row, a)
		})
	}
}

// The corpus of bad ID-JAGs, each in the row of its reason.
func TestTelemetryOfBadAssertions(t *testing.T) {
	r := newExchanger(t, newWatch(t))
	good := emamwtest.Token{Resource: watchedResource, Scopes: []string{"files:read"}, Groups: []string{"engineering"}}
	for _, defect := range emamwtest.AssertionDefects(r.idp, good) {
		t.Run(defect.Name, func(t *testing.T) {
			r.t = t
			r.forget()
			a := r.redeem(defect.Token, exchange{})
			row := exchangeRow{reason: defect.Reason, status: http.StatusBadRequest, keys: atClient}
			switch {
			case strings.TrimSpace(defect.Token) == "":
				row.reason, row.keys = claims.RequestMalformed, ""
			case seenVerified(defect):
				row.keys = atAssertion
			case defect.Reason != claims.TypeNotAllowed && knowsIssuer(defect):
				row.keys = atIssuer
			}
			claim := claimAtFault(defect)
			if claim != "" && row.keys != "" {
				row.keys = keys(row.keys, ofClaims)
			}
			r.checkExchange(row, a)
			r.checkValues(r.span("ema.id_jag.exchange"), map[string]string{ofClaims: claim})
		})
	}
}

// seenVerified says whether a defect is found only after the signature.
func seenVerified(defect emamwtest.Defect) bool {
	switch defect.Reason {
	case claims.ResourceMismatch, claims.TenantNotAllowed, claims.ConfirmationRequired:
		return true
	}
	return strings.HasPrefix(defect.Name, "resource ")
}

func (r *exchanger) checkExchange(row exchangeRow, a *httptest.ResponseRecorder) {
	r.t.Helper()
	if a.Code != row.status {
		r.t.Errorf("answered %d %s, want %d", a.Code, a.Body, row.status)
	}
	decision, status, want := "deny", codes.Unset, keys("ema.decision ema.token.type ema.reason", row.keys)
	labels := map[string]string{"ema.reason": string(row.reason)}
	switch {
	case row.reason == "":
		decision, want = "allow", keys("ema.decision ema.token.type", row.keys)
	case row.reason.Undecided(), row.reason == claims.PolicyError:
		decision, status, want = "error", codes.Error, keys(want, ofErrors)
		labels["error.type"] = string(row.reason)
	}
	labels["ema.decision"] = decision
	if slices.Contains(strings.Fields(row.keys), "ema.issuer") {
		labels["ema.issuer"] = watchedIdP
	}
	s := r.span("ema.id_jag.exchange")
	if s.SpanKind() != trace.SpanKindInternal || s.Status().Code != status || s.Status().Description != "" || len(s.Events()) > 0 {
		r.t.Errorf("kind %v, status %v, %d events", s.SpanKind(), s.Status(), len(s.Events()))
	}
	if got := keysOf(s.Attributes()); got != want {
		r.t.Errorf("attributes\n%s, want\n%s", got, want)
	}
	r.checkValues(s, labels)
	r.checkValues(s, map[string]string{"ema.token.type": "id_jag"})
	r.checkPoint("ema.id_jag.exchange.duration", labels)
	r.checkRecord("ema.id_jag.exchange", want, string(row.reason))
}
