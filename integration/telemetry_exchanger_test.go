package integration_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/idjag"
)

// documentOrigin is where clients have their metadata documents.
const documentOrigin = "https://clients.example"

// exchanger is an authorization server, and everything that it tells.
type exchanger struct {
	*watch
	idp     *emamwtest.IdP
	server  *idjag.Server
	network *outbound
	ended   context.CancelFunc // ends the server's own work
}

// exchangerSetup is what a test may change of one.
type exchangerSetup struct {
	config    idjag.Config
	documents http.Handler
	cold      bool // the keys cannot be had from the start
}

func newExchanger(t *testing.T, w *watch, changes ...func(*exchangerSetup)) *exchanger {
	t.Helper()
	r := &exchanger{watch: w}
	r.idp = emamwtest.NewIdP(emamwtest.IdPConfig{
		Issuer:    watchedIdP,
		Users:     []emamwtest.User{{Name: "alice", Groups: []string{"engineering"}}, {Name: "bob"}},
		Clients:   []emamwtest.Client{{ID: idpClient, Secret: idpSecret}},
		Audiences: []emamwtest.Audience{{Issuer: watchedIssuer, ClientIDs: map[string]string{idpClient: asClient}}},
	})
	s := exchangerSetup{documents: http.NotFoundHandler(), config: idjag.Config{
		Issuer:            watchedIssuer,
		Resources:         []idjag.Resource{{ID: watchedResource, Scopes: []string{"files:read", "files:write"}}},
		IdentityProviders: []idjag.IdentityProvider{{Issuer: watchedIdP, Subject: idjag.VerbatimSubject}},
		Clients:           []idjag.Client{{ID: asClient, SecretHashes: []string{idjag.HashSecret(asSecret)}}},
		ClientDocuments:   idjag.ClientDocuments{Origins: []string{documentOrigin}, DangerouslyPublic: true},
		Keys:              idjag.Keys{Current: idjag.DangerouslyEphemeralKey()},
		Logger:            w.logger(),
		Audit:             w.auditor(),
		TracerProvider:    w.traces,
		MeterProvider:     w.meters,
	}}
	for _, change := range changes {
		change(&s)
	}
	if s.cold {
		r.idp.Fail(emamwtest.Unreachable)
	}
	r.network = &outbound{next: emamwtest.HTTPClient(map[string]http.Handler{watchedIdP: r.idp, documentOrigin: s.documents}).Transport}
	s.config.HTTPClient = &http.Client{Transport: r.network}
	ctx, cancel := context.WithCancel(w.starting())
	r.ended = cancel
	t.Cleanup(cancel)
	var err error
	if r.server, err = idjag.New(ctx, s.config); err != nil {
		t.Fatal(err)
	}
	if err := r.server.Ready(t.Context()); err != nil && !s.cold && s.config.Revocations == nil {
		t.Fatal(err)
	}
	return r
}

// assertion mints a good ID-JAG for alice, with changes.
func (r *exchanger) assertion(changes ...func(*emamwtest.Token)) string {
	t := emamwtest.Token{Resource: watchedResource, Scopes: []string{"files:read"}, Groups: []string{"engineering"}}
	for _, change := range changes {
		change(&t)
	}
	return r.idp.Mint(t)
}

// exchange is a request to the token endpoint, with the client's secret.
type exchange struct {
	form   url.Values // over a good one; an empty value takes one out
	header http.Header
	ctx    context.Context
}

func (x exchange) request(assertion string) *http.Request {
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	for name, values := range x.form {
		form[name] = values
	}
	r := httptest.NewRequest(http.MethodPost, watchedIssuer+"/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(asClient), url.QueryEscape(asSecret))
	for name, values := range x.header {
		if r.Header[name] = values; values == nil {
			r.Header.Del(name)
		}
	}
	if x.ctx != nil {
		r = r.WithContext(x.ctx)
	}
	return r
}

func (r *exchanger) redeem(assertion string, x exchange) *httptest.ResponseRecorder {
	return serve(r.server, x.request(assertion))
}
