package soak_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/jose"
	"github.com/emamw/mcp-ema/revocation"
)

// callers are all who call at once, each in a loop of its own.
func (w *world) callers() []func() {
	var all []func()
	for n := range 12 {
		all = append(all, func() { w.citizen(fmt.Sprint("legacy-", n), legacy) }, func() { w.citizen(fmt.Sprint("modern-", n), modern) })
	}
	for n := range 3 {
		all = append(all, func() { w.leaver(n) }, func() { w.forger(n) }, func() { w.listener(n) })
	}
	return append(all, w.limited, w.limited, w.mayfly, w.mayfly, w.intruder, w.keyHolder, w.redeem)
}

// pace is how often a caller calls.
const pace = 8 * time.Millisecond

// steadily calls again and again at the pace, until the shift ends. A call that
// takes too long is not made up for.
func (w *world) steadily(call func(n int)) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-w.shift.Done():
			return
		}
		call(n)
	}
}

// citizen is a user of good standing, whose every call must be let in. In the
// legacy era the calls of a session go to one replica and the other in turn.
func (w *world) citizen(name, protocol string) {
	u := newUser(name, readScope, writeScope)
	tools := []string{"whoami", "read_file", "write_file"}
	var session string
	w.steadily(func(n int) {
		if !u.renew(w) {
			return
		}
		if protocol == legacy && (session == "" || n%2000 == 0) {
			_, session = w.ask(&request{kind: "a good session", token: u.token, want: `"serverInfo"`}, u.token.text, initializeLegacy())
			return
		}
		if n%20 == 0 {
			w.ask(&request{kind: "a good list", token: u.token, want: `"write_file"`}, u.token.text, message{protocol: protocol, session: session, method: "tools/list"})
			return
		}
		tool := tools[n%len(tools)]
		w.ask(&request{kind: "a good call, " + protocol, token: u.token, want: name + " ran " + tool}, u.token.text, toolCall(protocol, session, tool))
	})
}

// limited is a user without the scope, or of a tool that has no rule.
func (w *world) limited() {
	u := newUser("limited", readScope)
	w.steadily(func(n int) {
		if !u.renew(w) {
			return
		}
		tool := []string{"write_file", "forgotten"}[n%2]
		q := &request{kind: "a call beyond the scopes", token: u.token, denial: http.StatusForbidden}
		w.ask(q, u.token.text, toolCall(modern, "", tool))
		if c := q.reply.header.Get("WWW-Authenticate"); q.reply.status == http.StatusForbidden && tool == "write_file" && (!strings.Contains(c, `error="insufficient_scope"`) || !strings.Contains(c, `scope="`+writeScope+`"`)) {
			w.ledger.fault("the challenge to step up is %q", c)
		}
	})
}

// mayfly uses tokens that live for two seconds, beyond their end.
func (w *world) mayfly() {
	var t *bearer
	w.steadily(func(int) {
		if t == nil || t.bad(time.Now().Add(-time.Second)) {
			s := w.signer.Load()
			now := time.Now()
			t = w.bear(s.sign(w, jose.Header{}, map[string]any{"iat": now.Unix(), "exp": now.Add(2 * time.Second).Unix()}), s)
		}
		w.ask(&request{kind: "a token that expires", token: t, want: "minted ran read_file"}, t.text, toolCall(modern, "", "read_file"))
	})
}

// bear is newBearer for a token that was minted here.
func (w *world) bear(text string, s *signer, more ...*bound) *bearer {
	t, err := newBearer(text, s.bound, more...)
	if err != nil {
		panic(err)
	}
	return t
}

// forger sends every forgery in turn.
func (w *world) forger(n int) {
	w.steadily(func(i int) {
		f := forgeries[(n+i)%len(forgeries)]
		w.ask(&request{kind: "forged: " + f.name, strange: f.reason == claims.KeyUnknown}, f.token(w), toolCall(modern, "", "whoami"))
	})
}

