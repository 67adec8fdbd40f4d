// Package pagetest holds tables of the Markdown pages to the code. Such a table
// stands between two comments with its name, so that a test finds it, and can
// write it.
package pagetest

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// Tables compares each table of a page with what it should be, row by row. With
// update it writes them into the page instead.
func Tables(t testing.TB, path string, want map[string]string, update bool) {
	t.Helper()
	page := read(t, path)
	text := page
	for name, table := range want {
		head, got, tail, found := cut(text, name)
		if !found {
			t.Errorf("%s has no table %s", path, name)
			continue
		}
		if update {
			text = head + table + tail
			continue
		}
		compare(t, name, got, table)
	}
	if text == page {
		return
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Table returns the rows of one table, the two lines of its heading included.
func Table(t testing.TB, path, name string) []string {
	t.Helper()
	_, table, _, found := cut(read(t, path), name)
	if !found {
		t.Fatalf("%s has no table %s", path, name)
	}
	return strings.Split(strings.TrimSuffix(table, "\n"), "\n")
}

// cut returns a table, and the page before and behind it with the two comments.
func cut(page, name string) (head, table, tail string, found bool) {
	begin, end := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->\n"
	head, rest, begins := strings.Cut(page, begin)
	table, tail, ends := strings.Cut(rest, end)
	return head + begin, table, end + tail, begins && ends
}

func compare(t testing.TB, name, got, want string) {
	t.Helper()
	have, need := strings.Split(got, "\n"), strings.Split(want, "\n")
	for _, line := range need {
		if !slices.Contains(have, line) {
			t.Errorf("table %s lacks\n\t%s", name, line)
		}
	}
	for _, line := range have {
		if !slices.Contains(need, line) {
			t.Errorf("table %s has\n\t%s", name, line)
		}
	}
	if got != want && !t.Failed() {
		t.Errorf("table %s has its rows in another order, or twice:\n%s\nwant\n%s", name, got, want)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
