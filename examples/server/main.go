// Server is a small MCP server behind the guard, configured by flags, to try
// against one's own identity provider and authorization server. Without flags
// it fits together with examples/authserver on loopback:
//
//	go run ./examples/authserver
//	go run ./examples/server
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/examples/internal/serving"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main with its surroundings as arguments. It returns the exit status: 0
// after an interrupt, 1 when the server cannot run, 2 for flags that make no
// sense.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts, err := parse(args, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "server:", serving.OneLine(err))
		return 2
	}
	mcp := newMCPServer()
	guard, err := emamw.New(ctx, mcp, opts.config)
	if err != nil {
		fmt.Fprintln(stderr, "server:", serving.OneLine(err))
		return 2
	}
	listener, err := net.Listen("tcp", opts.addr)
	if err != nil {
		fmt.Fprintln(stderr, "server:", err)
		return 1
	}
	handler := serving.WithProbes(guard.Handler(opts.transport(mcp)), guard.Ready, "the keys of an issuer are not loaded yet")
	fmt.Fprintf(stdout, "server: ready on %s as %s, metadata at %s\n", listener.Addr(), opts.config.Resource, guard.MetadataPath())
	srv := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx }, // so that open streams end
	}
	if err := serving.Run(ctx, map[net.Listener]*http.Server{listener: srv}); err != nil {
		fmt.Fprintln(stderr, "server:", serving.OneLine(err))
		return 1
	}
	return 0
}

// transport is the transport that the flags ask for.
func (o *options) transport(mcp *server.MCPServer) http.Handler {
	if o.sse {
		return server.NewSSEServer(mcp)
	}
	return server.NewStreamableHTTPServer(mcp, server.WithStateLess(o.stateless))
}
