package main

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// full is a profile in which one block of ten statements of each package ran.
func full() map[string]string {
	lines := map[string]string{}
	for pkg := range bars {
		lines[pkg] = module + "/" + pkg + "/a.go:1.1,9.2 10 1\n"
	}
	return lines
}

func TestBars(t *testing.T) {
	at := func(pkg, rest string) string { return module + "/" + pkg + "/" + rest + "\n" }
	for _, c := range []struct {
		name   string
		change func(map[string]string)
		status int
		says   string
	}{
		{"all ran", func(map[string]string) {}, 0, "100.0 % of 10 statements"},
		{"one of 100 did not", func(l map[string]string) {
			l["claims"] = at("claims", "a.go:1.1,9.2 99 1") + at("claims", "a.go:10.1,10.2 1 0")
		}, 0, "99.0 % of 100"},
		{"five of 100 did not", func(l map[string]string) {
			l["claims"] = at("claims", "a.go:1.1,9.2 95 1") + at("claims", "a.go:10.1,10.2 5 0")
		}, 0, "95.0 %"},
		{"six of 100 did not", func(l map[string]string) {
			l["claims"] = at("claims", "a.go:1.1,9.2 94 1") + at("claims", "a.go:10.1,10.2 6 0")
		}, 1, "claims/a.go:10.1,10.2"},
		{"one of 100, where all must", func(l map[string]string) {
			l["scopes"] = at("scopes", "a.go:1.1,9.2 99 1") + at("scopes", "a.go:10.1,10.2 1 0")
		}, 1, "scopes/a.go:10.1,10.2"},
		{"one of 10,000, where all must", func(l map[string]string) {
			l["scopes"] = at("scopes", "a.go:1.1,9.2 9999 1") + at("scopes", "a.go:10.1,10.2 1 0")
		}, 1, "scopes/a.go:10.1,10.2"},
		{"an empty block did not, where all must", func(l map[string]string) { l["scopes"] += at("scopes", "a.go:10.1,10.2 0 0") }, 0, ""},
		{"one program of two did not run it", func(l map[string]string) {
			l["scopes"] = at("scopes", "a.go:1.1,9.2 10 1") + at("scopes", "a.go:1.1,9.2 10 0")
		}, 0, "100.0 % of 10 statements"},
		{"the packages below do not count", func(l map[string]string) { l["idjag/replaytest"] = at("idjag/replaytest", "a.go:1.1,9.2 10 0") }, 1, "idjag/replaytest             0.0 %"},
		{"one that is not there", func(l map[string]string) { delete(l, "internal/jose") }, 1, "internal/jose              was not measured"},
		{"no Redis", func(l map[string]string) { delete(l, "redisstore") }, 0, ""},
		{"an example", func(l map[string]string) { l["x"] = at("examples/server", "a.go:1.1,9.2 10 0") }, 0, ""},
		{"what starts Redis", func(l map[string]string) { l["x"] = at("redisstore/redistest", "a.go:1.1,9.2 10 0") }, 0, ""},
		{"a new package", func(l map[string]string) { l["x"] = at("dpop", "a.go:1.1,9.2 10 1") }, 1, "dpop                       has no bar"},
		{"another module", func(l map[string]string) { l["x"] = "example.com/x/a.go:1.1,9.2 10 1\n" }, 2, "example.com/x"},
		{"a line that was cut off", func(l map[string]string) { l["x"] = at("claims", "a.go:1.1,9.2 10") }, 2, "want a block"},
		{"a count that is none", func(l map[string]string) { l["x"] = at("claims", "a.go:1.1,9.2 10 x") }, 2, "invalid syntax"},
		{"statements that are none", func(l map[string]string) { l["x"] = at("claims", "a.go:1.1,9.2 x 1") }, 2, "invalid syntax"},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines := full()
			c.change(lines)
			text := "mode: set\n"
			for line := range maps.Values(lines) {
				text += line
			}
			file := filepath.Join(t.TempDir(), "cover.out")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			if status := run([]string{file}, &out, &out); status != c.status || !strings.Contains(out.String(), c.says) {
				t.Errorf("status %d, want %d and %q:\n%s", status, c.status, c.says, out.String())
			}
		})
	}
	for _, args := range [][]string{nil, {filepath.Join(t.TempDir(), "none")}} {
		if status := run(args, io.Discard, io.Discard); status != 2 {
			t.Errorf("%q: status %d, want 2", args, status)
		}
	}
}
