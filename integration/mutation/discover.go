package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// reach says which tests ask which switches. A test that never comes to a check
// cannot notice that it is gone.
type reach struct {
	tests map[int][]testName // by mutant
	width map[testName]int   // how many switches a test asks
}

// survey runs every test by itself and notes what it reaches.
func (b *bed) survey(ctx context.Context) (*reach, error) {
	var all []testName
	for _, suite := range suites {
		tests, err := b.list(ctx, suite)
		if err != nil {
			return nil, err
		}
		all = append(all, tests...)
	}
	r := &reach{tests: map[int][]testName{}, width: map[testName]int{}}
	var mu sync.Mutex
	err := inParallel(ctx, b.workers, all, func(i int, t testName) error {
		reached, err := b.trace(ctx, t, filepath.Join(b.dir, fmt.Sprintf("reached-%d", i)))
		mu.Lock()
		defer mu.Unlock()
		r.width[t] = len(reached)
		for _, id := range reached {
			r.tests[id] = append(r.tests[id], t)
		}
		return err
	})
	return r, err
}

func (b *bed) trace(ctx context.Context, t testName, file string) (reached []int, err error) {
	cmd := b.command(ctx, t.suite, "-test.run", exactly([]string{t.name}), "-test.timeout", patience.String())
	cmd.Env = append(cmd.Env, envReached+"="+file)
	if err := cmd.Run(); err != nil {
		return nil, ctx.Err() // a test that fails by itself proves nothing, and is passed over
	}
	text, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	for line := range strings.FieldsSeq(string(text)) {
		id, err := strconv.Atoi(line)
		if err != nil {
			return nil, err
		}
		reached = append(reached, id)
	}
	return reached, os.RemoveAll(file)
}

// discover finds a test for each mutant that has none. With all set it also
// tries the tests that the table names, and the mutants that no test noticed.
func (b *bed) discover(ctx context.Context, table map[string]row, r *reach, all bool, progress io.Writer) error {
	var mu sync.Mutex
	done := 0
	var open []*mutant
	for _, m := range b.mutants {
		known := table[m.name()]
		t, err := parseTest(known.killer)
		_, there := r.width[t]
		unknown := known.killer == "" && (known.why == "" || strings.HasPrefix(known.why, openMark))
		if all || unknown || err == nil && !there {
			open = append(open, m)
		}
	}
	return inParallel(ctx, b.workers, open, func(_ int, m *mutant) error {
		mu.Lock()
		known := table[m.name()]
		mu.Unlock()
		killer, err := b.killerOf(ctx, m, known.killer, r)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if done++; done%50 == 0 {
			fmt.Fprintf(progress, "%d of %d\n", done, len(open))
		}
		if killer != "" {
			table[m.name()] = row{killer: killer}
			return nil
		}
		fmt.Fprintf(progress, "no test notices: %s\n", m)
		known.killer = ""
		table[m.name()] = known
		return nil
	})
}

// killerOf keeps the known killer where it still notices, and else looks among
// the tests that reach the mutant.
func (b *bed) killerOf(ctx context.Context, m *mutant, known string, r *reach) (string, error) {
	if t, err := parseTest(known); err == nil && slices.Contains(r.tests[m.id], t) {
		if ok, err := b.notices(ctx, t, strconv.Itoa(m.id)); ok || err != nil {
			return known, err
		}
	}
	for _, batch := range batches(m, r) {
		o, err := b.try(ctx, batch.suite, batch.tests, strconv.Itoa(m.id), "-test.failfast")
		if err != nil {
			return "", err
		}
		if !o.failed || o.first == "" {
			continue
		}
		t := testName{batch.suite, o.first}
		if o.sure {
			return t.String(), nil
		}
		if ok, err := b.notices(ctx, t, strconv.Itoa(m.id)); ok || err != nil {
			return t.String(), err
		}
	}
	return "", nil
}

// notices reports whether the test fails with the mutant switched on.
func (b *bed) notices(ctx context.Context, t testName, on string) (bool, error) {
	o, err := b.try(ctx, t.suite, []string{t.name}, on, "-test.failfast")
	return o.failed, err
}

// A batch is some tests of one package, run in one program.
type batch struct {
	suite string
	tests []string
}

// foreign is how many tests of each package above are tried. One that passes by
// a check on its way to something else seldom notices that it is gone.
const foreign = 8

// batches are the tests that reach a mutant, in the order in which they are
// tried: the package's own first, and of these the ones that reach the least,
// which are quick and were written for it. Tests that count allocations or bytes
// notice changes for the wrong reason, and are left out.
func batches(m *mutant, r *reach) (all []batch) {
	bySuite := map[string][]testName{}
	for _, t := range r.tests[m.id] {
		if !measures.MatchString(t.name) {
			bySuite[t.suite] = append(bySuite[t.suite], t)
		}
	}
	for _, suite := range []string{m.pkg, "emamw", "idjag"} {
		tests := bySuite[suite]
		slices.SortStableFunc(tests, func(a, b testName) int {
			return cmp.Or(compareBool(slices.Contains(corpora, b), slices.Contains(corpora, a)), r.width[a]-r.width[b])
		})
		if suite != m.pkg && len(tests) > foreign {
			tests = tests[:foreign]
		}
		delete(bySuite, suite)
		for size := 6; len(tests) > 0; size *= 5 {
			n := min(size, len(tests))
			b := batch{suite: suite}
			for _, t := range tests[:n] {
				b.tests = append(b.tests, t.name)
			}
			all, tests = append(all, b), tests[n:]
		}
	}
	return all
}

var measures = regexp.MustCompile("Alloc|Cost|AreFree|AgreesWithStd|Race")

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
