package integration_test

import (
	"fmt"
	"slices"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// checkValues compares some attributes of a span; "" is for one that must be
// absent.
func (w *watch) checkValues(s sdktrace.ReadOnlySpan, want map[string]string) {
	w.t.Helper()
	for key, value := range want {
		if got := valueOf(s, key); got != value {
			w.t.Errorf("%s: %s is %q, want %q", s.Name(), key, got, value)
		}
	}
}

// checkPoint demands that a metric has one point, with exactly these attributes,
// and that it counts one. Attributes that are "" must be absent.
func (w *watch) checkPoint(metric string, labels map[string]string) {
	w.t.Helper()
	var parts []string
	for key, value := range labels {
		if value != "" {
			parts = append(parts, key+"="+value)
		}
	}
	slices.Sort(parts)
	want := fmt.Sprint(map[string]uint64{metric + " " + strings.Join(parts, " "): 1})
	if got := fmt.Sprint(w.pointsNamed(metric)); got != want {
		w.t.Errorf("points\n%s, want\n%s", got, want)
	}
}

// checkRecord demands one audit record of this name, with the attributes of its
// span.
func (w *watch) checkRecord(name, wantKeys, reason string) {
	w.t.Helper()
	var found []map[string]any
	for _, record := range w.audit.records(w.t) {
		if record["msg"] == name {
			found = append(found, record)
		}
	}
	if len(found) != 1 {
		w.t.Errorf("%d records are called %s, want one", len(found), name)
		return
	}
	if got := recordKeys(found[0]); got != wantKeys {
		w.t.Errorf("the record has\n%s, want\n%s", got, wantKeys)
	}
	if got, _ := found[0]["ema.reason"].(string); got != reason || found[0]["level"] != "INFO" {
		w.t.Errorf("the record is for %q at level %v, want %q", got, found[0]["level"], reason)
	}
}
