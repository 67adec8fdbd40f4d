package emamw

import (
	"sync"
	"time"
)

// alarm reports mistakes of the operator, each at most once a minute: any caller
// can trigger the checks, and a log that one caller can fill hides what matters.
type alarm struct {
	mu   sync.Mutex
	last map[string]time.Time
}

const alarmInterval = time.Minute

const (
	unseenAlarm    = "emamw: a message was answered that the gate never saw, so the answer was kept in: the transport given to Handler belongs to another MCP server, server.WithHooks, or an assignment to one of their lists, replaced the hooks after emamw.New, or a context function of the transport returned a context that does not derive from the request's"
	unguardedAlarm = "emamw: a message reached the MCP server on a transport without the guard, so everything with a rule is denied: wrap the transport with guard.Handler, or give a stdio or in-process transport its caller with claims.NewContext"
	ruleAlarm      = "emamw: a rule failed, and what it is for was denied: mend its When function, which panicked or answered twice in two ways"
	mappingAlarm   = "emamw: tokens are refused with 503, since the mapping of their issuer failed"
)

// raise writes the line. attrs say more of it, and are no reason for another one.
func (g *Guard) raise(text string, attrs ...any) {
	g.alarm.mu.Lock()
	defer g.alarm.mu.Unlock()
	if g.alarm.last == nil {
		g.alarm.last = map[string]time.Time{}
	}
	if now := g.now(); now.Sub(g.alarm.last[text]) >= alarmInterval {
		g.alarm.last[text] = now
		g.log.Error(text, attrs...)
	}
}
