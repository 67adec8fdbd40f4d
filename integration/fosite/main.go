// Command fosite is an OpenID provider made with github.com/ory/fosite, for tests
// of programs that verify its access tokens. It signs in whoever the login_hint
// names, without a password and without asking for consent.
//
// Its argument is the configuration in JSON: see config. It prints one line,
// {"issuer": …}, when it is ready, and ends when its standard input does, so that
// it never outlives the test.
//
// It is a module of its own, because fosite requires more than all the rest of
// the tests do.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

type config struct {
	Address   string   `json:"address"`  // to listen on; default: any port
	Path      string   `json:"path"`     // of the issuer
	Metadata  []string `json:"metadata"` // paths that answer with it; default: that of RFC 8414
	Client    client   `json:"client"`
	Audiences []string `json:"audiences"` // that the client may ask for

	Scopes   string `json:"scopes"`    // "list", "string" or "both"; default: fosite's, which is a list
	NoIssuer bool   `json:"no_iss"`    // leave fosite's default for iss, which is none
	NoKeyID  bool   `json:"no_kid"`    // sign with a bare key, which has no kid
	Seconds  int    `json:"seconds"`   // that access tokens live; default: fosite's, an hour
	ClientID bool   `json:"client_id"` // put it into access tokens
	Type     string `json:"typ"`       // of access tokens; default: fosite's, JWT
}

type client struct {
	ID       string `json:"id"`
	Secret   string `json:"secret"`
	Redirect string `json:"redirect"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "fosite:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return errors.New("usage: fosite CONFIG, a JSON object")
	}
	var c config
	if err := json.Unmarshal([]byte(os.Args[1]), &c); err != nil {
		return err
	}
	if c.Address == "" {
		c.Address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", c.Address)
	if err != nil {
		return err
	}
	p, err := newProvider(&c, "http://"+listener.Addr().String()+c.Path)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: p.handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	if err := json.NewEncoder(os.Stdout).Encode(map[string]string{"issuer": p.issuer}); err != nil {
		return err
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
