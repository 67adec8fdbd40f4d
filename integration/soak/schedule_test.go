package soak_test

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/idjag"
	"github.com/emamw/mcp-ema/internal/jose"
	"github.com/emamw/mcp-ema/revocation"
)

// faults are what happens to the deployment, each in a loop of its own, so that
// they meet in ever other ways.
func (w *world) faults() []func() {
	return []func(){w.troubleTheAuthorizationServer, w.troubleTheIdP, w.replaceReplicas, w.troubleRedis}
}

// troubleTheAuthorizationServer kills it, lets it hang, rotates its keys, and has
// it lie about them.
func (w *world) troubleTheAuthorizationServer() {
	f := w.asFront
	lies := liesAbout(w.stranger, w.elsewhere.url())
	for w.sleep(time.Second) {
		w.fail(&f.trouble, f.kill, f.start, 2*time.Second)
		w.sleep(time.Second)
		w.fail(&f.trouble, f.doze, f.wake, 2*time.Second)
		w.rotate()
		// Long enough for each replica to be lied to, and for those that start
		// meanwhile to hear every lie there is.
		w.fail(&f.trouble, func() { f.lie(lies...) }, func() { f.lie() }, keyInterval+2*time.Second)
	}
}

// fail is one fault, for this long.
func (w *world) fail(t *trouble, begin, end func(), d time.Duration) {
	t.begin()
	begin()
	w.sleep(d)
	end()
	t.cure()
	t.end()
}

// rotate goes through a rotation as package idjag tells operators to: a key is
// published, signs once every replica knows it, and is withdrawn when another has
// taken its place. No token of either key is refused before the withdrawal, and
// none of the old is accepted once the replicas know of it.
func (w *world) rotate() {
	w.deploy.Lock()
	defer w.deploy.Unlock()
	old, next := w.signer.Load(), newSigner()
	w.setKeys(idjag.Keys{Current: old.key, Next: &next.key})
	if !w.learn("a new key", accepts(next.sign(w, jose.Header{}, map[string]any{"exp": time.Now().Add(time.Minute).Unix()}))) {
		return
	}
	w.signer.Store(next)
	w.setKeys(idjag.Keys{Current: next.key, Previous: []idjag.SigningKey{old.key}})
	if !w.sleep(time.Second) {
		return
	}
	of := old.sign(w, jose.Header{}, map[string]any{"exp": time.Now().Add(time.Minute).Unix()})
	old.bound.beginsToEnd(time.Now())
	w.setKeys(idjag.Keys{Current: next.key})
	if w.learn("a withdrawal", refuses(of)) {
		old.bound.isOver(time.Now())
		w.rotations.Add(1)
	}
}

func (w *world) setKeys(k idjag.Keys) {
	for _, as := range w.as {
		if err := as.SetKeys(k); err != nil {
			w.ledger.fault("SetKeys: %v", err)
		}
	}
}

// learn waits until every guard has read the keys anew. With forged keys ids
// coming all the time, that takes one interval, two after a fetch that failed.
func (w *world) learn(what string, known func(context.Context, *emamw.Guard) bool) bool {
	if w.eventually(2*keyInterval+5*time.Second, func() bool { return w.everyGuard(known) }) {
		return true
	}
	if w.shift.Err() == nil {
		w.ledger.fault("%s is not known everywhere after %v", what, 2*keyInterval+5*time.Second)
	}
	return false
}

// troubleTheIdP does the same to the identity provider. Access tokens do not
// depend on it, and neither does redemption while its keys are known.
func (w *world) troubleTheIdP() {
	lies := []emamwtest.Fault{emamwtest.KeysObject, emamwtest.KeysGarbage, emamwtest.KeysRedirect, emamwtest.KeysDuplicate, emamwtest.KeysHuge, emamwtest.Slow, emamwtest.Down}
	for n := 0; w.sleep(time.Second); n++ {
		w.idpFront.kill()
		w.sleep(2 * time.Second)
		w.idpFront.start()
		w.idp.Fail(lies[n%len(lies)])
		w.sleep(2 * time.Second)
		w.idp.Fail()
		if n%3 == 0 {
			w.rotateIdP()
		}
	}
}

