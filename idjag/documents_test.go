package idjag_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/emamw/mcp-ema/idjag"
)

const (
	documentOrigin = "https://client.example.com"
	documentID     = documentOrigin + "/oauth/metadata.json"
)

func admitDocuments(_ *world, cfg *idjag.Config) {
	cfg.Clients = nil
	cfg.ClientDocuments = idjag.ClientDocuments{Origins: []string{documentOrigin}, DangerouslyPublic: true}
}

func document(changes claimSet) []byte {
	d := claimSet{
		"client_id": documentID, "client_name": "Example Client",
		"redirect_uris": []string{"http://127.0.0.1/callback"},
	}
	with(changes)(nil, d)
	return marshal(d)
}

// redeemAs redeems an ID-JAG for a client that sends its client_id alone, or
// with an assertion of its own.
func (w *world) redeemAs(id string, signed bool) answer {
	w.t.Helper()
	values := form(w.mint(with(claimSet{"client_id": id})))
	values.Set("client_id", id)
	if signed {
		values.Set("client_assertion_type", assertionType)
		values.Set("client_assertion", w.clientAssertion(id, nil, nil))
	}
	return w.send(tokenRequest(values))
}

func TestClientDocument(t *testing.T) {
	var keySet any
	unmarshal(jwks(clientKey), &keySet)
	jwt := claimSet{"token_endpoint_auth_method": "private_key_jwt"}
	public := claimSet{"token_endpoint_auth_method": "none"}
	join := func(sets ...claimSet) claimSet {
		all := claimSet{}
		for _, set := range sets {
			for name, value := range set {
				all[name] = value
			}
		}
		return all
	}
	tests := []struct {
		name   string
		doc    claimSet
		signed bool
		code   string // "" is a token
	}{
		{"public", nil, false, ""},
		{"public, said so", claimSet{"token_endpoint_auth_method": "none"}, false, ""},
		{"with its grants", claimSet{"grant_types": []string{grantType}}, false, ""},
		{"with the grants of its profile", claimSet{
			"authorization_grant_profiles_supported": []string{"urn:ietf:params:oauth:grant-profile:id-jag"},
			"grant_types":                            []string{"urn:ietf:params:oauth:grant-type:token-exchange", grantType},
		}, false, ""},
		{"with keys", join(jwt, claimSet{"jwks": keySet}), true, ""},
		{"with keys elsewhere", join(jwt, claimSet{"jwks_uri": documentOrigin + "/jwks"}), true, ""},
		{"with keys, and no method", claimSet{"jwks": keySet}, true, ""},
		{"with keys elsewhere, and no method", claimSet{"jwks_uri": documentOrigin + "/jwks"}, true, ""},
		{"with keys, and an empty method", claimSet{"jwks": keySet, "token_endpoint_auth_method": ""}, true, ""},
		{"unknown members", claimSet{"software_id": "x", "logo_uri": "https://evil.example.com"}, false, ""},

		{"client_id of another", claimSet{"client_id": documentOrigin + "/other.json"}, false, "invalid_client"},
		{"client_id absent", claimSet{"client_id": nil}, false, "invalid_client"},
		{"client_id in upper case", claimSet{"client_id": strings.ToUpper(documentID)}, false, "invalid_client"},
		{"no name", claimSet{"client_name": nil}, false, "invalid_client"},
		{"no redirect URIs", claimSet{"redirect_uris": nil}, false, "invalid_client"},
		{"a method that is a number", claimSet{"token_endpoint_auth_method": 7}, false, "invalid_client"},
		{"grants that are a number", claimSet{"grant_types": 7}, false, "invalid_client"},
		{"keys elsewhere, as a number", join(jwt, claimSet{"jwks_uri": 7}), true, "invalid_client"},
		{"keys that are none", join(jwt, claimSet{"jwks": claimSet{"keys": []any{}}}), true, "invalid_client"},
		{"a secret", claimSet{"token_endpoint_auth_method": "client_secret_basic"}, false, "invalid_client"},
		{"grants without ours", claimSet{"grant_types": []string{"authorization_code"}}, false, "unauthorized_client"},
		{"its profile, and a grant that is missing", claimSet{
			"authorization_grant_profiles_supported": []string{"urn:ietf:params:oauth:grant-profile:id-jag"},
			"grant_types":                            []string{"urn:ietf:params:oauth:grant-type:token-exchange"},
		}, false, "unauthorized_client"},
		{"keys, and none used", join(jwt, claimSet{"jwks": keySet}), false, "invalid_client"},
		{"keys, no method, and none used", claimSet{"jwks": keySet}, false, "invalid_client"},
		{"keys elsewhere, no method, and none used", claimSet{"jwks_uri": documentOrigin + "/jwks"}, false, "invalid_client"},
		{"keys, and said to be public", join(public, claimSet{"jwks": keySet}), false, "invalid_client"},
		{"keys elsewhere, and said to be public", join(public, claimSet{"jwks_uri": documentOrigin + "/jwks"}), false, "invalid_client"},
		{"keys, said to be public, and an assertion", join(public, claimSet{"jwks": keySet}), true, "invalid_client"},
		{"public, and an assertion", nil, true, "invalid_client"},
		{"keys in two places", join(jwt, claimSet{"jwks": keySet, "jwks_uri": documentOrigin + "/jwks"}), true, "invalid_client"},
		{"keys nowhere", jwt, true, "invalid_client"},
		{"keys at a foreign origin", join(jwt, claimSet{"jwks_uri": "https://evil.example.com/jwks"}), true, "invalid_client"},
		{"keys of a wrong type", join(jwt, claimSet{"jwks": "x"}), true, "invalid_client"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, admitDocuments)
			w.net.serve(documentID, document(tt.doc))
			w.net.serve(documentOrigin+"/jwks", jwks(clientKey))
			a := w.redeemAs(documentID, tt.signed)
			if tt.code == "" {
				if got := w.granted(a)["client_id"]; got != documentID {
					t.Errorf("client_id %v", got)
				}
				return
			}
			if a.code() != tt.code {
				t.Errorf("answered %d %s, want %s", a.status, a.raw, tt.code)
			}
			w.net.mu.Lock()
			defer w.net.mu.Unlock()
			for asked := range w.net.asked {
				if strings.HasPrefix(asked, "https://evil") {
					t.Errorf("fetched %s", asked)
				}
			}
		})
	}
}

