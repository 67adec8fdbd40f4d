package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/idjag"
)

// running is one run of the program.
type running struct {
	issuer, idp string
	stop        func() int
	stderr      *lockedBuffer
}

var readyLine = regexp.MustCompile(`^authserver: ready on \S+ as (http://\S+?)(, .*)?$`)

// start runs the program until the end of the test.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	read, write := io.Pipe()
	r := &running{stderr: &lockedBuffer{}}
	status := make(chan int, 1)
	go func() {
		status <- run(ctx, append([]string{"-addr", "127.0.0.1:0", "-dev-idp-addr", "127.0.0.1:0"}, args...), write, r.stderr)
		write.Close()
	}()
	r.stop = sync.OnceValue(func() int { cancel(); return <-status })
	t.Cleanup(func() { r.stop() })

	lines := bufio.NewReader(read)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("no ready line: %v; it said %s", err, r.stderr)
	}
	match := readyLine.FindStringSubmatch(strings.TrimSpace(line))
	if match == nil {
		t.Fatalf("ready line %q", line)
	}
	r.issuer = match[1]
	if _, after, found := strings.Cut(match[2], "dev identity provider at "); found {
		r.idp, _, _ = strings.Cut(after, " ")
	}
	rest := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(io.LimitReader(lines, 1<<20))
		rest <- string(text)
	}()
	t.Cleanup(func() { r.stop(); <-rest })
	if r.idp != "" && !strings.Contains(match[2], "for this run only") {
		t.Errorf("ready line %q does not admit the ephemeral key", line)
	}
	return r
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func post(t *testing.T, address, user string, form url.Values) (int, map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if id, secret, ok := strings.Cut(user, ":"); ok {
		request.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var body map[string]any
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body
}

func redeem(t *testing.T, r *running, client, assertion string) (int, map[string]any) {
	t.Helper()
	return post(t, r.issuer+"/token", client, url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion},
	})
}

// TestTrial is the whole way without a flag that matters.
func TestTrial(t *testing.T) {
	r := start(t)
	client := trialClient + ":" + trialSecret
	for user, want := range map[string]string{"alice": "files:admin files:read files:write reports:run", "bob": "files:read"} {
		_, in := post(t, r.idp+"/signin", "", url.Values{"user": {user}, "client_id": {trialClient}})
		_, exchanged := post(t, r.idp+"/token", client, url.Values{
			"grant_type":           {"urn:ietf:params:oauth:grant-type:token-exchange"},
			"requested_token_type": {"urn:ietf:params:oauth:token-type:id-jag"},
			"subject_token_type":   {"urn:ietf:params:oauth:token-type:id_token"},
			"subject_token":        {in["id_token"].(string)},
			"audience":             {r.issuer}, "resource": {trialResource}, "scope": {strings.Join(trialScopes, " ")},
		})
		assertion, _ := exchanged["access_token"].(string)
		status, token := redeem(t, r, client, assertion)
		if status != http.StatusOK || token["scope"] != want || token["resource"] != trialResource {
			t.Errorf("%s: answered %d %v, want a token for %s", user, status, token, want)
		}
		if status, again := redeem(t, r, client, assertion); status != http.StatusBadRequest || again["error"] != "invalid_grant" {
			t.Errorf("%s, again: answered %d %v", user, status, again)
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/jwks", "/.well-known/oauth-authorization-server"} {
		response, err := http.Get(r.issuer + path)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("%s: %v, %v", path, response, err)
		}
	}
	if status := r.stop(); status != 0 {
		t.Errorf("ended with %d after an interrupt", status)
	}
}

