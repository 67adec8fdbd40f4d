package idjag_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/idjag"
	"github.com/emamw/mcp-ema/internal/jose"
)

// The names that most tests share.
const (
	ownIssuer  = "https://auth.example.com"
	idpIssuer  = "https://idp.example.com"
	resourceID = "https://mcp.example.com/mcp"
	otherMCP   = "https://mcp.example.com/other"
	clientID   = "mcp-client"
	secret     = "5f2d8c6b1e0947a3b8d1c2e3f4a59687"
	grantType  = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

// begin is the time at which every test starts.
var begin = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// A clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// signKey is a key with its name.
type signKey struct {
	id  string
	alg string
	key crypto.Signer
}

func newKey(id string) signKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return signKey{id: id, alg: "ES256", key: key}
}

func newRSAKey(id string) signKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return signKey{id: id, alg: "RS256", key: key}
}

func (k signKey) sign(input []byte) []byte {
	sum := sha256.Sum256(input)
	if key, ok := k.key.(*ecdsa.PrivateKey); ok {
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			panic(err)
		}
		raw := make([]byte, 64)
		r.FillBytes(raw[:32])
		s.FillBytes(raw[32:])
		return raw
	}
	raw, err := k.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		panic(err)
	}
	return raw
}

func jwks(keys ...signKey) []byte {
	var public []jose.PublicKey
	for _, k := range keys {
		public = append(public, jose.PublicKey{ID: k.id, Algorithm: k.alg, Key: k.key.Public()})
	}
	raw, err := jose.PublicJWKS(public...)
	if err != nil {
		panic(err)
	}
	return raw
}

// A network answers HTTP requests without sockets, by URL.
type network struct {
	mu      sync.Mutex
	answers map[string]http.HandlerFunc
	asked   map[string]int
}

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	n.asked[r.URL.String()]++
	answer := n.answers[r.URL.String()]
	n.mu.Unlock()
	if answer == nil {
		answer = http.NotFound
	}
	w := httptest.NewRecorder()
	answer(w, r)
	response := w.Result()
	response.Request = r
	return response, nil
}

func (n *network) set(url string, answer http.HandlerFunc) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answers[url] = answer
}

func (n *network) serve(url string, body []byte) {
	n.set(url, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})
}

func (n *network) count(url string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked[url]
}

// A world is a server with an identity provider beside it.
type world struct {
	*idjag.Server
	t      *testing.T
	clock  *clock
	net    *network
	idp    signKey
	audits *recorder
	logs   *logbook
}

