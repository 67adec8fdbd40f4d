// Mutation takes each security check of the library out, one at a time, and
// shows that a named test notices:
//
//	go run ./mutation            # check testdata/killers.tsv
//	go run ./mutation -discover  # find tests for what is new, and rewrite it
//
// No file of the repository is touched. The sources are parsed, each check is
// given a switch ("if cond" becomes "if !on(17) && cond"), and the go command
// reads the switched files through an overlay. So the tests are built once, and
// a mutant costs one run of one test.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/emamw/mcp-ema/internal/command"
)

func main() { command.Main(run) }

type options struct {
	root, tables string
	discover     bool
	all          bool
	workers      int
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if err != nil {
		return command.Fail(stderr, "mutation", 2, err)
	}
	dir, err := os.MkdirTemp("", "mutation")
	if err != nil {
		return command.Fail(stderr, "mutation", 1, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := mutate(ctx, o, dir, stdout); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("mutation", flag.ContinueOnError)
	flags.StringVar(&o.root, "root", "..", "the library's folder")
	flags.StringVar(&o.tables, "tables", "mutation/testdata", "the folder of the tables")
	flags.BoolVar(&o.discover, "discover", false, "find tests for mutants that have none, and rewrite the table")
	flags.BoolVar(&o.all, "all", false, "with -discover: look again at all that is in the table")
	flags.IntVar(&o.workers, "workers", 2, "how many test programs run at a time")
	return o, command.Parse(flags, args, stderr)
}

func mutate(ctx context.Context, o options, dir string, stdout io.Writer) error {
	root, err := filepath.Abs(o.root)
	if err != nil {
		return err
	}
	mutants, sources, err := find(root, packages)
	if err != nil {
		return err
	}
	table, err := readTable(filepath.Join(o.tables, "killers.tsv"))
	if err != nil {
		return err
	}
	if !o.discover {
		if err := compare(mutants, table); err != nil {
			return err
		}
	}
	b, err := newBed(ctx, root, dir, o.workers, mutants, sources)
	if err != nil {
		return err
	}
	if o.discover {
		return b.rewrite(ctx, o, table, stdout)
	}
	return b.prove(ctx, o, table, stdout)
}

// prove checks all tables.
func (b *bed) prove(ctx context.Context, o options, table map[string]row, stdout io.Writer) error {
	reasons, err := knownReasons(b.root)
	if err != nil {
		return err
	}
	cuts, err := readCuts(filepath.Join(o.tables, "cuts.tsv"), b.mutants)
	if err != nil {
		return err
	}
	backed, err := readBacked(filepath.Join(o.tables, "backed.tsv"))
	if err != nil {
		return err
	}
	err = errors.Join(b.check(ctx, table), b.everyCase(ctx, cuts, backed, reasons), everyReason(reasons, b.mutants, table))
	if err != nil {
		return err
	}
	unnoticed, open := 0, 0
	for _, r := range table {
		switch {
		case strings.HasPrefix(r.why, openMark):
			open++
		case r.killer == "":
			unnoticed++
		}
	}
	fmt.Fprintf(stdout, "%d checks taken out in turn: a named test notices %d, %d make no difference that a test could see, and %d have no test yet. "+
		"Every reason and every case of %v is among them.\n",
		len(table), len(table)-unnoticed-open, unnoticed, open, corpora)
	return nil
}

// rewrite makes the tables anew.
func (b *bed) rewrite(ctx context.Context, o options, table map[string]row, stdout io.Writer) error {
	reasons, err := knownReasons(b.root)
	if err != nil {
		return err
	}
	cuts, err := readCuts(filepath.Join(o.tables, "cuts.tsv"), b.mutants)
	if err != nil {
		return err
	}
	r, err := b.survey(ctx)
	if err != nil {
		return err
	}
	err = b.discover(ctx, table, r, o.all, stdout)
	// What was found is kept, also when somebody lost patience.
	if err := errors.Join(err, writeTable(filepath.Join(o.tables, "killers.tsv"), b.mutants, table)); err != nil {
		return err
	}
	cuts, err = b.discoverCuts(ctx, cuts, r, reasons)
	if err != nil {
		return err
	}
	return writeCuts(filepath.Join(o.tables, "cuts.tsv"), cuts)
}
