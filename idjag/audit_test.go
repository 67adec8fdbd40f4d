package idjag_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/idjag"
)

func TestAuditOfAGrant(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *idjag.Config) {
		cfg.PseudonymKey = []byte(strings.Repeat("k", 32))
		cfg.Policy = &idjag.Policy{Rules: []idjag.Rule{{Name: "readers", Scopes: []string{"files:read"}}}}
	})
	claims := w.granted(w.redeem(w.mint(nil)))
	record := w.audits.last(t)
	want := claimSet{
		"msg": "ema.id_jag.exchange", "ema.decision": "allow", "ema.token.type": "id_jag",
		"ema.issuer": idpIssuer, "ema.client.id": clientID, "ema.client.auth_method": "client_secret_basic",
		"ema.resource": resourceID, "ema.scopes.granted": []string{"files:read"}, "ema.policy.rules": []string{"readers"},
		"ema.assertion.id_hash": claims["assertion"], "ema.issuer.preset": record["ema.issuer.preset"],
		"ema.principal.kind": "user", "ema.groups.state": "absent", "ema.client.hash": record["ema.client.hash"],
		"user.hash": record["user.hash"], "ema.token.id_hash": record["ema.token.id_hash"],
	}
	if !reflect.DeepEqual(record, want) {
		t.Errorf("record\n%v, want\n%v", record, want)
	}
	hash, _ := record["user.hash"].(string)
	if raw, err := hex.DecodeString(hash); err != nil || len(raw) != 16 {
		t.Errorf("user.hash %q is not 16 bytes in hex", hash)
	}
	w.redeem(w.mint(with(claimSet{"sub": "00u1bob"})))
	if w.audits.last(t)["user.hash"] == hash {
		t.Error("two users have one hash")
	}
	w.redeem(w.mint(nil))
	if w.audits.last(t)["user.hash"] != hash {
		t.Error("one user has two hashes")
	}
	if got := len(w.audits.all()); got != 3 {
		t.Errorf("%d records of 3 requests", got)
	}
}

// Whoever looks for a claim that is missing from an ID-JAG is told which it is.
func TestClaimAtFault(t *testing.T) {
	w := newWorld(t, nil)
	for _, name := range []string{"iss", "aud", "client_id", "sub", "jti", "exp", "iat"} {
		w.redeem(w.mint(with(claimSet{name: nil})))
		if record := w.audits.last(t); record["ema.reason"] != "claim_missing" || record["ema.token.claim"] != name {
			t.Errorf("record %v, want %s to be missing", record, name)
		}
	}
	w.redeem(w.mint(with(claimSet{"groups": 7})))
	if record := w.audits.last(t); record["ema.reason"] != "claim_malformed" || record["ema.token.claim"] != "groups" {
		t.Errorf("record %v, want groups to be malformed", record)
	}
	w.redeem(w.mint(with(claimSet{"aud": "https://elsewhere.example"})))
	if record := w.audits.last(t); record["ema.token.claim"] != nil {
		t.Errorf("record %v names a claim for what is about none", record)
	}
}

// TestNothingUnprovenIsRecorded: an issuer that is not trusted, and a client
// that is only claimed, are names that the sender chose.
func TestNothingUnprovenIsRecorded(t *testing.T) {
	w := newWorld(t, nil)
	w.redeem(w.mint(with(claimSet{"iss": "https://evil.example.com"})))
	if record := w.audits.last(t); record["ema.issuer"] != nil || record["user.hash"] != nil {
		t.Errorf("record %v names an issuer that is not trusted", record)
	}
	r := tokenRequest(form(w.mint(nil)))
	r.SetBasicAuth("nobody", "x")
	w.send(r)
	if record := w.audits.last(t); record["ema.client.id"] != nil {
		t.Errorf("record %v names a client that did not authenticate", record)
	}
	w.redeem(w.mint(nil)[:200] + ".AAAA")
	if record := w.audits.last(t); record["user.hash"] != nil || record["ema.assertion.id_hash"] != nil {
		t.Errorf("record %v names a user whose ID-JAG was not verified", record)
	}
}