// newWorld starts a server with one identity provider, client and resource, as
// far as change does not change it.
func newWorld(t *testing.T, change func(w *world, cfg *idjag.Config)) *world {
	t.Helper()
	w := &world{
		t: t, clock: &clock{now: begin}, idp: idpKey, audits: &recorder{}, logs: &logbook{},
		net: &network{answers: make(map[string]http.HandlerFunc), asked: make(map[string]int)},
	}
	w.net.serve(idpIssuer+"/jwks", jwks(w.idp))
	cfg := w.config()
	if change != nil {
		change(w, &cfg)
	}
	server, err := idjag.New(t.Context(), cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	w.Server = server
	return w
}

// Making keys is slow, and no test changes them.
var (
	idpKey    = newKey("idp-1")
	clientKey = newKey("client-1")
)

func (w *world) config() idjag.Config {
	return idjag.Config{
		Issuer:            ownIssuer,
		Resources:         []idjag.Resource{{ID: resourceID, Scopes: []string{"files:read", "files:write", "files:admin"}}},
		IdentityProviders: []idjag.IdentityProvider{{Issuer: idpIssuer, JWKSURL: idpIssuer + "/jwks"}},
		Clients:           []idjag.Client{{ID: clientID, SecretHashes: []string{idjag.HashSecret(secret)}}},
		Keys:              idjag.Keys{Current: idjag.DangerouslyEphemeralKey()},
		HTTPClient:        &http.Client{Transport: w.net},
		Now:               w.clock.Now,
		Logger:            slog.New(slog.NewTextHandler(w.logs, nil)),
		Audit:             w.audits,
	}
}

type claimSet = map[string]any

// claims are those of an ID-JAG that the server redeems.
func (w *world) claims() claimSet {
	now := w.clock.Now().Unix()
	return claimSet{
		"iss": idpIssuer, "sub": "00u1alice", "aud": ownIssuer, "client_id": clientID,
		"jti": rand.Text(), "iat": now, "exp": now + 300,
		"resource": resourceID, "scope": "files:read files:write",
	}
}

// mint returns an ID-JAG, after change.
func (w *world) mint(change func(header, claims claimSet)) string {
	header := claimSet{"typ": "oauth-id-jag+jwt", "alg": w.idp.alg, "kid": w.idp.id}
	claims := w.claims()
	if change != nil {
		change(header, claims)
	}
	return jose.Encode(header, marshal(claims), w.idp.sign)
}

// with returns a change of claims: nil takes one away.
func with(changes claimSet) func(header, claims claimSet) {
	return func(_, claims claimSet) {
		for name, value := range changes {
			if value == nil {
				delete(claims, name)
				continue
			}
			claims[name] = value
		}
	}
}

func marshal(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

// An answer is what came back.
type answer struct {
	status int
	header http.Header
	raw    string
	body   claimSet
	claims claimSet // of the access token
}

func (a answer) code() string { s, _ := a.body["error"].(string); return s }

// send sends a request to the server.
func (w *world) send(r *http.Request) answer {
	w.t.Helper()
	recorder := httptest.NewRecorder()
	w.ServeHTTP(recorder, r)
	a := answer{status: recorder.Code, header: recorder.Header(), raw: recorder.Body.String()}
	_ = json.Unmarshal(recorder.Body.Bytes(), &a.body)
	if compact, ok := a.body["access_token"].(string); ok {
		token, err := jose.Parse(compact)
		if err != nil {
			w.t.Fatalf("access token: %v", err)
		}
		if err := json.Unmarshal([]byte(token.Payload), &a.claims); err != nil {
			w.t.Fatalf("access token: %v", err)
		}
	}
	return a
}

func tokenRequest(values url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, ownIssuer+"/token", strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func form(assertion string) url.Values {
	return url.Values{"grant_type": {grantType}, "assertion": {assertion}}
}

// redeem sends an assertion with the client's secret, and with more parameters.
func (w *world) redeem(assertion string, more ...string) answer {
	w.t.Helper()
	values := form(assertion)
	for i := 0; i < len(more); i += 2 {
		values.Add(more[i], more[i+1])
	}
	r := tokenRequest(values)
	r.SetBasicAuth(clientID, secret)
	return w.send(r)
}

// reason is that of the last audit record.
func (w *world) reason() string {
	w.t.Helper()
	s, _ := w.audits.last(w.t)["ema.reason"].(string)
	return s
}

// refused checks an answer that must be a refusal.
func (w *world) refused(a answer, status int, code, reason string) {
	w.t.Helper()
	if a.status != status || a.code() != code {
		w.t.Errorf("answered %d %s, want %d %q", a.status, a.raw, status, code)
	}
	if got := w.reason(); got != reason {
		w.t.Errorf("reason %q, want %q", got, reason)
	}
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		w.t.Errorf("Cache-Control %q, want no-store", got)
	}
	description, _ := a.body["error_description"].(string)
	for _, text := range []string{a.code(), description} {
		if strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r > 0x7e || r == '"' || r == '\\' }) {
			w.t.Errorf("%q is outside the charset of RFC 6749 section 5.2", text)
		}
	}
}

// granted checks an answer that must be a token, and returns its claims.
func (w *world) granted(a answer) claimSet {
	w.t.Helper()
	if a.status != http.StatusOK || a.claims == nil {
		w.t.Fatalf("answered %d %s (reason %s), want a token", a.status, a.raw, w.reason())
	}
	return a.claims
}

// recorder keeps audit records.
type recorder struct {
	mu      sync.Mutex
	records []claimSet
}

func (r *recorder) Enabled(context.Context, slog.Level) bool { return true }
func (r *recorder) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *recorder) WithGroup(string) slog.Handler            { return r }
func (r *recorder) Handle(_ context.Context, record slog.Record) error {
	attrs := claimSet{"msg": record.Message}
	record.Attrs(func(a slog.Attr) bool {
		attrs[a.Key] = a.Value.Any()
		return true
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records = append(r.records, attrs)
	return nil
}

func (r *recorder) last(t *testing.T) claimSet {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.records) == 0 {
		t.Fatal("no audit record")
	}
	return r.records[len(r.records)-1]
}

func (r *recorder) all() []claimSet {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]claimSet(nil), r.records...)
}

// A logbook is what the server wrote into its log. Its background writes, too, also
// while a test reads. A nil logbook is for a test that wants no log.
type logbook struct {
	mu   sync.Mutex
	text []byte
}

func (l *logbook) Write(p []byte) (int, error) {
	if l == nil {
		return len(p), nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	return len(p), nil
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

func (l *logbook) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = nil
}

func unmarshal(raw []byte, v any) {
	if err := json.Unmarshal(raw, v); err != nil {
		panic(err)
	}
}
