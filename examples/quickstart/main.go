// Quickstart shows Enterprise-Managed Authorization from end to end, on one
// machine and with nothing else installed:
//
//	go run ./examples/quickstart
//
// It starts a dev identity provider, the authorization server of package idjag
// and a guarded mcp-go server on free loopback ports. Then a real mcp-go client
// walks the whole way from its first 401 to a tool call, is denied another one,
// steps up, and tells every HTTP exchange in a line or two. The exit status is 0
// only if every step came out as it says.
//
// With -serve everything goes on running after the walk, for a client of one's
// own.
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/emamw/mcp-ema/internal/command"
)

func main() { command.Main(run) }

// patience is far more than the walk takes.
const patience = 30 * time.Second

// run is main with its surroundings as arguments. It returns the exit status: 0
// when all went as told, 1 when a step did not, 2 for flags that make no sense.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts, err := parse(args, stderr)
	if err != nil {
		return command.Fail(stderr, "quickstart", 2, err)
	}
	// Warnings only: the narration is what the reader came for.
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	w, err := startWorld(ctx, log)
	if err != nil {
		return command.Fail(stderr, "quickstart", 1, err)
	}
	defer w.close()
	if err := takeWalk(ctx, w, opts.protocol, stdout); err != nil {
		return command.Fail(stderr, "quickstart", 1, err)
	}
	if opts.serve {
		explain(stdout, w)
		<-ctx.Done()
	}
	return 0
}

// takeWalk bounds the walk in time.
func takeWalk(ctx context.Context, w *world, protocol string, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return newWalk(w, protocol, out).run(ctx)
}

type options struct {
	serve    bool
	protocol string // "" leaves it to the client, which prefers the newest
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.BoolVar(&o.serve, "serve", false, "keep everything running after the walk, and print how to use it")
	flags.StringVar(&o.protocol, "protocol", "", "MCP protocol version to speak: "+strings.Join(mcp.ValidProtocolVersions, ", ")+" (default: the client's newest)")
	if err := command.Parse(flags, args, stderr); err != nil {
		return o, err
	}
	if o.protocol != "" && !mcp.IsValidProtocolVersion(o.protocol) {
		return o, errors.New("-protocol " + o.protocol + ": use one of " + strings.Join(mcp.ValidProtocolVersions, ", "))
	}
	return o, nil
}
