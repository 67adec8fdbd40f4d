package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"
)

// An op is something that can be done again and again. do panics when it does
// not come out as it should: a benchmark of an error path is worth nothing.
type op struct {
	name string
	do   func()

	times int // how often it is done in one stroke, once calibrated
}

// A row is one figure of the table. In each round its ops run one after the other,
// a stroke each, and value turns their times into the figure of the round.
//
// A stroke is short, but holds several calls: after one call of something else, the
// first finds the processor's caches and predictions filled with that, as a busy
// server does not. What slows everything down for longer, as a neighbour on the same
// machine or a lower clock rate does, cancels out; what hits one stroke alone, the
// median of the rounds ignores.
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
		name: o.name, base: base.name, ops: []*op{base, o},
		value: func(ns []float64) float64 { return ns[1] / ns[0] },
	}
}

// extra compares what o takes more than bare with base.
func extra(o, bare, base *op) *row {
	return &row{
		name: o.name + " minus " + bare.name, base: base.name, ops: []*op{base, bare, o},
		value: func(ns []float64) float64 { return (ns[2] - ns[1]) / ns[0] },
	}
}

// extras compares what o takes more than bare with what base takes more than it.
func extras(o, base, bare *op) *row {
	return &row{
		name: o.name + " minus " + bare.name, base: base.name + " minus it", ops: []*op{base, bare, o},
		value: func(ns []float64) float64 { return (ns[2] - ns[1]) / (ns[0] - ns[1]) },
	}
}

// most and least set the target.
func (r *row) most(target float64) *row { r.target = target; return r }
func (r *row) least(target float64) *row {
	r.target, r.atLeast = target, true
	return r
}

// visit is how many rounds of a row are taken in a row.
const visit = 20

// measure takes one row after the other, so that none runs in what another one left
// in the heap and in the caches: as many rounds as are asked for, and after that more
// until the figure is sharp, or its share of the limit is used up. When to stop
// depends on how wide an interval is and never on where it lies, or a figure would
// be taken again until it suits.
func measure(ctx context.Context, rows []*row, rounds int, stroke, limit time.Duration) error {
	defer still()()
	share := limit / time.Duration(max(1, len(rows)))
	for _, r := range rows {
		for _, o := range r.ops {
			o.calibrate(stroke)
		}
		began := time.Now()
		for len(r.values) < rounds || !r.sharp() && time.Since(began) < share {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("interrupted at %s", r.name)
			}
			r.visit()
		}
	}
	return nil
}

// still takes out of the times what is not the operations' own doing, and returns
// what puts it back. It leaves one processor: mcp-go starts a goroutine for each
// request, and whether another processor steals it is chance. And it stops the
// collector, which runs between the rows: a cycle takes as long as a slice does and
// would fall into one slice out of three. So the figures do not hold what collecting
// the garbage costs. That favours whoever makes more of it, which is each peer here;
// how much ours makes is held, exactly, by the tests of the packages.
func still() (restore func()) {
	processors, percent := runtime.GOMAXPROCS(1), debug.SetGCPercent(-1)
	return func() {
		runtime.GOMAXPROCS(processors)
		debug.SetGCPercent(percent)
	}
}

// visit takes some rounds. The collector empties the pools of net/http,
// encoding/json and whoever else has some, so everything runs before the clock does.
func (r *row) visit() {
	runtime.GC()
	for range 3 {
		for _, o := range r.ops {
			o.do()
		}
	}
	for range visit {
		r.take()
	}
}

// take takes one round, every other one backwards: what an op leaves in the caches
// for the next one cancels out, too.
func (r *row) take() {
	ns := make([]float64, len(r.ops))
	for i := range r.ops {
		if len(r.values)%2 == 1 {
			i = len(r.ops) - 1 - i
		}
		ns[i] = r.ops[i].stroke()
	}
	r.values = append(r.values, r.value(ns))
}

// stroke returns the nanoseconds that o takes once. It runs once more before the
// clock starts: that pays for the caches that the op before has filled with something
// else.
func (o *op) stroke() float64 {
	o.do()
	began := time.Now()
	for range o.times {
		o.do()
	}
	return float64(time.Since(began).Nanoseconds()) / float64(o.times)
}

// calibrate finds how often o must be done for a stroke.
func (o *op) calibrate(stroke time.Duration) {
	if o.times > 0 {
		return
	}
	for o.times = 1; ; o.times *= 2 {
		took := time.Duration(o.stroke() * float64(o.times))
		if took < stroke {
			continue
		}
		o.times = max(1, int(float64(o.times)*float64(stroke)/float64(took)))
		return
	}
}
