// Otlp is the quickstart's world with its telemetry switched on: a guarded MCP
// server and the authorization server that it trusts send traces and metrics to
// an OpenTelemetry collector over OTLP, and print their logs and audit records.
// A client steps up to a wider token, again and again, so that there is
// something to look at:
//
//	go run . -endpoint http://127.0.0.1:4318
//
// The folder grafana holds a dashboard and alert rules for what arrives.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run is main with its surroundings as arguments. It returns the exit status: 0
// after an interrupt or the last round, 1 when a round did not go as it should, 2
// for flags that make no sense.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "otlp:", err)
		return 2
	}
	w, err := startWorld(ctx, o.endpoint, stdout)
	if err != nil {
		fmt.Fprintln(stderr, "otlp:", err)
		return 1
	}
	err = errors.Join(w.repeat(ctx, o), w.close())
	if err != nil {
		fmt.Fprintln(stderr, "otlp:", err)
		return 1
	}
	return 0
}

// repeat lets the client step up until it did so often enough, or ctx ends.
func (w *world) repeat(ctx context.Context, o options) error {
	c := w.newClient()
	pause := time.NewTicker(o.every)
	defer pause.Stop()
	for round := 1; ; round++ {
		if err := c.stepUp(ctx); err != nil && ctx.Err() == nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		if round == o.rounds {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
	}
}

type options struct {
	endpoint string
	every    time.Duration
	rounds   int // 0: until the interrupt
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("otlp", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.endpoint, "endpoint", "http://127.0.0.1:4318", "base `URL` of an OTLP/HTTP receiver")
	flags.DurationVar(&o.every, "every", 5*time.Second, "pause between two rounds of the client")
	flags.IntVar(&o.rounds, "rounds", 0, "end after this many rounds; 0: on Ctrl-C")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(stderr)
		flags.PrintDefaults()
		return o, err
	case err != nil:
		return o, err
	case flags.NArg() > 0:
		return o, errors.New("unexpected argument " + flags.Arg(0) + ": every option is a flag")
	case o.every <= 0, o.rounds < 0:
		return o, errors.New("-every must be positive, and -rounds must not be negative")
	}
	return o, nil
}
