package mcpema_test

import (
	"go/build"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/emamw/mcp-ema"

// direct are the requirements that every adopter takes over. Each was argued
// for; a new one has to be, here.
var direct = []string{
	"github.com/MicahParks/jwkset",     // the storage that keyfunc publishes keys to
	"github.com/MicahParks/keyfunc/v3", // schedule, fetch and storage of issuers' keys
	"github.com/lestrrat-go/jwx/v2",    // the signature primitives
	"github.com/mark3labs/mcp-go",      // what this is for
	"go.opentelemetry.io/otel",         // the API; never the SDK
	"go.opentelemetry.io/otel/metric",
	"go.opentelemetry.io/otel/trace",
	"golang.org/x/time", // the limiter of keyfunc's options
}

// allowed says what each package may import beside the standard library: a
// path prefix relative to the module, or one of another module. A package that
// is not listed may import nothing.
var allowed = map[string][]string{
	"claims":                    {},
	"revocation":                {},
	"revocation/revocationtest": {"revocation"},
	"scopes":                    {"claims", "github.com/mark3labs/mcp-go/mcp"},
	"emamw":                     {"claims", "scopes", "revocation", "internal/", "github.com/mark3labs/mcp-go/", "go.opentelemetry.io/otel/trace", "go.opentelemetry.io/otel/metric", "go.opentelemetry.io/otel/propagation"},
	"idjag":                     {"claims", "revocation", "internal/", "go.opentelemetry.io/otel/trace", "go.opentelemetry.io/otel/metric", "go.opentelemetry.io/otel/propagation"},
	"idjag/replaytest":          {"idjag"},
	"emamwtest":                 {"claims", "revocation", "idjag", "emamw", "internal/jose"},
	"internal/challenge":        {},
	"internal/command":          {},
	"internal/discovery":        {},
	"internal/jose":             {"claims", "github.com/lestrrat-go/jwx/v2"},
	"internal/keys":             {"claims", "internal/jose", "internal/discovery", "github.com/MicahParks/", "golang.org/x/time/rate"},
	"internal/pagetest":         {},
	"internal/telemetry":        {"claims", "go.opentelemetry.io/otel"},
}

func TestImports(t *testing.T) {
	for _, dir := range packages(t) {
		pkg, err := build.ImportDir(dir, 0)
		if err != nil {
			continue // no Go files but tests
		}
		if dir == "." || strings.HasPrefix(dir, "examples/") {
			continue
		}
		may, listed := allowed[dir]
		if !listed {
			t.Errorf("package %s has no row in the table of allowed imports", dir)
			continue
		}
		for _, imported := range pkg.Imports {
			relative := strings.TrimPrefix(imported, module+"/")
			standard := !strings.Contains(strings.SplitN(imported, "/", 2)[0], ".")
			if standard || slices.ContainsFunc(may, func(p string) bool { return covers(p, relative) }) {
				continue
			}
			t.Errorf("%s imports %s, which it may not", dir, imported)
		}
	}
}

// covers reports whether the entry p of the table allows an import: a path that
// ends in a slash allows all below it, any other itself, and all below it where
// it belongs to another module.
func covers(p, imported string) bool {
	if p == imported || strings.HasSuffix(p, "/") && strings.HasPrefix(imported, p) {
		return true
	}
	foreign := strings.Contains(strings.SplitN(p, "/", 2)[0], ".")
	return foreign && strings.HasPrefix(imported, p+"/")
}

// Tests of the root module need nothing but the standard library, the module
// itself and mcp-go.
func TestTestImports(t *testing.T) {
	for _, dir := range packages(t) {
		pkg, err := build.ImportDir(dir, 0)
		if err != nil {
			continue
		}
		for _, imported := range slices.Concat(pkg.TestImports, pkg.XTestImports) {
			standard := !strings.Contains(strings.SplitN(imported, "/", 2)[0], ".")
			known := strings.HasPrefix(imported, module+"/") || strings.HasPrefix(imported, "github.com/mark3labs/mcp-go/") || slices.ContainsFunc(allowed[dir], func(p string) bool { return covers(p, imported) })
			if !standard && !known {
				t.Errorf("a test of %s imports %s: use the standard library", dir, imported)
			}
		}
	}
}

func TestDirectRequirements(t *testing.T) {
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	inBlock := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "require ("):
			inBlock = true
		case line == ")":
			inBlock = false
		case inBlock && !strings.HasSuffix(line, "// indirect"):
			got = append(got, strings.Fields(line)[0])
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, direct) {
		t.Errorf("go.mod requires directly\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(direct, "\n"))
	}
}

// packages returns the folders of this module that hold Go files.
func packages(t *testing.T) []string {
	t.Helper()
	var dirs []string
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || exists(filepath.Join(name, "go.mod"))) {
				return filepath.SkipDir
			}
			return nil
		}
		if dir := path.Dir(filepath.ToSlash(name)); strings.HasSuffix(name, ".go") && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
