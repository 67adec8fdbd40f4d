package integration_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// npmInstall copies a program of testdata to a directory that goes with the
// test, so that the source tree stays as it is, installs there what its lock
// file says, offline if npm has it, and returns the directory. It skips the test
// where that is not possible, unless the environment has required=1.
func npmInstall(t *testing.T, program, required string) string {
	t.Helper()
	unavailable := t.Skipf
	if os.Getenv(required) == "1" {
		unavailable = t.Fatalf
	}
	for _, command := range []string{"node", "npm"} {
		if _, err := exec.LookPath(command); err != nil {
			unavailable("%s is not on PATH: install Node.js and npm to run this test", command)
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", program))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	install.Dir = dir
	install.WaitDelay = time.Second
	if out, err := install.CombinedOutput(); err != nil {
		unavailable("npm ci: %v\n%s", err, out)
	}
	return dir
}
