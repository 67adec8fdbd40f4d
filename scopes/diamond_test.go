package scopes_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/scopes"
)

// In a hierarchy whose layers imply all of the next one, the number of paths
// doubles with each layer. A walk over paths would take longer than a request
// lives, and any caller with a broad scope could ask for it.
func TestDiamondsAreCheap(t *testing.T) {
	const layers = 64
	web := scopes.Hierarchy{}
	for i := range layers {
		below := []string{fmt.Sprintf("a%d", i+1), fmt.Sprintf("b%d", i+1)}
		web[fmt.Sprintf("a%d", i)], web[fmt.Sprintf("b%d", i)] = below, below
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := web.Validate(); err != nil {
			t.Error(err)
		}
		q := scopes.Request{Principal: &claims.Principal{Kind: claims.User, Scopes: []string{"a0"}}, Hierarchy: web}
		for want, ok := range map[string]bool{"a0": true, "b1": true, fmt.Sprintf("b%d", layers): true, "b0": false, "other": false} {
			if d := scope(want).Evaluate(q); d.Allowed != ok {
				t.Errorf("%s: allowed=%t, want %t", want, d.Allowed, ok)
			}
		}
		// A denial leaves out what another scope of its challenge implies.
		if d := scopes.All(scope("b0"), scope("a63"), scope("other")).Evaluate(q); fmt.Sprint(d.Scopes) != "[b0 other]" {
			t.Errorf("the challenge names %q", d.Scopes)
		}
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("a hierarchy of 130 scopes takes longer than 20 seconds")
	}
}

// A rule that can never hold stays so when clients are shown what to ask for: no
// scope is named that would not help, and one alternative that can hold is.
func TestZeroRuleInsideOthers(t *testing.T) {
	tests := []struct {
		name string
		rule scopes.Rule
		want string
	}{
		{"beside a scope", scopes.All(scope("a"), scopes.Rule{}), "[]"},
		{"or a scope", scopes.Any(scopes.Rule{}, scope("a")), `["a"]`},
		{"an All of nothing beside a scope", scopes.All(scope("a"), scopes.All()), "[]"},
	}
	for _, tt := range tests {
		if got, err := json.Marshal(tt.rule); err != nil || string(got) != `{"scopes":`+tt.want+`}` {
			t.Errorf("%s: shown %s, want %s", tt.name, got, tt.want)
		}
	}
}

// An Any with very many alternatives is cut to the smallest before an All
// multiplies it, so that a denial stays cheap.
func TestManyAlternatives(t *testing.T) {
	alternatives := make([]scopes.Rule, 5000)
	for i := range alternatives {
		alternatives[i] = scopes.All(scope(fmt.Sprintf("x%d", i)), scope("y"))
	}
	alternatives = append(alternatives, scope("small"))
	wide := scopes.Any(alternatives...)
	done := make(chan scopes.Decision)
	go func() {
		done <- scopes.All(wide, wide).Evaluate(scopes.Request{Principal: alice})
	}()
	select {
	case d := <-done:
		if d.Allowed || fmt.Sprint(d.Scopes) != "[small]" {
			t.Errorf("allowed=%t, the challenge names %q", d.Allowed, d.Scopes)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("5000 alternatives twice take longer than 20 seconds")
	}
}
