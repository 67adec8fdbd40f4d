package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
)

// fewestRounds is the least for which an interval of 95 % exists.
const fewestRounds = 6

// Limits of what is conclusive: how far the base may differ from itself, and how
// wide an interval may be on either side of its median.
const (
	nullMost  = 1.02
	nullLeast = 0.98
	widest    = 0.02
)

type verdict string

const (
	pass         verdict = "pass"
	fail         verdict = "FAIL"
	inconclusive verdict = "inconclusive"
	information  verdict = "" // there is no target
)

type result struct {
	*row
	low, median, high float64
	verdict           verdict
	why               string
}

// judge turns the values of the rows into figures and verdicts.
func judge(rows []*row) []result {
	nulls := map[*row]result{}
	for _, r := range rows {
		if r.null == nil {
			nulls[r] = figure(r)
		}
	}
	results := make([]result, 0, len(rows))
	for _, r := range rows {
		f := figure(r)
		f.verdict, f.why = f.decide(nulls)
		results = append(results, f)
	}
	return results
}

// sharp reports whether the figure of a row can be judged. Where there is no target
// nobody does.
func (r *row) sharp() bool {
	return r.target == 0 && r.null != nil || figure(r).width() <= widest
}

func figure(r *row) result {
	sorted := slices.Sorted(slices.Values(r.values))
	n := len(sorted)
	k := rank(n)
	return result{row: r, low: sorted[k], median: (sorted[(n-1)/2] + sorted[n/2]) / 2, high: sorted[n-1-k]}
}

// rank returns how many of the smallest of n values lie below the interval that
// holds the median with 95 % confidence, and as many of the largest above it. A
// value is below the median with probability one half, so how many are is
// binomial, whatever the values are like.
func rank(n int) int {
	below := 0.0
	for k := range n / 2 {
		below += math.Exp(logChoose(n, k) - float64(n)*math.Ln2)
		if below > 0.025 {
			return max(0, k-1)
		}
	}
	return max(0, n/2-1)
}

func logChoose(n, k int) float64 {
	gamma := func(i int) float64 { g, _ := math.Lgamma(float64(i + 1)); return g }
	return gamma(n) - gamma(k) - gamma(n-k)
}

// decide fails a row only when the whole interval is beyond the target, and
// passes one only when the figure is worth something.
func (f result) decide(nulls map[*row]result) (verdict, string) {
	if f.null != nil {
		if null := nulls[f.null]; null.median < nullLeast || null.median > nullMost {
			return f.orInformation(inconclusive), "the base differs from itself"
		}
	}
	switch {
	case f.target == 0:
		return information, ""
	case f.atLeast && f.high < f.target, !f.atLeast && f.low > f.target:
		return fail, ""
	case f.width() > widest:
		return inconclusive, fmt.Sprintf("±%.1f %%", 100*f.width())
	}
	return pass, ""
}

func (f result) orInformation(v verdict) verdict {
	if f.target == 0 {
		return information
	}
	return v
}

// width is the wider side of the interval, relative to the median.
func (f result) width() float64 {
	return max(f.high-f.median, f.median-f.low) / math.Abs(f.median)
}

// exitStatus is that of the program.
func exitStatus(results []result) int {
	status := 0
	for _, r := range results {
		switch r.verdict {
		case fail:
			return 1
		case inconclusive:
			status = 3
		}
	}
	return status
}

func printTable(out io.Writer, results []result) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tagainst\tratio\t95 % interval\ttarget\tverdict\t")
	for _, r := range results {
		target := ""
		switch {
		case r.null == nil:
			target = fmt.Sprintf("%.2f to %.2f", nullLeast, nullMost)
		case r.target > 0 && r.atLeast:
			target = fmt.Sprintf("at least %.3g", r.target)
		case r.target > 0:
			target = fmt.Sprintf("at most %.3g", r.target)
		}
		verdict := string(r.verdict)
		if r.why != "" {
			verdict += " (" + r.why + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%.3f\t%.3f to %.3f\t%s\t%s\t\n", r.name, r.base, r.median, r.low, r.high, target, verdict)
	}
	_ = w.Flush() // whoever reads the table went away
}
