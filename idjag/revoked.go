package idjag

import (
	"context"
	"log/slog"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/telemetry"
	"github.com/emamw/mcp-ema/revocation"
)

// revoked is this server's view of the revocation store.
type revoked struct {
	store    revocation.Store
	follower *revocation.Follower
	view     *revocation.View
}

// follow keeps the view until ctx ends.
func follow(ctx context.Context, store revocation.Store, delay time.Duration, now func() time.Time, logger *slog.Logger) *revoked {
	f := revocation.StartFollower(ctx, store, delay, now, func(err error) {
		if err == nil {
			logger.InfoContext(ctx, "idjag: the revocation store is followed again")
			return
		}
		// Not with the error: it is the store's own, and may name anything.
		logger.WarnContext(ctx, "idjag: the revocation store cannot be followed; redemptions are answered with 503 once its last word is too old")
	})
	return &revoked{store: store, follower: f, view: f.View()}
}

// check refuses an ID-JAG whose user or client was revoked after it was issued.
// Without it a user who was cut off, and has an ID-JAG left, would redeem it for
// a token that is younger than the revocation. A revocation may name the user
// as this server does, or as the identity provider does, whose own event says
// so; and an ID-JAG by its jti, or by the hash that audit records have.
func (v *revoked) check(ctx context.Context, own string, g *grant) error {
	if v == nil {
		return nil
	}
	if !v.follower.Current(ctx) {
		return refuse(claims.StoreUnavailable)
	}
	tenant := g.user.Tenant
	if v.view.Revoked(own, tenant, g.subject, g.caller.id, "", g.issued) ||
		v.view.Revoked(g.user.Issuer, tenant, g.user.Subject, "", g.id, g.issued) ||
		v.view.Revoked(g.user.Issuer, "", "", "", telemetry.IDHash(g.id), g.issued) {
		return refuse(claims.TokenRevoked)
	}
	return nil
}
