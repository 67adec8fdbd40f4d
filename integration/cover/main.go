// Cover holds each package to the share of statements that its tests run:
//
//	go test -coverprofile=root.out ./...
//	cd integration && go run ./cover ../root.out
//
// It reads the profiles of "go test -coverprofile", and names every statement
// that was not run in a package below its bar.
package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

const module = "github.com/emamw/mcp-ema"

// bars are percentages of statements. Below 100 there is room for what cannot be
// reached today and stands behind another check; where a decision is made, there
// is none. The contract tests of stores are lower: half of them are the messages
// to stores that break the contract. So is what is internal and decides nothing,
// and is run by the tests of its users, too.
var bars = map[string]float64{
	"claims":                    95,
	"emamw":                     95,
	"emamwtest":                 95,
	"idjag":                     95,
	"idjag/replaytest":          90,
	"internal/challenge":        100,
	"internal/command":          70,
	"internal/discovery":        90,
	"internal/jose":             100,
	"internal/keys":             90,
	"internal/pagetest":         85,
	"internal/telemetry":        90,
	"redisstore":                95,
	"revocation":                95,
	"revocation/revocationtest": 85,
	"scopes":                    100,
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run returns the exit status: 1 where a package is below its bar or was not
// measured, 2 where a profile cannot be read.
func run(paths []string, stdout, stderr io.Writer) int {
	if len(paths) == 0 {
		fmt.Fprintln(stderr, "usage: cover PROFILE...")
		return 2
	}
	measured := profile{}
	for _, path := range paths {
		if err := measured.read(path); err != nil {
			fmt.Fprintln(stderr, err)
			return 2
		}
	}
	low := false
	for _, pkg := range packages(measured) {
		if !judge(stdout, pkg, measured[pkg]) {
			low = true
		}
	}
	if low {
		return 1
	}
	return 0
}

// packages are those to judge, sorted: what has a bar, and what was measured.
// Programs show how the library is used, and redistest starts the server that the
// tests of redisstore need; where there is none, they cannot be measured either.
func packages(measured profile) (names []string) {
	for name := range bars {
		if _, found := measured[name]; found || name != "redisstore" {
			names = append(names, name)
		}
	}
	for name := range measured {
		_, barred := bars[name]
		if !barred && !strings.HasPrefix(name, "examples/") && name != "redisstore/redistest" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// judge writes one line for a package, and one for each statement that was not
// run where they are too many.
func judge(out io.Writer, pkg string, blocks map[string]block) bool {
	var run, all int
	var missed []string
	for at, b := range blocks {
		all += b.statements
		switch {
		case b.ran:
			run += b.statements
		case b.statements > 0:
			missed = append(missed, at)
		}
	}
	bar, barred := bars[pkg]
	if !barred {
		fmt.Fprintf(out, "%-26s has no bar: give it one in this program\n", pkg)
		return false
	}
	if all == 0 {
		fmt.Fprintf(out, "%-26s was not measured\n", pkg)
		return false
	}
	share := 100 * float64(run) / float64(all)
	fmt.Fprintf(out, "%-26s %5.1f %% of %d statements, at least %v %%\n", pkg, share, all, bar)
	if share >= bar {
		return true
	}
	slices.Sort(missed)
	fmt.Fprintf(out, "  not run:\n  %s\n", strings.Join(missed, "\n  "))
	return false
}
