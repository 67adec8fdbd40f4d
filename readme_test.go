package mcpema_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// The programs of the README are pieces of examples that are compiled and run.
func TestReadmePrograms(t *testing.T) {
	examples := flat(read(t, "emamw/example_test.go"))
	blocks := fenced(read(t, "README.md"), "go")
	if len(blocks) < 5 {
		t.Errorf("only %d programs in the README", len(blocks))
	}
	for _, block := range blocks {
		if !strings.Contains(examples, flat(block)) {
			t.Errorf("not a piece of emamw/example_test.go:\n%s", block)
		}
	}
}

// The commands of the README name what there is.
func TestReadmeCommands(t *testing.T) {
	for _, block := range fenced(read(t, "README.md"), "sh") {
		for line := range strings.Lines(block) {
			for _, word := range strings.Fields(line) {
				if strings.HasPrefix(word, "./") && word != "./..." && !exists(word) {
					t.Errorf("%q names %s, which is not there", strings.TrimSpace(line), word)
				}
			}
		}
	}
}

func TestReadmeIsShort(t *testing.T) {
	if n := strings.Count(read(t, "README.md"), "\n"); n > 250 {
		t.Errorf("the README has %d lines, at most 250", n)
	}
}

// The links of the pages lead somewhere.
func TestLinks(t *testing.T) {
	for _, page := range []string{"README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"} {
		for _, part := range strings.Split(read(t, page), "](")[1:] {
			target, _, _ := strings.Cut(part, ")")
			if target, _, _ = strings.Cut(target, "#"); target == "ctx" || strings.Contains(target, "://") {
				continue // code, or elsewhere
			}
			if !exists(target) {
				t.Errorf("%s links to %s, which is not there", page, target)
			}
		}
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

// fenced returns the blocks of one language.
func fenced(page, language string) (blocks []string) {
	for _, part := range strings.Split(page, "\n```"+language+"\n")[1:] {
		block, _, _ := strings.Cut(part, "\n```")
		blocks = append(blocks, block)
	}
	return blocks
}

// flat is text without regard to indentation.
func flat(text string) string {
	lines := slices.Collect(strings.Lines(text))
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return strings.Join(lines, "\n")
}
