package integration_test

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// trial is the two example programs, running together.
type trial struct {
	authserver, server    *program
	issuer, idp, resource string
}

var authserverReady = regexp.MustCompile(`^authserver: ready on \S+ as (\S+), .*for this run only.* at (\S+) that signs in anybody\n$`)

// Scopes that authserver knows unless it is told otherwise.
const trialScopes = "files:read files:write files:admin reports:run"

func startTrial(t *testing.T, serverFlags ...string) *trial {
	t.Helper()
	address := freeAddress(t)
	r := &trial{resource: "http://" + address + "/mcp"}
	r.startAuthserver(t, "-addr", "127.0.0.1:0", "-dev-idp-addr", "127.0.0.1:0", "-resource", r.resource)
	r.startServer(t, "http://"+address, append([]string{"-addr", address, "-resource", r.resource, "-issuer", r.issuer}, serverFlags...)...)
	return r
}

func (r *trial) startAuthserver(t *testing.T, flags ...string) {
	t.Helper()
	r.authserver = start(t, "authserver", flags...)
	match := authserverReady.FindStringSubmatch(r.authserver.ready)
	if match == nil {
		t.Fatalf("the ready line does not name issuer and dev identity provider: %q", r.authserver.ready)
	}
	r.issuer, r.idp = match[1], match[2]
}

