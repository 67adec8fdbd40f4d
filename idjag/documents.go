package idjag

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/discovery"
	"github.com/emamw/mcp-ema/internal/jose"
	"github.com/emamw/mcp-ema/internal/telemetry"
)

// ClientDocuments admits clients that are not registered, whose client_id is
// the URL of a document that describes them (Client ID Metadata Documents). The
// zero value admits none.
type ClientDocuments struct {
	// Origins are where such documents are accepted from, such as
	// "https://claude.ai". A client_id elsewhere is unknown, and nothing is
	// fetched for it: an open list would let anybody who can send a request
	// choose what this server fetches, and who is a client.
	Origins []string

	// DangerouslyPublic admits a client whose document names no key, without
	// authentication. See Client.DangerouslyPublic.
	DangerouslyPublic bool
}

// Bounds on documents. The draft recommends a limit of 5 KB; key sets are larger.
const (
	maxDocumentBytes    = 64 << 10
	maxDocuments        = 1000
	maxDocumentFetches  = 8
	documentTimeout     = 10 * time.Second
	minDocumentAge      = time.Minute // also how long a failure is remembered
	standardDocumentAge = 5 * time.Minute
	maxDocumentAge      = time.Hour
)

// documents fetches and keeps client metadata documents. Its nil value admits
// nobody.
type documents struct {
	clients map[string]*http.Client // by origin
	policy  discovery.Policy
	public  bool
	now     func() time.Time
	fetches chan struct{} // one slot per fetch under way
	lookup  func(context.Context, telemetry.CacheResult)

	mu      sync.Mutex
	entries map[string]*document // by client_id
}

// A document is what a client_id leads to. Everything but done is written before
// done is closed.
type document struct {
	done    chan struct{}
	fetched time.Time // when client was read; zero: it may not stand in later
	expires time.Time // when it is to be read again
	client  *client   // nil: there is no such client
	err     error     // it could not be found out
}

// usable reports whether the document may stand in while it cannot be read
// again (RFC 9111 section 4.2.4). The bound is the one for how long any document
// is kept, so that a key is still withdrawn within that time.
func (e *document) usable(now time.Time) bool {
	return e != nil && e.client != nil && now.Before(e.fetched.Add(maxDocumentAge))
}

func newDocuments(cfg *Config, policy discovery.Policy, now func() time.Time, recorder *telemetry.Recorder) *documents {
	if len(cfg.ClientDocuments.Origins) == 0 {
		return nil
	}
	d := &documents{
		clients: make(map[string]*http.Client), policy: policy, public: cfg.ClientDocuments.DangerouslyPublic, now: now,
		fetches: make(chan struct{}, maxDocumentFetches), entries: make(map[string]*document),
		lookup: func(ctx context.Context, said telemetry.CacheResult) {
			recorder.CacheLookup(ctx, telemetry.DocumentCache, said)
		},
	}
	for _, origin := range cfg.ClientDocuments.Origins {
		d.clients[origin] = discovery.Client(cfg.HTTPClient, origin, policy)
		// A redirect would give one client a second name, and let an open
		// redirector of an admitted origin speak for it.
		d.clients[origin].CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return d
}

// admits reports whether id is a URL that a document may be fetched from. The
// draft asks for a path, and for none of what makes two spellings of one URL.
func (d *documents) admits(id string) bool {
	if d == nil || discovery.CheckURL(id, d.policy) != nil {
		return false
	}
	u, err := url.Parse(id)
	if err != nil || u.RawQuery != "" || u.ForceQuery || strings.Trim(u.Path, "/") == "" || id != u.String() {
		return false
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return d.clients[u.Scheme+"://"+u.Host] != nil
}

// client returns the client of an admitted id, and nil when its document says
// that it is none.
func (d *documents) client(ctx context.Context, id string) (*client, error) {
	entry, said := d.entry(ctx, id)
	d.lookup(ctx, said)
	select {
	case <-entry.done:
		return entry.client, entry.err
	case <-ctx.Done():
		return nil, &refusal{reason: claims.Canceled, code: unavailable, cause: ctx.Err()}
	}
}

// entry returns what is known of id, and begins to fetch it when that is
// nothing. The fetch belongs to no request: all who wait for it get its result,
// and the first of them may go away.
func (d *documents) entry(ctx context.Context, id string) (*document, telemetry.CacheResult) {
	d.mu.Lock()
	defer d.mu.Unlock()
	said := telemetry.Miss
	last := d.entries[id]
	if last != nil {
		if said = last.said(d.now()); said != telemetry.Stale {
			return last, said
		}
	}
	e := &document{done: make(chan struct{})}
	select {
	case d.fetches <- struct{}{}:
	default:
		// Names are free, so a flood of new ones must not become a flood of
		// fetches, and must not lock out a client that is known.
		if last.usable(d.now()) {
			return last, said
		}
		e.err = lookupFailed(errBusy)
		close(e.done)
		return e, said
	}
	d.makeRoom()
	d.entries[id] = e
	go func() {
		defer close(e.done)
		defer func() { <-d.fetches }() // before, or who was answered could find it taken
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), documentTimeout)
		defer cancel()
		d.load(ctx, id, e, last)
	}()
	return e, said
}

