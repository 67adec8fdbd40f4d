package keys_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/keys"
)

// The same with a real server and the client that is used when nobody brings
// one: discovery, first load, rotation.
func TestOverLoopback(t *testing.T) {
	var set atomic.Value
	set.Store(jwks(key("old", "", keyA)))
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	defer srv.Close()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, srv.URL, srv.URL+"/moved")
	})
	mux.Handle("GET /moved", http.RedirectHandler("/keys", http.StatusFound)) // within the origin
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") == "" {
			t.Error("no Accept header")
		}
		fmt.Fprint(w, set.Load())
	})
	s := keys.New(t.Context(), keys.Config{Issuer: srv.URL, MinInterval: 1})
	mustFind(t, s, "old", "ES256", keyA)
	set.Store(jwks(key("new", "", keyB)))
	mustFind(t, s, "new", "ES256", keyB)
	mustRefuse(t, s, "old", "ES256", claims.KeyUnknown)
	if s.Generation() == 0 {
		t.Error("the generation did not grow")
	}
}

// Without a client of its own nobody is asked at a private address.
func TestPrivateAddressIsNotAsked(t *testing.T) {
	for _, address := range []string{"https://10.0.0.7/keys", "https://169.254.169.254/keys", "https://[fd00::7]/keys"} {
		outcome := make(chan keys.Fetched, 1)
		keys.New(t.Context(), keys.Config{Issuer: issuer, JWKSURL: address,
			OnFetch: func(ctx context.Context, _ keys.Trigger) (context.Context, func(keys.Fetched)) {
				return ctx, func(f keys.Fetched) {
					select {
					case outcome <- f:
					default:
					}
				}
			}})
		if f := <-outcome; f.Cause != keys.CauseAddress {
			t.Errorf("%s: %+v", address, f)
		}
	}
}
