package main

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/idjag"
)

// devIdP is the identity provider of a trial.
type devIdP struct {
	listener net.Listener
	issuer   string
}

// listenDevIdP takes the identity provider's address and makes this server trust
// it.
func listenDevIdP(o *options) (*devIdP, error) {
	listener, err := net.Listen("tcp", o.devIdPAddr)
	if err != nil {
		return nil, err
	}
	if !isLoopback(listener.Addr()) {
		listener.Close()
		return nil, errors.New("-dev-idp-addr is not a loopback address: the dev identity provider signs in anybody")
	}
	idp := &devIdP{listener: listener, issuer: "http://" + listener.Addr().String()}
	o.config.IdentityProviders = []idjag.IdentityProvider{{Issuer: idp.issuer, Subject: idjag.VerbatimSubject}}
	return idp, nil
}

// handler is the identity provider itself. It knows the clients of this server,
// under the same ids and secrets, and two users: alice may do everything, and
// bob has the first scope only. It panics over what idjag.New refuses, so that
// is asked first.
func (idp *devIdP) handler(o *options) http.Handler {
	var clients []emamwtest.Client
	for _, client := range o.config.Clients {
		clients = append(clients, emamwtest.Client{ID: client.ID, Secret: o.secrets[client.ID]})
	}
	return emamwtest.NewIdP(emamwtest.IdPConfig{
		Issuer: idp.issuer,
		Users: []emamwtest.User{
			{Name: "alice", Email: "alice@example.com", Groups: []string{"engineering", "platform-admins"}},
			{Name: "bob", Email: "bob@example.com", Groups: []string{"engineering"}, Scopes: o.scopes[:1]},
		},
		Clients:   clients,
		Audiences: []emamwtest.Audience{{Issuer: o.issuer, Resources: o.resources, Scopes: o.scopes}},
	})
}

// walkthrough is the commands that lead to an access token, and to the MCP server
// with it. They need nothing but curl and sed.
func (o *options) walkthrough(idp *devIdP) string {
	ids := slices.Sorted(maps.Keys(o.secrets))
	if len(ids) == 0 {
		return "" // no client with a secret
	}
	id := ids[0]
	user := shell(id + ":" + o.secrets[id])
	field := func(name string) string { return ` | sed -n 's/.*"` + name + `":"\([^"]*\)".*/\1/p'` }
	return fmt.Sprintf(`
Sign in at the dev identity provider and get an ID-JAG:

  ID_JAG=$(curl -s -u %[1]s %[2]s/token \
    -d grant_type=urn:ietf:params:oauth:grant-type:token-exchange \
    -d requested_token_type=urn:ietf:params:oauth:token-type:id-jag \
    -d audience=%[3]s -d resource=%[4]s --data-urlencode scope=%[5]s \
    -d subject_token_type=urn:ietf:params:oauth:token-type:id_token \
    -d subject_token=$(curl -s %[2]s/signin -d user=alice -d client_id=%[6]s%[7]s)%[8]s)

Redeem it here for an access token, once:

  TOKEN=$(curl -s -u %[1]s %[3]s/token \
    -d grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer -d assertion=$ID_JAG | tee /dev/stderr%[8]s)

Begin a session at the MCP server with it, once that runs:

  curl -i %[4]s -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '%[9]s'

Further calls carry the Mcp-Session-Id of its answer, or none where the server
runs with -stateless.

`, user, idp.issuer, o.issuer, shell(o.resources[0]), shell(strings.Join(o.scopes, " ")), shell(id), field("id_token"), field("access_token"), initialize)
}

const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"curl","version":"8"}}}`

// shell quotes an argument for a POSIX shell.
func shell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
