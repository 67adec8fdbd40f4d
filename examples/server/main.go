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
	"time"

	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/examples/internal/serving"
	"github.com/emamw/mcp-ema/internal/command"
)

func main() { command.Main(run) }

// run is main with its surroundings as arguments. It returns the exit status: 0
// after an interrupt, 1 when the server cannot run, 2 for flags that make no
// sense.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts, err := parse(args, stderr)
	if err != nil {
		return command.Fail(stderr, "server", 2, err)
	}
	mcp := newMCPServer()
	guard, err := emamw.New(ctx, mcp, opts.config)
	if err != nil {
		return command.Fail(stderr, "server", 2, err)
	}
	listener, err := net.Listen("tcp", opts.addr)
	if err != nil {
		return command.Fail(stderr, "server", 1, err)
	}
	handler := serving.WithProbes(guard.Handler(opts.transport(mcp)), guard.Ready, "the keys of an issuer are not loaded yet")
	fmt.Fprintf(stdout, "server: ready on %s as %s, metadata at %s\n", listener.Addr(), opts.config.Resource, guard.MetadataPath())
	srv := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx }, // so that open streams end
	}
	if err := serving.Run(ctx, map[net.Listener]*http.Server{listener: srv}); err != nil {
		return command.Fail(stderr, "server", 1, err)
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