// TestPublicDocuments are not admitted unless that is said.
func TestPublicDocuments(t *testing.T) {
	w := newWorld(t, func(w *world, cfg *idjag.Config) {
		admitDocuments(w, cfg)
		cfg.ClientDocuments.DangerouslyPublic = false
	})
	w.net.serve(documentID, document(nil))
	w.refused(w.redeemAs(documentID, false), 400, "invalid_client", "client_unauthenticated")
}

// TestDocumentAddresses: nothing is fetched for a client_id that could not be a
// document of an admitted origin, in exactly one spelling.
func TestDocumentAddresses(t *testing.T) {
	w := newWorld(t, admitDocuments)
	for _, id := range []string{
		"http://client.example.com/c.json", "https://client.example.com", "https://client.example.com/",
		"https://client.example.com:444/c.json", "https://CLIENT.example.com/c.json", "https://user@client.example.com/c.json",
		"https://client.example.com/c.json#a", "https://client.example.com/c.json?a=b", "https://client.example.com/a/../c.json",
		"https://client.example.com.evil.example/c.json", "https://evil.example.com/c.json", "https://client.example.com@evil.example/c.json",
		"https://client.example.com/%2e%2e/c.json", "https://client.example.com/c.json?", "https://client.example.com/./c.json", "https://client.example.com/a/./c.json", "HTTPS://client.example.com/c.json",
		"//client.example.com/c.json", "file:///etc/passwd", "https://127.0.0.1/c.json",
	} {
		if a := w.redeemAs(id, false); a.code() != "invalid_client" {
			t.Errorf("%s: answered %s", id, a.raw)
		}
		w.net.mu.Lock()
		for asked := range w.net.asked {
			if !strings.HasPrefix(asked, idpIssuer) {
				t.Errorf("%s: fetched %s", id, asked)
			}
		}
		w.net.mu.Unlock()
	}
}

func TestDocumentAnswers(t *testing.T) {
	plain := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(body))
		}
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	tests := []struct {
		name   string
		answer http.HandlerFunc
		status int
		reason string
	}{
		{"not there", http.NotFound, 400, "client_unauthenticated"},
		{"the server is down", status(502), 503, "client_lookup_failed"},
		{"too many requests", status(429), 503, "client_lookup_failed"},
		{"HTML", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write(document(nil))
		}, 400, "client_unauthenticated"},
		{"a document of another sort of JSON", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/x+json")
			_, _ = w.Write(document(nil))
		}, 400, "client_unauthenticated"},
		{"a document of another application", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/xml")
			_, _ = w.Write(document(nil))
		}, 400, "client_unauthenticated"},
		{"not there, and a document", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write(document(nil))
		}, 400, "client_unauthenticated"},
		{"not JSON", plain("hello"), 400, "client_unauthenticated"},
		{"a member twice", plain(strings.Replace(string(document(nil)), "{", `{"client_id":"x",`, 1)), 400, "client_unauthenticated"},
		{"too large", plain(string(document(nil)) + strings.Repeat(" ", 64<<10)), 400, "client_unauthenticated"},
		{"elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.example.com/c.json", http.StatusFound)
		}, 400, "client_unauthenticated"},
		{"at another path", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, documentOrigin+"/c.json", http.StatusFound)
		}, 400, "client_unauthenticated"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, admitDocuments)
			w.net.set(documentID, tt.answer)
			w.net.serve("https://evil.example.com/c.json", document(nil))
			w.net.serve(documentOrigin+"/c.json", document(nil))
			code := map[int]string{400: "invalid_client", 503: "temporarily_unavailable"}[tt.status]
			w.refused(w.redeemAs(documentID, false), tt.status, code, tt.reason)
			if w.net.count("https://evil.example.com/c.json")+w.net.count(documentOrigin+"/c.json") != 0 {
				t.Error("a redirect was followed")
			}
		})
	}
}

