package telemetry

import (
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/emamw/mcp-ema/claims"
)

// attributes are those of one span or record, under construction. What is not
// known is left out.
type attributes []attribute.KeyValue

func (a *attributes) text(key attribute.Key, value string) {
	if value != "" {
		*a = append(*a, key.String(value))
	}
}

// word adds a value that must be on a closed list.
func (a *attributes) word(key attribute.Key, value string, list []string) {
	if value != "" {
		*a = append(*a, key.String(onList(value, list)))
	}
}

func onList(value string, list []string) string {
	if slices.Contains(list, value) {
		return value
	}
	return other
}

// Bounds of what one attribute may hold: exporters refuse or cut what is longer.
const (
	maxValues = 32
	maxText   = 256
)

func (a *attributes) list(key attribute.Key, values []string) {
	if len(values) > 0 {
		*a = append(*a, key.StringSlice(values[:min(len(values), maxValues)]))
	}
}

// claim adds the text of a claim that the operator asked for.
func (a *attributes) claim(asked bool, key attribute.Key, value string) {
	if asked {
		a.text(key, cut(value))
	}
}

// cut shortens a text between two characters: half of one is no UTF-8, and
// exporters refuse the whole span for it.
func cut(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "")
}

func (a *attributes) claimList(asked bool, key attribute.Key, values []string) {
	if !asked {
		return
	}
	values = slices.Clone(values[:min(len(values), maxValues)])
	for i, value := range values {
		values[i] = cut(value)
	}
	a.list(key, values)
}

func (a *attributes) issuer(i *Issuer) {
	if i != nil {
		a.text(keyIssuer, i.name)
		a.text(keyPreset, i.preset)
	}
}

// decision adds what was decided, and why.
func (a *attributes) decision(reason claims.Reason) {
	decision, word := judge(reason)
	a.text(keyDecision, decision)
	a.text(keyReason, word)
	if decision == undecided {
		a.text(keyErrorType, word)
	}
}
