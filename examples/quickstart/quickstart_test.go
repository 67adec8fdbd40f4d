package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
)

// The walk succeeds in every protocol version that mcp-go's client speaks, and
// tells what it saw.
func TestWalk(t *testing.T) {
	for _, protocol := range append([]string{""}, mcp.ValidProtocolVersions...) {
		t.Run("protocol "+protocol, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			args := []string{"-protocol", protocol}
			if status := run(t.Context(), args, &stdout, &stderr); status != 0 {
				t.Fatalf("status %d: %s\n%s", status, &stderr, &stdout)
			}
			for _, told := range []string{
				"401 Unauthorized",
				"GET notes/.well-known/oauth-protected-resource/mcp -> 200",
				"GET auth/.well-known/oauth-authorization-server -> 200",
				"POST idp/signin -> 200",
				"oauth-id-jag+jwt",
				"at+jwt",
				"tools/list -> 200",
				`greet says: "Hello alice@acme.example of engineering and on-call."`,
				"tools/call write_note -> 403 Forbidden",
				`error="insufficient_scope"`,
				"From notes:read to notes:read notes:write.",
				"tools/call write_note -> 200 OK",
				`error="invalid_token"`,
				"Every step came out as it should.",
			} {
				if !strings.Contains(stdout.String(), told) {
					t.Errorf("it does not tell %q:\n%s", told, &stdout)
				}
			}
			if stderr.Len() > 0 {
				t.Errorf("stderr: %s", &stderr)
			}
		})
	}
}

// Nothing that is printed opens anything.
func TestNoSecretsInTheNarration(t *testing.T) {
	w := newTestWorld(t)
	var out bytes.Buffer
	walked := newWalk(w, "", &out)
	if err := walked.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string]string{
		"the secret at the identity provider":    w.atIdP.secret,
		"the secret at the authorization server": w.atAS.secret,
		"the ID token":                           walked.idToken,
		"the ID-JAG":                             walked.idJAG,
		"the access token":                       walked.current,
	} {
		if secret == "" || strings.Contains(out.String(), secret) {
			t.Errorf("%s is empty or was printed", name)
		}
	}
	if token := regexp.MustCompile(`eyJ[\w-]+`).FindString(out.String()); token != "" {
		t.Errorf("something like a token was printed: %s", token)
	}
}

// Where the walk asks.
const (
	resourceAt = "/.well-known/oauth-protected-resource/mcp"
	authAt     = "/.well-known/oauth-authorization-server"
	idpAt      = "/.well-known/openid-configuration"
)

// legacy is the newest protocol version whose client asks for everything once.
const legacy = mcp.LATEST_LEGACY_PROTOCOL_VERSION

// A walk that is lied to stops at the step where it should have noticed.
func TestEveryStepIsChecked(t *testing.T) {
	for _, tt := range []struct {
		name string
		lie  lie
		step string
	}{
		{"no 401 for no token", lie{at: "/mcp", status: 403}, "step 1 "},
		{"no challenge", lie{at: "/mcp", challenge: "-"}, "step 1 "},
		{"blame for no token", lie{at: "/mcp", challenge: `Bearer error="invalid_token"`}, "step 1 "},
		{"another resource", lie{at: resourceAt, old: `/mcp"`, new: `/other"`}, "step 2 "},
		{"another authorization server", lie{at: resourceAt, old: `_servers":["`, new: `_servers":["http://127.0.0.1:9","`}, "step 2 "},
		{"no metadata", lie{at: resourceAt, status: 404}, "step 2 "},
		{"another issuer", lie{at: authAt, old: `"issuer":"http`, new: `"issuer":"https`}, "step 3 "},
		{"no ID-JAG profile", lie{at: authAt, old: "grant-profile", new: "grant-profits"}, "step 3 "},
		{"another identity provider", lie{at: idpAt, old: `"issuer":"http`, new: `"issuer":"https`}, "step 4 "},
		{"an ID token that is none", lie{at: "/signin", old: ".", new: ""}, "step 4 "},
		{"no ID-JAG", lie{at: "/token", old: "id-jag", new: "access_token"}, "step 5 "},
		{"another type of token", lie{at: "/token", skip: 1, old: "Bearer", new: "DPoP"}, "step 6 "},
		{"another scope than announced", lie{at: "/token", skip: 1, old: "notes:read", new: "notes:all"}, "step 6 "},
		{"no extension", lie{at: "/mcp", skip: 1, old: "enterprise-managed", new: "self-managed"}, "step 7 "},
		{"tools without their scopes", lie{at: "/mcp", skip: 3, old: "notes:write", new: "notes:any"}, "step 8 "},
		{"another greeting", lie{at: "/mcp", skip: 4, old: "Hello alice", new: "Hello bob"}, "step 9 "},
		{"a denied call with another status", lie{at: "/mcp", skip: 5, status: 401}, "step 10 "},
		{"a denied call without the scope", lie{at: "/mcp", skip: 5, challenge: `Bearer error="insufficient_scope"`}, "step 10 "},
		{"a denied call with another error", lie{at: "/mcp", skip: 5, challenge: `Bearer error="invalid_token", scope="notes:write"`}, "step 10 "},
		{"no wider ID-JAG", lie{at: "/token", skip: 2, status: 400}, "step 11 "},
		{"another note", lie{at: "/mcp", skip: 6, old: "plants", new: "flowers"}, "step 12 "},
		{"a tampered token with another status", lie{at: "/mcp", skip: 7, status: 403}, "step 13 "},
		{"a tampered token with another error", lie{at: "/mcp", skip: 7, challenge: `Bearer error="insufficient_scope"`}, "step 13 "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWalk(newTestWorld(t), legacy, io.Discard)
			w.wire.base = &liar{lie: tt.lie, base: w.wire.base}
			err := w.run(t.Context())
			if err == nil || !strings.HasPrefix(err.Error(), tt.step) {
				t.Errorf("the walk ends with %v, want an error of %s", err, tt.step)
			}
		})
	}
}

