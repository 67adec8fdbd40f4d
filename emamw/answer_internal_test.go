package emamw

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/pagetest"
	"github.com/emamw/mcp-ema/internal/telemetry"
)

// The page has the answer to each reason that the guard can refuse for, and each
// reason once.
func TestAnswersOnThePage(t *testing.T) {
	page := answersOnThePage(t)
	a := newAnswers(nil, "https://mcp.example/.well-known/oauth-protected-resource")
	for _, row := range slices.Concat(telemetry.Unacceptable, telemetry.Unauthenticated, telemetry.Unauthorized, telemetry.Undecided) {
		shown, listed := page[row.Reason]
		if forGuard := row.Reason != claims.ClientLookupFailed; listed != forGuard {
			t.Errorf("%s is on the page: %t, want %t", row.Reason, listed, forGuard)
			continue
		}
		w := httptest.NewRecorder()
		switch {
		case row.Reason == claims.OriginNotAllowed, slices.Contains(telemetry.Unauthenticated, row), row.Reason.Undecided():
			a.refuse(w, row.Reason)
		case row.Reason == claims.ScopeMissing:
			a.deny(w, []string{"files:read"})
		default:
			continue // answered where it is found
		}
		var body struct{ Error string }
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%d `%s`", w.Code, body.Error); listed && shown != got {
			t.Errorf("%s: the page says %s, the guard %s", row.Reason, shown, got)
		}
	}
}

func answersOnThePage(t *testing.T) map[claims.Reason]string {
	t.Helper()
	answers := map[claims.Reason]string{}
	for _, line := range pagetest.Table(t, "../docs/telemetry.md", "answers") {
		cells := strings.Split(line, " | ")
		if len(cells) != 3 {
			continue
		}
		for _, word := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(cells[2], -1) {
			reason := claims.Reason(word[1])
			if answers[reason] != "" {
				t.Errorf("%s stands there twice", reason)
			}
			answers[reason] = strings.TrimPrefix(cells[0], "| ")
		}
	}
	return answers
}
