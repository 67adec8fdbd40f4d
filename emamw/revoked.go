package emamw

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/revocation"
)

// revoked is this guard's view of the revocation store.
type revoked struct {
	store revocation.Store
	view  *revocation.View
	local bool // the store is this process's own: what it knows is known here
	delay time.Duration
	heard chan struct{} // closed when the store was heard from for the first time
}

const (
	// firstWait bounds how long a request waits for the first word of a store,
	// and retry how long a follower that failed waits before it begins again.
	firstWait = 2 * time.Second
	retry     = time.Second
)

// follow keeps a view of the store until ctx ends.
func follow(ctx context.Context, cfg *Config) *revoked {
	v := &revoked{store: cfg.Revocations, view: revocation.NewView(cfg.Now), delay: cfg.MaxRevocationDelay, heard: make(chan struct{})}
	if v.store == nil {
		v.store = revocation.NewMemory(0, cfg.Now)
	}
	_, v.local = v.store.(*revocation.Memory)
	var once sync.Once
	apply := func(news []revocation.Revocation) {
		v.view.Apply(news)
		once.Do(func() { close(v.heard) })
	}
	go func() {
		for ctx.Err() == nil {
			err := v.store.Follow(ctx, apply)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				cfg.Logger.Warn("emamw: the revocation store cannot be followed; requests are refused with 503 once its last word is too old", "max_delay", v.delay)
			}
			select {
			case <-ctx.Done():
			case <-time.After(retry):
			}
		}
	}()
	return v
}

// reason is empty for a caller whose token was not revoked.
func (v *revoked) reason(ctx context.Context, p *claims.Principal) claims.Reason {
	if !v.current(ctx) {
		return claims.StoreUnavailable
	}
	return v.named(p)
}

// named is reason by what the view knows, however old that is.
func (v *revoked) named(p *claims.Principal) claims.Reason {
	if v.view.Revoked(p.Issuer, p.Tenant, p.Subject, p.ClientID, p.Token.ID, p.Token.IssuedAt) {
		return claims.TokenRevoked
	}
	return ""
}

// current reports whether the view may be relied on.
func (v *revoked) current(ctx context.Context) bool {
	select {
	case <-v.heard:
	default:
		wait, cancel := context.WithTimeout(ctx, firstWait)
		defer cancel()
		select {
		case <-v.heard:
		case <-wait.Done():
			return false
		}
	}
	return v.local || v.view.Fresh(v.delay)
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
