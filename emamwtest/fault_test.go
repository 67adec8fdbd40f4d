package emamwtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/internal/jose"
)

const metadataPath = "/.well-known/oauth-authorization-server"

// fetch returns status and body, or status 0 if there was no answer.
func fetch(t *testing.T, as *emamwtest.AuthorizationServer, path string) (status int, body string) {
	t.Helper()
	resp, err := emamwtest.HTTPClient(map[string]http.Handler{as.Issuer(): as}).Get(as.Issuer() + path)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

func TestFaultsByEndpoint(t *testing.T) {
	for _, c := range []struct {
		fault          emamwtest.Fault
		metadata, keys int // status, 0 for no answer
	}{
		{"", 200, 200},
		{emamwtest.Down, 503, 503},
		{emamwtest.Unreachable, 0, 0},
		{emamwtest.WrongIssuer, 200, 200},
		{emamwtest.KeysDown, 200, 503},
		{emamwtest.KeysUnreachable, 200, 0},
		{emamwtest.KeysGarbage, 200, 200},
		{emamwtest.KeysObject, 200, 200},
		{emamwtest.KeysEmpty, 200, 200},
	} {
		as := newServer(emamwtest.AuthorizationServerConfig{})
		as.Fail(c.fault)
		if got, _ := fetch(t, as, metadataPath); got != c.metadata {
			t.Errorf("%s: metadata %d, want %d", c.fault, got, c.metadata)
		}
		if got, _ := fetch(t, as, "/jwks"); got != c.keys {
			t.Errorf("%s: keys %d, want %d", c.fault, got, c.keys)
		}
		as.Fail()
		if got, body := fetch(t, as, "/jwks"); got != 200 || !strings.Contains(body, "ES256-1") {
			t.Errorf("%s: %d after healing", c.fault, got)
		}
	}
}

func TestWrongIssuer(t *testing.T) {
	as := newServer(emamwtest.AuthorizationServerConfig{})
	as.Fail(emamwtest.WrongIssuer)
	_, body := fetch(t, as, metadataPath)
	var metadata struct{ Issuer string }
	if err := json.Unmarshal([]byte(body), &metadata); err != nil || metadata.Issuer == "" || metadata.Issuer == as.Issuer() {
		t.Errorf("issuer %q, %v", metadata.Issuer, err)
	}
}

// What jose.ParseKeys keeps of a key set is what a verifier must keep.
func TestKeySetFaults(t *testing.T) {
	for _, c := range []struct {
		fault    emamwtest.Fault
		kept     []string // nil: no key set at all
		rejected int
	}{
		{"", []string{"ES256-1", "RS256-1"}, 0},
		{emamwtest.KeysGarbage, nil, 0},
		{emamwtest.KeysObject, nil, 0},
		{emamwtest.KeysEmpty, []string{}, 0},
		{emamwtest.KeysDuplicate, []string{}, 4},
		{emamwtest.KeysPrivate, []string{"ES256-1", "RS256-1"}, 1},
		{emamwtest.KeysSymmetric, []string{"ES256-1", "RS256-1"}, 1},
		{emamwtest.KeysEncryption, []string{"ES256-1", "RS256-1"}, 1},
		{emamwtest.KeysWeak, []string{"ES256-1", "RS256-1"}, 1},
		{emamwtest.KeysMalformed, []string{"ES256-1", "RS256-1"}, 7},
		{emamwtest.KeysHuge, nil, 0},
	} {
		as := newServer(emamwtest.AuthorizationServerConfig{Algorithms: []string{"ES256", "RS256"}})
		as.Fail(c.fault)
		_, body := fetch(t, as, "/jwks")
		keys, rejected, err := jose.ParseKeys([]byte(body))
		if (err != nil) != (c.kept == nil) {
			t.Errorf("%s: error %v", c.fault, err)
		}
		var kept []string
		for _, k := range keys {
			kept = append(kept, k.ID)
		}
		if !slices.Equal(kept, c.kept) || len(rejected) != c.rejected {
			t.Errorf("%s: kept %v, rejected %d: want %v, %d", c.fault, kept, len(rejected), c.kept, c.rejected)
		}
		if huge := len(body) > 8<<20 && strings.Contains(body[8<<20:], "ES256-1"); huge != (c.fault == emamwtest.KeysHuge) {
			t.Errorf("%s: %d bytes", c.fault, len(body))
		}
	}
}

func TestSeveralFaults(t *testing.T) {
	as := newServer(emamwtest.AuthorizationServerConfig{})
	as.Fail(emamwtest.KeysPrivate, emamwtest.KeysSymmetric)
	_, body := fetch(t, as, "/jwks")
	if _, rejected, err := jose.ParseKeys([]byte(body)); err != nil || len(rejected) != 2 {
		t.Errorf("rejected %v, error %v: both faults must show", rejected, err)
	}
}

// The keys must be good at the other origin: else a test could not tell a client
// that refused to go there from one that went in vain.
func TestKeysRedirect(t *testing.T) {
	as := emamwtest.StartAuthorizationServer(emamwtest.AuthorizationServerConfig{})
	defer as.Close()
	as.Fail(emamwtest.KeysRedirect)
	resp, body := get(t, as, as.Issuer()+"/jwks")
	if resp.Request.URL.Hostname() != "localhost" {
		t.Errorf("ended at %s, want another origin", resp.Request.URL)
	}
	if keys, _, err := jose.ParseKeys(body); err != nil || len(keys) != 1 {
		t.Errorf("%d keys there, error %v", len(keys), err)
	}

	here := newServer(emamwtest.AuthorizationServerConfig{})
	here.Fail(emamwtest.KeysRedirect)
	client := emamwtest.HTTPClient(map[string]http.Handler{here.Issuer(): here, "https://elsewhere.auth.example.com": here})
	resp, err := client.Get(here.Issuer() + "/jwks")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.Request.URL.Host != "elsewhere.auth.example.com" || resp.StatusCode != http.StatusOK {
		t.Errorf("%s from %s", resp.Status, resp.Request.URL)
	}
}

func TestSlow(t *testing.T) {
	for _, fault := range []emamwtest.Fault{emamwtest.Slow, emamwtest.KeysSlow} {
		synctest.Test(t, func(t *testing.T) {
			as := newServer(emamwtest.AuthorizationServerConfig{})
			client := emamwtest.HTTPClient(map[string]http.Handler{as.Issuer(): as})
			as.Fail(fault)

			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, as.Issuer()+"/jwks", nil)
			if err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			if _, err := client.Do(r); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Minute {
				t.Errorf("%s: %v after %v, want the caller's own deadline", fault, err, time.Since(begin))
			}

			// Another fault does not let it go, and healing does.
			status := make(chan int)
			go func() {
				got, _ := fetch(t, as, "/jwks")
				status <- got
			}()
			synctest.Wait()
			as.Fail(fault, emamwtest.KeysPrivate)
			synctest.Wait()
			select {
			case got := <-status:
				t.Errorf("%s: %d while it is still slow", fault, got)
			default:
			}
			as.Fail()
			if got := <-status; got != http.StatusOK {
				t.Errorf("%s: %d after healing", fault, got)
			}
		})
	}
}

