// Package serving is what the example servers have in common and what has
// nothing to do with authorization: flags that may be repeated, probes, and an
// orderly end.
package serving

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"
)

// List is a flag that may be repeated.
type List []string

func (l *List) String() string { return strings.Join(*l, " ") }

// Set adds a value.
func (l *List) Set(value string) error {
	if value == "" {
		return errors.New("must not be empty")
	}
	*l = append(*l, value)
	return nil
}

// WithProbes adds what an orchestrator asks for: /healthz, and /readyz, which
// answers with notReady while ready returns an error.
func WithProbes(next http.Handler, ready func(context.Context) error, notReady string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", next)
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		wait, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		if ready(wait) != nil {
			http.Error(w, notReady, http.StatusServiceUnavailable)
		}
	})
	return mux
}

// Run serves until ctx ends or one of the servers fails. Requests that are being
// answered are waited for, for five seconds; a server whose streams would hold
// that up ends them itself, by a BaseContext that ends with ctx.
func Run(ctx context.Context, servers map[net.Listener]*http.Server) error {
	failed := make(chan error, len(servers))
	for listener, srv := range servers {
		go func() { failed <- srv.Serve(listener) }()
	}
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, srv := range servers {
		if end := srv.Shutdown(grace); !errors.Is(end, context.DeadlineExceeded) {
			err = errors.Join(err, end)
		}
	}
	return err
}
