package mcpema_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// pages are the Markdown files of the repository, with slashes.
func pages(t *testing.T) (found []string) {
	t.Helper()
	walk(t, func(name string) {
		if strings.HasSuffix(name, ".md") {
			found = append(found, name)
		}
	})
	if len(found) < 10 {
		t.Fatalf("only the pages %q", found)
	}
	return found
}

// walk visits the files of this module and those nested in it, but for hidden
// folders and what tests install or read.
func walk(t *testing.T, visit func(name string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			visit(filepath.ToSlash(name))
			return nil
		}
		if hidden := name != "." && strings.HasPrefix(d.Name(), "."); hidden || d.Name() == "testdata" || d.Name() == "node_modules" {
			return filepath.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A fence is a block of code on a page.
type fence struct{ language, code string }

var fencePattern = regexp.MustCompile("(?ms)^```([^\n]*)\n(.*?)^```$")

func fences(page string) (found []fence) {
	for _, m := range fencePattern.FindAllStringSubmatch(page, -1) {
		found = append(found, fence{m[1], m[2]})
	}
	return found
}

func withoutFences(page string) string { return fencePattern.ReplaceAllString(page, "") }

// codeSpans returns what stands between backquotes in prose.
func codeSpans(page string) (spans []string) {
	for i, part := range strings.Split(withoutFences(page), "`") {
		if i%2 == 1 {
			spans = append(spans, part)
		}
	}
	return spans
}

// prose is a page without its code.
func prose(page string) string {
	var b strings.Builder
	for i, part := range strings.Split(withoutFences(page), "`") {
		if i%2 == 0 {
			b.WriteString(part)
		}
	}
	return b.String()
}

// anchors are the fragments by which the headings of a page can be linked to:
// lower case, blanks as hyphens, and no other punctuation.
func anchors(page string) (fragments []string) {
	for line := range strings.Lines(withoutFences(page)) {
		level := len(line) - len(strings.TrimLeft(line, "#"))
		if level == 0 || !strings.HasPrefix(line[level:], " ") {
			continue
		}
		fragments = append(fragments, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(line[level:])))
	}
	return fragments
}
