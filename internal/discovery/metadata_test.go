package discovery_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/emamw/mcp-ema/internal/discovery"
)

// An issuer serves documents by path and keeps what it was asked for. In a
// document, ISSUER stands for its origin.
type issuer struct {
	*httptest.Server

	mu    sync.Mutex
	asked []string
}

func newIssuer(t *testing.T, documents map[string]string) *issuer {
	t.Helper()
	i := &issuer{}
	i.Server = serve(t, func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		i.asked = append(i.asked, r.URL.Path)
		i.mu.Unlock()
		doc, found := documents[r.URL.Path]
		switch {
		case !found:
			http.NotFound(w, r)
		case strings.HasPrefix(doc, "redirect "):
			http.Redirect(w, r, strings.TrimPrefix(doc, "redirect "), http.StatusFound)
		case strings.HasPrefix(doc, "status "):
			var status int
			fmt.Sscanf(doc, "status %d", &status)
			w.WriteHeader(status)
		default:
			io.WriteString(w, strings.ReplaceAll(doc, "ISSUER", i.URL))
		}
	})
	return i
}

func (i *issuer) fetch(t *testing.T, path string) (discovery.Metadata, error) {
	t.Helper()
	return discovery.Fetch(t.Context(), discovery.Client(nil, i.URL, discovery.Policy{}), i.URL+path)
}

const (
	oauth  = "/.well-known/oauth-authorization-server"
	openid = "/.well-known/openid-configuration"
)

// document is the metadata of the issuer at that path.
func document(path string) string {
	return `{"issuer":"ISSUER` + path + `","jwks_uri":"ISSUER/keys","token_endpoint":"ISSUER/token","response_types_supported":["code"]}`
}

func TestFetchOrder(t *testing.T) {
	for name, tt := range map[string]struct {
		path   string // of the issuer
		served string
		asked  []string
	}{
		"OAuth":                       {"", oauth, []string{oauth}},
		"OpenID":                      {"", openid, []string{oauth, openid}},
		"path, OAuth":                 {"/t/1", oauth + "/t/1", []string{oauth + "/t/1"}},
		"path, OpenID inserted":       {"/t/1", openid + "/t/1", []string{oauth + "/t/1", openid + "/t/1"}},
		"path, OpenID appended":       {"/t/1", "/t/1" + openid, []string{oauth + "/t/1", openid + "/t/1", "/t/1" + openid}},
		"slash (Auth0)":               {"/", openid, []string{oauth, openid}},
		"path and slash (authentik)":  {"/o/mcp/", "/o/mcp" + openid, []string{oauth + "/o/mcp", openid + "/o/mcp", "/o/mcp" + openid}},
		"path and slash, inserted":    {"/o/mcp/", oauth + "/o/mcp", []string{oauth + "/o/mcp"}},
		"template, the shared tenant": {"/{tenantid}/v2.0", "/common/v2.0" + openid, []string{oauth + "/common/v2.0", openid + "/common/v2.0", "/common/v2.0" + openid}},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t, map[string]string{tt.served: document(tt.path)})
			m, err := i.fetch(t, tt.path)
			if err != nil {
				t.Fatal(err)
			}
			want := discovery.Metadata{Issuer: i.URL + tt.path, JWKSURI: i.URL + "/keys", TokenEndpoint: i.URL + "/token"}
			if m != want {
				t.Errorf("metadata = %+v, want %+v", m, want)
			}
			if !slices.Equal(i.asked, tt.asked) {
				t.Errorf("asked for %v, want %v", i.asked, tt.asked)
			}
		})
	}
}