// A caller that gives up must not leave its request hanging in the server:
// synctest fails if a goroutine is left over.
func TestSlowEndsWithItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := newServer(emamwtest.AuthorizationServerConfig{})
		as.Fail(emamwtest.Slow)
		client := emamwtest.HTTPClient(map[string]http.Handler{as.Issuer(): as})
		client.Timeout = time.Second
		if _, err := client.Get(as.Issuer() + "/jwks"); err == nil {
			t.Error("an answer while it is slow")
		}
	})
}

// Close must end what hangs, or a test that forgot to heal would hang with it.
func TestCloseEndsSlowRequests(t *testing.T) {
	as := emamwtest.StartAuthorizationServer(emamwtest.AuthorizationServerConfig{})
	as.Fail(emamwtest.KeysSlow)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if resp, err := http.Get(as.Issuer() + "/jwks"); err == nil {
			resp.Body.Close()
		}
	}()
	for as.KeyFetches() == 0 {
		runtime.Gosched()
	}
	as.Close()
	<-done
}

// A dead identity provider fails in the same ways.
func TestIdPFails(t *testing.T) {
	idp := emamwtest.NewIdP(acme())
	form := request(idp, nil)
	idp.Fail(emamwtest.Down)
	resp, err := emamwtest.HTTPClient(map[string]http.Handler{idpIssuer: idp}).PostForm(idpIssuer+"/token", form)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%s, want 503", resp.Status)
	}
	idp.Fail()
	if a := post(t, idp, form, nil); a.Error != "" {
		t.Errorf("%s after healing", a.Error)
	}
}
