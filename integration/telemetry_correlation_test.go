package integration_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/internal/telemetry"
)

// An operator follows one sign-in from the ID-JAG over the access token and the
// session to each tool call, in the records of two servers that share nothing
// but the key of pseudonyms. Each hash can be made again by whoever holds what
// it stands for, and by nobody else.
func TestTelemetryCorrelation(t *testing.T) {
	key := []byte(strings.Repeat("k", 32))
	r := newExchanger(t, newWatch(t), func(s *exchangerSetup) { s.config.PseudonymKey = key })
	g := newGuarded(t, newWatch(t), func(s *guardedSetup) { s.issuer, s.config.PseudonymKey = r.server, key })
	addItems(g)
	seen := map[string]bool{}
	for range 2 { // two sign-ins of one user
		r.forget()
		assertion := r.assertion()
		token := accessTokenOf(t, r.redeem(assertion, exchange{}).Body.Bytes())
		sealed := g.session(token)
		session, _, _ := strings.Cut(sealed, ".")

		birth := map[string]string{
			"ema.assertion.id_hash": telemetry.IDHash(idOf(t, assertion)),
			"ema.token.id_hash":     telemetry.IDHash(idOf(t, token)),
		}
		exchanged := r.span("ema.id_jag.exchange")
		r.checkValues(exchanged, birth)
		checkAudit(t, r.watch, "ema.id_jag.exchange", birth)

		life := map[string]string{
			"ema.session.id_hash": telemetry.IDHash(session),
			"ema.client.hash":     valueOf(exchanged, "ema.client.hash"),
		}
		for key, value := range birth {
			life[key] = value
			if seen[value] {
				t.Errorf("two sign-ins have one %s", key)
			}
			seen[value] = true
		}
		for _, tool := range []string{"read", "write"} {
			g.forget()
			serve(g.handler, inSession(token, sealed, `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"`+tool+`"}}`))
			life["user.hash"] = valueOf(g.span("ema.authenticate"), "user.hash")
			g.checkValues(g.span("ema.authenticate"), life)
			g.checkValues(g.span("ema.authorize"), life)
			g.checkValues(g.span("ema.authorize"), map[string]string{"gen_ai.tool.name": tool, "jsonrpc.request.id": "7"})
			checkAudit(t, g.watch, "ema.authorization", life)
		}
	}
}

// checkAudit demands exactly one record of this name, with these attributes.
func checkAudit(t *testing.T, w *watch, name string, want map[string]string) {
	t.Helper()
	n := 0
	for _, record := range w.audit.records(t) {
		if record["msg"] != name {
			continue
		}
		n++
		for key, value := range want {
			if record[key] != value {
				t.Errorf("%s: %s is %v, want %s", name, key, record[key], value)
			}
		}
	}
	if n != 1 {
		t.Errorf("%d records are called %s, want one", n, name)
	}
}

func accessTokenOf(t *testing.T, body []byte) string {
	t.Helper()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.AccessToken == "" {
		t.Fatalf("no access token in %s", body)
	}
	return answer.AccessToken
}

// idOf reads the jti of a token.
func idOf(t *testing.T, token string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	var payload struct {
		ID string `json:"jti"`
	}
	if err != nil || json.Unmarshal(raw, &payload) != nil || payload.ID == "" {
		t.Fatal("a token without jti")
	}
	return payload.ID
}
