package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// A row says which test notices a mutant, or why none can.
type row struct {
	killer string // package.Test, or "" when none
	why    string
}

const (
	noKiller = "-"

	// openMark begins the reason of a check that could be tested and is not yet.
	openMark = "open"
)

const tableHead = "# Which test notices when a check is taken out. Made by `go run ./mutation -discover`; a reason at \"-\" is written by hand.\n" +
	"# package\tfunction\tchange\tcheck\tordinal\ttest\twhy no test can notice\n"

// readTable reads the committed table: name of a mutant -> its row.
func readTable(path string) (map[string]row, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]row{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	table := map[string]row{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		cells := strings.Split(lines.Text(), "\t")
		if len(cells) != 7 {
			return nil, fmt.Errorf("mutation: %s:%d: %d cells, want 7", path, n, len(cells))
		}
		name := strings.Join(cells[:5], "\t")
		if _, twice := table[name]; twice {
			return nil, fmt.Errorf("mutation: %s:%d: the mutant has a row already", path, n)
		}
		r := row{killer: cells[5], why: cells[6]}
		if r.killer == noKiller {
			r.killer = ""
		}
		table[name] = r
	}
	return table, lines.Err()
}

// writeTable writes the rows of the mutants there are, in the order of their
// names.
func writeTable(path string, mutants []*mutant, table map[string]row) error {
	var b strings.Builder
	b.WriteString(tableHead)
	names := make([]string, len(mutants))
	for i, m := range mutants {
		names[i] = m.name()
	}
	slices.Sort(names)
	for _, name := range names {
		r := table[name]
		if r.killer == "" {
			r.killer = noKiller
		}
		b.WriteString(name + "\t" + r.killer + "\t" + r.why + "\n")
	}
	return os.WriteFile(path, []byte(b.String()), 0o600)
}
