package integration_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait for a program.
const patience = 20 * time.Second

// programs builds the example programs, once for all tests.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := scratch("examples")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-o", dir, "./examples/authserver", "./examples/server")
	build.Dir = ".." // with the requirements that the users of the library have
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return dir, nil
})

// scratch returns a new directory that goes when all tests are done: for what is
// built or installed once.
func scratch(name string) (string, error) {
	dir, err := os.MkdirTemp("", "mcp-ema-"+name+"-")
	if err == nil {
		scratched.Store(dir, nil)
	}
	return dir, err
}

var scratched sync.Map // of directories

func TestMain(m *testing.M) {
	status := m.Run()
	for dir := range scratched.Range {
		_ = os.RemoveAll(dir.(string))
	}
	os.Exit(status)
}

func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return exec.Command(filepath.Join(dir, name), args...)
}

// program is a running example.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	ready  string // its first line
	stdout *text  // all that follows
	stderr *text
	ended  chan error

	interrupt func() error // sends SIGINT, once, and returns how the program ended
}

// start starts an example and waits for its ready line. It is interrupted at the
// end of the test.
func start(t *testing.T, name string, args ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: command(t, name, args...), stdout: &text{}, stderr: &text{}, ended: make(chan error, 1)}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := make(chan string, 1)
	go func() {
		lines := bufio.NewReader(out)
		line, _ := lines.ReadString('\n') // "" says that it ended without one
		first <- line
		_, _ = lines.WriteTo(p.stdout)
		p.ended <- p.cmd.Wait()
	}()
	p.interrupt = sync.OnceValue(p.stop)
	t.Cleanup(func() { _ = p.interrupt() })
	select {
	case p.ready = <-first:
	case <-time.After(patience):
	}
	if !strings.HasPrefix(p.ready, name+": ready on ") {
		t.Fatalf("%s does not print that it is ready but %q, and on stderr %s", name, p.ready, p.stderr)
	}
	return p
}

func (p *program) stop() error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Error(err)
	}
	select {
	case err := <-p.ended:
		return err
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		p.t.Errorf("%s did not end within %v of an interrupt", p.cmd.Path, patience)
		return <-p.ended
	}
}

// text is an output that is written and read at the same time.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *text) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *text) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// freeAddress returns a loopback address that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// eventually waits until what it is given holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
