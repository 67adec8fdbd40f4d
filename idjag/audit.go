package idjag

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/url"
	"slices"
	"time"

	"github.com/emamw/mcp-ema/claims"
)

// An outcome is what became of one request to the token endpoint. It is filled
// in as checks pass, so that each part of it was verified when it is there.
type outcome struct {
	started  time.Time
	provider *provider  // the trusted issuer that the assertion names
	caller   *caller    // the authenticated client
	verified *assertion // after its signature
	resource string
	scopes   []string // of the token
	tokenID  string   // its jti
	rules    []string
	reported *Decision // of a policy that only reports
	refusal  *refusal  // nil: a token was issued
}

// An observer is told of every outcome, once and before it is answered: the seam
// for traces and metrics. outcome.started says when the request came in.
type observer interface {
	exchanged(ctx context.Context, o *outcome)
}

const auditEvent = "ema.id_jag.exchange"

// report tells everybody who wants to know. It runs before the answer is sent,
// so that no token is out without its record.
func (s *Server) report(ctx context.Context, o *outcome) {
	if o.refusal != nil {
		s.logRefusal(ctx, auditEvent, o.refusal)
	}
	if s.observer != nil {
		s.observer.exchanged(ctx, o)
	}
	if s.audit == nil || !s.audit.Enabled(ctx, slog.LevelInfo) {
		return
	}
	record := slog.NewRecord(s.now(), slog.LevelInfo, auditEvent, 0)
	record.AddAttrs(s.attributes(o)...)
	if err := s.audit.Handle(ctx, record); err != nil {
		s.logger.ErrorContext(ctx, "idjag: audit record lost", "error", err)
	}
}

// attributes are what may be kept: decisions, names out of the configuration,
// digests. Never an assertion or a token, a name, an address, a group, or a
// client_id or issuer that was only claimed.
func (s *Server) attributes(o *outcome) []slog.Attr {
	attrs := []slog.Attr{slog.String("ema.decision", o.decision()), slog.String("ema.token.type", "id_jag")}
	text := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	list := func(key string, values []string) {
		if len(values) > 0 {
			attrs = append(attrs, slog.Any(key, values))
		}
	}
	if o.refusal != nil {
		text("ema.reason", string(o.refusal.reason))
	}
	if o.provider != nil {
		text("ema.issuer", o.provider.Issuer)
	}
	if o.caller != nil {
		text("ema.client.id", withoutQuery(o.caller.id))
		text("ema.client.auth_method", o.caller.method)
	}
	if o.verified != nil {
		text("user.hash", s.userHash(o.verified.user))
		text("ema.assertion.id_hash", hashID(o.verified.id))
		text("ema.groups.state", string(o.verified.user.Groups.State))
	}
	text("ema.resource", o.resource)
	list("ema.scopes.granted", o.scopes)
	if o.tokenID != "" {
		text("ema.token.id_hash", hashID(o.tokenID))
	}
	list("ema.policy.rules", o.rules)
	if o.reported != nil {
		text("ema.policy.report.reason", string(o.reported.Reason))
		list("ema.policy.report.rules", o.reported.Rules)
		list("ema.policy.report.withheld", withheld(o.scopes, o.reported.Scopes))
	}
	return attrs
}

// withheld are the scopes that were granted and would not be.
func withheld(granted, judged []string) []string {
	return slices.DeleteFunc(slices.Clone(granted), func(s string) bool { return slices.Contains(judged, s) })
}

func (o *outcome) decision() string {
	switch {
	case o.refusal == nil:
		return "allow"
	case o.refusal.reason.Undecided(), o.refusal.reason == claims.PolicyError:
		return "error"
	}
	return "deny"
}

// userHash stands for a user: a keyed digest, since whoever has the directory
// could undo a plain one by trying every user.
func (s *Server) userHash(user *claims.Principal) string {
	mac := hmac.New(sha256.New, s.pseudonymKey)
	mac.Write([]byte(user.Key()))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

func withoutQuery(id string) string {
	u, err := url.Parse(id)
	if err != nil || u.RawQuery == "" {
		return id
	}
	u.RawQuery = ""
	return u.String()
}

// logRefusal writes a refusal to the operator's log, with its cause: our own
// failure as an error, everything else as routine.
func (s *Server) logRefusal(ctx context.Context, event string, r *refusal) {
	level := slog.LevelInfo
	if r.reason.Undecided() || r.reason == claims.PolicyError {
		level = slog.LevelError
	}
	attrs := []slog.Attr{slog.String("ema.reason", string(r.reason))}
	if r.cause != nil {
		attrs = append(attrs, slog.String("cause", r.cause.Error()))
	}
	s.logger.LogAttrs(ctx, level, event, attrs...)
}
