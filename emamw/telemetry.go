package emamw

import (
	"context"
	"net/http"
	"slices"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/keys"
	"github.com/emamw/mcp-ema/internal/telemetry"
	"github.com/emamw/mcp-ema/scopes"
)

func newRecorder(cfg *Config) *telemetry.Recorder {
	return telemetry.New(telemetry.Config{
		TracerProvider: cfg.TracerProvider,
		MeterProvider:  cfg.MeterProvider,
		Propagator:     cfg.Propagator,
		Audit:          cfg.Audit,
		PseudonymKey:   cfg.PseudonymKey,
		SpanIdentity:   telemetry.Identity(cfg.SpanIdentity),
		AuditIdentity:  telemetry.Identity(cfg.AuditIdentity),
		Now:            cfg.Now,
		Logger:         cfg.Logger,
	})
}

// onFetch records the fetches of one issuer's keys.
func onFetch(r *telemetry.Recorder, issuer *telemetry.Issuer) func(context.Context, keys.Trigger) (context.Context, func(keys.Fetched)) {
	return func(ctx context.Context, trigger keys.Trigger) (context.Context, func(keys.Fetched)) {
		ctx, fetch := r.StartFetch(ctx, issuer, string(trigger))
		return ctx, func(end keys.Fetched) {
			fetch.End(telemetry.Fetched{Cause: string(end.Cause), Step: string(end.Step), Status: end.Status, Keys: end.Keys, Rejected: end.Rejected})
		}
	}
}

// trail is what was learned on the way to an identity, also where there is none.
type trail struct {
	issuer *issuer // that the token names, and that is trusted
	claim  string  // that is at fault, as the mapping names it
	cache  telemetry.CacheResult
}

// conclude records how a request was authenticated, before it is answered.
func (g *Guard) conclude(a *telemetry.Authentication, id *identity, reason claims.Reason, t *trail, session []string) telemetry.Origin {
	if g.telemetry == nil {
		return telemetry.Origin{}
	}
	end := telemetry.Authenticated{Reason: reason, Claim: t.claim, Cache: t.cache}
	if reason != "" {
		end.Status = statusOf(reason)
	}
	if t.issuer != nil {
		end.Issuer = t.issuer.told
	}
	if id != nil {
		end.Caller = id.told
	}
	if len(session) > 0 {
		end.Session = session[0]
	}
	return a.End(&end)
}

// concludeUnread records a request whose credentials were not looked at.
func (g *Guard) concludeUnread(r *http.Request, reason claims.Reason) {
	_, measured := g.telemetry.StartAuthentication(r.Context(), r.Header)
	g.conclude(&measured, nil, reason, &trail{}, nil)
}

// access is what a decision was about.
type access struct {
	method  mcp.MCPMethod
	request any // the JSON-RPC id
	kind    telemetry.ItemKind
	name    string // as registered, "" for what is not
}

// record tells of a decision. set may be nil; a rule in it that depends on the
// arguments keeps the scopes out, since the caller writes those.
func (g *Guard) record(ctx context.Context, a asked, what access, d scopes.Decision, set *ruleSet) {
	if d.Reason == claims.PolicyError {
		g.raise(ruleAlarm, "item", string(what.kind)+" "+what.name)
	}
	if g.telemetry == nil {
		return
	}
	said := telemetry.Decision{Method: string(what.method), Kind: what.kind, Name: what.name, RequestID: what.request, Reason: d.Reason}
	if !d.Allowed && d.Reason == "" {
		said.Reason = claims.Unruled
	}
	if a.x != nil {
		said.Origin, said.Caller, said.Session = &a.x.origin, a.x.id.told, a.x.sessionID
	} else {
		said.Caller = g.telemetry.Caller(a.principal, nil, "")
	}
	if len(d.Scopes) > 0 && (set == nil || !set.dependent()) {
		said.Required, said.Missing = d.Scopes, g.lacking(a.principal, d.Scopes)
	}
	g.telemetry.Authorize(ctx, &said)
}

// lacking are the scopes that p has neither itself nor by the hierarchy.
func (g *Guard) lacking(p *claims.Principal, required []string) []string {
	q := scopes.Request{Principal: p, Hierarchy: g.hierarchy}
	return slices.DeleteFunc(slices.Clone(required), func(token string) bool {
		return baseRule([]string{token}).Evaluate(q).Allowed
	})
}

// recordTurnedAway tells of a request that was authenticated, and then refused
// for what is no decision on an item. method is "" where nobody read it.
func (g *Guard) recordTurnedAway(x *exchange, method mcp.MCPMethod, reason claims.Reason) {
	g.record(x.Context, asked{principal: x.id.principal, x: x}, access{method: method}, scopes.Decision{Reason: reason}, nil)
}

// recordBarred tells of a request that was refused before mcp-go was asked.
func (g *Guard) recordBarred(x *exchange) {
	g.record(x.Context, asked{principal: x.id.principal, x: x}, access{}, x.denial, nil)
}