// TestDocumentTypes: a document is served as JSON, or as a kind of it.
func TestDocumentTypes(t *testing.T) {
	for _, contentType := range []string{"application/json", "application/json; charset=utf-8", "application/client-metadata+json"} {
		w := newWorld(t, admitDocuments)
		w.net.set(documentID, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write(document(nil))
		})
		w.granted(w.redeemAs(documentID, false))
	}
}

// TestDocumentKeysTooLarge: the limit holds for key sets as well.
func TestDocumentKeysTooLarge(t *testing.T) {
	w := newWorld(t, admitDocuments)
	w.net.serve(documentID, document(claimSet{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": documentOrigin + "/jwks"}))
	w.net.serve(documentOrigin+"/jwks", append(jwks(clientKey), strings.Repeat(" ", 64<<10)...))
	w.refused(w.redeemAs(documentID, true), 400, "invalid_client", "client_unauthenticated")
}

// TestDocumentsAreKept for as long as they say, within bounds, and failures for
// a minute.
func TestDocumentsAreKept(t *testing.T) {
	tests := []struct {
		name    string
		control string
		kept    time.Duration
	}{
		{"not said", "", 5 * time.Minute},
		{"ten minutes", "public, max-age=600", 10 * time.Minute},
		{"a year", "max-age=31536000", time.Hour},
		{"a second", "max-age=1", time.Minute},
		{"not to be kept", "no-store", time.Minute},
		{"nonsense", "max-age=soon", 5 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, admitDocuments)
			w.net.set(documentID, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Cache-Control", tt.control)
				_, _ = w.Write(document(nil))
			})
			for step, want := range []int{1, 1, 2} {
				w.granted(w.redeemAs(documentID, false))
				if got := w.net.count(documentID); got != want {
					t.Errorf("step %d: fetched %d times, want %d", step, got, want)
				}
				w.clock.advance(map[int]time.Duration{0: tt.kept - time.Second, 1: time.Second}[step])
			}
		})
	}
	t.Run("a failure", func(t *testing.T) {
		w := newWorld(t, admitDocuments)
		for range 3 {
			w.redeemAs(documentID, false)
		}
		if got := w.net.count(documentID); got != 1 {
			t.Errorf("fetched %d times, want once", got)
		}
		w.net.serve(documentID, document(nil))
		w.clock.advance(time.Minute)
		w.granted(w.redeemAs(documentID, false))
	})
}

// TestOneFetchForMany: concurrent requests of a client share one fetch, and a
// flood of names does not become a flood of fetches.
func TestOneFetchForMany(t *testing.T) {
	w := newWorld(t, admitDocuments)
	release := make(chan struct{})
	slow := func(rw http.ResponseWriter, r *http.Request) {
		<-release
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write(document(claimSet{"client_id": r.URL.String()}))
	}
	ids := make([]string, 50)
	for i := range ids {
		ids[i] = documentOrigin + "/" + strings.Repeat("c", i+1)
		w.net.set(ids[i], slow)
	}
	w.net.set(documentID, slow)

	var wg sync.WaitGroup
	requests := make([]*http.Request, 0, 60)
	for _, id := range append(ids, strings.Split(strings.Repeat(documentID+" ", 10), " ")[:10]...) {
		values := form(w.mint(with(claimSet{"client_id": id})))
		values.Set("client_id", id)
		requests = append(requests, tokenRequest(values))
	}
	for _, r := range requests[50:] {
		wg.Go(func() { w.send(r) })
	}
	busy := make(chan answer, 50)
	for _, r := range requests[:50] {
		wg.Go(func() { busy <- w.send(r) })
	}
	refused := 0
	for range 50 - 8 { // at least these many are turned away before anything is released
		if a := <-busy; a.status == http.StatusServiceUnavailable {
			refused++
		}
	}
	close(release)
	wg.Wait()
	if refused < 42 {
		t.Errorf("%d of 50 names were turned away at once, want 42 or more", refused)
	}
	if got := w.net.count(documentID); got > 1 {
		t.Errorf("one client's document was fetched %d times at once", got)
	}
}

