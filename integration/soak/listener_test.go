package soak_test

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/emamw/mcp-ema/internal/jose"
	"github.com/emamw/mcp-ema/revocation"
)

// listener holds a stream open. It ends with its token, soon after a revocation,
// or with the replica that serves it, and not before.
func (w *world) listener(n int) {
	for round := 0; w.sleep(100 * time.Millisecond); round++ {
		s, stay := w.signer.Load(), &bound{}
		name, now := fmt.Sprint("listener-", n, "-", round), time.Now()
		t := w.bear(s.sign(w, jose.Header{}, map[string]any{"sub": name, "iat": now.Unix(), "exp": now.Add(5 * time.Second).Unix()}), s, stay)
		q := &request{kind: "a good session", token: t, want: `"serverInfo"`}
		letIn, session := w.ask(q, t.text, initializeLegacy())
		if !letIn {
			continue
		}
		deploys := w.deploys.Load()
		stream := w.openStream(t, session)
		if stream == nil {
			continue
		}
		w.streams.Add(1)
		revoked := make(chan struct{})
		go func() {
			defer close(revoked)
			if round%2 == 1 && w.sleep(time.Second) {
				stay.beginsToEnd(time.Now())
				if w.replicas[0].Load().guard.Revoke(w.life, revocation.Revocation{Issuer: w.issuer(), Subject: name}) == nil {
					stay.isOver(time.Now().Add(pollDelay + storeTimeout + slack))
				}
			}
		}()
		opened := time.Now()
		_, _ = io.Copy(io.Discard, stream) // it ends with an error, or without
		_ = stream.Close()
		ended := time.Now()
		<-revoked
		switch {
		case w.shift.Err() != nil, w.deploys.Load() != deploys:
		case t.good(ended):
			w.ledger.fault("a stream ended after %v, with its token still good", ended.Sub(opened))
		case t.bad(ended.Add(-2*slack)) && !w.store.during(opened, ended, 0):
			w.ledger.note(&w.ledger.wrongAllows, fmt.Sprintf("a stream went on until %v, revoked %v, its token over since %v", ended, round%2 == 1, t.exp))
		}
	}
}

func (w *world) openStream(t *bearer, session string) io.ReadCloser {
	r, err := http.NewRequestWithContext(w.shift, http.MethodGet, w.resource(), http.NoBody)
	if err != nil {
		return nil
	}
	r.Header = http.Header{"Accept": {"text/event-stream"}, "Authorization": {"Bearer " + t.text}, "Mcp-Session-Id": {session}, "Mcp-Protocol-Version": {legacy}}
	q := &request{kind: "a stream", token: t}
	q.reply.sent = time.Now()
	resp, err := w.client.Do(r)
	q.reply.answered, q.reply.err = time.Now(), err
	if err == nil {
		q.reply.status, q.reply.header = resp.StatusCode, resp.Header
	}
	if w.shift.Err() == nil {
		w.ledger.judge(q)
	}
	if err != nil {
		return nil
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil
	}
	return resp.Body
}
