// Bench compares the library with raw cryptography, with doing nothing at all,
// and with its peers, in one process:
//
//	go run ./bench
//
// It prints one table. Times differ from machine to machine and from minute to
// minute, so it measures no times: every figure is a ratio between things that
// ran within the same few milliseconds. See harness.go for how.
//
// The exit status is 0 when every target is met, 1 when one is missed, 2 for
// flags that make no sense, and 3 when the machine was too restless to tell.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/emamw/mcp-ema/internal/command"
)

func main() { command.Main(run) }

type options struct {
	rounds int
	stroke time.Duration
	limit  time.Duration
	only   *regexp.Regexp
	list   bool
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if err != nil {
		return command.Fail(stderr, "bench", 2, err)
	}
	f, err := newFixture(ctx)
	if err != nil {
		return command.Fail(stderr, "bench", 1, err)
	}
	defer f.close()
	all := chosen(rows(f), o.only)
	if o.list {
		for _, r := range all {
			fmt.Fprintf(stdout, "%s / %s\n", r.name, r.base)
		}
		return 0
	}
	began := time.Now()
	if err := measure(ctx, all, o.rounds, o.stroke, o.limit); err != nil {
		return command.Fail(stderr, "bench", 1, err)
	}
	results := judge(all)
	printTable(stdout, results)
	fmt.Fprintf(stdout, "\n%d rounds and more of %v strokes in %v; each interval holds the median with 95 %% confidence.\n",
		o.rounds, o.stroke, time.Since(began).Round(time.Second))
	return exitStatus(results)
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	var only string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.rounds, "rounds", 400, "how often everything is measured at least")
	flags.DurationVar(&o.limit, "limit", 5*time.Minute, "how long to go on with figures that are not sharp after that")
	flags.DurationVar(&o.stroke, "stroke", 200*time.Microsecond, "how long each operation runs in a round, at the least")
	flags.StringVar(&only, "only", "", "regular expression: the rows to measure")
	flags.BoolVar(&o.list, "list", false, "list the rows and measure nothing")
	if err := command.Parse(flags, args, stderr); err != nil {
		return o, err
	}
	var err error
	switch o.only, err = regexp.Compile(only); {
	case err != nil:
		return o, fmt.Errorf("-only: %w", err)
	case o.rounds < fewestRounds:
		return o, fmt.Errorf("-rounds %d: at least %d are needed for an interval", o.rounds, fewestRounds)
	case o.stroke <= 0:
		return o, fmt.Errorf("-stroke %v: must be positive", o.stroke)
	}
	return o, nil
}

// chosen keeps the rows whose name matches, and the null checks that they need.
func chosen(all []*row, only *regexp.Regexp) []*row {
	keep := map[*row]bool{}
	for _, r := range all {
		if only.MatchString(r.name) {
			keep[r], keep[r.null] = true, true
		}
	}
	var some []*row
	for _, r := range all {
		if keep[r] {
			some = append(some, r)
		}
	}
	return some
}
