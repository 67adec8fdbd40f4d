package main

import (
	"context"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// findIn returns the mutants of a package that is one file with these
// declarations, and the file with the switches in it.
func findIn(t *testing.T, declarations string) ([]*mutant, string) {
	t.Helper()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "p"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "p", "p.go"), []byte("package p\n\n"+declarations), 0o600); err != nil {
		t.Fatal(err)
	}
	mutants, sources, err := find(root, []string{"p"})
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) == 0 {
		return mutants, ""
	}
	return mutants, string(sources[0].switched)
}

// Each check is found, and in the way in which it can be taken out.
func TestFind(t *testing.T) {
	tests := []struct {
		name, code string
		want       []string
	}{
		{"a refusal", `func f(a bool) error { if a { return e }; return nil }`, []string{"skip if a"}},
		{"a refusal for one of two", `func f(a, b bool) error { if a || b { return e }; return nil }`,
			[]string{"skip if a || b", "drop a of if a || b", "drop b of if a || b"}},
		{"a refusal for both", `func f(a, b bool) error { if a && b { return e }; return nil }`, []string{"skip if a && b"}},
		{"a refusal for both of which one is two", `func f(a, b, c bool) error { if a && (b || c) { return e }; return nil }`,
			[]string{"skip if a && (b || c)", "drop b of if a && (b || c)", "drop c of if a && (b || c)"}},
		{"a refusal unless both", `func f(a, b bool) error { if !(a && b) { return e }; return nil }`,
			[]string{"skip if !(a && b)", "drop a of if !(a && b)", "drop b of if !(a && b)"}},
		{"let through", `func f(a, b bool) error { if a && b { return nil }; return e }`,
			[]string{"pass if a && b", "drop a of if a && b", "drop b of if a && b"}},
		{"a reason", `func f(a bool) Reason { if a { return r }; return "" }`, []string{"skip if a"}},
		{"no reason", `func f(a bool) Reason { if a { return "" }; return r }`, []string{"pass if a"}},
		{"a truth", `func f(a bool) bool { if a { return false }; return true }`, []string{"skip if a", "pass if a"}},
		{"a returned truth", `func f(a, b bool) bool { return a && b }`, []string{"drop a of return a && b", "drop b of return a && b"}},
		{"a returned comparison", `func f(a int) bool { return a == 1 }`, []string{"skip return a == 1", "pass return a == 1"}},
		{"a forwarded answer", `func f() (int, bool) { return g() }`, nil},
		{"what an error is of", `func f() error { x, err := g(); if err != nil { return err }; h(x); return nil }`,
			[]string{"skip if x, err := g(); err != nil"}},
		{"an error beside a check", `func f() error { x, err := g(); if err != nil || x == 0 { return err }; return nil }`,
			[]string{"skip if x, err := g(); err != nil || x == 0", "drop x == 0 of if x, err := g(); err != nil || x == 0"}},
		{"cases", `func f(a, b bool) Reason { switch { case a: return r; case b: return "" }; return r }`, []string{"skip case a", "pass case b"}},
		{"values", `func f(a int) error { switch a { case 1: return e; case 2: default: return e }; return nil }`,
			[]string{"skip case 1 of a", "skip default of a"}},
		{"values at the end", `func f(a int) error { switch a { case 1: return e; default: return nil } }`, nil},
		{"an effect", `func f() { x.deny(1); mu.Lock() }`, []string{"omit x.deny(1)"}},
		{"a guarded effect", `func f(a bool) { if a { deny() } }`, []string{"skip if a"}},
		{"an item", `func f(l []bool) { for _, a := range l { if a { continue }; g(a) } }`, []string{"skip if a", "pass if a"}},
		{"inside of a literal", `var v = func(a bool) error { if a { return e }; return nil }`, []string{"skip if a"}},
		{"a named outcome", `func f(a, b bool) { c := a == b; g(c) }`, []string{"skip c := a == b", "pass c := a == b"}},
		{"a check by call", `func f(a bool) Reason { return unless(a, claims.X) }`, []string{"pass unless(a, claims.X)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mutants, switched := findIn(t, tt.code)
			var got []string
			for i, m := range mutants {
				got = append(got, string(m.change)+" "+m.text)
				if m.id != i+1 || !strings.Contains(switched, on(m)) {
					t.Errorf("%s is number %d, and has no switch in %s", m, m.id, switched)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if _, err := parser.ParseFile(token.NewFileSet(), "p.go", switched, 0); switched != "" && err != nil {
				t.Errorf("%v in %s", err, switched)
			}
		})
	}
}

// Where two switches begin or end at one place, the outer one is outside.
func TestSwitches(t *testing.T) {
	_, got := findIn(t, `func f(a, b bool) error { if a || b { return e }; return nil }`)
	want := `if (!mutant_.On(1) && ((!mutant_.On(2) && (a)) || (!mutant_.On(3) && (b)))) { return e }`
	if !strings.Contains(got, want) {
		t.Errorf("got %s, want it to hold %s", got, want)
	}
	if first := `package p; import mutant_ "github.com/emamw/mcp-ema/internal/mutant"`; !strings.HasPrefix(got, first+"\n") {
		t.Errorf("got %s, want it to begin with %s", got, first)
	}
}

// A mutant keeps its name when other code is edited, and equals are counted.
func TestNames(t *testing.T) {
	before, _ := findIn(t, "func f(a bool) error {\n\tif a { return e }\n\tif a { return e }\n\treturn nil\n}")
	after, _ := findIn(t, "var x = 1\n\n// A comment.\nfunc g() { h() }\n\nfunc f(a bool) error {\n\tb := 1\n\tif a { return e }\n\tif a { return e }\n\treturn nil\n}")
	if len(before) != 2 || before[0].name() == before[1].name() {
		t.Fatalf("got %v", before)
	}
	for _, m := range before {
		if !slices.ContainsFunc(after, func(o *mutant) bool { return o.name() == m.name() }) {
			t.Errorf("%q is gone", m.name())
		}
	}
}

func TestReasonsOfMutants(t *testing.T) {
	mutants, _ := findIn(t, `var errA = &Error{claims.A}
func refuse() error { return &Error{claims.B} }
func f(a, b, c bool) error {
	if a { return errA }
	if b { return refuse() }
	if c { return nil }
	return claims.C
}`)
	for i, want := range []string{"A", "B", "C"} {
		if !slices.Contains(mutants[i].reasons, want) {
			t.Errorf("%s has the reasons %q, want %s among them", mutants[i], mutants[i].reasons, want)
		}
	}
	table := map[string]row{}
	for _, m := range mutants {
		table[m.name()] = row{killer: "p.TestF"}
	}
	if err := everyReason(map[string]string{"A": "a", "B": "b", "C": "c"}, mutants, table); err != nil {
		t.Error(err)
	}
	if err := everyReason(map[string]string{"A": "a", "D": "d"}, mutants, table); err == nil || !strings.Contains(err.Error(), "claims.D") {
		t.Errorf("got %v, want claims.D to be missed", err)
	}
	table[mutants[0].name()] = row{why: "equal"}
	if everyReason(map[string]string{"A": "a"}, mutants, table) == nil {
		t.Error("a reason is shown by a check that no test notices")
	}
}

// The table must hold every mutant and nothing else.
func TestCompare(t *testing.T) {
	mutants, _ := findIn(t, `func f(a bool) error { if a { return e }; return nil }`)
	name := mutants[0].name()
	tests := []struct {
		name  string
		table map[string]row
		want  string
	}{
		{"a test", map[string]row{name: {killer: "p.TestF"}}, ""},
		{"a reason", map[string]row{name: {why: "another check stands behind it"}}, ""},
		{"no row", map[string]row{}, "new: "},
		{"neither", map[string]row{name: {}}, "no test notices: "},
		{"a stale row", map[string]row{name: {killer: "p.TestF"}, "p\tg\tskip\tif b\t": {killer: "p.TestG"}}, "no longer in the code: "},
	}
	for _, tt := range tests {
		err := compare(mutants, tt.table)
		if (err == nil) != (tt.want == "") || err != nil && !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestTableRoundTrip(t *testing.T) {
	mutants, _ := findIn(t, `func f(a, b bool) error { if a || b { return e }; return nil }`)
	table := map[string]row{
		mutants[0].name(): {killer: "emamw.TestF"},
		mutants[1].name(): {why: "another check stands behind it"},
		mutants[2].name(): {},
	}
	path := filepath.Join(t.TempDir(), "killers.tsv")
	if err := writeTable(path, mutants, table); err != nil {
		t.Fatal(err)
	}
	got, err := readTable(path)
	if err != nil || len(got) != len(table) {
		t.Fatalf("%v %v", got, err)
	}
	for name, want := range table {
		if got[name] != want {
			t.Errorf("%q: %v, want %v", name, got[name], want)
		}
	}
	cuts := []cut{{corpora[0], mutants[:1]}, {corpora[1], mutants[1:]}}
	if err := writeCuts(path, cuts); err != nil {
		t.Fatal(err)
	}
	read, err := readCuts(path, mutants)
	if err != nil || len(read) != 2 || read[0].on() != "1" || read[1].on() != "2,3" {
		t.Errorf("%v %v", read, err)
	}
	if read, err = readCuts(path, mutants[:2]); err != nil || len(read) != 1 {
		t.Errorf("a cut of a check that is gone: %v %v", read, err)
	}
}

// What a test program prints is read as what happened.
func TestOutput(t *testing.T) {
	tests := []struct {
		output, name string
		sure         bool
	}{
		{"=== RUN   TestA\n--- PASS: TestA (0.00s)\n=== RUN   TestB\n--- FAIL: TestB (0.00s)\nFAIL\n", "TestB", true},
		{"=== RUN   TestB\n=== RUN   TestB/x\n--- FAIL: TestB (0.00s)\n    --- FAIL: TestB/x (0.00s)\n", "TestB", true},
		{"=== RUN   TestA\n--- PASS: TestA (0.00s)\n=== RUN   TestB\n=== RUN   TestB/x\npanic: elsewhere\n", "TestB", false},
		{"fatal error\n", "", false},
	}
	for _, tt := range tests {
		if name, sure := firstFailure([]byte(tt.output)); name != tt.name || sure != tt.sure {
			t.Errorf("%q: %q %t, want %q %t", tt.output, name, sure, tt.name, tt.sure)
		}
	}
	known := map[string]string{"TokenExpired": "token_expired", "KeyUnknown": "key_unknown"}
	cases, hit := failedCases([]byte("    --- FAIL: TestT/exp_is_zero (0.00s)\n        x_test.go:1: got <nil>, want token_expired\n    --- PASS: TestT/other (0.00s)\n"+
		"    --- FAIL: TestT/a/b (0.00s)\n        x_test.go:1: reason \"x\", want \"key_unknown\"\n        x_test.go:2: answered 200, want 400 \"invalid_grant\"\n"), known)
	if !slices.Equal(cases, []string{"exp_is_zero", "a/b"}) || len(hit) != 2 || !hit["token_expired"] || !hit["key_unknown"] {
		t.Errorf("%q %v", cases, hit)
	}
}

func TestNamesOfTests(t *testing.T) {
	for text, want := range map[string]testName{
		"jose.TestVerifyRefuses":  {"internal/jose", "TestVerifyRefuses"},
		"emamw.TestHostileTokens": {"emamw", "TestHostileTokens"},
	} {
		if got, err := parseTest(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	for _, text := range []string{"", "TestX", "other.TestX", "se.TestX"} {
		if got, err := parseTest(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

func TestFlags(t *testing.T) {
	for _, tt := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"-h"}, 0, "-discover"}, {[]string{"-nonsense"}, 2, "nonsense"}, {[]string{"discover"}, 2, "every option is a flag"},
		{[]string{"-root", t.TempDir()}, 1, "-root"},
	} {
		var out, errs strings.Builder
		if status := run(context.Background(), tt.args, &out, &errs); status != tt.status || !strings.Contains(errs.String(), tt.says) {
			t.Errorf("%q: %d %q", tt.args, status, errs.String())
		}
	}
}