func TestFetchJudgesTheDocument(t *testing.T) {
	const keys = `"jwks_uri":"ISSUER/keys"`
	for name, tt := range map[string]struct {
		doc  string
		want string // "" when it is accepted
	}{
		"smallest":               {`{"issuer":"ISSUER/t",` + keys + `}`, ""},
		"escaped":                {`{"\u0069ssuer":"ISSUER\/t",` + keys + `}`, ""},
		"empty object":           {`{}`, "without an issuer"},
		"empty":                  {` `, "not a JSON object"},
		"HTML":                   {`<!doctype html><title>Sign in</title>`, "not a JSON object"},
		"array":                  {`[]`, "not a JSON object"},
		"null":                   {`null`, "without an issuer"},
		"trailing data":          {`{"issuer":"ISSUER/t",` + keys + `}{}`, "not a JSON object"},
		"issuer number":          {`{"issuer":1,` + keys + `}`, "without an issuer"},
		"ISSUER":                 {`{"Issuer":"ISSUER/t",` + keys + `}`, "without an issuer"},
		"another issuer":         {`{"issuer":"https://evil.example",` + keys + `}`, "names another issuer"},
		"issuer of the origin":   {`{"issuer":"ISSUER",` + keys + `}`, "names another issuer"},
		"issuer with a slash":    {`{"issuer":"ISSUER/t/",` + keys + `}`, "slash at its end"},
		"issuer in capitals":     {`{"issuer":"ISSUER/T",` + keys + `}`, "names another issuer"},
		"issuer with a default":  {`{"issuer":"ISSUER/t?",` + keys + `}`, "names another issuer"},
		"no jwks_uri":            {`{"issuer":"ISSUER/t"}`, "without a jwks_uri"},
		"jwks_uri null":          {`{"issuer":"ISSUER/t","jwks_uri":null}`, "without a jwks_uri"},
		"jwks_uri array":         {`{"issuer":"ISSUER/t","jwks_uri":["ISSUER/keys"]}`, "without a jwks_uri"},
		"jwks_uri relative":      {`{"issuer":"ISSUER/t","jwks_uri":"/keys"}`, "has a jwks_uri"},
		"jwks_uri file":          {`{"issuer":"ISSUER/t","jwks_uri":"file:///etc/passwd"}`, "has a jwks_uri"},
		"jwks_uri with password": {`{"issuer":"ISSUER/t","jwks_uri":"https://u:p@as.example.com"}`, "has a jwks_uri"},
		"redirect away":          {"redirect https://evil.example/", "redirects to another origin"},
		"redirect in a circle":   {"redirect " + oauth + "/t", "more than three times"},
		"status 500":             {"status 500", "status 500"},
		"status 204":             {"status 204", "status 204"},
		"status 401":             {"status 401", "status 401"},
		"too long":               {`{"issuer":"ISSUER/t",` + keys + `}` + strings.Repeat(" ", discovery.MaxBodyBytes), "more than 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t, map[string]string{oauth + "/t": tt.doc})
			m, err := i.fetch(t, "/t")
			if tt.want == "" {
				if err != nil || m.Issuer != i.URL+"/t" || m.JWKSURI != i.URL+"/keys" {
					t.Errorf("metadata %+v, error %v", m, err)
				}
				return
			}
			if err == nil || m != (discovery.Metadata{}) {
				t.Fatalf("accepted: %+v", m)
			}
			if !strings.HasPrefix(err.Error(), "discovery: ") || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "evil") {
				t.Errorf("error = %v, want one with %q", err, tt.want)
			}
			if len(i.asked) < 3 {
				t.Errorf("gave up after %v", i.asked)
			}
		})
	}
}

// Nothing depends on the token endpoint, so a bad one takes nothing down; but it
// is not handed on.
func TestFetchDropsBadTokenEndpoint(t *testing.T) {
	for address, want := range map[string]string{
		"https://as.example.com/token": "https://as.example.com/token",
		"http://as.example.com/token":  "",
		"http://localhost/token":       "",
		"/token":                       "",
		"":                             "",
	} {
		const issuer = "https://as.example.com"
		c := answering(`{"issuer":"` + issuer + `","jwks_uri":"` + issuer + `/keys","token_endpoint":"` + address + `"}`)
		if m, err := discovery.Fetch(t.Context(), c, issuer); err != nil || m.TokenEndpoint != want {
			t.Errorf("%q: %+v, %v", address, m, err)
		}
	}
}

