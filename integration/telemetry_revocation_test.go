package integration_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/idjag"
	"github.com/emamw/mcp-ema/internal/telemetry"
	"github.com/emamw/mcp-ema/revocation"
)

// lossyStore follows, and takes nothing.
type lossyStore struct{ *revocation.Memory }

func (lossyStore) Revoke(context.Context, revocation.Revocation) error {
	return errors.New("c4n4ry: disk full")
}

const theirSecret = "another-secret-of-32-characters-!"

// What a request to the revocation endpoint tells.
var revocationRows = []struct {
	reason claims.Reason // "" for a token that has ended
	name   string
	store  revocation.Store
	token  func(own string) string
	client string
	secret string
	status int
	keys   string // beside the decision
}{
	{"", "a token of its own", nil, func(own string) string { return own }, asClient, asSecret, 200, ofClients + " ema.token.id_hash"},
	{"", "what is no token", nil, func(string) string { return "c4n4ry" }, asClient, asSecret, 200, ofClients},
	{claims.ClientUnauthorized, "a token of another client", nil, func(own string) string { return own }, "another", theirSecret, 400, ofClients + " " + ofDenials},
	{claims.ClientUnauthenticated, "a wrong secret", nil, func(own string) string { return own }, asClient, "c4n4ry", 401, ofDenials},
	{claims.RequestMalformed, "no token", nil, func(string) string { return "" }, asClient, asSecret, 400, ofClients + " " + ofDenials},
	{claims.StoreUnavailable, "a store that takes nothing", lossyStore{revocation.NewMemory(0, nil)}, func(own string) string { return own }, asClient, asSecret, 503,
		ofClients + " ema.token.id_hash " + ofDenials + " " + ofErrors},
}

func TestTelemetryOfRevocations(t *testing.T) {
	for _, row := range revocationRows {
		t.Run(string(row.reason)+", "+row.name, func(t *testing.T) {
			r := newExchanger(t, newWatch(t), func(s *exchangerSetup) {
				s.config.Clients = append(s.config.Clients, idjag.Client{ID: "another", SecretHashes: []string{idjag.HashSecret(theirSecret)}})
				if s.config.Revocations = row.store; row.store == nil {
					s.config.Revocations = revocation.NewMemory(0, nil)
				}
			})
			own := accessTokenOf(t, r.redeem(r.assertion(), exchange{}).Body.Bytes())
			r.forget()
			request := httptest.NewRequest(http.MethodPost, watchedIssuer+"/revoke", strings.NewReader(url.Values{"token": {row.token(own)}}.Encode()))
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			request.SetBasicAuth(url.QueryEscape(row.client), url.QueryEscape(row.secret))
			if a := serve(r.server, request); a.Code != row.status {
				t.Errorf("answered %d %s, want %d", a.Code, a.Body, row.status)
			}
			decision, status := "allow", codes.Unset
			switch {
			case row.reason.Undecided():
				decision, status = "error", codes.Error
			case row.reason != "":
				decision = "deny"
			}
			s, want := r.span("ema.token.revocation"), keys("ema.decision", row.keys)
			if got := keysOf(s.Attributes()); got != want || s.SpanKind() != trace.SpanKindInternal || s.Status().Code != status || s.Status().Description != "" {
				t.Errorf("kind %v, status %v, attributes\n%s, want\n%s", s.SpanKind(), s.Status(), got, want)
			}
			labels := map[string]string{"ema.decision": decision, "ema.reason": string(row.reason)}
			if decision == "error" {
				labels["error.type"] = string(row.reason)
			}
			r.checkPoint("ema.token.revocations", labels)
			r.checkRecord("ema.token.revocation", want, string(row.reason))
			if strings.Contains(want, "ema.token.id_hash") {
				r.checkValues(s, map[string]string{"ema.token.id_hash": telemetry.IDHash(idOf(t, own)), "ema.client.id": asClient})
			}
			if text := r.log.take() + spanText(r.spans.Ended()); strings.Contains(text, "c4n4ry") {
				t.Errorf("a word of the caller's or the store's is in %s", text)
			}
		})
	}
}
