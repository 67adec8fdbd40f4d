package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// A test that hangs without its check has noticed, too. What it may use is
// bounded in seconds of the processor, which a busy machine does not change; the
// clock is for those that wait and use none.
const (
	patience = 2 * time.Minute
	budget   = "30"
)

// A bed is the library built with all switches in it, and the test programs of
// its packages.
type bed struct {
	root, dir string
	mutants   []*mutant
	workers   int
	all       map[testName][]string // the cases of each corpus, sorted, once they were listed
}

// newBed builds the test programs in dir.
func newBed(ctx context.Context, root, dir string, workers int, mutants []*mutant, sources []source) (*bed, error) {
	overlay, err := writeOverlay(root, dir, sources, len(mutants))
	if err != nil {
		return nil, err
	}
	args := []string{"test", "-c", "-vet=off", "-overlay", overlay, "-o", dir + string(filepath.Separator)}
	for _, suite := range suites {
		args = append(args, "./"+suite)
	}
	build := exec.CommandContext(ctx, "go", args...) //nolint:gosec // the arguments are this program's own
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("mutation: the library with switches does not build: %w\n%s", err, out)
	}
	return &bed{root: root, dir: dir, mutants: mutants, workers: workers, all: map[testName][]string{}}, nil
}

// A testName is a test and the package that has it.
type testName struct{ suite, name string }

// String is the test as the documents name it.
func (t testName) String() string {
	return t.suite[strings.LastIndexByte(t.suite, '/')+1:] + "." + t.name
}

func parseTest(text string) (testName, error) {
	short, name, ok := strings.Cut(text, ".")
	for _, suite := range suites {
		if ok && strings.HasSuffix("/"+suite, "/"+short) {
			return testName{suite, name}, nil
		}
	}
	return testName{}, fmt.Errorf("mutation: %q is no test of a package whose tests are run", text)
}

// list returns the tests of a package.
func (b *bed) list(ctx context.Context, suite string) (tests []testName, err error) {
	out, err := b.command(ctx, suite, "-test.list", "^(Test|Fuzz|Example)").Output()
	if err != nil {
		return nil, fmt.Errorf("mutation: tests of %s: %w", suite, err)
	}
	for name := range strings.FieldsSeq(string(out)) {
		tests = append(tests, testName{suite, name})
	}
	return tests, nil
}

func (b *bed) command(ctx context.Context, suite string, args ...string) *exec.Cmd {
	program := filepath.Join(b.dir, filepath.Base(suite)+".test")
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", "ulimit -t " + budget + `; exec "$0" "$@"`, program}, args...)...) //nolint:gosec // as above
	cmd.Dir = filepath.Join(b.root, filepath.FromSlash(suite))
	cmd.WaitDelay = time.Second
	cmd.Env = append(os.Environ(), envMutants+"=")
	return cmd
}

// An outcome is what one run of some tests came to.
type outcome struct {
	failed bool
	first  string // the test that failed, if it can be told
	sure   bool   // that it was this one
	output []byte
}

// try runs the tests with these mutants switched on. more are flags of the test
// program.
func (b *bed) try(ctx context.Context, suite string, tests []string, on string, more ...string) (outcome, error) {
	args := append([]string{"-test.v", "-test.parallel=1", "-test.timeout", patience.String(), "-test.run", exactly(tests)}, more...)
	cmd := b.command(ctx, suite, args...)
	cmd.Env = append(cmd.Env, envMutants+"="+on)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if ctx.Err() != nil {
		return outcome{}, ctx.Err()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return outcome{}, err
	}
	o := outcome{failed: err != nil, output: out.Bytes()}
	if o.failed {
		o.first, o.sure = firstFailure(o.output)
	}
	return o, nil
}

func exactly(tests []string) string { return "^(" + strings.Join(tests, "|") + ")$" }

var (
	failure = regexp.MustCompile(`(?m)^\s*--- FAIL: ([^\s/]+)`)
	started = regexp.MustCompile(`(?m)^=== RUN   ([^\s/]+)`)
)

// firstFailure is the test that failed or, not surely, the one that was running
// when the program ended.
func firstFailure(output []byte) (name string, sure bool) {
	if m := failure.FindSubmatch(output); m != nil {
		return string(m[1]), true
	}
	all := started.FindAllSubmatch(output, -1)
	if len(all) == 0 {
		return "", false
	}
	return string(all[len(all)-1][1]), false
}
