package mcpema_test

import (
	"encoding/json"
	"errors"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/idjag"
)

// Every block of code on a page is checked by its language.
func TestBlocks(t *testing.T) {
	compiled := compiledCode(t)
	programs := 0
	for _, page := range pages(t) {
		for _, block := range fences(read(t, page)) {
			switch block.language {
			case "go":
				programs++
				if !strings.Contains(compiled, flat(block.code)) {
					t.Errorf("%s: not a piece of any Go file that is compiled:\n%s", page, block.code)
				}
			case "json":
				if err := load([]byte(block.code)); err != nil {
					t.Errorf("%s: %v in\n%s", page, err, block.code)
				}
			case "sh": // TestCommands
			default:
				t.Errorf("%s: nothing checks a block in %q:\n%s", page, block.language, block.code)
			}
		}
	}
	if programs < 30 {
		t.Errorf("only %d Go blocks on all pages", programs)
	}
}

// load takes a document as a claim mapping or as a policy, whichever it is. Both
// readers refuse members that they do not know.
func load(document []byte) error {
	var m claims.Mapping
	asMapping := json.Unmarshal(document, &m)
	if asMapping == nil {
		_, asMapping = m.Mapper()
	}
	_, asPolicy := idjag.ParsePolicy(document)
	if asMapping == nil || asPolicy == nil {
		return nil
	}
	return errors.Join(asMapping, asPolicy)
}

// compiledCode is all Go code that the compiler sees in some module here, flat.
func compiledCode(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	walk(t, func(name string) {
		if !strings.HasSuffix(name, ".go") {
			return
		}
		if code := read(t, name); !strings.Contains(code, "\n//go:build ") {
			b.WriteString(flat(code))
		}
	})
	return b.String()
}

// flat is text without regard to indentation.
func flat(text string) string {
	lines := slices.Collect(strings.Lines(text))
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return strings.Join(lines, "\n")
}

// A proof says where a command is run: a file, and what stands in it. Or why it
// is not.
type proof struct{ file, text, reason string }

var (
	nested = proof{file: ".ci/run", text: `(cd "$(dirname "$mod")" && go vet ./... && go test ${measure:+"$measure"} ./...)`}
	trial  = proof{file: "integration/examples_test.go", text: "func TestExamplesNeedNoFlags("}
)

// commands are those of the pages.
var commands = map[string]proof{
	"go run ./examples/quickstart":                                   {file: ".ci/run", text: "\ngo run ./examples/quickstart\n"},
	"go run ./examples/authserver":                                   trial,
	"go run ./examples/server":                                       trial,
	"go test -race -shuffle=on ./...":                                {file: ".ci/run", text: `$(awk '/^## Test/ { found = 1 } found && /^go test/ { print; exit }' README.md)`},
	"cd integration && go test -run 'Tokens|Programs' -v .":          nested,
	"cd integration && go test -run TestTelemetryTime -v .":          nested,
	"cd examples/migration && go test .":                             nested,
	"go run . -endpoint http://127.0.0.1:4318":                       {file: "examples/otlp/stepup_test.go", text: `"-endpoint"`},
	"go get github.com/emamw/mcp-ema":                                {reason: "it needs a published version"},
	"go test -run TestSurface . -update":                             {file: "surface_golden_test.go", text: "func TestSurface("}, // without -update, which writes
	"go test -run '^$' -bench BenchmarkRead -benchtime 100x ./emamw": {file: "emamw/bench_test.go", text: "func BenchmarkRead("},
	"make bench":    {file: "integration/bench/bench_test.go", text: "func TestRun("}, // a few rounds: a target on a busy machine proves nothing
	"make check":    {reason: "it is .ci/run, which is how all of these are run"},
	"make soak":     {file: ".ci/run", text: "SOAK=1m go test -count=1 -v -run TestSoak ./soak"}, // a minute of the hour
	"make mutation": {file: ".ci/run", text: "(cd integration && go run ./mutation)"},
}

var startsCommand = regexp.MustCompile(`^(?:go (?:run|test|get|build|install)|make|npm|npx|cd|curl) `)

// Every command on a page is run, and the table of where has no other.
func TestCommands(t *testing.T) {
	unused := maps.Clone(commands)
	for _, page := range pages(t) {
		for _, command := range commandsOf(read(t, page)) {
			if _, known := commands[command]; !known {
				t.Errorf("%s: nothing says where %q is run", page, command)
			}
			delete(unused, command)
			folder := "."
			if path.Dir(page) != "docs" {
				folder = path.Dir(page)
			}
			namesWhatThereIs(t, folder, command)
		}
	}
	for command := range unused {
		t.Errorf("%q is on no page", command)
	}
	for command, p := range commands {
		if p.reason == "" && !strings.Contains(read(t, p.file), p.text) {
			t.Errorf("%q is not run by %s, which lacks %s", command, p.file, p.text)
		}
	}
}

// commandsOf are the lines of shell blocks, and what prose gives as a command.
func commandsOf(page string) (found []string) {
	for _, block := range fences(page) {
		if block.language == "sh" {
			found = slices.AppendSeq(found, strings.Lines(block.code))
		}
	}
	for _, span := range codeSpans(page) {
		if startsCommand.MatchString(span) {
			found = append(found, span)
		}
	}
	for i, command := range found {
		found[i] = strings.TrimSpace(command)
	}
	return found
}

// selection is what go test is told to run.
var selection = regexp.MustCompile(` -(?:run|bench|fuzz) (\S+)`)

// namesWhatThereIs finds the folders, tests and make targets of a command that is
// given in a folder.
func namesWhatThereIs(t *testing.T, folder, command string) {
	t.Helper()
	words := strings.Fields(command)
	if words[0] == "cd" {
		folder = path.Join(folder, words[1])
	}
	if !exists(folder) {
		t.Errorf("%q is for %s, which is not there", command, folder)
	}
	if words[0] == "make" && !strings.Contains(read(t, "Makefile"), "\n"+words[1]+":") {
		t.Errorf("%q has no target in the Makefile", command)
	}
	for _, m := range selection.FindAllStringSubmatch(command, -1) {
		chosen := regexp.MustCompile(strings.Trim(m[1], "'"))
		if m[1] != "'^$'" && !slices.ContainsFunc(slices.Collect(maps.Keys(everyTest(t))), chosen.MatchString) {
			t.Errorf("%q selects no test", command)
		}
	}
	for _, word := range words {
		if strings.HasPrefix(word, "./") && word != "./..." && !exists(path.Join(folder, word)) {
			t.Errorf("%q names %s, which is not there", command, word)
		}
	}
}