func TestFetchAsksEachAddressOnce(t *testing.T) {
	for path, want := range map[string]int{"": 2, "/": 2, "/t": 3} {
		i := newIssuer(t, nil)
		_, err := i.fetch(t, path)
		if err == nil || len(i.asked) != want || strings.Count(err.Error(), "status 404") != want {
			t.Errorf("issuer %q: asked for %v, error %v", path, i.asked, err)
		}
	}
}

// The first document is another issuer's, and the next one is right.
func TestFetchPassesOverForeignDocuments(t *testing.T) {
	i := newIssuer(t, map[string]string{
		oauth + "/t":  document(""),
		openid + "/t": `<html>`,
		"/t" + openid: document("/t"),
	})
	if m, err := i.fetch(t, "/t"); err != nil || m.Issuer != i.URL+"/t" {
		t.Errorf("metadata %+v, error %v", m, err)
	}
}

// The document of the shared tenant must hold the placeholder, not that tenant.
func TestFetchTemplateExactly(t *testing.T) {
	for path, want := range map[string]bool{"/{tenantid}/v2.0": true, "/common/v2.0": false, "/1111/v2.0": false} {
		i := newIssuer(t, map[string]string{"/common/v2.0" + openid: document(path)})
		if _, err := i.fetch(t, "/{tenantid}/v2.0"); (err == nil) != want {
			t.Errorf("document of %s: error %v", path, err)
		}
	}
}

func TestFetchRefusesIssuers(t *testing.T) {
	c := &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		t.Error("a request was made")
		return nil, io.EOF
	})}
	for _, issuer := range []string{"", "as.example.com", "https://as.example.com?x", "https://as.example.com/?", "https://as.example.com#x", "ftp://as.example.com", "https://{tenantid}/x", "%"} {
		if _, err := discovery.Fetch(t.Context(), c, issuer); err == nil || !strings.HasPrefix(err.Error(), "discovery: issuer is not") {
			t.Errorf("%q: error %v", issuer, err)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A public issuer must not send us to http or to this machine; one on this
// machine may.
func TestFetchJudgesAddresses(t *testing.T) {
	for _, tt := range []struct {
		issuer, jwks string
		accepted     bool
	}{
		{"https://as.example.com", "https://keys.example.net/set", true},
		{"https://as.example.com", "http://as.example.com/keys", false},
		{"https://as.example.com", "http://localhost/keys", false},
		{"https://as.example.com", "https://localhost/keys", false},
		{"https://as.example.com", "https://127.0.0.1/keys", false},
		{"https://as.example.com", "https://[::1]/keys", false},
		{"http://as.example.com", "http://as.example.com/keys", true},
		{"http://as.example.com", "http://127.0.0.1/keys", false},
		{"http://localhost", "http://127.0.0.1/keys", true},
		{"http://localhost", "https://keys.example.net/set", true},
		{"https://localhost", "http://localhost/keys", true},
	} {
		c := answering(`{"issuer":"` + tt.issuer + `","jwks_uri":"` + tt.jwks + `"}`)
		if m, err := discovery.Fetch(t.Context(), c, tt.issuer); (err == nil) != tt.accepted {
			t.Errorf("%s with keys at %s: %+v, %v", tt.issuer, tt.jwks, m, err)
		}
	}
}

func answering(body string) *http.Client {
	return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	})}
}

// A client that is not ours sets no bound, so Fetch does.
func TestFetchBoundsAnyClient(t *testing.T) {
	long := `{"issuer":"https://as.example.com","jwks_uri":"https://as.example.com/keys"}` + strings.Repeat(" ", discovery.MaxBodyBytes)
	_, err := discovery.Fetch(t.Context(), answering(long), "https://as.example.com")
	if err == nil || !strings.Contains(err.Error(), "more than 1 MiB") {
		t.Errorf("error = %v", err)
	}
}

