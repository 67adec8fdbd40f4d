package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/internal/telemetry"
)

// exported runs the example for one round, against a receiver.
func exported(t *testing.T) (*receiver, string) {
	t.Helper()
	r := startReceiver(t)
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{"-endpoint", r.URL, "-rounds", "1"}, &stdout, &stderr); status != 0 {
		t.Fatalf("exit status %d: %s", status, stderr.String())
	}
	return r, stdout.String()
}

// The trace of one step-up, as an operator reads it: the call that is refused and
// why, the ID-JAG that was redeemed for more, and the call that is allowed with
// the token that came of it.
func TestStepUpIsOneTrace(t *testing.T) {
	r, _ := exported(t)
	rounds := r.called("step-up")
	if len(rounds) != 1 || rounds[0].parent != "" {
		t.Fatalf("%d rounds, want one that begins the trace", len(rounds))
	}
	want := []struct {
		service, name string
		attributes    map[string]string
	}{
		{"notes-auth", "ema.id_jag.exchange", map[string]string{"ema.decision": "allow", "ema.scopes.granted": readScope}},
		{"notes-mcp", "ema.authorize", map[string]string{"ema.decision": "allow", "gen_ai.tool.name": "read_note"}},
		{"notes-mcp", "ema.authorize", map[string]string{
			"ema.decision": "deny", "ema.reason": "scope_missing", "gen_ai.tool.name": "write_note", "ema.scopes.missing": writeScope,
		}},
		{"notes-auth", "ema.id_jag.exchange", map[string]string{"ema.decision": "allow", "ema.scopes.granted": readScope + " " + writeScope}},
		{"notes-mcp", "ema.authorize", map[string]string{"ema.decision": "allow", "gen_ai.tool.name": "write_note"}},
	}
	story := r.story(rounds[0].trace, "ema.id_jag.exchange", "ema.authorize")
	if len(story) != len(want) {
		t.Fatalf("the trace has %d decisions, want %d: %v", len(story), len(want), story)
	}
	for i, chapter := range want {
		if got := story[i]; got.service != chapter.service || got.name != chapter.name {
			t.Errorf("chapter %d is %s of %s, want %s of %s", i, got.name, got.service, chapter.name, chapter.service)
		}
		for key, value := range chapter.attributes {
			if got := story[i].attributes[key]; got != value {
				t.Errorf("chapter %d: %s is %q, want %q", i, key, got, value)
			}
		}
	}
	sameHashes(t, story[0], story[2], "ema.token.id_hash", "ema.assertion.id_hash", "ema.client.hash")
	sameHashes(t, story[3], story[4], "ema.token.id_hash", "ema.assertion.id_hash", "ema.client.hash")
	sameHashes(t, story[2], story[4], "user.hash")
	if story[2].attributes["ema.token.id_hash"] == story[4].attributes["ema.token.id_hash"] {
		t.Error("the call that was allowed was made with the token that was refused")
	}
}

// sameHashes demands that two spans are about one token, client or user.
func sameHashes(t *testing.T, a, b span, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if a.attributes[key] == "" || a.attributes[key] != b.attributes[key] {
			t.Errorf("%s is %q in %s and %q in %s", key, a.attributes[key], a.name, b.attributes[key], b.name)
		}
	}
}

// Every span has its parent in the trace, so that nothing hangs in the air.
func TestTraceIsWhole(t *testing.T) {
	r, _ := exported(t)
	known := map[string]bool{"": true}
	for _, s := range r.spans {
		known[s.trace+s.id] = true
	}
	for _, s := range r.spans {
		if s.parent != "" && !known[s.trace+s.parent] {
			t.Errorf("%s of %s has a parent that nobody sent", s.name, s.service)
		}
	}
}

// What arrives under this module's name is in the vocabulary.
func TestOnlyTheVocabularyArrives(t *testing.T) {
	r, _ := exported(t)
	names, keys := map[string]bool{}, map[string]bool{}
	for _, m := range telemetry.Metrics {
		names[m.Name] = true
	}
	for _, a := range telemetry.Attributes {
		keys[string(a.Key)] = true
	}
	seen := map[string]bool{}
	for _, p := range r.points {
		if p.scope != telemetry.ScopeName {
			continue
		}
		seen[p.metric] = true
		if !names[p.metric] {
			t.Errorf("the metric %s is not in the vocabulary", p.metric)
		}
		for key := range p.attributes {
			if !keys[key] {
				t.Errorf("%s: the attribute %s is not in the vocabulary", p.metric, key)
			}
		}
	}
	for _, metric := range []string{"ema.authentication.duration", "ema.authorization.decisions", "ema.id_jag.exchange.duration", "ema.jwks.fetch.duration", "ema.jwks.age", "ema.jwks.keys", "ema.cache.lookups"} {
		if !seen[metric] {
			t.Errorf("%s did not arrive", metric)
		}
	}
}

// The audit goes to the standard output, each record with the ids by which its
// trace is found.
func TestAuditNamesItsTrace(t *testing.T) {
	r, out := exported(t)
	trace := r.called("step-up")[0].trace
	denied := 0
	for line := range strings.Lines(out) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("a line is no JSON: %s", line)
		}
		if record["audit"] != true {
			continue
		}
		if record["trace_id"] != trace {
			t.Errorf("%v is in the trace %v, want %s", record["msg"], record["trace_id"], trace)
		}
		if record["ema.reason"] == "scope_missing" {
			denied++
		}
	}
	if denied != 1 {
		t.Errorf("%d records of the refusal, want one", denied)
	}
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{{"-rounds", "-1"}, {"-every", "0s"}, {"more"}, {"-unknown"}} {
		var stdout, stderr bytes.Buffer
		if status := run(t.Context(), args, &stdout, &stderr); status != 2 || stderr.Len() == 0 {
			t.Errorf("%q: exit status %d and %q", args, status, stderr.String())
		}
	}
}