// said is what the cache says with this entry: one that is being fetched is not
// there yet.
func (e *document) said(now time.Time) telemetry.CacheResult {
	switch {
	case !e.settled():
		return telemetry.Miss
	case !now.Before(e.expires):
		return telemetry.Stale
	case e.client == nil:
		return telemetry.Negative
	}
	return telemetry.Hit
}

// settled reports whether the fetch is over.
func (e *document) settled() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// makeRoom forgets an entry when there are too many: an arbitrary one that led to
// no client, of which anybody can make a thousand, and if there is none any
// other, which it costs a fetch to have back.
func (d *documents) makeRoom() {
	if len(d.entries) < maxDocuments {
		return
	}
	var victim string
	for id, e := range d.entries {
		victim = id
		if e.settled() && e.client == nil {
			break
		}
	}
	delete(d.entries, victim)
}

var (
	errBusy     = errors.New("too many client metadata documents are being fetched")
	errFetch    = errors.New("client metadata document could not be fetched")
	errDocument = errors.New("client metadata document is not valid")
)

// lookupFailed refuses with a cause that names no URL: the client chose it.
func lookupFailed(cause error) *refusal {
	return &refusal{reason: claims.ClientLookupFailed, code: unavailable, cause: cause}
}

// load fills e. A server that answers with anything but a document has said that
// there is no such client; one that does not answer, or fails, has said nothing,
// and what it said last still counts for a while.
func (d *documents) load(ctx context.Context, id string, e, last *document) {
	c, age, err := d.read(ctx, id)
	now := d.now()
	e.expires = now.Add(age)
	switch {
	case err == nil:
		e.client = c
		if age > minDocumentAge { // else its server does not want it kept
			e.fetched = now
		}
	case errors.Is(err, errDocument):
	case last.usable(now):
		e.client, e.fetched = last.client, last.fetched
	default:
		e.err = lookupFailed(err)
	}
}

// read gets a document, and the keys that it points to. age is how long the
// result may be kept, also when it is an error.
func (d *documents) read(ctx context.Context, id string) (c *client, age time.Duration, err error) {
	body, age, err := d.fetch(ctx, id)
	if err != nil {
		return nil, age, err
	}
	c, keysURL, err := d.parse(id, body)
	if err != nil || keysURL == "" {
		return c, age, err
	}
	keySet, keysAge, err := d.fetch(ctx, keysURL)
	if err != nil {
		return nil, keysAge, err
	}
	c.keys = parseKeySet(keySet) // nil, when none is usable: then it cannot authenticate
	return c, min(age, keysAge), nil
}

// parse reads a document. keysURL is where its keys are, when it says so.
func (d *documents) parse(id string, body []byte) (c *client, keysURL string, err error) {
	p, err := claims.ParsePayload(body) // a strict reader of JSON objects
	if err != nil {
		return nil, "", errDocument
	}
	self, _, err := p.Text("client_id")
	if err != nil || self != id {
		return nil, "", errDocument // else one document could speak for another's client
	}
	name, _, err := p.Text("client_name")
	redirects, _, errRedirects := p.Texts("redirect_uris")
	if err != nil || errRedirects != nil || name == "" || len(redirects) == 0 {
		return nil, "", errDocument
	}
	grants, listed, err := p.Texts("grant_types")
	if err != nil {
		return nil, "", errDocument
	}
	c = &client{id: id, grantRefused: listed && !slices.Contains(grants, grantType)}
	method, _, err := p.Text("token_endpoint_auth_method")
	if err != nil {
		return nil, "", errDocument
	}
	switch {
	case method == methodJWT, method == "" && namesKey(p):
		keysURL, err = d.documentKeys(p, c)
		return c, keysURL, err
	case method == methodPublic, method == "":
		// Not with a key beside it: whoever stole an ID-JAG could do without the
		// key that its client has.
		c.public = d.public && !namesKey(p)
		return c, "", nil
	}
	return nil, "", errDocument // a secret cannot stand in a public document
}

// namesKey reports whether a document says what its client signs with. It then
// authenticates so, also where the method is left out: the default of RFC 7591
// section 2 is a secret, which such a client cannot have.
func namesKey(p *claims.Payload) bool {
	_, inline := p.Lookup("jwks")
	_, elsewhere := p.Lookup("jwks_uri")
	return inline || elsewhere
}

// documentKeys reads jwks or jwks_uri, of which there must be one.
func (d *documents) documentKeys(p *claims.Payload, c *client) (keysURL string, err error) {
	inline, hasInline := p.Lookup("jwks")
	keysURL, hasURL, err := p.Text("jwks_uri")
	switch {
	case err != nil, hasInline == hasURL:
		return "", errDocument
	case hasURL && !d.admits(keysURL):
		return "", errDocument
	case hasInline:
		if c.keys = parseKeySet(inline); c.keys == nil {
			return "", errDocument
		}
	}
	return keysURL, nil
}

// parseKeySet returns nil for a set without a usable key.
func parseKeySet(jwks []byte) keySource {
	found, _, err := jose.ParseKeys(jwks)
	if err != nil || len(found) == 0 {
		return nil
	}
	return fixedKeys(found)
}
