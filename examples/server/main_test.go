package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/emamwtest"
)

// output is what a running program prints.
type output struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	line chan string // the first line
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.buf.Len() == 0 {
		o.line <- string(p)
	}
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// start runs the program on a free port and returns where it listens. It is
// interrupted, and must then stop cleanly, when the test ends.
func start(t *testing.T, args ...string) string {
	t.Helper()
	return startTo(t, io.Discard, args...)
}

// startTo is start with a place for what the program says on standard error.
func startTo(t *testing.T, stderr io.Writer, args ...string) string {
	t.Helper()
	ctx, interrupt := context.WithCancel(context.Background())
	out := &output{line: make(chan string, 1)}
	exited := make(chan int, 1)
	go func() { exited <- run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), out, stderr) }()
	t.Cleanup(func() {
		interrupt()
		select {
		case status := <-exited:
			if status != 0 {
				t.Errorf("exit status %d after an interrupt", status)
			}
		case <-time.After(10 * time.Second):
			t.Error("does not stop")
		}
	})
	select {
	case line := <-out.line:
		_, rest, _ := strings.Cut(line, "ready on ")
		addr, _, ok := strings.Cut(rest, " ")
		if !ok {
			t.Fatalf("no ready line: %q", line)
		}
		return "http://" + addr
	case status := <-exited:
		exited <- 0
		t.Fatalf("exit status %d", status)
	case <-time.After(10 * time.Second):
		t.Fatal("no ready line")
	}
	return ""
}

func post(t *testing.T, base, token, body string) (int, string) {
	t.Helper()
	return do(t, http.MethodPost, base+"/mcp", token, body)
}

