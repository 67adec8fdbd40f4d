package soak_test

import (
	"fmt"
	"net/http"
	"time"

	"github.com/emamw/mcp-ema/emamwtest"
)

// redeem is a caller of the authorization server: an ID-JAG gives one token over
// both replicas and every outage, and one of a stranger's none.
func (w *world) redeem() {
	u := newUser("redeemer", readScope)
	forger := emamwtest.NewIdP(emamwtest.IdPConfig{Issuer: w.idp.Issuer(), Clients: []emamwtest.Client{{ID: client}}})
	for n := 0; w.sleep(20 * time.Millisecond); n++ {
		w.pause.RLock()
		assertion := u.assertion(w)
		tokens, spent := 0, false
		for range 3 { // at both replicas
			sent := time.Now()
			status, answer := w.token(assertion)
			if answer["access_token"] != nil {
				tokens++
			}
			w.judgeRedemption(sent, status, spent, fmt.Sprint(answer["error"]))
			// Without an answer nobody knows: Redis may have taken it.
			spent = spent || status != http.StatusBadRequest
		}
		if tokens > 1 {
			w.ledger.note(&w.ledger.wrongAllows, fmt.Sprintf("one ID-JAG gave %d tokens", tokens))
		}
		forged := forger.Mint(emamwtest.Token{Subject: u.name, ClientID: client, Audience: []string{w.issuer()}, Resource: w.resource(), Scopes: u.scopes})
		if status, answer := w.token(forged); status == http.StatusOK || answer["access_token"] != nil {
			w.ledger.note(&w.ledger.wrongAllows, "a forged ID-JAG was redeemed")
		}
		w.pause.RUnlock()
	}
}

// judgeRedemption judges an answer to a good ID-JAG, which may be spent by now.
func (w *world) judgeRedemption(sent time.Time, status int, spent bool, code string) {
	answered := time.Now()
	switch {
	case w.shift.Err() != nil:
	case status == http.StatusOK:
		w.redeemed.Add(1)
	case w.store.during(sent, answered, 0), w.asFront.trouble.during(sent, answered, 0), w.idpKeys.during(sent, answered, 0):
	case status == http.StatusBadRequest && code == "invalid_grant" && spent:
		w.replays.Add(1)
	default:
		w.ledger.note(&w.ledger.refusedGood, fmt.Sprintf("an ID-JAG, spent %v, was answered %d %s after %v at %s", spent, status, code, answered.Sub(sent), answered.Format("15:04:05.000")))
	}
}
