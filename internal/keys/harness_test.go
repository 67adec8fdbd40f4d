package keys_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/jose"
	"github.com/emamw/mcp-ema/internal/keys"
)

const (
	issuer  = "https://as.example"
	jwksURL = "https://as.example/keys"
)

// The keys of these tests, made once: keyA and keyB are P-256.
var (
	keyA   = newEC(elliptic.P256())
	keyB   = newEC(elliptic.P256())
	key384 = newEC(elliptic.P384())
	key521 = newEC(elliptic.P521())
	keyRSA = newRSA(2048)
	keyEd  = newEd()
)

func newEC(c elliptic.Curve) crypto.PublicKey {
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		panic(err)
	}
	return k.Public()
}

func newRSA(bits int) crypto.PublicKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return k.Public()
}

func newEd() crypto.PublicKey {
	k, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

func key(kid, alg string, k crypto.PublicKey) jose.PublicKey {
	return jose.PublicKey{ID: kid, Algorithm: alg, Key: k}
}

func jwks(ks ...jose.PublicKey) string {
	b, err := jose.PublicJWKS(ks...)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// A remote stands for the network: it answers by script and notes who asked when.
type remote struct {
	mu     sync.Mutex
	answer func(*http.Request) (*http.Response, error)
	asked  []time.Time
	urls   []string
}

func (r *remote) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.asked = append(r.asked, time.Now())
	r.urls = append(r.urls, req.URL.String())
	answer := r.answer
	r.mu.Unlock()
	resp, err := answer(req)
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}

func (r *remote) script(answer func(*http.Request) (*http.Response, error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func (r *remote) serve(ks ...jose.PublicKey) { r.script(body(200, jwks(ks...))) }

func (r *remote) calls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.asked)
}

func (r *remote) times() []time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]time.Time(nil), r.asked...)
}

func (r *remote) addresses() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.urls...)
}

func respond(status int, rc io.ReadCloser, size int64, header ...string) *http.Response {
	h := make(http.Header)
	for i := 0; i+1 < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h, Body: rc, ContentLength: size}
}

func body(status int, text string, header ...string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		return respond(status, io.NopCloser(strings.NewReader(text)), int64(len(text)), header...), nil
	}
}

func hang(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

var errDown = errors.New("remote: secret-remote-text: connection refused")

func down(*http.Request) (*http.Response, error) { return nil, errDown }

// A tally observes fetches.
type tally struct {
	mu       sync.Mutex
	triggers []keys.Trigger
	outcomes []keys.Fetched
}

func (o *tally) observe(ctx context.Context, trigger keys.Trigger) (context.Context, func(keys.Fetched)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.triggers = append(o.triggers, trigger)
	return ctx, func(f keys.Fetched) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.outcomes = append(o.outcomes, f)
	}
}

func (o *tally) last(t *testing.T) (keys.Trigger, keys.Fetched) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.outcomes) == 0 || len(o.triggers) != len(o.outcomes) {
		t.Fatalf("%d fetches began, %d ended", len(o.triggers), len(o.outcomes))
	}
	return o.triggers[len(o.triggers)-1], o.outcomes[len(o.outcomes)-1]
}

// bubble runs a test on a clock of its own, in which nothing sleeps for real. It
// fails when a goroutine is left at the end.
func bubble(t *testing.T, test func(t *testing.T, r *remote)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, &remote{}) })
}

func config(r *remote) keys.Config {
	return keys.Config{Issuer: issuer, JWKSURL: jwksURL, Client: &http.Client{Transport: r}}
}

// loaded returns a set that has made its first fetch.
func loaded(t *testing.T, r *remote, change func(*keys.Config)) *keys.Set {
	t.Helper()
	cfg := config(r)
	if change != nil {
		change(&cfg)
	}
	s := keys.New(t.Context(), cfg)
	synctest.Wait()
	if err := s.Ready(t.Context()); err != nil {
		t.Fatalf("Ready: %v", err)
	}
	return s
}

func mustFind(t *testing.T, s *keys.Set, kid, alg string, want crypto.PublicKey) {
	t.Helper()
	got, err := s.Key(t.Context(), kid, alg)
	if err != nil {
		t.Fatalf("after %v: key %q refused: %v", since(), kid, err)
	}
	if !want.(interface{ Equal(crypto.PublicKey) bool }).Equal(got) {
		t.Fatalf("key %q is another key", kid)
	}
}

func mustRefuse(t *testing.T, s *keys.Set, kid, alg string, want claims.Reason) {
	t.Helper()
	_, err := s.Key(t.Context(), kid, alg)
	if got := reason(err); got != want {
		t.Fatalf("after %v: key %q: %v (%v), want %v", since(), kid, got, err, want)
	}
}

func reason(err error) claims.Reason {
	var e *keys.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Reason
}

// since is the age of the bubble: its clock starts at midnight UTC, 2000-01-01.
func since() time.Duration {
	return time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
}

// endless is a body without end, which counts what is read of it.
type endless struct {
	mu    sync.Mutex
	read  int
	ended bool
}

func (e *endless) Read(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.read += len(p)
	copy(p, bytes.Repeat([]byte{' '}, len(p)))
	return len(p), nil
}

func (e *endless) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended = true
	return nil
}

// stuck is a body that never comes, and ends only when it is closed.
type stuck struct {
	once sync.Once
	end  chan struct{}
}

func newStuck() *stuck { return &stuck{end: make(chan struct{})} }

func (s *stuck) Read([]byte) (int, error) {
	<-s.end
	return 0, io.ErrClosedPipe
}

func (s *stuck) Close() error {
	s.once.Do(func() { close(s.end) })
	return nil
}
