package idjag

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/revocation"
)

// firstWait bounds how long a request waits for the first word of the store
// after the start; retryFollow is the pause after a follower failed.
const (
	firstWait   = 2 * time.Second
	retryFollow = time.Second
)

// revoked is this server's view of the revocation store.
type revoked struct {
	store revocation.Store
	view  *revocation.View
	delay time.Duration
	heard chan struct{} // closed at the store's first word
}

// follow keeps the view until ctx ends.
func follow(ctx context.Context, store revocation.Store, delay time.Duration, now func() time.Time, logger *slog.Logger) *revoked {
	v := &revoked{store: store, view: revocation.NewView(now), delay: delay, heard: make(chan struct{})}
	var once sync.Once
	apply := func(news []revocation.Revocation) {
		v.view.Apply(news)
		once.Do(func() { close(v.heard) })
	}
	go func() {
		for ctx.Err() == nil {
			if err := store.Follow(ctx, apply); err != nil && ctx.Err() == nil {
				logger.WarnContext(ctx, "idjag: the revocation store cannot be followed; redemptions are answered with 503 once its last word is too old", "error", err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(retryFollow):
			}
		}
	}()
	return v
}

// check refuses an ID-JAG whose user or client was revoked after it was issued.
// Without it a user who was cut off, and has an ID-JAG left, would redeem it for
// a token that is younger than the revocation. A revocation may name the user
// as this server does, or as the identity provider does, whose own event says
// so.
func (v *revoked) check(ctx context.Context, own string, g *grant) error {
	if v == nil {
		return nil
	}
	if !v.current(ctx) {
		return refuse(claims.StoreUnavailable)
	}
	issued, tenant := g.user.Token.IssuedAt, g.user.Tenant
	if v.view.Revoked(own, tenant, g.subject, g.caller.id, "", issued) ||
		v.view.Revoked(g.user.Issuer, tenant, g.user.Subject, "", g.id, issued) {
		return refuse(claims.TokenRevoked)
	}
	return nil
}

// current reports whether the view may be relied on.
func (v *revoked) current(ctx context.Context) bool {
	wait, cancel := context.WithTimeout(ctx, firstWait)
	defer cancel()
	select {
	case <-v.heard:
		return v.view.Fresh(v.delay)
	case <-wait.Done():
		return false
	}
}
