package idjag

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/telemetry"
)

// An outcome is what became of one request to the token endpoint. It is filled
// in as checks pass, so that each part of it was verified when it is there.
type outcome struct {
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

// report tells everybody who wants to know. It runs before the answer is sent,
// so that no token is out without its record.
func (s *Server) report(ctx context.Context, measured *telemetry.Exchange, o *outcome) {
	if o.refusal != nil {
		s.logRefusal(ctx, "ema.id_jag.exchange", o.refusal)
	}
	measured.End(o.told())
}

// told is what may be kept: never a client or an issuer that was only claimed.
func (o *outcome) told() *telemetry.Exchanged {
	end := &telemetry.Exchanged{Resource: o.resource, Scopes: o.scopes, TokenID: o.tokenID, Rules: o.rules}
	if o.refusal != nil {
		end.Reason = o.refusal.reason
		var fault *claims.Error
		if errors.As(o.refusal.cause, &fault) {
			end.Claim = fault.Claim
		}
	}
	if o.provider != nil {
		end.Issuer = o.provider.told
	}
	if o.caller != nil {
		end.ClientID, end.AuthMethod = o.caller.id, o.caller.method
	}
	if o.verified != nil {
		end.User, end.AssertionID = o.verified.user, o.verified.id
	}
	if o.reported != nil {
		end.Reported = &telemetry.Reported{
			Reason: o.reported.Reason, Rules: o.reported.Rules, Withheld: withheld(o.scopes, o.reported.Scopes),
		}
	}
	return end
}

// withheld are the scopes that were granted and would not be.
func withheld(granted, judged []string) []string {
	return slices.DeleteFunc(slices.Clone(granted), func(s string) bool { return slices.Contains(judged, s) })
}

// logRefusal writes a refusal to the operator's log, with its cause: our own
// failure as an error, of which there is a line a minute for each reason,
// everything else as routine.
func (s *Server) logRefusal(ctx context.Context, event string, r *refusal) {
	level := slog.LevelInfo
	attrs := []slog.Attr{slog.String("ema.reason", telemetry.Word(r.reason))}
	if r.reason.Undecided() && r.reason != claims.Canceled || r.reason == claims.PolicyError {
		silenced, ok := s.failures.allow(r.reason, s.now())
		if !ok {
			return
		}
		if silenced > 0 {
			attrs = append(attrs, slog.Int("ema.silenced", silenced))
		}
		level = slog.LevelError
	}
	if r.cause != nil {
		attrs = append(attrs, slog.String("cause", r.cause.Error()))
	}
	s.logger.LogAttrs(ctx, level, event, attrs...)
}

// foreign is an error of the operator's own code, in our words: its text may name
// the user that was looked up, and what the log says of users is for
// [Config.PseudonymKey] to decide.
func foreign(field string, err error) error {
	if errors.Is(err, errPanic) {
		return fmt.Errorf("idjag: Config.%s panicked", field)
	}
	return fmt.Errorf("idjag: Config.%s failed: how is for it to log, its error may name a user", field)
}
