package migration_test

import (
	"flag"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/internal/pagetest"
)

const page = "../../docs/migration.md"

var update = flag.Bool("update", false, "write the tables of docs/migration.md")

// The tables of the page are the rows that were tried. After a change of these:
// go test . -run TestPage -update
func TestPage(t *testing.T) {
	want := map[string]string{}
	for name, rows := range tables() {
		want[name] = table(rows)
	}
	pagetest.Tables(t, page, want, *update)
}

func table(rows []row) string {
	var b strings.Builder
	b.WriteString("| what is sent | before | after |\n| --- | --- | --- |\n")
	for _, r := range rows {
		b.WriteString("| " + r.what + " | " + r.before + " | " + r.after + " |\n")
	}
	return b.String()
}
