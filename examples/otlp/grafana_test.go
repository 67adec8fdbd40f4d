package main

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.yaml.in/yaml/v3"

	"github.com/emamw/mcp-ema/internal/telemetry"
)

// prometheus is a name as Prometheus writes it, with a suffix for the unit and
// one for a counter (OpenTelemetry's compatibility specification for Prometheus).
// A unit in braces is a remark, and has none.
func prometheus(m telemetry.Metric) []string {
	name := underscored(m.Name)
	if m.Unit == "s" {
		name += "_seconds"
	}
	switch m.Instrument {
	case "Histogram":
		return []string{name + "_bucket", name + "_count", name + "_sum"}
	case "Counter":
		return []string{name + "_total"}
	}
	return []string{name}
}

func underscored(name string) string { return strings.ReplaceAll(name, ".", "_") }

// series is what Prometheus has of the vocabulary: the metric behind each name,
// and the attribute behind each label.
func series() (metrics map[string]telemetry.Metric, labels map[string]telemetry.Attribute) {
	metrics, labels = map[string]telemetry.Metric{}, map[string]telemetry.Attribute{}
	for _, m := range telemetry.Metrics {
		for _, name := range prometheus(m) {
			metrics[name] = m
		}
	}
	for _, a := range telemetry.Attributes {
		labels[underscored(string(a.Key))] = a
	}
	return metrics, labels
}

// A query is PromQL, and what is written of its result.
type query struct{ where, expr, text string }

// dashboardQueries reads the dashboard as far as it names series.
func dashboardQueries(t *testing.T) (queries []query) {
	t.Helper()
	raw, err := os.ReadFile("grafana/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Templating struct {
			List []struct {
				Name, Type, Query string
			}
		}
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(raw, &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, v := range dashboard.Templating.List {
		if v.Type == "query" {
			queries = append(queries, query{"variable " + v.Name, v.Query, ""})
		}
	}
	for i, p := range dashboard.Panels {
		if p.ID != i+1 || len(p.Targets) == 0 {
			t.Errorf("panel %q has the id %d and %d queries", p.Title, p.ID, len(p.Targets))
		}
		for _, target := range p.Targets {
			queries = append(queries, query{p.Title, target.Expr, target.LegendFormat})
		}
	}
	return queries
}

// alertQueries reads the alert rules.
func alertQueries(t *testing.T) (queries []query) {
	t.Helper()
	raw, err := os.ReadFile("grafana/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		for _, r := range group.Rules {
			if severity := r.Labels["severity"]; severity != "page" && severity != "ticket" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s has the severity %q, or does not say what to do", r.Alert, severity)
			}
			queries = append(queries, query{r.Alert, r.Expr, r.Annotations["summary"] + r.Annotations["description"]})
		}
	}
	return queries
}

var (
	selector = regexp.MustCompile(`([a-z_]+)\{([^}]*)\}`)
	matcher  = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"`)
	quoted   = regexp.MustCompile(`"[^"]*"`)
	duration = regexp.MustCompile(`\b[0-9]+[smhd]\b`)
	word     = regexp.MustCompile(`\$?\b[a-z_]+\b`)
	legend   = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}`)

	// language is PromQL's own, and what Prometheus and Grafana bring.
	language = strings.Fields(`sum min max by rate increase topk histogram_quantile on group_left or unless offset label_values
		job le $__rate_interval`)
)

// Every metric, label and value of a label that the dashboard and the alert rules
// name exists: a query for one that does not is an empty panel, and an alert that
// never fires.
func TestDashboardAndAlertsNameWhatExists(t *testing.T) {
	metrics, labels := series()
	for _, q := range append(dashboardQueries(t), alertQueries(t)...) {
		used := map[string]bool{}
		for _, name := range word.FindAllString(duration.ReplaceAllString(quoted.ReplaceAllString(q.expr, ""), ""), -1) {
			_, isMetric := metrics[name]
			_, isLabel := labels[name]
			if !isMetric && !isLabel && !slices.Contains(language, name) {
				t.Errorf("%s: %s is neither a metric nor an attribute of the vocabulary", q.where, name)
			}
			if isMetric {
				used[name] = true
			}
		}
		if len(used) == 0 {
			t.Errorf("%s asks for no metric", q.where)
		}
		for name := range wanted(q) {
			if name == "job" || name == "le" {
				continue
			}
			if !anyHas(metrics, used, labels[name].Key) {
				t.Errorf("%s: no metric of the query has the label %s", q.where, name)
			}
		}
		for _, s := range selector.FindAllStringSubmatch(q.expr, -1) {
			for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
				checkMatcher(t, q.where, metrics[s[1]], labels[m[1]], m)
			}
		}
	}
}

// wanted are the labels that a query groups by or writes.
func wanted(q query) map[string]bool {
	all := map[string]bool{}
	for _, list := range regexp.MustCompile(`by \(([^)]*)\)`).FindAllStringSubmatch(q.expr, -1) {
		for name := range strings.SplitSeq(list[1], ",") {
			all[strings.TrimSpace(name)] = true
		}
	}
	for _, m := range legend.FindAllStringSubmatch(q.text, -1) {
		all[m[1]] = true
	}
	return all
}

func anyHas(metrics map[string]telemetry.Metric, used map[string]bool, key attribute.Key) bool {
	for name := range used {
		if slices.Contains(metrics[name].Attributes, key) {
			return true
		}
	}
	return false
}

// checkMatcher demands that the metric has the label, and that each value which
// is compared with it is on the attribute's closed list.
func checkMatcher(t *testing.T, where string, m telemetry.Metric, label telemetry.Attribute, match []string) {
	t.Helper()
	if match[1] == "job" {
		return
	}
	if !slices.Contains(m.Attributes, label.Key) {
		t.Errorf("%s: %s has no label %s", where, m.Name, match[1])
	}
	for value := range strings.SplitSeq(match[2], "|") {
		if value != "" && label.Values != nil && !slices.Contains(label.Values, value) {
			t.Errorf("%s: %s is never %q", where, match[1], value)
		}
	}
}

// A metric that is on no panel is one that nobody looks at.
func TestDashboardShowsEveryMetric(t *testing.T) {
	shown := ""
	for _, q := range dashboardQueries(t) {
		shown += q.expr
	}
	for _, m := range telemetry.Metrics {
		names := prometheus(m)
		if !slices.ContainsFunc(names, func(name string) bool { return strings.Contains(shown, name) }) {
			t.Errorf("%s is on no panel", m.Name)
		}
	}
}
