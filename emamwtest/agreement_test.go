package emamwtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/idjag"
	"github.com/emamw/mcp-ema/revocation"
)

var quiet = slog.New(slog.DiscardHandler)

// byDefault are the algorithms that both verifiers take, RS256 among them
// (RFC 9068 section 2.1, RFC 7523 section 5).
var byDefault = []string{"ES256", "RS256", "PS256", "EdDSA"}

// The library's own verifiers against the corpora, with every algorithm: the kit
// signs and encodes by itself, so the two can only agree where both follow the
// standards.
func TestGuardAgrees(t *testing.T) {
	as := emamwtest.NewAuthorizationServer(emamwtest.AuthorizationServerConfig{
		Issuer: "https://auth.example.com", Algorithms: byDefault, Now: standstill,
	})
	guard, err := emamw.New(t.Context(), server.NewMCPServer("files", "1.0.0"), emamw.Config{
		Resource:             files,
		AuthorizationServers: []emamw.AuthorizationServer{{Issuer: as.Issuer()}},
		HTTPClient:           emamwtest.HTTPClient(map[string]http.Handler{as.Issuer(): as}),
		Now:                  standstill,
		Logger:               quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, algorithm := range byDefault {
		if _, err := guard.Verify(t.Context(), as.Mint(emamwtest.Token{Algorithm: algorithm})); err != nil {
			t.Errorf("%s: %v, want it accepted", algorithm, err)
		}
	}
	for name, token := range emamwtest.Oddities(as) {
		if _, err := guard.Verify(t.Context(), token); err != nil {
			t.Errorf("%s: %v, want it accepted", name, err)
		}
	}
	for _, d := range emamwtest.Defects(as) {
		_, err := guard.Verify(t.Context(), d.Token)
		var refused *emamw.TokenError
		if !errors.As(err, &refused) || refused.Reason != d.Reason {
			t.Errorf("%s: %v, want %s", d.Name, err, d.Reason)
		}
	}
}

func TestRedeemerAgrees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const secret = "a client secret of more than thirty-two bytes"
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		idp := emamwtest.NewIdP(emamwtest.IdPConfig{Issuer: idpIssuer, Algorithms: byDefault})
		var audit lastReason
		redeemer, err := idjag.New(ctx, idjag.Config{
			Issuer:            filesServer,
			Resources:         []idjag.Resource{{ID: filesMCP, Scopes: []string{"files:read", "files:write"}}},
			IdentityProviders: []idjag.IdentityProvider{{Issuer: idpIssuer}},
			Clients:           []idjag.Client{{ID: "mcp-client", SecretHashes: []string{idjag.HashSecret(secret)}}},
			Keys:              idjag.Keys{Current: idjag.DangerouslyEphemeralKey()},
			HTTPClient:        emamwtest.HTTPClient(map[string]http.Handler{idpIssuer: idp}),
			Logger:            quiet,
			Audit:             &audit,
		})
		if err != nil {
			t.Fatal(err)
		}
		redeem := func(assertion string) (status int, reason claims.Reason) {
			r := httptest.NewRequest(http.MethodPost, filesServer+"/token", strings.NewReader(url.Values{
				"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
				"assertion":  {assertion},
			}.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.SetBasicAuth("mcp-client", url.QueryEscape(secret))
			w := httptest.NewRecorder()
			redeemer.ServeHTTP(w, r)
			return w.Code, audit.reason
		}
		good := emamwtest.Token{Audience: []string{filesServer}, Resource: filesMCP, Scopes: []string{"files:read"}}
		for _, algorithm := range byDefault {
			signed := good
			signed.Algorithm = algorithm
			if status, reason := redeem(idp.Mint(signed)); status != http.StatusOK {
				t.Fatalf("a good ID-JAG, %s: %d %s", algorithm, status, reason)
			}
		}
		for _, d := range emamwtest.AssertionDefects(idp, good) {
			if status, reason := redeem(d.Token); status == http.StatusOK || reason != d.Reason {
				t.Errorf("%s: %d %s, want %s", d.Name, status, reason, d.Reason)
			}
		}
	})
}

// A client ends its own token at the authorization server (RFC 7009), and the MCP
// server that shares the store refuses it: a token that is verified by its signature
// alone would else be good until it expires. Others of the same client stay good.
func TestClientRevokesItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const secret = "a client secret of more than thirty-two bytes"
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		store := revocation.NewMemory(0, nil)
		idp := emamwtest.NewIdP(emamwtest.IdPConfig{Issuer: idpIssuer})
		as, err := idjag.New(ctx, idjag.Config{
			Issuer:            filesServer,
			Resources:         []idjag.Resource{{ID: filesMCP, Scopes: []string{"files:read"}}},
			IdentityProviders: []idjag.IdentityProvider{{Issuer: idpIssuer}},
			Clients:           []idjag.Client{{ID: "mcp-client", SecretHashes: []string{idjag.HashSecret(secret)}}},
			Keys:              idjag.Keys{Current: idjag.DangerouslyEphemeralKey()},
			HTTPClient:        emamwtest.HTTPClient(map[string]http.Handler{idpIssuer: idp}),
			Revocations:       store,
			Logger:            quiet,
		})
		if err != nil {
			t.Fatal(err)
		}
		guard, err := emamw.New(ctx, server.NewMCPServer("files", "1.0.0"), emamw.Config{
			Resource:             filesMCP,
			AuthorizationServers: []emamw.AuthorizationServer{{Issuer: filesServer}},
			HTTPClient:           emamwtest.HTTPClient(map[string]http.Handler{filesServer: as}),
			Revocations:          store,
			Logger:               quiet,
		})
		if err != nil {
			t.Fatal(err)
		}
		send := func(path string, form url.Values) *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodPost, filesServer+path, strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.SetBasicAuth("mcp-client", url.QueryEscape(secret))
			w := httptest.NewRecorder()
			as.ServeHTTP(w, r)
			return w
		}
		redeem := func() (token string) {
			w := send("/token", url.Values{
				"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
				"assertion":  {idp.Mint(emamwtest.Token{Audience: []string{filesServer}, Resource: filesMCP, Scopes: []string{"files:read"}})},
			})
			var answer struct {
				AccessToken string `json:"access_token"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.AccessToken == "" {
				t.Fatalf("no token: %d %s", w.Code, w.Body)
			}
			return answer.AccessToken
		}
		ended, kept := redeem(), redeem()
		for _, token := range []string{ended, kept} {
			if _, err := guard.Verify(ctx, token); err != nil {
				t.Fatalf("before: %v", err)
			}
		}
		if w := send("/revoke", url.Values{"token": {ended}}); w.Code != http.StatusOK {
			t.Fatalf("answered %d %s", w.Code, w.Body)
		}
		synctest.Wait()
		var refused *emamw.TokenError
		if _, err := guard.Verify(ctx, ended); !errors.As(err, &refused) || refused.Reason != claims.TokenRevoked {
			t.Errorf("the token that was revoked: %v", err)
		}
		if _, err := guard.Verify(ctx, kept); err != nil {
			t.Errorf("the other one: %v", err)
		}
	})
}

// lastReason is an audit log of one record.
type lastReason struct{ reason claims.Reason }

func (l *lastReason) Enabled(context.Context, slog.Level) bool { return true }
func (l *lastReason) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lastReason) WithGroup(string) slog.Handler            { return l }

func (l *lastReason) Handle(_ context.Context, record slog.Record) error {
	l.reason = ""
	record.Attrs(func(a slog.Attr) bool {
		if a.Key == "ema.reason" {
			l.reason = claims.Reason(a.Value.String())
		}
		return true
	})
	return nil
}
