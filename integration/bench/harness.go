package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// An op is something that can be done again and again. do panics when it does
// not come out as it should: a benchmark of an error path is worth nothing.
type op struct {
	name string
	do   func()

	times int // how often it is done in one slice, once calibrated
}

// A row is one figure of the table. In each round its ops run one after the
// other, a slice each, and value turns their times into the figure of the round.
//
// The base runs before and after what is compared with it. What slows both
// down for longer than a few milliseconds, as a neighbour on the same machine or
// a lower clock rate does, cancels out; what does not, the median of the rounds
// ignores.
type row struct {
	name, base string
	ops        []*op
	value      func(ns []float64) float64
	null       *row // compares the base with itself

	target  float64 // 0: for information
	atLeast bool    // the target is the least; else the most

	values []float64 // one a round
}

// ratio compares o with base.
func ratio(o, base *op) *row {
	return &row{
		name: o.name, base: base.name, ops: []*op{base, o, base},
		value: func(ns []float64) float64 { return 2 * ns[1] / (ns[0] + ns[2]) },
	}
}

// extra compares what o takes more than bare with base.
func extra(o, bare, base *op) *row {
	return &row{
		name: o.name + " minus " + bare.name, base: base.name, ops: []*op{base, bare, o, bare, base},
		value: func(ns []float64) float64 { return (2*ns[2] - ns[1] - ns[3]) / (ns[0] + ns[4]) },
	}
}

// extras compares what o takes more than bare with what base takes more than it.
func extras(o, base, bare *op) *row {
	return &row{
		name: o.name + " minus " + bare.name, base: base.name + " minus it", ops: []*op{base, bare, o, bare, base},
		value: func(ns []float64) float64 {
			without := ns[1] + ns[3]
			return (2*ns[2] - without) / (ns[0] + ns[4] - without)
		},
	}
}

// most and least set the target.
func (r *row) most(target float64) *row { r.target = target; return r }
func (r *row) least(target float64) *row {
	r.target, r.atLeast = target, true
	return r
}

// measure takes all rows, in a new order each round, so that none always runs in
// the garbage of the same other.
func measure(ctx context.Context, rows []*row, rounds int, slice time.Duration) error {
	for _, r := range rows {
		for _, o := range r.ops {
			o.calibrate(slice)
		}
	}
	for range rounds {
		for _, i := range rand.Perm(len(rows)) {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("interrupted after %d rounds", len(rows[i].values))
			}
			rows[i].take()
		}
	}
	return nil
}

func (r *row) take() {
	ns := make([]float64, len(r.ops))
	for i, o := range r.ops {
		ns[i] = o.slice()
	}
	r.values = append(r.values, r.value(ns))
}

// slice returns the nanoseconds that o takes once. An eighth of it runs before
// the clock starts: it pays for the caches that the op before has filled with
// something else.
func (o *op) slice() float64 {
	for range o.times / 8 {
		o.do()
	}
	began := time.Now()
	for range o.times {
		o.do()
	}
	return float64(time.Since(began).Nanoseconds()) / float64(o.times)
}

// calibrate finds how often o can be done in a slice. It warms o up on the way.
func (o *op) calibrate(slice time.Duration) {
	if o.times > 0 {
		return
	}
	for o.times = 1; ; o.times *= 2 {
		took := time.Duration(o.slice() * float64(o.times))
		if took < slice {
			continue
		}
		o.times = max(1, int(float64(o.times)*float64(slice)/float64(took)))
		return
	}
}
