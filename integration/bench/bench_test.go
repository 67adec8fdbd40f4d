package main

import (
	"bytes"
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

// Every op does what its name says: each panics when it does not.
func TestOps(t *testing.T) {
	f, err := newFixture(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	names := map[string]bool{}
	for _, r := range rows(f) {
		if names[r.name] {
			t.Errorf("two rows are called %s", r.name)
		}
		names[r.name] = true
		for _, o := range r.ops {
			o.do()
		}
	}
	for alg, token := range f.tokens {
		if len(token) < 900 || len(token) > 1400 {
			t.Errorf("the %s token has %d bytes, want about a thousand", alg, len(token))
		}
	}
	if len(callBody) != 283 {
		t.Errorf("the call has %d bytes, want 283", len(callBody))
	}
}

// The interval is where the tables of order statistics have it.
func TestRank(t *testing.T) {
	for n, want := range map[int]int{6: 0, 10: 1, 20: 5, 30: 9, 60: 21, 100: 39, 200: 85} {
		if got := rank(n); got != want {
			t.Errorf("rank(%d) = %d, want %d", n, got, want)
		}
	}
}

func TestFigures(t *testing.T) {
	base, bare, o := &op{name: "base"}, &op{name: "bare"}, &op{name: "op"}
	for _, tt := range []struct {
		name string
		row  *row
		ns   []float64
		want float64
	}{
		{"ratio", ratio(o, base), []float64{100, 150}, 1.5},
		{"extra", extra(o, bare, base), []float64{100, 50, 200}, 1.5},
		{"extras", extras(o, base, bare), []float64{150, 50, 200}, 1.5},
	} {
		if got := tt.row.value(tt.ns); math.Abs(got-tt.want) > 1e-9 || len(tt.row.ops) != len(tt.ns) {
			t.Errorf("%s of %v is %v, want %v", tt.name, tt.ns, got, tt.want)
		}
	}
}

func TestVerdicts(t *testing.T) {
	steady := func(v float64) []float64 { return []float64{v, v, v, v, v, v, v, v} }
	restless := func(v float64) []float64 {
		return []float64{v * .9, v * .9, v * .9, v, v, v * 1.1, v * 1.1, v * 1.1}
	}
	for _, tt := range []struct {
		name   string
		null   float64
		values []float64
		target float64
		least  bool
		want   verdict
		status int
	}{
		{"below the most", 1, steady(1.1), 1.2, false, pass, 0},
		{"above the most", 1, steady(1.3), 1.2, false, fail, 1},
		{"around the most", 1, []float64{1.19, 1.19, 1.2, 1.2, 1.2, 1.2, 1.21, 1.21}, 1.2, false, pass, 0},
		{"above the least", 1, steady(1.3), 1.2, true, pass, 0},
		{"below the least", 1, steady(1.1), 1.2, true, fail, 1},
		{"too wide to pass", 1, restless(1.1), 1.2, false, inconclusive, 3},
		{"wide, and beyond the target all the same", 1, restless(2), 1.2, false, fail, 1},
		{"a base that differs from itself", 1.03, steady(1.3), 1.2, false, inconclusive, 3},
		{"for information", 1, restless(3), 0, false, information, 0},
		{"for information, with such a base", 0.97, steady(3), 0, false, information, 0},
	} {
		null := &row{name: "null", values: steady(tt.null)}
		r := &row{name: "row", null: null, values: tt.values, target: tt.target, atLeast: tt.least}
		results := judge([]*row{null, r})
		if got := results[1].verdict; got != tt.want || exitStatus(results) != tt.status {
			t.Errorf("%s: %q and status %d, want %q and %d", tt.name, got, exitStatus(results), tt.want, tt.status)
		}
	}
}

func TestRun(t *testing.T) {
	var stdout, stderr bytes.Buffer
	args := []string{"-rounds", "6", "-stroke", (5 * time.Microsecond).String(), "-limit", "1ms", "-only", "^Verify, cached$"}
	if status := run(t.Context(), args, &stdout, &stderr); status == 2 || stderr.Len() > 0 {
		t.Fatalf("status %d: %s", status, &stderr)
	}
	if table := stdout.String(); !strings.Contains(table, "null check: SHA-256 + map") || !strings.Contains(table, "Verify, cached") || strings.Contains(table, "RS256") {
		t.Errorf("the table:\n%s", table)
	}
	for _, bad := range [][]string{{"-rounds", "5"}, {"-stroke", "0s"}, {"-only", "("}, {"-nope"}, {"argument"}} {
		stderr.Reset()
		if status := run(t.Context(), bad, io.Discard, &stderr); status != 2 || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%q: status %d and %q, want 2 and one line", bad, status, &stderr)
		}
	}
}
