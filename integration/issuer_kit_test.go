package integration_test

import (
	"bufio"
	"encoding/json"
	"net/url"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// An issuerProcess is a running authorization server that is not ours. All of
// them are started alike: the last argument is their configuration in JSON, they
// print {"issuer": …} when they are ready, and they end with their standard input.
type issuerProcess struct {
	issuer string
	stop   func() // once; the end of the test does it otherwise
}

func startIssuer(t *testing.T, dir string, config any, program string, args ...string) *issuerProcess {
	t.Helper()
	argument, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, append(args, string(argument))...)
	cmd.Dir = dir
	output := &text{}
	cmd.Stderr = output
	in, err := cmd.StdinPipe() // its end, also by a crash of the test, ends the program
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &issuerProcess{}
	p.stop = sync.OnceFunc(func() {
		_ = in.Close()
		force := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer force.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s %v: %v\n%s", program, args, err, output)
		}
	})
	t.Cleanup(p.stop)
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	var ready struct{ Issuer string }
	line, _ := bufio.NewReader(out).ReadBytes('\n')
	if err := json.Unmarshal(line, &ready); err != nil {
		t.Fatalf("%s %v is not ready but says %q, and on stderr %s", program, args, line, output)
	}
	p.issuer = ready.Issuer
	return p
}

// origin is scheme, host and port.
func (p *issuerProcess) origin(t *testing.T) string {
	t.Helper()
	u := p.url(t)
	return u.Scheme + "://" + u.Host
}

func (p *issuerProcess) port(t *testing.T) string {
	t.Helper()
	return p.url(t).Port()
}

func (p *issuerProcess) url(t *testing.T) *url.URL {
	t.Helper()
	u, err := url.Parse(p.issuer)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
