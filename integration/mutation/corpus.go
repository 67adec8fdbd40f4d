package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// corpora are the tests whose cases are hostile tokens, one subtest each.
var corpora = []testName{{"emamw", "TestHostileTokens"}, {"idjag", "TestAssertionDefects"}}

// A cut is what one run of a corpus loses when some mutants are switched on. Two
// of them are needed where two checks refuse the same token.
type cut struct {
	corpus  testName
	mutants []*mutant
}

// String is the row of the table of cuts.
func (c cut) String() string {
	cells := []string{c.corpus.String()}
	for _, m := range c.mutants {
		cells = append(cells, m.name())
	}
	return strings.Join(cells, "\t")
}

func (c cut) on() string {
	ids := make([]string, len(c.mutants))
	for i, m := range c.mutants {
		ids[i] = strconv.Itoa(m.id)
	}
	return strings.Join(ids, ",")
}

const cutsHead = "# Checks without which every case of a corpus of hostile tokens turns: it is accepted, or refused for another reason.\n" +
	"# corpus\tthen the five cells of a mutant in killers.tsv, once or twice\n"

// readCuts reads the committed cuts. Those that name a mutant which is gone are
// left out: what they showed must be shown by others.
func readCuts(path string, mutants []*mutant) (cuts []cut, err error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	byName := map[string]*mutant{}
	for _, m := range mutants {
		byName[m.name()] = m
	}
lines:
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(cells) != 6 && len(cells) != 11 {
			return nil, fmt.Errorf("mutation: %s: %q has %d cells", path, line, len(cells))
		}
		c := cut{}
		if c.corpus, err = parseTest(cells[0]); err != nil {
			return nil, err
		}
		for name := range slices.Chunk(cells[1:], 5) {
			m := byName[strings.Join(name, "\t")]
			if m == nil {
				continue lines
			}
			c.mutants = append(c.mutants, m)
		}
		cuts = append(cuts, c)
	}
	return cuts, nil
}

func writeCuts(path string, cuts []cut) error {
	rows := make([]string, len(cuts))
	for i, c := range cuts {
		rows[i] = c.String()
	}
	slices.Sort(rows)
	return os.WriteFile(path, []byte(cutsHead+strings.Join(rows, "\n")+"\n"), 0o600)
}

// mostReasons is how many reasons the cases that one cut turns may have, and one in
// mostCases how many of all cases. A cut that turns more took out no check: it broke
// the verifier, or changed how every refusal is told.
const (
	mostReasons = 2
	mostCases   = 2
)

// turned returns the cases that the cut turns. Behind some checks the code relies on
// what they refuse, and falls over without them: then the first such case ends the
// program, and nothing is known of the others.
func (b *bed) turned(ctx context.Context, c cut, reasons map[string]string) (cases []string, fell bool, err error) {
	o, err := b.try(ctx, c.corpus.suite, []string{c.corpus.name}, c.on())
	if err != nil {
		return nil, false, err
	}
	if strings.Contains(string(o.output), "\npanic: ") {
		return nil, true, nil
	}
	cases, hit := failedCases(o.output, reasons)
	if len(hit) > mostReasons || len(cases) > len(b.all[c.corpus])/mostCases {
		return nil, false, nil
	}
	return cases, false, nil
}

// probe is how many cases tell whether a cut that falls over took out a check or
// broke the verifier: that does so for most of them.
const probe = 12

// turnedAlone is turned for a cut that falls over: it tries what is left case by case.
func (b *bed) turnedAlone(ctx context.Context, c cut, left []string) (cases []string, err error) {
	broken := 0
	for _, name := range spread(b.all[c.corpus], probe) {
		fails, err := b.turns(ctx, c, name)
		if err != nil {
			return nil, err
		}
		if fails {
			broken++
		}
	}
	if broken > probe/2 {
		return nil, nil
	}
	for _, name := range left {
		fails, err := b.turns(ctx, c, name)
		if err != nil {
			return nil, err
		}
		if fails {
			cases = append(cases, name)
		}
	}
	return cases, nil
}

// turns reports whether the cut turns one case.
func (b *bed) turns(ctx context.Context, c cut, name string) (bool, error) {
	o, err := b.try(ctx, c.corpus.suite, []string{c.corpus.name}, c.on(), "-test.run", alone(c.corpus.name, name))
	return o.failed, err
}

// alone is the pattern of one case. A slash in its name is one in the pattern.
func alone(corpus, name string) string {
	pattern := "^" + corpus + "$"
	for part := range strings.SplitSeq(name, "/") {
		pattern += "/^" + regexp.QuoteMeta(part) + "$"
	}
	return pattern
}

// spread returns n names, from all over a sorted list.
func spread(names []string, n int) (some []string) {
	for i := range min(n, len(names)) {
		some = append(some, names[i*len(names)/n])
	}
	return some
}

var (
	failedCase = regexp.MustCompile(`^ +--- FAIL: [^/]+/(.+) \(`)
	passedCase = regexp.MustCompile(`^ +--- PASS: [^/]+/(.+) \(`)
	wanted     = regexp.MustCompile(`want "?([a-z_]+)`)
)

// failedCases reads the cases that failed, and the reasons that they wanted.
func failedCases(output []byte, known map[string]string) (cases []string, hit map[string]bool) {
	words := slices.Collect(maps.Values(known))
	hit = map[string]bool{}
	for line := range strings.Lines(string(output)) {
		if m := failedCase.FindStringSubmatch(line); m != nil {
			cases = append(cases, m[1])
		}
		for _, m := range wanted.FindAllStringSubmatch(line, -1) {
			if slices.Contains(words, m[1]) {
				hit[m[1]] = true
			}
		}
	}
	return cases, hit
}

