package telemetry

import (
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/emamw/mcp-ema/claims"
)

// judge returns the decision that a reason stands for, and the word for the
// reason. A reason that is not on the list was made by the operator's own code,
// out of who knows what.
func judge(reason claims.Reason) (decision, word string) {
	switch {
	case reason == "":
		return allow, ""
	case reason.Undecided(), reason == claims.PolicyError, reason == claims.Ungated:
		return undecided, string(reason)
	case !knownReasons[reason]:
		return deny, other
	}
	return deny, string(reason)
}

// Word is the word that is recorded for a reason: "_OTHER" for one that is not on
// the list. Who writes a reason into a log line takes it from here, or the line
// would say what the audit record must not.
func Word(reason claims.Reason) string {
	_, word := judge(reason)
	return word
}

var knownReasons = func() map[claims.Reason]bool {
	known := map[claims.Reason]bool{}
	for _, r := range Reasons() {
		known[r.Reason] = true
	}
	return known
}()

// mark sets the status of a span. A description would only repeat error.type.
func mark(span trace.Span, reason claims.Reason) {
	if decision, _ := judge(reason); decision == undecided {
		span.SetStatus(codes.Error, "")
	}
}
