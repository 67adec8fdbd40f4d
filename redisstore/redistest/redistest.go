// Package redistest starts a real redis-server for a test, and stops it in the
// ways that servers fail.
//
// The program is looked up on PATH. Where it is missing the test is skipped, or
// fails if the environment says REDIS_REQUIRED=1. In Debian it is in the
// package redis-server.
package redistest

import (
	"bufio"
	"bytes"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds the wait for a server that starts.
const patience = 15 * time.Second

// A Server is a redis-server on a loopback port of its own, with a directory of
// its own, in which every write is on disk before it is answered. Its methods
// are for the test's goroutine.
type Server struct {
	Addr string // host:port

	t    testing.TB
	args []string
	cmd  *exec.Cmd // nil while it does not run
}

// Start starts a server that ends with the test. args are further options of
// redis-server, such as "--requirepass", "secret".
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("REDIS_REQUIRED") == "1" {
			t.Fatal("redistest: redis-server is not on PATH, and REDIS_REQUIRED is 1: install the package redis-server")
		}
		t.Skip("redistest: redis-server is not on PATH: install the package redis-server to run this test")
	}
	s := &Server{Addr: FreeAddress(t), t: t}
	_, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	s.args = append([]string{
		"--bind", "127.0.0.1", "--port", port, "--dir", t.TempDir(), "--daemonize", "no",
		"--save", "", "--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0",
	}, args...)
	t.Cleanup(s.Kill)
	s.Restart()
	return s
}

// Restart starts the server again, on the same port and with the data that it
// had, and waits until it answers.
func (s *Server) Restart() {
	s.t.Helper()
	if s.cmd != nil {
		s.t.Fatal("redistest: Restart of a server that runs: call Kill first")
	}
	var output bytes.Buffer
	cmd := exec.Command("redis-server", s.args...) //nolint:gosec // the options are the test's own
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("redistest: %v", err)
	}
	s.cmd = cmd
	for deadline := time.Now().Add(patience); !answers(s.Addr); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.Kill() // which also ends the writing to output
			s.t.Fatalf("redistest: no answer within %v:\n%s", patience, &output)
		}
	}
}

// Kill ends the server as a crash does. It does nothing when it does not run.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // it says that the process was killed
	s.cmd = nil
}

// Hang makes the server take requests and answer none, until Resume.
func (s *Server) Hang() { s.signal(syscall.SIGSTOP) }

// Resume ends a Hang. The requests that came meanwhile are answered.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if s.cmd == nil {
		s.t.Fatal("redistest: the server does not run")
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("redistest: %v", err)
	}
}

// answers reports whether a Redis takes requests. One that still loads its data,
// or wants a password, says so: only the first is not ready.
func answers(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return err == nil && (strings.HasPrefix(line, "+PONG") || strings.HasPrefix(line, "-NOAUTH"))
}

// FreeAddress returns a loopback address that was free a moment ago. Its port is
// below those that the system gives to outgoing connections: a client that dials
// such a port while the server is away can be connected to itself.
func FreeAddress(t testing.TB) string {
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(20000+rand.IntN(12000)))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("redistest: no free port between 20000 and 32000")
	return ""
}
