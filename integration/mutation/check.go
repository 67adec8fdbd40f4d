package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
)

// compare reports what the table and the code do not agree on.
func compare(mutants []*mutant, table map[string]row) error {
	var wrong []error
	found := map[string]bool{}
	for _, m := range mutants {
		found[m.name()] = true
		r, known := table[m.name()]
		switch {
		case !known:
			wrong = append(wrong, fmt.Errorf("new: %s", m))
		case r.killer == "" && r.why == "":
			wrong = append(wrong, fmt.Errorf("no test notices: %s", m))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(table)) {
		if !found[name] {
			wrong = append(wrong, fmt.Errorf("no longer in the code: %s", name))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return errors.Join(append(wrong, errors.New("mutation: the table is out of date: run go run ./mutation -discover in the folder integration, "+
		"and write a test for what no test notices, or in the table why none can"))...)
}

// check runs the test of each row, first with all checks in place and then with
// the row's check taken out.
func (b *bed) check(ctx context.Context, table map[string]row) error {
	bySuite := map[string][]string{}
	killers := map[*mutant]testName{}
	for _, m := range b.mutants {
		r := table[m.name()]
		if r.killer == "" {
			continue
		}
		t, err := parseTest(r.killer)
		if err != nil {
			return err
		}
		killers[m] = t
		if !slices.Contains(bySuite[t.suite], t.name) {
			bySuite[t.suite] = append(bySuite[t.suite], t.name)
		}
	}
	if err := b.passes(ctx, bySuite); err != nil {
		return err
	}
	var mu sync.Mutex
	var survivors []error
	err := inParallel(ctx, b.workers, slices.Collect(maps.Keys(killers)), func(_ int, m *mutant) error {
		ok, err := b.noticesAtLast(ctx, killers[m], m)
		if !ok && err == nil {
			ok, err = b.anybodyNotices(ctx, m)
		}
		if !ok && err == nil {
			mu.Lock()
			survivors = append(survivors, fmt.Errorf("%s does not notice: %s", killers[m], m))
			mu.Unlock()
		}
		return err
	})
	return errors.Join(append(survivors, err)...)
}

// passes runs the tests with all checks in place. A test that is gone fails too.
func (b *bed) passes(ctx context.Context, bySuite map[string][]string) error {
	for _, suite := range slices.Sorted(maps.Keys(bySuite)) {
		have, err := b.list(ctx, suite)
		if err != nil {
			return err
		}
		for _, name := range bySuite[suite] {
			if !slices.Contains(have, testName{suite, name}) {
				return fmt.Errorf("mutation: the table names the test %s, which is not there: run -discover", testName{suite, name})
			}
		}
		o, err := b.try(ctx, suite, bySuite[suite], "")
		if err != nil {
			return err
		}
		if o.failed {
			return fmt.Errorf("mutation: %s fails with every check in place:\n%s", testName{suite, o.first}, o.output)
		}
	}
	return nil
}

// attempts is how often a test may try. One that looks for what goroutines do to
// each other needs luck to notice, but none that needs more of it is a proof.
const attempts = 3

// anybodyNotices asks all tests of the mutant's own package: on a busy machine the
// one in the table may have bad luck, and the check is tested all the same.
func (b *bed) anybodyNotices(ctx context.Context, m *mutant) (bool, error) {
	if !slices.Contains(suites, m.pkg) {
		return false, nil
	}
	tests, err := b.list(ctx, m.pkg)
	if err != nil {
		return false, err
	}
	var names []string
	for _, t := range tests {
		if !measures.MatchString(t.name) {
			names = append(names, t.name)
		}
	}
	o, err := b.try(ctx, m.pkg, names, strconv.Itoa(m.id), "-test.failfast")
	return o.failed, err
}

func (b *bed) noticesAtLast(ctx context.Context, t testName, m *mutant) (bool, error) {
	for range attempts {
		if ok, err := b.notices(ctx, t, strconv.Itoa(m.id)); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}