// intruder has a good token and another user's session.
func (w *world) intruder() {
	owner, thief := newUser("owner", readScope), newUser("thief", readScope)
	var session string
	w.steadily(func(n int) {
		if !owner.renew(w) || !thief.renew(w) {
			return
		}
		if session == "" {
			_, session = w.ask(&request{kind: "a good session", token: owner.token, want: `"serverInfo"`}, owner.token.text, initializeLegacy())
			return
		}
		w.ask(&request{kind: "another user's session", token: thief.token, denial: http.StatusNotFound}, thief.token.text, toolCall(legacy, session, "read_file"))
	})
}

// keyHolder goes on with tokens of a key that is being retired.
func (w *world) keyHolder() {
	var t *bearer
	var s *signer
	w.steadily(func(int) {
		// Three seconds beyond its end, then the next key.
		if s == nil || s.bound.over.Load() != 0 && time.Now().UnixNano() > s.bound.over.Load()+int64(3*time.Second) {
			s, t = w.signer.Load(), nil
		}
		if t == nil || time.Now().After(t.exp) {
			t = w.bear(s.sign(w, jose.Header{}, map[string]any{"sub": "holder"}), s)
		}
		w.ask(&request{kind: "a key that is retired", token: t, want: "holder ran read_file"}, t.text, toolCall(modern, "", "read_file"))
	})
}

// leaver is a user who is revoked again and again, by name or by token, at one
// replica or the other, and signs in anew.
func (w *world) leaver(n int) {
	for round := n; ; round++ {
		u := newUser(fmt.Sprint("leaver-", n), readScope)
		if !w.eventually(tokenLifetime, func() bool { return u.renew(w) }) {
			if w.shift.Err() == nil {
				continue
			}
			return
		}
		w.use(u, 500*time.Millisecond)
		w.revoke(u, round)
		w.use(u, 500*time.Millisecond)
		// The revocation covers the second that it was made in.
		if !w.sleep(1100 * time.Millisecond) {
			return
		}
	}
}

func (w *world) use(u *user, d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end) && w.sleep(pace); {
		w.ask(&request{kind: "a user who leaves", token: u.token, want: u.name + " ran read_file"}, u.token.text, toolCall(modern, "", "read_file"))
	}
}

// revoke ends the user's token, and has the calls go on until both replicas have
// heard of it, which takes no longer than is promised.
func (w *world) revoke(u *user, round int) {
	u.stay.beginsToEnd(time.Now())
	began := time.Now()
	for w.endAccess(u, round) != nil { // Redis may be away; nothing is in effect, or it is
		w.use(u, 50*time.Millisecond)
		if w.shift.Err() != nil {
			return
		}
	}
	made := time.Now()
	u.stay.isOver(made.Add(maxDelay + slack))
	known := false
	for !known && w.shift.Err() == nil && time.Since(made) < maxDelay+slack {
		w.use(u, 20*time.Millisecond)
		known = w.everyGuard(refuses(u.token.text))
	}
	took := time.Since(made)
	if known {
		u.stay.isOver(time.Now())
	}
	if took > pollDelay+storeTimeout+slack && w.shift.Err() == nil && !w.store.during(began, time.Now(), 0) {
		w.ledger.fault("a revocation took %v to reach every replica", took)
	}
	w.revocations.Add(1)
}

// endAccess revokes in one of three ways: the user at either replica, or the token
// at the authorization server (RFC 7009).
func (w *world) endAccess(u *user, round int) error {
	if round%3 < 2 {
		return w.replicas[round%3].Load().guard.Revoke(w.life, revocation.Revocation{Issuer: w.issuer(), Subject: u.name})
	}
	if status, _ := w.post("/revoke", url.Values{"token": {u.token.text}}); status != http.StatusOK {
		return fmt.Errorf("soak: the revocation endpoint answered %d", status)
	}
	return nil
}
