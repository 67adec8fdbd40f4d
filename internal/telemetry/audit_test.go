package telemetry_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/internal/telemetry"
)

// A handler that fails is reported once when it begins to and once when it is
// well, and what it says of itself is not repeated: it may quote the record.
func TestLostAuditRecords(t *testing.T) {
	var log bytes.Buffer
	k := newKit(func(c *telemetry.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	for _, err := range []error{nil, errors.New("canary"), errors.New("canary"), nil, nil} {
		k.journal.err = err
		k.Authorize(t.Context(), &telemetry.Decision{})
	}
	if got := strings.Count(log.String(), "\n"); got != 2 || strings.Contains(log.String(), "canary") {
		t.Errorf("%d lines, want 2:\n%s", got, log.String())
	}
}

func TestAuditAlone(t *testing.T) {
	k := newKit(func(c *telemetry.Config) { c.TracerProvider, c.MeterProvider = nil, nil })
	_, a := k.StartAuthentication(t.Context(), nil)
	a.End(&telemetry.Authenticated{Caller: k.Caller(alice(), nil, "ES256")})
	if len(k.journal.records) != 1 || recordTexts(k.journal.records[0])["user.hash"] == "" {
		t.Errorf("records: %v", k.journal.records)
	}
}