func do(t *testing.T, method, url, token, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestBadFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mapping.json")
	if err := os.WriteFile(file, []byte(`{"no such field": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"unknown flag":      {"-unknown"},
		"an argument":       {"serve"},
		"transport":         {"-transport", "carrier-pigeon"},
		"preset":            {"-preset", "google"},
		"preset variable":   {"-preset", "keycloak", "-preset-var", "client"},
		"missing variable":  {"-preset", "keycloak"},
		"no such file":      {"-claims", file + ".none"},
		"a bad mapping":     {"-claims", file},
		"issuer":            {"-issuer", "http://elsewhere.example"},
		"resource":          {"-resource", "mcp"},
		"empty scope":       {"-base-scope", ""},
		"one key set":       {"-issuer", "https://a.example", "-issuer", "https://b.example", "-jwks-url", "https://a.example/k"},
		"template, no list": {"-preset", "entra", "-issuer", "https://login.example/{tenantid}/v2.0"},
		"address":           {"-addr", "nowhere"},
	} {
		var out, errs bytes.Buffer
		status := run(t.Context(), args, &out, &errs)
		want := 2
		if name == "address" {
			want = 1
		}
		if status != want || strings.Count(errs.String(), "\n") != 1 || out.Len() != 0 {
			t.Errorf("%s: status %d, want %d, and one line: %q %q", name, status, want, errs.String(), out.String())
		}
	}
}

// Help that was asked for is no mistake.
func TestHelp(t *testing.T) {
	var errs bytes.Buffer
	if status := run(t.Context(), []string{"-help"}, io.Discard, &errs); status != 0 || !strings.Contains(errs.String(), "-preset") || strings.Contains(errs.String(), "server:") {
		t.Errorf("status %d, %s", status, errs.String())
	}
}

func TestMappingFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mapping.json")
	if err := os.WriteFile(file, []byte(`{"preset": "rfc9068", "subject": [{"pointer": "/login"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	as := emamwtest.StartAuthorizationServer(emamwtest.AuthorizationServerConfig{Resource: "http://127.0.0.1:8080/mcp"})
	defer as.Close()
	base := start(t, "-issuer", as.Issuer(), "-claims", file, "-stateless")
	status, body := post(t, base, as.Mint(emamwtest.Token{Claims: map[string]any{"login": "a.example"}}), `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami"}}`)
	if status != http.StatusOK || !strings.Contains(body, `"subject":"a.example"`) {
		t.Errorf("%d %s", status, body)
	}
}

// Whoever tries an issuer of his own is not told by the answer why his token is
// refused. The program tells him, if it is asked to.
func TestAuditSaysWhy(t *testing.T) {
	as := emamwtest.StartAuthorizationServer(emamwtest.AuthorizationServerConfig{Resource: "http://127.0.0.1:8080/mcp"})
	defer as.Close()
	said := &output{line: make(chan string, 1)}
	base := startTo(t, said, "-issuer", as.Issuer(), "-audit")
	for reason, token := range map[string]emamwtest.Token{
		`"ema.reason":"audience_mismatch"`: {Audience: []string{"https://elsewhere.example"}},
		`"ema.token.claim":"client_id"`:    {Claims: map[string]any{"client_id": nil}},
	} {
		if status, body := post(t, base, as.Mint(token), `{}`); status != http.StatusUnauthorized || !strings.Contains(said.String(), reason) {
			t.Errorf("%d %s, and %s is not in\n%s", status, body, reason, said.String())
		}
	}
}

// Every item of the example has the rule that its documentation says.
func TestRules(t *testing.T) {
	as := emamwtest.StartAuthorizationServer(emamwtest.AuthorizationServerConfig{Resource: "http://127.0.0.1:8080/mcp"})
	defer as.Close()
	base := start(t, "-issuer", as.Issuer(), "-stateless")
	tests := []struct {
		method, params string
		token          emamwtest.Token
		status         int
	}{
		{"tools/call", `{"name":"whoami"}`, emamwtest.Token{}, 200},
		{"tools/call", `{"name":"read_file","arguments":{"path":"readme"}}`, emamwtest.Token{Scopes: []string{"files:read"}}, 200},
		{"tools/call", `{"name":"read_file"}`, emamwtest.Token{}, 403},
		{"tools/call", `{"name":"write_file"}`, emamwtest.Token{Scopes: []string{"files:read"}}, 403},
		{"tools/call", `{"name":"purge"}`, emamwtest.Token{Scopes: []string{"files:write"}, Groups: []string{"platform-admins"}}, 200},
		{"tools/call", `{"name":"purge"}`, emamwtest.Token{Scopes: []string{"files:write"}, Groups: []string{"engineering"}}, 403},
		{"tools/call", `{"name":"run_report","task":{}}`, emamwtest.Token{Scopes: []string{"reports:run"}}, 200},
		{"tools/call", `{"name":"run_report","task":{}}`, emamwtest.Token{}, 403},
		{"prompts/get", `{"name":"summarize"}`, emamwtest.Token{Scopes: []string{"files:read"}}, 200},
		{"prompts/get", `{"name":"summarize"}`, emamwtest.Token{}, 403},
		{"resources/read", `{"uri":"file:///readme"}`, emamwtest.Token{Scopes: []string{"files:read"}}, 200},
		{"resources/read", `{"uri":"file:///secret"}`, emamwtest.Token{Scopes: []string{"files:read"}}, 403},
		{"resources/read", `{"uri":"file:///secret"}`, emamwtest.Token{Scopes: []string{"files:admin"}}, 200},
		{"resources/read", `{"uri":"file:///notes/today"}`, emamwtest.Token{Scopes: []string{"files:read"}}, 200},
		{"resources/read", `{"uri":"file:///notes/today"}`, emamwtest.Token{Scopes: []string{"files:admin"}}, 403},
	}
	for _, tt := range tests {
		status, body := post(t, base, as.Mint(tt.token), `{"jsonrpc":"2.0","id":1,"method":"`+tt.method+`","params":`+tt.params+`}`)
		if status != tt.status {
			t.Errorf("%s %s with %q: %d, want %d: %s", tt.method, tt.params, tt.token.Scopes, status, tt.status, body)
		}
	}
	// What a template could be talked into, and a handler must not do.
	for _, uri := range []string{"file:///%73ecret", "file:///a/../secret", "file:///./secret", "file:////secret"} {
		if _, body := post(t, base, as.Mint(emamwtest.Token{Scopes: []string{"files:read"}}), `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"`+uri+`"}}`); strings.Contains(body, "painting") {
			t.Errorf("%s opens the secret", uri)
		}
	}
}

func TestMetadataAndHealth(t *testing.T) {
	as := emamwtest.StartAuthorizationServer(emamwtest.AuthorizationServerConfig{})
	defer as.Close()
	base := start(t, "-issuer", as.Issuer(), "-transport", "sse", "-hide-denied", "-base-scope", "mcp")
	for path, status := range map[string]int{
		"/healthz": 200, "/readyz": 200, "/.well-known/oauth-protected-resource/mcp": 200, "/.well-known/oauth-protected-resource": 200, "/sse": 401, "/mcp": 401,
	} {
		if got, body := do(t, http.MethodGet, base+path, "", ""); got != status {
			t.Errorf("GET %s: %d %s, want %d", path, got, body, status)
		}
	}
}
