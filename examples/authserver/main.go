// Authserver is a resource authorization server, configured by flags: it redeems
// the ID-JAGs of an identity provider for access tokens to MCP servers. Without
// flags it brings an identity provider of its own, for a trial on loopback that
// fits together with examples/server:
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

	"github.com/emamw/mcp-ema/examples/internal/serving"
	"github.com/emamw/mcp-ema/idjag"
	"github.com/emamw/mcp-ema/internal/command"
)

func main() { command.Main(run) }

// run is main with its surroundings as arguments. It returns the exit status: 0
// after an interrupt, 1 when the server cannot run, 2 for flags that make no
// sense.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts, err := parse(args, stderr)
	if err != nil {
		return fail(stderr, 2, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Listening comes first: with port 0 the issuer is only known then.
	listener, err := net.Listen("tcp", opts.addr)
	if err != nil {
		return fail(stderr, 1, err)
	}
	defer listener.Close()
	if err := opts.settle(listener.Addr()); err != nil {
		return fail(stderr, 2, err)
	}
	var idp *devIdP
	if opts.trial() {
		if idp, err = listenDevIdP(opts); err != nil {
			return fail(stderr, 1, err)
		}
		defer idp.listener.Close()
	}
	as, err := idjag.New(ctx, opts.config)
	if err != nil {
		return fail(stderr, 2, err)
	}
	handler := serving.WithProbes(as, as.Ready, "the keys of an identity provider are not loaded yet")
	servers := map[net.Listener]*http.Server{listener: {Handler: handler, ReadTimeout: 30 * time.Second}}
	if idp != nil {
		servers[idp.listener] = &http.Server{Handler: idp.handler(opts), ReadTimeout: 30 * time.Second}
	}
	reloadOnHangup(ctx, as, opts, stderr)
	fmt.Fprintln(stdout, opts.ready(listener.Addr(), idp))
	if idp != nil {
		fmt.Fprint(stdout, opts.walkthrough(idp))
	}
	if err := serving.Run(ctx, servers); err != nil {
		return fail(stderr, 1, err)
	}
	return 0
}

func fail(stderr io.Writer, status int, err error) int {
	return command.Fail(stderr, "authserver", status, err)
}