func (r *trial) startServer(t *testing.T, base string, flags ...string) {
	t.Helper()
	r.server = start(t, "server", flags...)
	eventually(t, "the server has the keys of the authorization server", func() bool {
		resp, err := http.Get(base + "/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// token does what the printed commands do.
func (r *trial) token(t *testing.T, user string) string {
	t.Helper()
	const client, secret = "trial-client", "trial-secret-never-in-production"
	_, signedIn := postForm(t, r.idp+"/signin", "", "", url.Values{"user": {user}, "client_id": {client}})
	idToken, ok := signedIn["id_token"].(string)
	if !ok {
		t.Fatalf("sign-in answered %v", signedIn)
	}
	assertion := accessToken(t, r.idp+"/token", client, secret, url.Values{
		"grant_type":           {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"requested_token_type": {"urn:ietf:params:oauth:token-type:id-jag"},
		"audience":             {r.issuer},
		"resource":             {r.resource},
		"scope":                {trialScopes},
		"subject_token_type":   {"urn:ietf:params:oauth:token-type:id_token"},
		"subject_token":        {idToken},
	})
	return accessToken(t, r.issuer+"/token", client, secret, url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
		"assertion":  {assertion},
	})
}

// answer is what curl -i shows.
type answer struct {
	status    int
	challenge string
	session   string
	body      string
}

// rpc posts a JSON-RPC message as curl does.
func (r *trial) rpc(t *testing.T, token, session, message string) answer {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.resource, strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Accept", "application/json, text/event-stream")
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	if session != "" {
		q.Header.Set("Mcp-Session-Id", session)
	}
	return do(t, q)
}

func do(t *testing.T, q *http.Request) answer {
	t.Helper()
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header.Get("WWW-Authenticate"), resp.Header.Get("Mcp-Session-Id"), string(body)}
}

const initializeMessage = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"curl","version":"8"}}}`

func callMessage(tool, arguments string) string {
	return `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"` + tool + `","arguments":` + arguments + `}}`
}

// The two programs fit together: tokens of the one open the other, as far as
// they go.
func TestExamplesFitTogether(t *testing.T) {
	for name, flags := range map[string][]string{"stateful": nil, "stateless": {"-stateless"}} {
		t.Run(name, func(t *testing.T) { newTrialTest(t, startTrial(t, flags...)) })
	}
}

// Without any flag, too.
func TestExamplesNeedNoFlags(t *testing.T) {
	for _, address := range []string{"127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Skipf("somebody uses %s: %v", address, err)
		}
		_ = l.Close()
	}
	r := &trial{resource: "http://127.0.0.1:8080/mcp"}
	r.startAuthserver(t)
	r.startServer(t, "http://127.0.0.1:8080")
	newTrialTest(t, r)
}

func newTrialTest(t *testing.T, r *trial) {
	metadataURL := strings.TrimSuffix(r.resource, "/mcp") + "/.well-known/oauth-protected-resource/mcp"
	link := `resource_metadata="` + metadataURL + `"`

	for name, tt := range map[string]struct{ token, challenge string }{
		"no token":      {"", "Bearer " + link},
		"no such token": {"abc.def.ghi", `Bearer error="invalid_token", ` + link},
	} {
		if a := r.rpc(t, tt.token, "", initializeMessage); a.status != http.StatusUnauthorized || a.challenge != tt.challenge {
			t.Errorf("%s: %d with the challenge %s", name, a.status, a.challenge)
		}
	}
	checkMetadata(t, metadataURL, r)

	alice, bob := r.token(t, "alice"), r.token(t, "bob")
	asAlice, asBob := r.rpc(t, alice, "", initializeMessage), r.rpc(t, bob, "", initializeMessage)
	if asAlice.status != http.StatusOK || asBob.status != http.StatusOK {
		t.Fatalf("initialize: %+v and %+v", asAlice, asBob)
	}
	for _, tt := range []struct {
		name, token, session, message string
		status                        int
		challenge, body               string
	}{
		{"alice reads", alice, asAlice.session, callMessage("read_file", `{"path":"readme"}`), 200, "", "everybody with files:read"},
		{"alice writes", alice, asAlice.session, callMessage("write_file", `{"path":"a","text":"b"}`), 200, "", "wrote a"},
		{"alice, an admin, purges", alice, asAlice.session, callMessage("purge", `{}`), 200, "", "purged"},
		{"bob reads", bob, asBob.session, callMessage("read_file", `{"path":"readme"}`), 200, "", "everybody with files:read"},
		{"bob does not write", bob, asBob.session, callMessage("write_file", `{"path":"a","text":"b"}`), 403, `scope="files:write"`, "insufficient_scope"},
		{"bob starts no report", bob, asBob.session, `{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"run_report","task":{}}}`, 403, `scope="reports:run"`, "insufficient_scope"},
		{"bob does not purge, and no scope would help", bob, asBob.session, callMessage("purge", `{}`), 403, "", "access_denied"},
		{"bob reads no secret", bob, asBob.session, `{"jsonrpc":"2.0","id":3,"method":"resources/read","params":{"uri":"file:///secret"}}`, 403, `scope="files:admin"`, "insufficient_scope"},
		{"bob gets no secret by its path", bob, asBob.session, callMessage("read_file", `{"path":"secret"}`), 200, "", "no such file"},
	} {
		a := r.rpc(t, tt.token, tt.session, tt.message)
		if a.status != tt.status || !strings.Contains(a.body, tt.body) || !strings.Contains(a.challenge, tt.challenge) || (tt.challenge == "") != (a.challenge == "") {
			t.Errorf("%s: %+v", tt.name, a)
		}
		if tt.challenge != "" && !strings.Contains(a.challenge, `error="insufficient_scope"`) {
			t.Errorf("%s: the challenge is %s", tt.name, a.challenge)
		}
	}
	if asAlice.session != "" {
		if a := r.rpc(t, bob, asAlice.session, callMessage("whoami", `{}`)); a.status != http.StatusNotFound {
			t.Errorf("bob in the session of alice: %+v", a)
		}
	}
	checkWhoami(t, r, r.rpc(t, alice, asAlice.session, callMessage("whoami", `{}`)))
}

func checkMetadata(t *testing.T, address string, r *trial) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	a := do(t, q)
	var document struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
		Methods  []string `json:"bearer_methods_supported"`
	}
	if err := json.Unmarshal([]byte(a.body), &document); err != nil || a.status != http.StatusOK {
		t.Fatalf("metadata: %+v, %v", a, err)
	}
	if document.Resource != r.resource || !slices.Equal(document.Servers, []string{r.issuer}) || !slices.Equal(document.Methods, []string{"header"}) {
		t.Errorf("metadata: %s", a.body)
	}
}

// checkWhoami holds the members that whoami promises.
func checkWhoami(t *testing.T, r *trial, a answer) {
	t.Helper()
	body := a.body
	if _, data, isStream := strings.Cut(body, "data:"); isStream {
		body = data
	}
	var message struct {
		Result struct {
			Content map[string]any `json:"structuredContent"`
		} `json:"result"`
	}
	if err := json.NewDecoder(strings.NewReader(body)).Decode(&message); err != nil {
		t.Fatalf("whoami: %+v, %v", a, err)
	}
	got := message.Result.Content
	if granted, ok := got["scopes"].([]any); ok {
		slices.SortFunc(granted, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	}
	want := map[string]any{
		"issuer": r.issuer, "subject": "alice", "tenant": "", "kind": "user", "client_id": "trial-client",
		"scopes":       []any{"files:admin", "files:read", "files:write", "reports:run"},
		"groups":       []any{"engineering", "platform-admins"},
		"groups_state": "complete", "roles": []any{}, "permissions": []any{},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("whoami answers\n%v, want\n%v", got, want)
	}
}

// What authserver prints is what works: the same parameters as token sends, and
// in a shell, where there is one, the very commands.
func TestPrintedCommands(t *testing.T) {
	r := startTrial(t)
	eventually(t, "the commands are printed", func() bool {
		return strings.Contains(r.authserver.stdout.String(), "-stateless")
	})
	printed := r.authserver.stdout.String()
	for _, parameter := range []string{
		r.idp + "/signin", r.idp + "/token", r.issuer + "/token",
		"grant_type=urn:ietf:params:oauth:grant-type:token-exchange",
		"requested_token_type=urn:ietf:params:oauth:token-type:id-jag",
		"subject_token_type=urn:ietf:params:oauth:token-type:id_token",
		"grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer",
		"audience=" + r.issuer, "resource='" + r.resource + "'", "scope='" + trialScopes + "'",
		"trial-client:trial-secret-never-in-production",
	} {
		if !strings.Contains(printed, parameter) {
			t.Errorf("%s is not in what is printed:\n%s", parameter, printed)
		}
	}
	for _, tool := range []string{"sh", "curl", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	var script strings.Builder
	for line := range strings.Lines(printed) {
		if strings.HasPrefix(line, "  ") {
			script.WriteString(line)
		}
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", script.String()).Output()
	if err != nil || !strings.HasPrefix(string(out), "HTTP/1.1 200 ") || !strings.Contains(string(out), "Mcp-Session-Id: ") {
		t.Fatalf("the printed commands: %v\n%s", err, out)
	}
}

func TestExamplesRefuseBadFlags(t *testing.T) {
	for _, args := range [][]string{
		{"authserver", "-nope"},
		{"authserver", "argument"},
		{"authserver", "-client", "no-secret"},
		{"authserver", "-group-scopes", "no-scopes"},
		{"authserver", "-resource", "not a URL"},
		{"authserver", "-issuer", "http://auth.example.com"},
		{"server", "-nope"},
		{"server", "argument"},
		{"server", "-transport", "carrier-pigeon"},
		{"server", "-preset", "nobody"},
		{"server", "-resource", "not a URL", "-issuer", "nor this"},
		{"server", "-issuer", "http://auth.example.com"},
		{"server", "-base-scope", "two words"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			flags := append([]string{"-addr", "127.0.0.1:0"}, args[1:]...)
			if args[0] == "authserver" {
				flags = append([]string{"-dev-idp-addr", "127.0.0.1:0"}, flags...)
			}
			cmd := command(t, args[0], flags...)
			var stdout, stderr text
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			bound := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
			defer bound.Stop()
			var exit *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 2 {
				t.Errorf("it ends with %v, want status 2", err)
			}
			line := stderr.String()
			if strings.Count(line, "\n") != 1 || !strings.HasPrefix(line, args[0]+": ") || stdout.String() != "" {
				t.Errorf("want one line on stderr, got %q, and %q on stdout", line, stdout.String())
			}
		})
	}
}

// An interrupt ends both at once and cleanly, open streams or not.
func TestExamplesStopCleanly(t *testing.T) {
	r := startTrial(t)
	token := r.token(t, "alice")
	session := r.rpc(t, token, "", initializeMessage).session
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.resource, nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Accept", "text/event-stream")
	q.Header.Set("Authorization", "Bearer "+token)
	q.Header.Set("Mcp-Session-Id", session)
	stream, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Body.Close() }()
	if stream.StatusCode != http.StatusOK {
		t.Fatalf("the stream: %s", stream.Status)
	}
	for _, p := range []*program{r.server, r.authserver} {
		began := time.Now()
		if err := p.interrupt(); err != nil {
			t.Errorf("%s ends with %v after an interrupt: %s", p.cmd.Path, err, p.stderr)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%s took %v to end", p.cmd.Path, took)
		}
	}
}

// The legacy transport is behind the guard as well.
func TestExampleServerSSE(t *testing.T) {
	r := startTrial(t, "-transport", "sse")
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimSuffix(r.resource, "/mcp")+"/sse", nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := do(t, q); a.status != http.StatusUnauthorized || a.challenge == "" {
		t.Errorf("without a token: %+v", a)
	}
	q.Header.Set("Authorization", "Bearer "+r.token(t, "alice"))
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		t.Errorf("with a token: %s %s", resp.Status, resp.Header.Get("Content-Type"))
	}
}
