package main

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
)

// wire is the one HTTP transport of the walk. It notes every exchange, and adds
// the access token to what goes to the MCP server.
//
// mcp-go's client can add headers by itself (transport.WithHTTPHeaderFunc), but
// not to the DELETE with which it ends its session.
type wire struct {
	base     http.RoundTripper
	resource string // the URL that the token is for, and for nothing else

	mu        sync.Mutex
	token     string
	exchanges []exchange
}

// exchange is an HTTP request and what came of it.
type exchange struct {
	method, url string
	message     string // of JSON-RPC: its method, and the tool it names
	status      int
	challenge   string // WWW-Authenticate
}

// use makes token the one that the MCP server is shown from now on.
func (w *wire) use(token string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.token = token
}

// take returns the exchanges since it was called before.
func (w *wire) take() []exchange {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.exchanges
	w.exchanges = nil
	return taken
}

// last is the latest exchange that was not taken yet.
func (w *wire) last() exchange {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.exchanges) == 0 {
		return exchange{}
	}
	return w.exchanges[len(w.exchanges)-1]
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	token := w.token
	w.mu.Unlock()
	if token != "" && r.URL.String() == w.resource {
		r = r.Clone(r.Context()) // a RoundTripper must not change its request
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := w.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.exchanges = append(w.exchanges, exchange{
		method: r.Method, url: r.URL.String(), message: describe(r),
		status: resp.StatusCode, challenge: resp.Header.Get("WWW-Authenticate"),
	})
	return resp, nil
}

// describe says which JSON-RPC message r carries, and "" for none.
func describe(r *http.Request) string {
	if r.GetBody == nil || r.Header.Get("Content-Type") != "application/json" {
		return ""
	}
	body, err := r.GetBody()
	if err != nil {
		return ""
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		return ""
	}
	var message struct {
		Method string `json:"method"`
		Params struct {
			Name string `json:"name"`
		} `json:"params"`
	}
	if json.Unmarshal(raw, &message) != nil {
		return ""
	}
	if message.Params.Name == "" {
		return message.Method
	}
	return message.Method + " " + message.Params.Name
}