// Where the host does not answer, its other URLs are not tried, and the text is
// ours although the cause can be asked for.
func TestFetchHostDown(t *testing.T) {
	tlsServer := httptest.NewTLSServer(http.HandlerFunc(ok))
	defer tlsServer.Close()
	gone := httptest.NewServer(http.HandlerFunc(ok))
	gone.Close()
	cutOff := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "{")
	})
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	failing := func(err error) *http.Client {
		return &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, err })}
	}
	evil := errors.New("evil text")
	var none context.Context
	own := discovery.Client(nil, "http://localhost", discovery.Policy{})

	for name, tt := range map[string]struct {
		ctx    context.Context
		client *http.Client
		issuer string
		want   string
	}{
		"refused":     {t.Context(), own, gone.URL, "connection failed"},
		"cut off":     {t.Context(), own, cutOff.URL, "connection failed"},
		"untrusted":   {t.Context(), own, tlsServer.URL, "certificate is not trusted"},
		"canceled":    {canceled, own, gone.URL, "canceled"},
		"deadline":    {late, own, gone.URL, "no answer in time"},
		"no such":     {t.Context(), failing(&net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}), "https://as.example.com", "name was not found"},
		"private":     {t.Context(), discovery.Client(nil, "https://as.example.com", discovery.Policy{}), "https://10.0.0.7", "private, loopback"},
		"secret text": {t.Context(), failing(evil), "https://as.example.com", "connection failed"},
		"no context":  {none, own, "https://as.example.com", "connection failed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := discovery.Fetch(tt.ctx, tt.client, tt.issuer)
			if err == nil || !strings.HasPrefix(err.Error(), "discovery: the issuer's host") || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "evil") {
				t.Errorf("error = %v, want one with %q", err, tt.want)
			}
		})
	}
	if _, err := discovery.Fetch(t.Context(), failing(evil), "https://as.example.com"); !errors.Is(err, evil) {
		t.Errorf("the cause is lost: %v", err)
	}
}

// FuzzFetch: whatever document is accepted names its issuer and a fetchable
// address, by a plain reading of the same bytes.
func FuzzFetch(f *testing.F) {
	f.Add(`{"issuer":"https://as.example.com","jwks_uri":"https://as.example.com/keys"}`)
	f.Add(`{"Issuer":"x","issuer":"https://as.example.com","jwks_uri":"http://10.0.0.1"}`)
	f.Add(`{}`)
	f.Add(`[`)
	f.Fuzz(func(t *testing.T, body string) {
		const issuer = "https://as.example.com"
		m, err := discovery.Fetch(t.Context(), answering(body), issuer)
		if err != nil {
			if m != (discovery.Metadata{}) || !strings.HasPrefix(err.Error(), "discovery: ") {
				t.Fatalf("%+v, %v", m, err)
			}
			return
		}
		var doc map[string]any
		if json.Unmarshal([]byte(body), &doc) != nil || doc["issuer"] != issuer || doc["jwks_uri"] != m.JWKSURI {
			t.Fatalf("%+v out of %q", m, body)
		}
		if m.Issuer != issuer || discovery.CheckURL(m.JWKSURI, discovery.Policy{}) != nil || !strings.HasPrefix(strings.ToLower(m.JWKSURI), "https://") {
			t.Fatalf("accepted %+v", m)
		}
	})
}

// Metadata is asked for as JSON (RFC 8414 section 3.1): some issuers answer a
// request that does not say so with a page for people.
func TestFetchAsksForJSON(t *testing.T) {
	var accept []string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		accept = r.Header["Accept"]
		http.NotFound(w, r)
	})
	_, _ = discovery.Fetch(t.Context(), discovery.Client(nil, s.URL, discovery.Policy{}), s.URL)
	if !slices.Equal(accept, []string{"application/json"}) {
		t.Errorf("asked with Accept %q", accept)
	}
}
