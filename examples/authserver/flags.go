package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/emamw/mcp-ema/examples/internal/serving"
	"github.com/emamw/mcp-ema/idjag"
	"github.com/emamw/mcp-ema/internal/command"
)

// What a trial uses unless it is told otherwise. The secret says what it is
// good for.
const (
	trialResource = "http://127.0.0.1:8080/mcp"
	trialClient   = "trial-client"
	trialSecret   = "trial-secret-never-in-production"
)

var trialScopes = list{"files:read", "files:write", "files:admin", "reports:run"}

type options struct {
	addr, issuer, devIdPAddr string
	keyFile, nextKeyFile     string
	previousKeyFiles         list
	policyFile               string

	idps, resources, scopes, tenants list
	clients, clientHashes            list
	publicClients                    list
	clientKeys, groupScopes          list
	jwksURL                          string
	audit                            bool
	ephemeral                        bool // no key file was given

	secrets map[string]string // of the clients, for the trial's identity provider
	config  idjag.Config
}

type list = serving.List

func (o *options) flags() *flag.FlagSet {
	f := flag.NewFlagSet("authserver", flag.ContinueOnError)
	f.StringVar(&o.addr, "addr", "127.0.0.1:8081", "address to listen on")
	f.StringVar(&o.issuer, "issuer", "", "this server's identifier (default: http and the address, on loopback)")
	f.Var(&o.idps, "idp", "issuer whose ID-JAGs are redeemed, repeatable (default: a dev identity provider, which signs in anybody)")
	f.StringVar(&o.jwksURL, "jwks-url", "", "where the keys of -idp are (default: discovered; with one -idp only)")
	f.Var(&o.tenants, "tenant", "tenant that -idp may speak for, repeatable (default: it serves one customer)")
	f.Var(&o.resources, "resource", "MCP server that tokens are for, repeatable (default "+trialResource+")")
	f.Var(&o.scopes, "scope", "scope of the resources, repeatable (default "+trialScopes.String()+")")
	f.Var(&o.clients, "client", "client as id:secret, repeatable (default in a trial: "+trialClient+":"+trialSecret+")")
	f.Var(&o.clientHashes, "client-hash", "client as id=hash, repeatable, with the hash that idjag.HashSecret makes: a secret in -client shows in the list of processes")
	f.Var(&o.clientKeys, "client-keys", "client that signs (private_key_jwt) as id=URL of its JWK set, repeatable")
	f.Var(&o.publicClients, "dangerously-public-client", "client that does not authenticate, repeatable: whoever has an ID-JAG for it can redeem it")
	f.Var((*list)(&o.config.ClientDocuments.Origins), "client-documents", "origin whose client metadata documents are accepted, repeatable")
	f.BoolVar(&o.config.ClientDocuments.DangerouslyPublic, "dangerously-public-documents", false, "accept documents of clients that do not authenticate")
	f.Var(&o.groupScopes, "group-scopes", "group=scope,scope: what the members of a group may have, repeatable (default: what the ID-JAG says)")
	f.StringVar(&o.policyFile, "policy", "", "file with a policy in JSON, instead of -group-scopes; read again on SIGHUP")
	f.StringVar(&o.keyFile, "key", "", "file with the signing key: PEM, PKCS #8, mode 0600 (default on loopback: a key for this run only)")
	f.StringVar(&o.nextKeyFile, "next-key", "", "file with the key that is announced and not used yet")
	f.Var(&o.previousKeyFiles, "previous-key", "file with a key that was replaced, repeatable; key files are read again on SIGHUP")
	f.DurationVar(&o.config.TokenLifetime, "token-lifetime", 10*time.Minute, "how long access tokens live")
	f.Var((*list)(&o.config.AllowedOrigins), "origin", "web origin whose scripts may call the token endpoint, repeatable")
	f.BoolVar(&o.audit, "audit", false, "write one JSON line per redemption to standard error")
	f.BoolVar(&o.config.DangerouslyAllowHTTP, "dangerously-allow-http", false, "accept http URLs outside loopback")
	f.BoolVar(&o.config.DangerouslyAllowPrivateNetwork, "dangerously-allow-private-network", false, "fetch keys from private addresses too")
	f.StringVar(&o.devIdPAddr, "dev-idp-addr", "127.0.0.1:8082", "loopback address of the dev identity provider")
	return f
}

// parse reads the flags and judges those that idjag.New does not see.
func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{secrets: map[string]string{}}
	if err := command.Parse(o.flags(), args, stderr); err != nil {
		return nil, err
	}
	if o.jwksURL != "" && len(o.idps) != 1 {
		return nil, errors.New("-jwks-url belongs to one -idp: leave it out, and the keys of each are discovered")
	}
	if o.policyFile != "" && len(o.groupScopes) > 0 {
		return nil, errors.New("-policy and -group-scopes: keep one of the two")
	}
	o.config.Logger = slog.New(slog.NewTextHandler(stderr, nil))
	if o.audit {
		o.config.Audit = slog.NewJSONHandler(stderr, nil)
	}
	for _, step := range []func() error{o.setResources, o.setClients, o.setGroupScopes, o.setPolicy} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// trial reports whether there is no identity provider but our own.
