package emamwtest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// issuer is what an identity provider and an authorization server have in
// common: an identifier, keys, metadata, and faults on demand.
type issuer struct {
	id     string
	now    func() time.Time
	server *httptest.Server // nil unless started on loopback

	metadata func() map[string]any
	routes   map[string]http.HandlerFunc // beyond metadata and keys, by path below the issuer

	mu      sync.Mutex
	keys    keys
	faults  []Fault
	healed  chan struct{} // closed when the faults change: what hangs, ends
	fetches int
}

func newIssuer(id string, algorithms []string, now func() time.Time) *issuer {
	u, err := url.Parse(id)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.RawQuery != "" || u.Fragment != "" {
		panic("emamwtest: Issuer " + strconv.Quote(id) + " must be an absolute https or http URL without query and fragment (RFC 8414 section 2); the Start functions choose a loopback one")
	}
	if len(algorithms) == 0 {
		algorithms = []string{"ES256"}
	}
	if now == nil {
		now = time.Now
	}
	return &issuer{id: id, now: now, keys: newKeys(algorithms), healed: make(chan struct{})}
}

// start opens a loopback listener whose origin, followed by path, is the
// identifier of the issuer that build makes.
func start(path string, build func(id string) *issuer) {
	if path != "" && !strings.HasPrefix(path, "/") {
		panic("emamwtest: with a Start function, Issuer is a path such as \"/realms/acme\", or empty: the loopback address becomes its origin; for a full URL use the New function")
	}
	server := httptest.NewUnstartedServer(nil)
	i := build("http://" + server.Listener.Addr().String() + path)
	i.server = server
	server.Config.Handler = i
	server.Start()
}

// Issuer returns the issuer identifier, byte for byte as in iss and in the
// metadata.
func (i *issuer) Issuer() string { return i.id }

// Close ends the loopback server and what still hangs in it. It does nothing
// for a handler that was made by a New function.
func (i *issuer) Close() {
	i.Fail()
	if i.server != nil {
		i.server.Close()
	}
}

// RotateKey makes a new key for each algorithm, and signs with those from now
// on. The older keys stay published, so their tokens stay good.
func (i *issuer) RotateKey() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys.rotate()
}

// WithdrawKey takes every key but the newest out of the published set, as an
// issuer does with a key that leaked. Tokens signed with those keys must be
// refused once a verifier has learnt of it.
func (i *issuer) WithdrawKey() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys.withdraw()
}

// KeyFetches returns how often the key set was asked for, answered or not.
func (i *issuer) KeyFetches() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

// MintClaims signs exactly these claims: nothing is added, so a test can mint
// what any product sends. The header has alg, kid and typ "JWT"; members of
// header replace those, and a nil value removes one. The alg in header chooses
// the key; a name that is no signature algorithm, such as "none", is written as
// it is and signed with the default key.
func (i *issuer) MintClaims(header, claims map[string]any) string {
	alg, _ := header["alg"].(string)
	if !slices.Contains(signatureAlgorithms, alg) {
		alg = ""
	}
	return i.mint(alg, typeIDToken, header, claims)
}

// mint signs claims with the key for alg. header wins over what the key says,
// so that a test can lie about it.
func (i *issuer) mint(alg, typ string, header, claims map[string]any) string {
	k := i.signer(alg)
	h := map[string]any{"alg": k.alg, "kid": k.id, "typ": typ}
	override(h, header)
	return compact(marshal(h), marshal(claims), k.sign)
}

func (i *issuer) signer(alg string) key {
	i.mu.Lock()
	defer i.mu.Unlock()
	k, ok := i.keys.signer(alg)
	if !ok {
		panic("emamwtest: no key for algorithm " + strconv.Quote(alg) + ": add it to Algorithms")
	}
	return k
}

func (i *issuer) algorithms() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var all []string
	for _, k := range i.keys.signing {
		all = append(all, k.alg)
	}
	return all
}

func (i *issuer) publishedKeys() []key {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.keys.published)
}

// path is the part of the issuer after its origin, without a final slash.
func (i *issuer) path() string {
	u, err := url.Parse(i.id)
	must(err)
	return strings.TrimSuffix(u.Path, "/")
}

// url is the address of an endpoint below the issuer.
func (i *issuer) url(endpoint string) string {
	return strings.TrimSuffix(i.id, "/") + endpoint
}

// ServeHTTP answers the well-known metadata, the key set and the endpoints that
// the metadata names, with the faults that are in force.
func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if i.fail(w, r, Slow, Unreachable, Down) {
		return
	}
	path := i.path()
	switch r.URL.Path {
	case "/.well-known/oauth-authorization-server" + path, // RFC 8414 section 3.1
		"/.well-known/openid-configuration" + path, // RFC 8414 section 5
		path + "/.well-known/openid-configuration": // OpenID Connect Discovery section 4
		i.serveMetadata(w)
	case path + "/jwks":
		i.serveKeys(w, r)
	default:
		i.serveRoute(w, r)
	}
}

func (i *issuer) serveRoute(w http.ResponseWriter, r *http.Request) {
	endpoint, below := strings.CutPrefix(r.URL.Path, i.path())
	h, known := i.routes[endpoint]
	if !below || !known {
		http.NotFound(w, r)
		return
	}
	h(w, r)
}

func (i *issuer) serveMetadata(w http.ResponseWriter) {
	m := i.metadata()
	m["issuer"] = i.id
	m["jwks_uri"] = i.url("/jwks")
	if i.failing(WrongIssuer) {
		m["issuer"] = "https://wrong-issuer.example"
	}
	writeJSON(w, http.StatusOK, m)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(marshal(v))
}