// rotateIdP rotates without a warning, as some do: an ID-JAG of the new key is
// put off until the replicas have asked for it.
func (w *world) rotateIdP() {
	w.idpKeys.begin()
	defer w.idpKeys.end()
	w.idp.RotateKey()
	u := newUser("first-of-the-new-key", readScope)
	for _, as := range w.as {
		if !w.eventually(time.Minute, func() bool { return redeemsAt(as, w, u) }) && w.shift.Err() == nil { // Redis may be away meanwhile
			w.ledger.fault("an identity provider's new key is not known after a minute")
		}
	}
}

// replaceReplicas does what a deployment does: a new process takes requests once
// it is ready, and the old one ends.
func (w *world) replaceReplicas() {
	for n := 0; w.sleep(4 * time.Second); n++ {
		w.replace(n % len(w.replicas))
	}
}

func (w *world) replace(i int) {
	w.deploy.Lock()
	defer w.deploy.Unlock()
	r, err := w.newReplica()
	if err != nil {
		w.ledger.fault("a replica does not start: %v", err)
		return
	}
	probe := accepts(w.honest(map[string]any{"exp": time.Now().Add(time.Minute).Unix()}))
	if !w.eventually(time.Minute, func() bool { return r.guard.Ready(w.life) == nil && probe(w.life, r.guard) }) {
		r.retire()
		if w.shift.Err() == nil {
			w.ledger.fault("a new replica is not ready after a minute")
		}
		return
	}
	w.deploys.Add(1)
	old := w.replicas[i].Swap(r)
	w.sleep(500 * time.Millisecond) // for what is under way
	old.retire()
}

// troubleRedis has Redis hang for a moment, die for a moment, which nobody may
// notice, and die for longer than the replicas may go without it.
func (w *world) troubleRedis() {
	for w.sleep(2 * time.Second) {
		w.loseRedis(w.redis.Kill, w.redis.Restart, maxDelay+slack+time.Second)
		w.outages.Add(1)
		if !w.sleep(5 * time.Second) {
			return
		}
		w.loseRedis(w.redis.Hang, w.redis.Resume, time.Second)
		if !w.sleep(5 * time.Second) {
			return
		}
		w.loseRedis(w.redis.Kill, w.redis.Restart, 200*time.Millisecond)
		w.sleep(10 * time.Second)
	}
}

func (w *world) loseRedis(lose, restore func(), d time.Duration) {
	w.store.begin()
	lose()
	w.sleep(d)
	w.store.cure()
	restore()
	if !w.recover() && w.shift.Err() == nil {
		w.ledger.fault("the replicas do not recover within 10s of Redis")
	}
	w.sleep(slack) // for the authorization servers, which nobody can ask
	w.store.end()
}

// recover waits until every replica has heard from Redis again, which shows by a
// revocation that none of them made: that requests are let in shows nothing, as
// long as the last word from before is young enough.
func (w *world) recover() bool {
	id := rand.Text()
	probe := w.honest(map[string]any{"jti": id, "exp": time.Now().Add(time.Minute).Unix()})
	made := false
	return w.eventually(10*time.Second, func() bool {
		made = made || w.asStore[0].Revoke(w.life, revocation.Revocation{Issuer: w.issuer(), TokenID: id, Until: time.Now().Add(maxTokenAge)}) == nil
		return made && w.everyGuard(refuses(probe)) && w.redeems()
	})
}

// redeems reports whether every replica of the authorization server can use its
// store again.
func (w *world) redeems() bool {
	for _, s := range w.asStore {
		if s.Ready(w.life) != nil {
			return false
		}
	}
	for _, as := range w.as {
		if as.Ready(w.life) != nil {
			return false
		}
	}
	return true
}
