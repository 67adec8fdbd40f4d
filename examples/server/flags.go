package main

import (
	"errors"
	"flag"
	"io"
	"log/slog"
	"strings"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/examples/internal/serving"
	"github.com/emamw/mcp-ema/internal/command"
)

type options struct {
	addr      string
	stateless bool
	sse       bool
	audit     bool
	config    emamw.Config
}

type list = serving.List

// parse reads the flags. Whether they make sense together is for emamw.New to
// say, which reports every mistake at once.
func parse(args []string, stderr io.Writer) (*options, error) {
	var (
		issuers, audiences, base, tenants list
		vars                              list
		transport, preset, file, jwks     string
	)
	o := &options{}
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8080", "address to listen on")
	flags.StringVar(&o.config.Resource, "resource", "http://127.0.0.1:8080/mcp", "this server's identifier: the URL that clients call")
	flags.Var(&issuers, "issuer", "authorization server to trust, repeatable (default http://127.0.0.1:8081)")
	flags.StringVar(&jwks, "jwks-url", "", "where the issuer's keys are (default: discovered; with one issuer only)")
	flags.Var(&audiences, "audience", "audience to accept beside -resource, repeatable")
	flags.Var(&tenants, "tenant", "tenant to accept, repeatable (default: any)")
	flags.StringVar(&preset, "preset", "rfc9068", "how the issuer's tokens read: "+strings.Join(claims.Presets(), ", "))
	flags.Var(&vars, "preset-var", "name=value that the preset needs, such as client=mcp-server for keycloak, repeatable")
	flags.StringVar(&file, "claims", "", "file with a claim mapping in JSON, instead of -preset")
	flags.Var(&base, "base-scope", "scope that every request needs, repeatable")
	flags.BoolVar(&o.config.HideDenied, "hide-denied", false, "leave out of lists what the caller may not use")
	flags.BoolVar(&o.stateless, "stateless", false, "keep no sessions")
	flags.BoolVar(&o.audit, "audit", false, "write one JSON line per decision to standard error, with the reason of each refusal")
	flags.StringVar(&transport, "transport", "streamable", "streamable or sse")
	flags.BoolVar(&o.config.DangerouslyAllowPrivateNetwork, "dangerously-allow-private-network", false, "fetch an issuer's keys from private addresses too")
	if err := command.Parse(flags, args, stderr); err != nil {
		return nil, err
	}
	if transport != "streamable" && transport != "sse" {
		return nil, errors.New("-transport " + transport + ": use streamable or sse")
	}
	mapping, err := mappingOf(preset, vars, file)
	if err != nil {
		return nil, err
	}
	if len(issuers) == 0 {
		issuers = list{"http://127.0.0.1:8081"}
	}
	if jwks != "" && len(issuers) > 1 {
		return nil, errors.New("-jwks-url belongs to one issuer: leave it out, and the keys of each are discovered")
	}
	o.sse = transport == "sse"
	if o.audit {
		o.config.Audit = slog.NewJSONHandler(stderr, nil)
	}
	o.config.BaseScopes = base
	for _, issuer := range issuers {
		o.config.AuthorizationServers = append(o.config.AuthorizationServers, emamw.AuthorizationServer{
			Issuer: issuer, JWKSURL: jwks, Audiences: audiences, Tenants: tenants, Claims: mapping,
		})
	}
	return o, nil
}