// TestPrintedCommands runs what a trial prints, as somebody would who pastes it.
func TestPrintedCommands(t *testing.T) {
	for _, tool := range []string{"sh", "curl", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("no ", tool)
		}
	}
	r := start(t)
	o := &options{issuer: r.issuer, resources: list{trialResource}, scopes: trialScopes, secrets: map[string]string{trialClient: trialSecret}}
	var script []string
	for line := range strings.Lines(o.walkthrough(&devIdP{issuer: r.idp})) {
		if strings.HasPrefix(line, "  ") && !strings.Contains(line, "curl -i") { // no MCP server runs here
			script = append(script, line)
		}
	}
	script = append(script, "test -n \"$TOKEN\"")
	out, err := exec.CommandContext(t.Context(), "sh", "-c", strings.Join(script, "")).CombinedOutput()
	var token map[string]any
	if err != nil || json.Unmarshal(out, &token) != nil || token["access_token"] == nil {
		t.Errorf("the commands ended with %v and %s", err, out)
	}
}

// TestOwnProvider is a server for an identity provider of one's own, with every
// kind of flag.
func TestOwnProvider(t *testing.T) {
	idp := emamwtest.StartIdP(emamwtest.IdPConfig{
		Users:   []emamwtest.User{{Name: "carol", Groups: []string{"cn=ops,dc=example", "staff"}}},
		Clients: []emamwtest.Client{{ID: "https://client.example.com/c.json"}},
	})
	defer idp.Close()
	r := start(t, "-idp", idp.Issuer(), "-resource", "https://mcp.example.com/mcp", "-scope", "a", "-scope", "b", "-scope", "c",
		"-client", "https://client.example.com/c.json:s3cret", "-group-scopes", "cn=ops,dc=example=a,b", "-group-scopes", "nobody=c",
		"-client-hash", "a=b="+idjag.HashSecret("s3cret"), "-token-lifetime", "90s", "-audit")
	mint := func(client string) string {
		return idp.Mint(emamwtest.Token{
			Subject: "carol", ClientID: client, Audience: []string{r.issuer},
			Resource: "https://mcp.example.com/mcp", Scopes: []string{"a", "b", "c"},
		})
	}
	status, token := post(t, r.issuer+"/token", "", url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {mint("https://client.example.com/c.json")},
		"client_id": {"https://client.example.com/c.json"}, "client_secret": {"s3cret"},
	})
	if status != http.StatusOK || token["scope"] != "a b" || token["expires_in"] != 90.0 {
		t.Errorf("answered %d %v, want a token for a and b", status, token)
	}
	if status, token := redeem(t, r, "a=b:s3cret", mint("a=b")); status != http.StatusOK {
		t.Errorf("a client that is known by its hash: answered %d %v", status, token)
	}
	if audit := r.stderr.String(); !strings.Contains(audit, `"ema.decision":"allow"`) || strings.Contains(audit, "carol") {
		t.Errorf("audit %s", audit)
	}
}

// TestReload: what is read again takes effect, and a mistake changes nothing.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	policyFile, keyFile := filepath.Join(dir, "policy.json"), filepath.Join(dir, "key.pem")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(policyFile, `{"rules":[{"name":"all","scopes":["files:read"],"acr_values":["one"]}]}`)
	write(keyFile, newKey(t))
	o, err := parse([]string{"-policy", policyFile, "-key", keyFile, "-idp", "http://127.0.0.1:1", "-client", "a:b"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.settle(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8081}); err != nil {
		t.Fatal(err)
	}
	as, err := idjag.New(t.Context(), o.config)
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string) string {
		w := httptest.NewRecorder()
		as.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Body.String()
	}
	const metadata = "/.well-known/oauth-authorization-server"
	keys := get("/jwks")

	write(policyFile, `{"rules":[{"name":"all","scopes":["files:read"],"acr_values":["two"]}]}`)
	write(keyFile, newKey(t))
	if err := o.reload(as); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(get(metadata), `"acr_values_supported":["two"]`) || get("/jwks") == keys {
		t.Errorf("after a reload: %s and %s", get(metadata), get("/jwks"))
	}
	keys = get("/jwks")
	for _, mistake := range []string{`{"rules":[{"name":"all","scope":["files:read"]}]}`, `{"rules":[{"name":"all","scopes":["typo"]}]}`} {
		write(policyFile, mistake)
		if err := o.reload(as); err == nil {
			t.Errorf("%s was taken", mistake)
		}
	}
	// A good policy beside bad keys: neither counts.
	good := `{"rules":[{"name":"all","scopes":["files:read"],"acr_values":["three"]}]}`
	write(policyFile, good)
	key, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	write(keyFile, "no key")
	if err := o.reload(as); err == nil {
		t.Error("a file without a key was taken")
	}
	write(keyFile, string(key))
	o.nextKeyFile = keyFile // the same key in two places
	if err := o.reload(as); err == nil {
		t.Error("a key that is current and next was taken")
	}
	o.nextKeyFile = ""
	if !strings.Contains(get(metadata), `"acr_values_supported":["two"]`) || get("/jwks") != keys {
		t.Error("a mistake changed something")
	}
	if err := o.reload(as); err != nil || !strings.Contains(get(metadata), `"acr_values_supported":["three"]`) {
		t.Errorf("after the mistakes: %v, %s", err, get(metadata))
	}
}

