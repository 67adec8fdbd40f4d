package keys

import (
	"context"
	"time"
)

// A keeper is the goroutine that fetches one issuer's keys. Since there is only
// one, there is never more than one fetch at a time.
type keeper struct {
	set      *Set
	source   *source   // nil until the address is known
	due      time.Time // of the next fetch that nobody asked for
	failures int       // in a row
	loaded   bool      // some fetch succeeded
}

func newKeeper(s *Set) *keeper { return &keeper{set: s} }

// run fetches at once, and then whenever it is time, until ctx ends.
func (k *keeper) run(ctx context.Context) {
	defer k.set.retire()
	trigger := Startup
	for ctx.Err() == nil {
		k.round(ctx, trigger)
		trigger = k.sleep(ctx)
	}
}

// sleep returns when a fetch is due, with its reason, or when ctx has ended.
func (k *keeper) sleep(ctx context.Context) Trigger {
	for {
		trigger, due := Scheduled, k.due
		if k.failures > 0 {
			trigger = Retry
		}
		if booked, ok := k.set.booking(); ok && booked.Before(due) {
			trigger, due = UnknownKeyID, booked
		}
		timer := time.NewTimer(time.Until(due))
		select {
		case <-ctx.Done():
			timer.Stop()
			return trigger
		case <-timer.C:
			return trigger
		case <-k.set.wake:
			timer.Stop()
		}
	}
}

// round makes one fetch, publishes what it brought, and tells who observes.
func (k *keeper) round(life context.Context, trigger Trigger) {
	ctx := life
	if requester := k.set.begin(); requester != nil {
		detached, cancel := context.WithCancel(requester)
		defer cancel()
		defer context.AfterFunc(life, cancel)()
		ctx = detached
	}
	ctx, finish := k.observe(ctx, trigger)

	at := k.set.now()
	a := &attempt{life: -1}
	entries := k.fetch(life, ctx, a)
	switch cfg := &k.set.cfg; {
	case entries != nil:
		lost := k.set.publish(newSnapshot(entries, at))
		k.due = time.Now().Add(cfg.interval(a.life))
		k.failures, k.loaded = 0, true
		k.set.report.succeeded(a, lost)
	case life.Err() != nil:
		a.fetched.Cause = CauseCanceled
	default:
		k.failures = k.set.fail(a.trouble())
		k.due = time.Now().Add(cfg.backoff(k.failures, k.loaded))
		k.set.report.failed(a)
	}
	finish(a.fetched)
}

func (k *keeper) observe(ctx context.Context, t Trigger) (context.Context, func(Fetched)) {
	ignore := func(Fetched) {}
	if k.set.cfg.OnFetch == nil {
		return ctx, ignore
	}
	observed, finish := k.set.cfg.OnFetch(ctx, t)
	if observed == nil {
		observed = ctx
	}
	if finish == nil {
		finish = ignore
	}
	return observed, finish
}

// fetch returns nil, and the cause in a, when it failed. life is how long a
// source that it opens may live; ctx is for this fetch alone.
func (k *keeper) fetch(life, ctx context.Context, a *attempt) []*entry {
	if k.source == nil || k.lost() {
		if !k.locate(life, ctx, a) {
			return nil
		}
	}
	return k.source.fetch(ctx, a)
}

// lost reports whether the address is in doubt: an issuer may move its key set,
// and the old address may then fail for ever.
func (k *keeper) lost() bool {
	return k.set.cfg.JWKSURL == "" && k.failures > 0 && k.failures%rediscover == 0
}

// locate finds the key set's address and opens it. When that fails, with the
// cause in a, the source that there is stays, and the next fetch tries it again.
func (k *keeper) locate(life, ctx context.Context, a *attempt) bool {
	cfg := &k.set.cfg
	address := cfg.JWKSURL
	if address == "" {
		if address = discover(ctx, cfg, a); address == "" {
			return false
		}
	}
	opened, err := open(life, address, cfg)
	if err != nil {
		a.fail(CauseAddress)
		return false
	}
	if k.source != nil {
		k.source.close()
	}
	k.source = opened
	return true
}
