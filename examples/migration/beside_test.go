package migration_test

import (
	"bytes"
	"log/slog"
	"regexp"
	"testing"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/examples/migration/beside"
)

// Beside the check that was written by hand, the guard tells what it would refuse,
// and refuses nothing.
func TestBeside(t *testing.T) {
	var logged bytes.Buffer
	handler, err := beside.Watch(t.Context(), startBefore().handler, emamw.Config{
		Resource:             resource,
		AuthorizationServers: []emamw.AuthorizationServer{{Issuer: as.Issuer()}},
		HTTPClient:           network,
	}, slog.New(slog.NewTextHandler(&logged, nil)))
	if err != nil {
		t.Fatal(err)
	}
	reason := regexp.MustCompile(`reason=(\w+)`)
	for _, tt := range []struct {
		name   string
		sent   request
		answer string // of the check, with the guard beside it or without
		reason string
	}{
		{"good", bearer(emamwtest.Token{}), "200", ""},
		{"for another service", bearer(emamwtest.Token{Audience: []string{"https://payroll.example.com"}}), "200", "audience_mismatch"},
		{"of another type", bearer(emamwtest.Token{Header: map[string]any{"typ": "JWT"}}), "200", "typ_not_allowed"},
		{"without exp", bearer(emamwtest.Token{Claims: map[string]any{"exp": nil}}), "200", "claim_missing"},
		{"forged", hostile("signature is empty (RS256)"), "401, no challenge", "signature_invalid"},
		{"none", request{}, "401, no challenge", "token_missing"},
	} {
		logged.Reset()
		if got := outcome(side{handler}.send(tt.sent.with(initialize))); got != tt.answer {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.answer)
		}
		told := ""
		if found := reason.FindStringSubmatch(logged.String()); found != nil {
			told = found[1]
		}
		if told != tt.reason {
			t.Errorf("%s: told %q, want %q", tt.name, told, tt.reason)
		}
	}
}