// TestDocumentStandsIn: a client that is known does not fall with the server of
// its document, nor for longer than any document is kept. What that server says,
// counts at once.
func TestDocumentStandsIn(t *testing.T) {
	down := func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusBadGateway) }
	w := newWorld(t, admitDocuments)
	w.net.serve(documentID, document(nil))
	w.granted(w.redeemAs(documentID, false))
	w.net.set(documentID, down)
	for range 6 {
		w.clock.advance(9 * time.Minute)
		w.granted(w.redeemAs(documentID, false))
	}
	if got := w.net.count(documentID); got < 5 {
		t.Errorf("asked %d times in an hour: a server that is back is not noticed", got)
	}
	w.clock.advance(6 * time.Minute) // an hour after it was read
	w.refused(w.redeemAs(documentID, false), 503, "temporarily_unavailable", "client_lookup_failed")

	w.net.set(documentID, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Cache-Control", "no-store")
		_, _ = rw.Write(document(nil))
	})
	w.clock.advance(time.Minute)
	w.granted(w.redeemAs(documentID, false))
	w.net.set(documentID, down)
	w.clock.advance(time.Minute)
	w.refused(w.redeemAs(documentID, false), 503, "temporarily_unavailable", "client_lookup_failed")

	w.net.serve(documentID, document(nil))
	w.clock.advance(time.Minute)
	w.granted(w.redeemAs(documentID, false))
	w.net.set(documentID, http.NotFound)
	w.clock.advance(5 * time.Minute)
	w.refused(w.redeemAs(documentID, false), 400, "invalid_client", "client_unauthenticated")
}

// TestFloodOfDocuments: whoever sends new names by the thousand, or holds all
// fetches up with them, does not lock out a client that is known.
func TestFloodOfDocuments(t *testing.T) {
	w := newWorld(t, admitDocuments)
	w.net.serve(documentID, document(nil))
	w.granted(w.redeemAs(documentID, false))
	for i := range 1100 {
		w.redeemAs(documentOrigin+"/"+strconv.Itoa(i), false)
	}
	w.granted(w.redeemAs(documentID, false))
	if got := w.net.count(documentID); got != 1 {
		t.Errorf("a thousand names that lead nowhere made the known one be fetched %d times", got)
	}

	w.clock.advance(6 * time.Minute) // it is due
	release, arrived := make(chan struct{}), make(chan struct{}, 8)
	var wg sync.WaitGroup
	for i := range 8 {
		id := documentOrigin + "/slow/" + strconv.Itoa(i)
		w.net.set(id, func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-release })
		values := form(w.mint(with(claimSet{"client_id": id})))
		values.Set("client_id", id)
		wg.Go(func() { w.send(tokenRequest(values)) })
	}
	for range 8 {
		<-arrived
	}
	w.granted(w.redeemAs(documentID, false))
	if a := w.redeemAs(documentOrigin+"/new", false); a.status != http.StatusServiceUnavailable {
		t.Errorf("a name that is not known: answered %d", a.status)
	}
	close(release)
	wg.Wait()
}

// broken is a network on which nothing arrives, or not whole.
type broken struct {
	http.RoundTripper
	body bool
}

func (b broken) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.String(), documentOrigin) {
		return b.RoundTripper.RoundTrip(r)
	}
	if !b.body {
		return nil, errors.New("no route to host")
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(iotest.ErrReader(errors.New("connection reset"))),
	}, nil
}

// TestDocumentsOutOfReach: that there is no such client was not said.
func TestDocumentsOutOfReach(t *testing.T) {
	for _, body := range []bool{false, true} {
		w := newWorld(t, func(w *world, cfg *idjag.Config) {
			admitDocuments(w, cfg)
			cfg.HTTPClient = &http.Client{Transport: broken{RoundTripper: w.net, body: body}}
		})
		for _, signed := range []bool{false, true} {
			w.refused(w.redeemAs(documentID, signed), 503, "temporarily_unavailable", "client_lookup_failed")
		}
	}
}

// TestClientDoesNotWait: whoever goes away while a document is fetched holds
// nothing up, and the fetch is there for the next.
func TestClientDoesNotWait(t *testing.T) {
	w := newWorld(t, admitDocuments)
	arrived, release := make(chan struct{}), make(chan struct{})
	w.net.set(documentID, func(rw http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write(document(nil))
	})
	ctx, leave := context.WithCancel(t.Context())
	go func() { <-arrived; leave() }()
	values := form(w.mint(with(claimSet{"client_id": documentID})))
	values.Set("client_id", documentID)
	w.refused(w.send(tokenRequest(values).WithContext(ctx)), 503, "temporarily_unavailable", "canceled")
	close(release)
	w.granted(w.redeemAs(documentID, false))
	if got := w.net.count(documentID); got != 1 {
		t.Errorf("fetched %d times, want once", got)
	}
}
