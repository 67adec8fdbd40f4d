package mcpema_test

import (
	"strings"
	"testing"
)

func TestReadmeIsShort(t *testing.T) {
	if n := strings.Count(read(t, "README.md"), "\n"); n > 250 {
		t.Errorf("the README has %d lines, at most 250", n)
	}
}

// The README leads to every page of the docs folder.
func TestReadmeLeadsToTheDocs(t *testing.T) {
	readme := read(t, "README.md")
	for _, page := range pages(t) {
		if strings.HasPrefix(page, "docs/") && !strings.Contains(readme, page) {
			t.Errorf("the README does not name %s", page)
		}
	}
}
