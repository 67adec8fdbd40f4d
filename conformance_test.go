package mcpema_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	conformancePage = "docs/conformance.md"
	threatModelPage = "docs/threat-model.md"
)

// Every requirement has its one row, which says what is asked, by which
// document, and which test shows it; or why there is none, in one of four words.
func TestConformancePage(t *testing.T) {
	reasons := []string{"not done", "does not apply", "left to mcp-go", "by design"}
	rows := tableRows(t, conformancePage, `(?:RS|PRM|AS|MD)-\d+`)
	sameIDs(t, conformancePage, rows, slices.Concat(numbered("RS", 48), numbered("PRM", 13), numbered("AS", 36), numbered("MD", 10)))
	for _, row := range rows {
		shown := row[len(row)-1]
		explained := slices.ContainsFunc(reasons, func(reason string) bool { return strings.HasPrefix(shown, reason) })
		if len(row) != 4 || slices.Contains(row, "") {
			t.Errorf("%s: want an id, what is asked, where, and what shows it", row[0])
		}
		if len(namedTests(shown)) == 0 && !explained {
			t.Errorf("%s: names no test, and gives none of the reasons %q", row[0], reasons)
		}
	}
}

// Every trap has its one row, with what stops it and a test.
func TestThreatModel(t *testing.T) {
	rows := tableRows(t, threatModelPage, `T-\d+`)
	sameIDs(t, threatModelPage, rows, numbered("T", 35))
	for _, row := range rows {
		if len(row) != 4 || slices.Contains(row, "") || len(namedTests(row[len(row)-1])) == 0 {
			t.Errorf("%s: want an id, the attack, what stops it, and a test", row[0])
		}
	}
	page := read(t, threatModelPage)
	if n := strings.Count(page, "\n"); n > 250 {
		t.Errorf("the threat model has %d lines, at most 250", n)
	}
}

// Every test that a page names exists. A bare name may be of any package.
func TestNamedTests(t *testing.T) {
	known := everyTest(t)
	for _, page := range pages(t) {
		for _, name := range namedTests(read(t, page)) {
			qualifier, function, qualified := strings.Cut(name, ".")
			if !qualified {
				qualifier, function = "", name
			}
			if found := known[function]; len(found) == 0 || qualified && !slices.Contains(found, qualifier) {
				t.Errorf("%s names the test %s, which is not there", page, name)
			}
		}
	}
}

// tableRows returns the cells of each row whose first cell is an id.
func tableRows(t *testing.T, page, id string) (rows [][]string) {
	t.Helper()
	first := regexp.MustCompile(`^\| *` + id + ` *\|`)
	for line := range strings.Lines(read(t, page)) {
		if !first.MatchString(line) {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i, cell := range cells {
			cells[i] = strings.TrimSpace(cell)
		}
		rows = append(rows, cells)
	}
	return rows
}

func numbered(group string, last int) (ids []string) {
	for n := range last {
		ids = append(ids, fmt.Sprintf("%s-%d", group, n+1))
	}
	return ids
}

func sameIDs(t *testing.T, page string, rows [][]string, want []string) {
	t.Helper()
	count := make(map[string]int)
	for _, row := range rows {
		count[row[0]]++
	}
	for _, id := range want {
		if count[id] != 1 {
			t.Errorf("%s has %d rows for %s, want one", page, count[id], id)
		}
		delete(count, id)
	}
	for id := range count {
		t.Errorf("%s has a row for %s, which is no requirement", page, id)
	}
}

var testName = regexp.MustCompile(`^(?:[a-z]\w*\.)?(?:Test|Fuzz|Benchmark|Example)[A-Z_]\w*$`)

// namedTests returns the code spans that are names of tests, with or without
// their package.
func namedTests(text string) []string {
	return slices.DeleteFunc(codeSpans(text), func(span string) bool { return !testName.MatchString(span) })
}

// everyTest returns the packages in which there is a test, example, benchmark or
// fuzz target of each name, in this module and those nested in it. A package
// main goes by the name of its folder.
func everyTest(t *testing.T) map[string][]string {
	t.Helper()
	found := make(map[string][]string)
	files := token.NewFileSet()
	walk(t, func(name string) {
		if !strings.HasSuffix(name, "_test.go") {
			return
		}
		file, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		pkg := strings.TrimSuffix(file.Name.Name, "_test")
		if pkg == "main" {
			pkg = path.Base(path.Dir(name))
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				found[f.Name.Name] = append(found[f.Name.Name], pkg)
			}
		}
	})
	return found
}