// TestCanaries puts a word into everything that a sender can write, runs every
// kind of refusal, and looks for the word in all that comes out.
func TestCanaries(t *testing.T) {
	const canary = "c4n4ry"
	w := newWorld(t, func(w *world, cfg *idjag.Config) {
		manyClients(w, cfg)
		cfg.ClientDocuments.Origins = []string{documentOrigin}
		cfg.GroupScopes = map[string][]string{"Engineering": {"files:read"}}
	})
	everything := func(changes claimSet) func(h, c claimSet) {
		return func(h, c claimSet) {
			for _, name := range []string{"sub", "jti", "email", "name", "given_name", "preferred_username", "nonce"} {
				c[name] = canary
			}
			c["jti"] = canary + fmt.Sprint(w.claims()["jti"])
			c["groups"], c["roles"], c["act"] = []string{canary}, []string{canary}, claimSet{"sub": canary}
			c["scope"], c["acr"], c["amr"] = "files:read "+canary, canary, []string{canary}
			with(changes)(h, c)
		}
	}
	var outputs []string
	keep := func(a answer) {
		outputs = append(outputs, a.raw, fmt.Sprint(a.header))
	}
	for _, changes := range []claimSet{
		{}, {"iss": canary}, {"iss": "https://" + canary + ".example.com"}, {"aud": canary}, {"client_id": canary}, {"tenant": canary},
		{"aud_tenant": canary}, {"resource": "https://" + canary + ".example.com"}, {"resource": claimSet{canary: 1}}, {"exp": canary},
		{"scope": []string{canary}}, {"cnf": claimSet{"jkt": canary}}, {"act": canary}, {"exp": 1}, {"auth_time": canary}, {"groups": 7}, {"jti": claimSet{canary: 1}},
		{"email": []string{canary}}, {canary: canary, strings.ToUpper(canary): canary},
	} {
		keep(w.redeem(w.mint(everything(changes))))
	}
	for _, header := range []claimSet{{"kid": canary}, {"typ": canary}, {"alg": canary}, {"crit": []string{canary}}, {"jku": "https://" + canary}} {
		keep(w.redeem(w.mint(func(h, c claimSet) { everything(nil)(h, c); with(header)(nil, h) })))
	}
	good := w.mint(everything(nil))
	keep(w.redeem(good[:len(good)-6] + "AAAAAA"))
	keep(w.redeem(canary))
	keep(w.redeem(good, "scope", canary))
	keep(w.redeem(good, "resource", "https://"+canary+".example.com"))
	keep(w.redeem(good, "grant_type", canary))
	keep(w.redeem(good, canary, canary, canary, canary))
	for _, id := range []string{canary, "https://" + canary + ".example.com/c", documentOrigin + "/" + canary} {
		keep(w.redeemAs(id, false))
		keep(w.redeemAs(id, true))
		r := tokenRequest(form(good))
		r.SetBasicAuth(url.QueryEscape(id), canary)
		keep(w.send(r))
	}
	r := tokenRequest(url.Values{"grant_type": {canary}})
	r.Header.Set("Authorization", canary)
	keep(w.send(r))
	r = tokenRequest(form(good))
	r.Header.Set("Content-Type", canary)
	keep(w.send(r))

	outputs = append(outputs, w.logs.String())
	for _, record := range w.audits.all() {
		outputs = append(outputs, fmt.Sprint(record))
	}
	if len(w.audits.all()) < 30 {
		t.Fatalf("only %d requests ran", len(w.audits.all()))
	}
	for _, output := range outputs {
		if strings.Contains(strings.ToLower(output), canary) {
			t.Errorf("%q is in %s", canary, output)
		}
		for _, part := range strings.Split(good, ".") {
			if strings.Contains(output, part[:40]) && !strings.Contains(output, "access_token") {
				t.Errorf("a part of an ID-JAG is in %s", output)
			}
		}
	}
}

// TestErrorsOfOthers: the log says which function of the configuration failed, in
// words of ours, since its own may name the user it was asked for.
func TestErrorsOfOthers(t *testing.T) {
	failed := errors.New("no entry uid=c4n4ry")
	for field, change := range map[string]func(*idjag.Config){
		"ResolveSubject": func(c *idjag.Config) {
			c.ResolveSubject = func(context.Context, claims.Principal) (string, error) { return "", failed }
		},
		"Authorize": func(c *idjag.Config) {
			c.Authorize = func(context.Context, idjag.Request, idjag.Decision) (idjag.Decision, error) {
				return idjag.Decision{}, failed
			}
		},
		"Replay": func(c *idjag.Config) { c.Replay = downStore{} },
	} {
		w := newWorld(t, func(_ *world, cfg *idjag.Config) { change(cfg) })
		w.redeem(w.mint(nil))
		text := w.logs.String()
		if !strings.Contains(text, "Config."+field) || strings.Contains(text, "c4n4ry") || strings.Contains(text, "down\"") {
			t.Errorf("%s: the log says %s", field, text)
		}
	}
}

// TestLostAuditRecords are told to the log, and the client gets its answer.
func TestLostAuditRecords(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *idjag.Config) { cfg.Audit = brokenAudit{} })
	if a := w.redeem(w.mint(nil)); a.status != http.StatusOK {
		t.Errorf("answered %d", a.status)
	}
	if !strings.Contains(w.logs.String(), "audit records are lost") {
		t.Errorf("log %q does not tell", w.logs)
	}
}

type brokenAudit struct{}

func (brokenAudit) Enabled(context.Context, slog.Level) bool  { return true }
func (b brokenAudit) WithAttrs([]slog.Attr) slog.Handler      { return b }
func (b brokenAudit) WithGroup(string) slog.Handler           { return b }
func (brokenAudit) Handle(context.Context, slog.Record) error { return errors.New("disk full") }