func (o *options) trial() bool { return len(o.idps) == 0 }

func (o *options) setResources() error {
	if len(o.resources) == 0 {
		o.resources = list{trialResource}
	}
	if len(o.scopes) == 0 {
		o.scopes = trialScopes
	}
	for _, id := range o.resources {
		o.config.Resources = append(o.config.Resources, idjag.Resource{ID: id, Scopes: o.scopes})
	}
	return nil
}

func (o *options) setClients() error {
	if o.trial() && len(o.clients)+len(o.clientHashes)+len(o.clientKeys)+len(o.publicClients) == 0 {
		o.clients = list{trialClient + ":" + trialSecret}
	}
	for _, client := range o.clients {
		// The last colon: a client_id may be a URL, and has colons then.
		at := strings.LastIndexByte(client, ':')
		if at < 1 || at == len(client)-1 {
			return errors.New("-client: use id:secret, with a secret that holds no colon")
		}
		id, secret := client[:at], client[at+1:]
		o.secrets[id] = secret
		o.config.Clients = append(o.config.Clients, idjag.Client{ID: id, SecretHashes: []string{idjag.HashSecret(secret)}})
	}
	for _, client := range o.clientHashes {
		at := strings.LastIndexByte(client, '=') // a client_id that is a URL may have others
		if at < 1 || at == len(client)-1 {
			return errors.New("-client-hash: use id=hash, with the hash that idjag.HashSecret makes")
		}
		o.config.Clients = append(o.config.Clients, idjag.Client{ID: client[:at], SecretHashes: []string{client[at+1:]}})
	}
	for _, client := range o.clientKeys {
		id, address, ok := strings.Cut(client, "=")
		if !ok || id == "" || address == "" {
			return fmt.Errorf("-client-keys %q: use id=URL", client)
		}
		o.config.Clients = append(o.config.Clients, idjag.Client{ID: id, JWKSURL: address})
	}
	for _, id := range o.publicClients {
		o.config.Clients = append(o.config.Clients, idjag.Client{ID: id, DangerouslyPublic: true})
	}
	return nil
}

func (o *options) setGroupScopes() error {
	for _, given := range o.groupScopes {
		// The last sign: a group may be a distinguished name, and has some then.
		at := strings.LastIndexByte(given, '=')
		if at < 1 || at == len(given)-1 {
			return fmt.Errorf("-group-scopes %q: use group=scope,scope", given)
		}
		if o.config.GroupScopes == nil {
			o.config.GroupScopes = map[string][]string{}
		}
		group := given[:at]
		for scope := range strings.SplitSeq(given[at+1:], ",") {
			o.config.GroupScopes[group] = append(o.config.GroupScopes[group], scope)
		}
	}
	return nil
}

func (o *options) setPolicy() (err error) {
	o.config.Policy, err = o.readPolicy()
	return err
}

func (o *options) readPolicy() (*idjag.Policy, error) {
	if o.policyFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(o.policyFile)
	if err != nil {
		return nil, fmt.Errorf("-policy: %w", err)
	}
	policy, err := idjag.ParsePolicy(text)
	if err != nil {
		return nil, fmt.Errorf("-policy %s: %w", o.policyFile, err)
	}
	return policy, nil
}

// settle fills in what depends on the address that the server got.
func (o *options) settle(addr net.Addr) error {
	loopback := isLoopback(addr)
	switch {
	case o.issuer == "" && !loopback:
		return errors.New("-issuer is needed when -addr is not a loopback address: give the https URL that clients call")
	case o.issuer == "":
		o.issuer = "http://" + addr.String()
	}
	if o.trial() && !loopback {
		return errors.New("-idp is needed when -addr is not a loopback address: the dev identity provider signs in anybody")
	}
	if o.keyFile == "" && !loopback {
		return errors.New("-key is needed when -addr is not a loopback address: with a key for this run only, every token dies with it")
	}
	keys, err := o.readKeys()
	if err != nil {
		return err
	}
	o.config.Issuer, o.config.Keys = o.issuer, keys
	// One provider with one tenant: its users keep the names they have there.
	subject := idjag.HashedSubject
	if len(o.idps) <= 1 && len(o.tenants) <= 1 {
		subject = idjag.VerbatimSubject
	}
	for _, issuer := range o.idps {
		o.config.IdentityProviders = append(o.config.IdentityProviders, idjag.IdentityProvider{
			Issuer: issuer, JWKSURL: o.jwksURL, Tenants: o.tenants, Subject: subject,
		})
	}
	return nil
}

func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// ready is the one line that says that the server runs, and what it runs on.
func (o *options) ready(addr net.Addr, idp *devIdP) string {
	line := fmt.Sprintf("authserver: ready on %s as %s", addr, o.issuer)
	if o.ephemeral {
		line += ", signing with a key for this run only"
	}
	if idp != nil {
		line += ", with a dev identity provider at " + idp.issuer + " that signs in anybody"
	}
	return line
}
