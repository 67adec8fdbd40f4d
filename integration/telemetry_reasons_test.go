package integration_test

import (
	"testing"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/internal/telemetry"
)

// Every reason of the vocabulary is in one of the golden tables, so that a new
// one cannot be added without somebody who looked at what it is told with.
func TestTelemetryOfEveryReason(t *testing.T) {
	shown := map[claims.Reason]bool{}
	for _, row := range authenticateRows {
		shown[row.reason] = true
	}
	for _, row := range authorizeRows {
		shown[row.reason] = true
	}
	for _, row := range turnedAwayRows {
		shown[row.reason] = true
	}
	for _, row := range exchangeRows {
		shown[row.reason] = true
	}
	g, r := newGuarded(t, newWatch(t)), newExchanger(t, newWatch(t))
	good := emamwtest.Token{Resource: watchedResource, Scopes: []string{"files:read"}}
	for _, defect := range append(emamwtest.Defects(g.as), emamwtest.AssertionDefects(r.idp, good)...) {
		shown[defect.Reason] = true
	}
	for _, row := range telemetry.Reasons() {
		if !shown[row.Reason] {
			t.Errorf("no row of a golden table is about %s", row.Reason)
		}
	}
}
