package integration_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// npmProgram returns the directory of a program of testdata with all that its
// lock file says, installed once for all tests, offline if npm has it. The source
// tree stays as it is. It skips the test where that is not possible, unless
// NPM_REQUIRED=1.
func npmProgram(t *testing.T, name string) string {
	t.Helper()
	install, _ := npmInstalls.LoadOrStore(name, sync.OnceValues(func() (string, error) { return npmInstall(name) }))
	dir, err := install.(func() (string, error))()
	switch {
	case err != nil && os.Getenv("NPM_REQUIRED") == "1":
		t.Fatal(err)
	case err != nil:
		t.Skip(err)
	}
	return dir
}

var npmInstalls sync.Map // of name to func() (string, error)

func npmInstall(name string) (string, error) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", fmt.Errorf("%s is not on PATH: install Node.js and npm to run this test", program)
		}
	}
	dir, err := scratch(name)
	if err != nil {
		return "", err
	}
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", name))); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	install.Dir = dir
	install.WaitDelay = time.Second
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci of %s: %w\n%s", name, err, out)
	}
	return dir, nil
}
