package emamwtest_test

import (
	"context"
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
)

var quiet = slog.New(slog.DiscardHandler)

// The library's own verifiers against the corpora, with every algorithm: the kit
// signs and encodes by itself, so the two can only agree where both follow the
// standards.
func TestGuardAgrees(t *testing.T) {
	as := emamwtest.NewAuthorizationServer(emamwtest.AuthorizationServerConfig{
		Issuer: "https://auth.example.com", Algorithms: []string{"ES256", "RS256", "PS256", "EdDSA"}, Now: standstill,
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
		idp := emamwtest.NewIdP(emamwtest.IdPConfig{Issuer: idpIssuer, Algorithms: []string{"ES256", "RS256", "PS256", "EdDSA"}})
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
		if status, reason := redeem(idp.Mint(good)); status != http.StatusOK {
			t.Fatalf("a good ID-JAG: %d %s", status, reason)
		}
		for _, d := range emamwtest.AssertionDefects(idp, good) {
			if status, reason := redeem(d.Token); status == http.StatusOK || reason != d.Reason {
				t.Errorf("%s: %d %s, want %s", d.Name, status, reason, d.Reason)
			}
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