// With a token that is too wide from the start, nothing is denied; with a
// handler that runs in spite of the 403, the note is there. Both are noticed.
func TestDeniedMeansDenied(t *testing.T) {
	w := newTestWorld(t)
	w.notes.add("written before anybody was allowed to")
	if err := newWalk(w, "", io.Discard).run(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "step 10 ") {
		t.Errorf("a note that was written in spite of the 403: %v", err)
	}

	walked := newWalk(newTestWorld(t), legacy, io.Discard)
	walked.wire.base = &liar{base: walked.wire.base, lie: lie{at: "/mcp", challenge: `Bearer scope="notes:read notes:write", resource_metadata="` + walked.world.metadata() + `"`}}
	if err := walked.run(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "step 10 ") {
		t.Errorf("a call that should have been denied: %v", err)
	}
}

func TestBadFlags(t *testing.T) {
	for _, args := range [][]string{{"-nope"}, {"argument"}, {"-protocol", "2020-01-01"}} {
		var stdout, stderr bytes.Buffer
		if status := run(t.Context(), args, &stdout, &stderr); status != 2 {
			t.Errorf("%q: status %d, want 2", args, status)
		}
		if strings.Count(stderr.String(), "\n") != 1 || stdout.Len() > 0 {
			t.Errorf("%q: want one line on stderr, got %q and %q", args, &stderr, &stdout)
		}
	}
	if status := run(t.Context(), []string{"-help"}, io.Discard, io.Discard); status != 0 {
		t.Errorf("-help: status %d, want 0", status)
	}
}

// What -serve prints works when it is pasted into a shell.
func TestServe(t *testing.T) {
	for _, tool := range []string{"sh", "curl", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	stdout := &printed{want: "with the secret", seen: make(chan struct{})}
	var stderr bytes.Buffer
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"-serve"}, stdout, &stderr) }()
	select {
	case <-stdout.seen:
	case status := <-ended:
		t.Fatalf("it ends with status %d instead of serving: %s", status, &stderr)
	}

	var script strings.Builder
	for _, line := range strings.Split(stdout.String(), "\n") {
		if command, ok := strings.CutPrefix(line, "  "); ok && regexp.MustCompile(`^(field|ID_TOKEN|ID_JAG|TOKEN|curl)\b`).MatchString(command) {
			script.WriteString(command + "\n")
		}
	}
	out, err := exec.CommandContext(ctx, "sh", "-c", script.String()).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("200 OK")) || !bytes.Contains(out, []byte(`"serverInfo"`)) {
		t.Errorf("the printed commands: %v\n%s", err, out)
	}
	stop() // as an interrupt does
	if status := <-ended; status != 0 {
		t.Errorf("after an interrupt it ends with status %d, want 0", status)
	}
}

func newTestWorld(t *testing.T) *world {
	t.Helper()
	w, err := startWorld(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	return w
}

func (w *world) metadata() string {
	return strings.TrimSuffix(w.resource, "/mcp") + "/.well-known/oauth-protected-resource/mcp"
}

// printed is a stdout that tells when a text was written to it.
type printed struct {
	want string
	seen chan struct{}

	mu   sync.Mutex
	text strings.Builder
	once sync.Once
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text.Write(b)
	if strings.Contains(p.text.String(), p.want) {
		p.once.Do(func() { close(p.seen) })
	}
	return len(b), nil
}

func (p *printed) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}
