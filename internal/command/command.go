// Package command is what the programs of this repository share: the examples,
// and what measures and mutates the library. Each is a function of its
// arguments and streams, so that a test can run it.
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Main runs a program until it ends, or an interrupt ends its context, and exits
// with the status that it returns.
func Main(run func(ctx context.Context, args []string, stdout, stderr io.Writer) int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// Parse reads a command line that has flags and nothing else. Of a word that is
// none, flag.Parse would say nothing: a forgotten hyphen would run something else
// than was asked for. Help goes to stderr, and its error is for [Fail].
func Parse(flags *flag.FlagSet, args []string, stderr io.Writer) error {
	flags.SetOutput(io.Discard) // what is wrong is told in the error, in one line
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(stderr)
		flags.PrintDefaults()
	case err == nil && flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q: every option is a flag", flags.Arg(0))
	}
	return err
}

// Fail says in one line why a program ends, also for a joined error, and returns
// its exit status. Help that was asked for is no failure.
func Fail(stderr io.Writer, name string, status int, err error) int {
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	fmt.Fprintln(stderr, name+":", strings.ReplaceAll(err.Error(), "\n", "; "))
	return status
}
