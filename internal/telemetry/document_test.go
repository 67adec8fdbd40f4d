package telemetry_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/internal/pagetest"
	"github.com/emamw/mcp-ema/internal/telemetry"
)

const document = "../../docs/telemetry.md"

var update = flag.Bool("update", false, "write the tables of docs/telemetry.md")

// Every table of docs/telemetry.md is the vocabulary's, row by row. After a change
// to the vocabulary: go test ./internal/telemetry -run TestDocument -update
func TestDocument(t *testing.T) { pagetest.Tables(t, document, tables(), *update) }

func tables() map[string]string {
	return map[string]string{
		"spans":           spanTable(),
		"attributes":      attributeTable(),
		"metrics":         metricTable(),
		"audit records":   eventTable(),
		"unacceptable":    reasonTable(telemetry.Unacceptable),
		"unauthenticated": reasonTable(telemetry.Unauthenticated),
		"unauthorized":    reasonTable(telemetry.Unauthorized),
		"unredeemed":      reasonTable(telemetry.Unredeemed),
		"undecided":       reasonTable(telemetry.Undecided),
		"causes":          causeTable(),
	}
}

func table(header ...string) *strings.Builder {
	b := &strings.Builder{}
	line(b, header...)
	line(b, slices.Repeat([]string{"---"}, len(header))...)
	return b
}

func line(b *strings.Builder, cells ...string) {
	fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
}

func code[T ~string](words ...T) string {
	var quoted []string
	for _, w := range words {
		quoted = append(quoted, "`"+string(w)+"`")
	}
	return strings.Join(quoted, " ")
}

func spanTable() string {
	b := table("span", "kind", "parent", "when")
	for _, s := range telemetry.Spans {
		line(b, code(s.Name), s.Kind, s.Parent, s.When)
	}
	return b.String()
}

func attributeTable() string {
	b := table("attribute", "type", "on", "when", "what")
	for _, a := range telemetry.Attributes {
		on := code(a.On...)
		if on == "" {
			on = "-"
		}
		what := a.Meaning
		// The reasons have tables of their own.
		if len(a.Values) > 0 && len(a.Values) <= 20 {
			what += ": " + code(a.Values...)
		}
		line(b, code(a.Key), a.Type, on, a.When, what)
	}
	return b.String()
}

func metricTable() string {
	b := table("metric", "instrument", "unit", "attributes", "what")
	for _, m := range telemetry.Metrics {
		line(b, code(m.Name), m.Instrument, code(m.Unit), code(m.Attributes...), m.Meaning)
	}
	return b.String()
}

func eventTable() string {
	b := table("record", "attributes of", "when")
	for _, e := range telemetry.Events {
		line(b, code(e.Name), code(e.Span), e.When)
	}
	return b.String()
}

func reasonTable(rows []telemetry.Refusal) string {
	b := table("reason", "what it means", "what to do")
	for _, r := range rows {
		line(b, code(r.Reason), r.Meaning, r.Cure)
	}
	return b.String()
}

func causeTable() string {
	b := table("cause", "what it means", "what to do")
	for _, c := range telemetry.Causes {
		line(b, code(c.Cause), c.Meaning, c.Cure)
	}
	return b.String()
}
