package integration_test

import (
	"bytes"
	"crypto/rand"
	"log/slog"
	"testing"

	"github.com/mark3labs/mcp-go/server"
	"go.opentelemetry.io/otel"

	"github.com/emamw/mcp-ema/emamw"
)

// What docs/telemetry.md says of turning telemetry on: the providers are those of
// the process, and a guard takes them as they are.
func TestTelemetryIsTurnedOnAsDocumented(t *testing.T) {
	ctx, s := t.Context(), server.NewMCPServer("files", "1.0.0")
	auditFile := &bytes.Buffer{}
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	guard, err := emamw.New(ctx, s, emamw.Config{
		Resource:             "https://mcp.example.com/mcp",
		AuthorizationServers: []emamw.AuthorizationServer{{Issuer: "https://auth.example.com"}},

		TracerProvider: otel.GetTracerProvider(),
		MeterProvider:  otel.GetMeterProvider(),
		Audit:          slog.NewJSONHandler(auditFile, nil),
		PseudonymKey:   key, // 32 random bytes, shared by what should name a user alike
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := guard.Verify(ctx, "no token"); err == nil {
		t.Error("anything is a token")
	}
}
