package serving_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/emamw/mcp-ema/examples/internal/serving"
)

func TestWithProbes(t *testing.T) {
	loaded := errors.New("not loaded")
	h := serving.WithProbes(http.NotFoundHandler(), func(context.Context) error { return loaded }, "keys are missing")
	status := func(path string) int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/mcp": 404} {
		if got := status(path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	loaded = nil
	if got := status("/readyz"); got != http.StatusOK {
		t.Errorf("/readyz, once ready: %d", got)
	}
}

func TestRun(t *testing.T) {
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := serving.Run(ctx, map[net.Listener]*http.Server{listen(): {}, listen(): {}}); err != nil {
		t.Errorf("ended by its context: %v", err)
	}
	gone := listen()
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	if err := serving.Run(t.Context(), map[net.Listener]*http.Server{listen(): {}, gone: {}}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a listener that is gone: %v", err)
	}
}
