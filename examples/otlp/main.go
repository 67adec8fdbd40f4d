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
	"time"

	"github.com/emamw/mcp-ema/internal/command"
)

func main() { command.Main(run) }

// run is main with its surroundings as arguments. It returns the exit status: 0
// after an interrupt or the last round, 1 when a round did not go as it should, 2
// for flags that make no sense.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if err != nil {
		return command.Fail(stderr, "otlp", 2, err)
	}
	w, err := startWorld(ctx, o.endpoint, stdout)
	if err != nil {
		return command.Fail(stderr, "otlp", 1, err)
	}
	if err := errors.Join(w.repeat(ctx, o), w.close()); err != nil {
		return command.Fail(stderr, "otlp", 1, err)
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
	flags.StringVar(&o.endpoint, "endpoint", "http://127.0.0.1:4318", "base `URL` of an OTLP/HTTP receiver")
	flags.DurationVar(&o.every, "every", 5*time.Second, "pause between two rounds of the client")
	flags.IntVar(&o.rounds, "rounds", 0, "end after this many rounds; 0: on Ctrl-C")
	err := command.Parse(flags, args, stderr)
	if err == nil && (o.every <= 0 || o.rounds < 0) {
		err = errors.New("-every must be positive, and -rounds must not be negative")
	}
	return o, err
}
