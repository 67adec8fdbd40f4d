package emamw

import (
	"context"
	"errors"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/revocation"
)

// revoked is what this guard knows of revocations: its view of the store, which
// is asked on every request, and the store, which never is.
type revoked struct {
	store    revocation.Store
	follower *revocation.Follower
	view     *revocation.View
	late     time.Duration // how long others may not have heard of a revocation
}

// follow keeps a view of the store until ctx ends.
func follow(ctx context.Context, cfg *Config) *revoked {
	store := cfg.Revocations
	if store == nil {
		store = revocation.NewMemory(0, cfg.Now)
	}
	f := revocation.StartFollower(ctx, store, cfg.MaxRevocationDelay, cfg.Now, func(err error) {
		if err == nil {
			cfg.Logger.Info("emamw: the revocation store is followed again")
			return
		}
		// Not with the error: it is the store's own, and may name anything.
		cfg.Logger.Warn("emamw: the revocation store cannot be followed; requests are refused with 503 once its last word is too old", "max_delay", cfg.MaxRevocationDelay)
	})
	return &revoked{store: store, follower: f, view: f.View(), late: cfg.MaxRevocationDelay}
}

// reason is empty for a caller whose token was not revoked.
func (v *revoked) reason(ctx context.Context, p *claims.Principal) claims.Reason {
	if !v.follower.Current(ctx) {
		return claims.StoreUnavailable
	}
	return v.named(p)
}

// named is reason by what the view knows, however old that is. A token that was
// redeemed for an ID-JAG ends with that, too: by the user's name at the identity
// provider, whose own event knows no other, or by the hash of the jti. It counts
// as old as the ID-JAG, since the token may have been issued a moment after a
// revocation that its authorization server had not heard of yet.
func (v *revoked) named(p *claims.Principal) claims.Reason {
	issued := p.Token.IssuedAt
	if born := p.AssertionIssuedAt; !born.IsZero() && born.Before(issued) {
		issued = born
	}
	if v.view.Revoked(p.Issuer, p.Tenant, p.Subject, p.ClientID, p.Token.ID, issued) ||
		p.IdentityProvider != "" && v.view.Revoked(p.IdentityProvider, p.Tenant, p.ProviderSubject, "", p.Assertion, issued) {
		return claims.TokenRevoked
	}
	return ""
}

func (v *revoked) revoke(ctx context.Context, r revocation.Revocation) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if err := v.store.Revoke(ctx, r); err != nil {
		return errors.Join(errors.New("emamw: the revocation is not in effect: the store did not take it"), err)
	}
	v.view.Note(r)
	return nil
}