// cases returns all cases of a corpus.
func (b *bed) cases(ctx context.Context, corpus testName) (map[string]bool, error) {
	o, err := b.try(ctx, corpus.suite, []string{corpus.name}, "")
	if err != nil {
		return nil, err
	}
	if o.failed {
		return nil, fmt.Errorf("mutation: %s fails with every check in place:\n%s", corpus, o.output)
	}
	all := map[string]bool{}
	for line := range strings.Lines(string(o.output)) {
		if m := passedCase.FindStringSubmatch(line); m != nil {
			all[m[1]] = true
		}
	}
	b.all[corpus] = slices.Sorted(maps.Keys(all))
	return all, nil
}

// readBacked reads the cases behind which several checks stand, so that no one of
// them turns it, and which those are.
func readBacked(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	backed := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, checks, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok || checks == "" {
			return nil, fmt.Errorf("mutation: %s: %q does not say which checks stand behind each other", path, line)
		}
		backed[name] = checks
	}
	return backed, nil
}

// everyCase demands that each case of each corpus is turned by one of the cuts, or
// is known to be refused by several checks alike.
func (b *bed) everyCase(ctx context.Context, cuts []cut, backed, reasons map[string]string) error {
	var wrong []error
	backed = maps.Clone(backed)
	for _, corpus := range corpora {
		left, err := b.cases(ctx, corpus)
		if err != nil {
			return err
		}
		if _, err := b.take(ctx, cutsOf(cuts, corpus), left, reasons); err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(left)) {
			full := corpus.String() + "/" + name
			if _, known := backed[full]; !known {
				wrong = append(wrong, fmt.Errorf("mutation: %s is refused with each check of cuts.tsv taken out", full))
			}
			delete(backed, full)
		}
	}
	for _, full := range slices.Sorted(maps.Keys(backed)) {
		wrong = append(wrong, fmt.Errorf("mutation: %s stands in backed.tsv, and one check alone refuses it, or it is gone", full))
	}
	return errors.Join(wrong...)
}

func cutsOf(cuts []cut, corpus testName) []cut {
	return slices.DeleteFunc(slices.Clone(cuts), func(c cut) bool { return c.corpus != corpus })
}

// A turn is what a cut turns.
type turn struct {
	cut   cut
	cases []string
}

// take runs the cuts, takes the cases that they turn out of left, and returns the
// cuts that were needed. Those that turn the fewest cases come first: they are
// the checks that were made for them. Those that fall over come last, and are asked
// only for what the others leave.
func (b *bed) take(ctx context.Context, cuts []cut, left map[string]bool, reasons map[string]string) (few []cut, err error) {
	var mu sync.Mutex
	var turns []turn
	var fallen []cut
	err = inParallel(ctx, b.workers, cuts, func(_ int, c cut) error {
		cases, fell, err := b.turned(ctx, c, reasons)
		mu.Lock()
		defer mu.Unlock()
		turns = append(turns, turn{c, cases})
		if fell {
			fallen = append(fallen, c)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	few = needed(turns, left)
	names := slices.Sorted(maps.Keys(left))
	turns = nil
	err = inParallel(ctx, b.workers, fallen, func(_ int, c cut) error {
		cases, err := b.turnedAlone(ctx, c, names)
		mu.Lock()
		defer mu.Unlock()
		turns = append(turns, turn{c, cases})
		return err
	})
	return append(few, needed(turns, left)...), err
}

// needed takes the cases of the turns out of left, and returns the cuts that this
// took.
func needed(turns []turn, left map[string]bool) (few []cut) {
	slices.SortFunc(turns, func(a, b turn) int {
		return cmp.Or(len(a.cases)-len(b.cases), cmp.Compare(a.cut.on(), b.cut.on()))
	})
	for _, t := range turns {
		before := len(left)
		for _, name := range t.cases {
			delete(left, name)
		}
		if len(left) < before {
			few = append(few, t.cut)
		}
	}
	return few
}

// discoverCuts keeps the cuts that still show something, and looks for others
// that turn the remaining cases: among single checks, then among pairs of checks
// of one reason.
func (b *bed) discoverCuts(ctx context.Context, cuts []cut, r *reach, reasons map[string]string) (found []cut, err error) {
	for _, corpus := range corpora {
		left, err := b.cases(ctx, corpus)
		if err != nil {
			return nil, err
		}
		few, err := b.take(ctx, cutsOf(cuts, corpus), left, reasons)
		if err != nil {
			return nil, err
		}
		found = append(found, few...)
		if len(left) == 0 {
			continue
		}
		few, err = b.take(ctx, b.singles(corpus, r), left, reasons)
		if err != nil {
			return nil, err
		}
		found = append(found, few...)
	}
	return found, nil
}

// singles are the checks that a corpus reaches and that refuse tokens: those that
// say why, and those of the two packages that read what a token holds.
func (b *bed) singles(corpus testName, r *reach) (cuts []cut) {
	for _, m := range b.mutants {
		refuses := len(m.reasons) > 0 || m.pkg == "claims" || m.pkg == "internal/jose"
		if refuses && slices.Contains(r.tests[m.id], corpus) {
			cuts = append(cuts, cut{corpus, []*mutant{m}})
		}
	}
	return cuts
}
