package keys

import (
	"context"
	"hash/maphash"
	"time"
)

// maxBooked bounds the key ids that are remembered between two fetches. A flood
// fills it; what does not fit loses nothing but the memory of having asked.
const maxBooked = 1024

// demand decides when key ids that nobody knows are worth a fetch.
//
// Anybody can invent a kid, so the number of requests must not become a number
// of fetches: that would let a stranger use this server to flood the issuer, or
// have the issuer lock this server out. And a forged kid must not use up what a
// real rotation needs. Both follow from one fact: a fetch reads the whole set, on
// behalf of everybody. So there is one permit per interval, it does not matter
// whose kid takes it, and a kid that comes while it is spent books the next one.
// A rotated key is known at the latest one interval after the first token that
// uses it, flood or not.
//
// A kid that a fetch did not find, although it had been asked for before the
// fetch started, books nothing more until the permit is free again. This memory
// lasts only until the next fetch that succeeds, which judges anew, and never
// stands in the way of a lookup: the snapshot is asked first. Ids are held as
// seeded hashes, so a stranger's text takes eight bytes, and cannot be made to
// collide with a real one.
//
// demand is not safe for concurrent use.
type demand struct {
	interval time.Duration
	seed     maphash.Seed

	started  time.Time // the last fetch
	good     time.Time // the last one that succeeded; zero: none did
	failures int       // since then
	running  bool

	booked    hashes          // want a fetch that starts from now on
	requester context.Context // of the first of them, if it can be served at once
	checking  hashes          // were booked when the running fetch started
	absent    hashes          // were booked for the last good fetch, which did not bring them

	settled chan struct{} // closed, and replaced, when a fetch ends
}

type hashes map[uint64]struct{}

func newDemand(interval time.Duration) *demand {
	return &demand{interval: interval, seed: maphash.MakeSeed(), settled: make(chan struct{})}
}

// ask is called for a kid that the snapshot does not have. It returns a channel
// to wait for, after which the snapshot is to be looked at again, or nil when
// waiting brings nothing.
func (d *demand) ask(ctx context.Context, kid string, now time.Time) <-chan struct{} {
	switch {
	case d.running:
		// It may bring the kid. If it does not, the kid is asked for again and then
		// booked, because the fetch started before it was seen.
		return d.settled
	case !now.Before(d.permit()):
		if d.requester == nil {
			d.requester = context.WithoutCancel(ctx)
		}
		d.book(kid)
		return d.settled
	}
	if _, ok := d.absent[d.hash(kid)]; !ok {
		d.book(kid)
	}
	return nil
}

// permit is when the next fetch may start on behalf of a request.
func (d *demand) permit() time.Time { return d.started.Add(d.interval) }

// due is when a booked fetch is to start.
func (d *demand) due() (time.Time, bool) { return d.permit(), len(d.booked) > 0 }

// recent reports whether the word of the snapshot on a kid asked for at the time
// at counts: it is at most an interval old, or younger than the question. Else
// nobody knows, and the caller has to be told so.
func (d *demand) recent(at time.Time) bool {
	return !d.good.IsZero() && !d.good.Add(d.interval).Before(at)
}

func (d *demand) book(kid string) {
	if d.booked == nil {
		d.booked = make(hashes)
	}
	if len(d.booked) < maxBooked {
		d.booked[d.hash(kid)] = struct{}{}
	}
}

func (d *demand) hash(kid string) uint64 { return maphash.String(d.seed, kid) }

// begin notes that a fetch starts, for whatever reason: it serves all that is
// booked. The context is that of the first request, or nil.
func (d *demand) begin(now time.Time) context.Context {
	ctx := d.requester
	d.running, d.started = true, now
	d.checking, d.booked, d.requester = d.booked, nil, nil
	return ctx
}

// end notes how the fetch ended and wakes who waits.
func (d *demand) end(ok bool) {
	d.running = false
	if ok {
		d.good, d.failures, d.absent = d.started, 0, d.checking
	} else {
		d.failures++
	}
	d.checking = nil
	close(d.settled)
	d.settled = make(chan struct{})
}