func newKey(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

// TestBadFlags: one line, which names the flag or field, and status 2.
func TestBadFlags(t *testing.T) {
	idp := []string{"-idp", "https://idp.example.com", "-client", "a:b"}
	tests := map[string]struct {
		args []string
		want string
	}{
		"unknown flag":             {[]string{"-nonsense"}, "-nonsense"},
		"argument":                 {[]string{"serve"}, "serve"},
		"empty value":              {[]string{"-resource", ""}, "-resource"},
		"client without a secret":  {[]string{"-client", "id"}, "-client"},
		"client with an empty one": {[]string{"-client", "id:"}, "-client"},
		"client with no hash":      {[]string{"-client-hash", "id="}, "-client-hash"},
		"client with a secret":     {[]string{"-client-hash", "id=s3cret"}, "SecretHashes[0]"},
		"group without scopes":     {[]string{"-group-scopes", "g="}, "-group-scopes"},
		"dangling group scope":     {[]string{"-group-scopes", "g=flies:read"}, "flies:read"},
		"lifetime":                 {[]string{"-token-lifetime", "48h"}, "TokenLifetime"},
		"resource":                 {[]string{"-resource", "mcp"}, "Resources[0]"},
		"issuer":                   {[]string{"-issuer", "http://auth.example.com"}, "Issuer"},
		"origin":                   {[]string{"-origin", "example.com"}, "AllowedOrigins"},
		"own issuer as provider":   {append(idp, "-issuer", "https://idp.example.com"), "IdentityProviders[0].Issuer"},
		"provider without clients": {idp[:2], "Clients"},
		"keys of two providers":    {append(idp, "-idp", "https://b.example.com", "-jwks-url", "https://c.example.com"), "-jwks-url"},
		"policy and groups":        {[]string{"-policy", "x", "-group-scopes", "g=files:read"}, "-policy"},
		"policy file":              {[]string{"-policy", "/nonexistent"}, "-policy"},
		"key file":                 {[]string{"-key", "/nonexistent"}, "-key"},
		"trial for everybody":      {[]string{"-addr", "0.0.0.0:0", "-issuer", "https://auth.example.com"}, "-idp"},
		"no issuer for everybody":  {append(idp, "-addr", "0.0.0.0:0"), "-issuer"},
		"no key for everybody":     {append(idp, "-addr", "0.0.0.0:0", "-issuer", "https://auth.example.com"), "-key"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			var stdout, stderr bytes.Buffer
			status := run(ctx, append([]string{"-addr", "127.0.0.1:0", "-dev-idp-addr", "127.0.0.1:0"}, tt.args...), &stdout, &stderr)
			line := stderr.String()
			if status != 2 || stdout.Len() > 0 || strings.Count(line, "\n") != 1 || !strings.HasPrefix(line, "authserver: ") || !strings.Contains(line, tt.want) {
				t.Errorf("status %d, stdout %q, stderr %q; want 2 and one line about %s", status, &stdout, line, tt.want)
			}
		})
	}
	var stderr bytes.Buffer
	if status := run(t.Context(), []string{"-h"}, io.Discard, &stderr); status != 0 || !strings.Contains(stderr.String(), "-group-scopes") {
		t.Errorf("-h: status %d and %q", status, &stderr)
	}
}
