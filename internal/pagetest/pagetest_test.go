package pagetest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/emamw/mcp-ema/internal/pagetest"
)

const page = "before\n<!-- a -->\n| x |\n| y |\n<!-- end of a -->\nbetween\n<!-- b -->\n<!-- end of b -->\nafter\n"

// A judge is a test that may fail.
type judge struct {
	testing.TB
	said []string
}

func (j *judge) Helper()                        {}
func (j *judge) Failed() bool                   { return len(j.said) > 0 }
func (j *judge) Errorf(format string, a ...any) { j.said = append(j.said, fmt.Sprintf(format, a...)) }

func written(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTables(t *testing.T) {
	path := written(t)
	for name, tt := range map[string]struct {
		want map[string]string
		bad  int
	}{
		"as it should be":  {map[string]string{"a": "| x |\n| y |\n", "b": ""}, 0},
		"a row is missing": {map[string]string{"a": "| x |\n| y |\n| z |\n"}, 1},
		"a row too many":   {map[string]string{"a": "| x |\n"}, 1},
		"another row":      {map[string]string{"a": "| x |\n| z |\n"}, 2},
		"another order":    {map[string]string{"a": "| y |\n| x |\n"}, 1},
		"a row twice":      {map[string]string{"a": "| x |\n| x |\n| y |\n"}, 1},
		"no such table":    {map[string]string{"c": ""}, 1},
	} {
		j := &judge{TB: t}
		pagetest.Tables(j, path, tt.want, false)
		if len(j.said) != tt.bad {
			t.Errorf("%s: %q, want %d", name, j.said, tt.bad)
		}
	}
}

func TestTablesAreWritten(t *testing.T) {
	path := written(t)
	pagetest.Tables(t, path, map[string]string{"a": "| z |\n", "b": "| 1 |\n"}, true)
	text, err := os.ReadFile(path)
	if want := "before\n<!-- a -->\n| z |\n<!-- end of a -->\nbetween\n<!-- b -->\n| 1 |\n<!-- end of b -->\nafter\n"; err != nil || string(text) != want {
		t.Errorf("%v, %q", err, text)
	}
	if got := pagetest.Table(t, path, "a"); !slices.Equal(got, []string{"| z |"}) {
		t.Errorf("%q", got)
	}
}
