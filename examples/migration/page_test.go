package migration_test

import (
	"flag"
	"os"
	"strings"
	"testing"
)

const page = "../../docs/migration.md"

var update = flag.Bool("update", false, "write the tables of docs/migration.md")

// The tables of the page are the rows that were tried. After a change of these:
// go test . -run TestPage -update
func TestPage(t *testing.T) {
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for name, rows := range tables() {
		begin, end := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->\n"
		head, rest, found := strings.Cut(text, begin)
		got, tail, closed := strings.Cut(rest, end)
		if !found || !closed {
			t.Errorf("there is no table %s", name)
			continue
		}
		want := table(rows)
		if got != want && !*update {
			t.Errorf("the table %s is\n%s\nwant\n%s", name, got, want)
		}
		text = head + begin + want + end + tail
	}
	if *update {
		if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func table(rows []row) string {
	var b strings.Builder
	b.WriteString("| what is sent | before | after |\n| --- | --- | --- |\n")
	for _, r := range rows {
		b.WriteString("| " + r.what + " | " + r.before + " | " + r.after + " |\n")
	}
	return b.String()
}
