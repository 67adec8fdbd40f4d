package integration_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/emamw/mcp-ema/emamw"
)

// A walk calls tools one after the other in one session, by a client that begins
// without a token.
type walk func(t *testing.T, e *enterprise, protocol, method string, tools ...string) []step

// A step is what became of one call.
type step struct {
	Text   string `json:"text"`
	Error  string `json:"error"`
	Status int    `json:"status"`
}

// The SDK's own client, run by Node.js. It adds to what it has: the challenge
// need not repeat that.
func TestTypeScriptSDKStepsUp(t *testing.T) {
	dir := npmProgram(t, "typescript-client")
	stepsUp(t, justAdvertised, func(t *testing.T, e *enterprise, protocol, method string, tools ...string) []step {
		t.Helper()
		config, err := json.Marshal(map[string]any{
			"server":   e.resource,
			"protocol": protocol,
			"idp":      map[string]string{"issuer": e.idp.Issuer(), "id": idpClient, "secret": idpSecret, "idToken": e.idp.SignIn("alice", idpClient)},
			"client":   map[string]string{"issuer": e.issuer, "id": asClient, "secret": asSecret, "method": method},
			"calls":    tools,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, "node", "call.mjs", string(config))
		cmd.Dir = dir
		said := &text{}
		cmd.Stderr = said
		line, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		var ended struct {
			Protocol string
			Answers  []step
		}
		if err := json.Unmarshal(line, &ended); err != nil || ended.Protocol != protocol {
			t.Fatalf("the client says %s, %v, and on stderr %s", line, err, said)
		}
		return ended.Answers
	})
}

// The same without Node.js, and for the SDK's releases before 2.
func TestTypeScriptShapedClientStepsUp(t *testing.T) {
	t.Run("adds to what it has", func(t *testing.T) { stepsUp(t, justAdvertised, walkTypeScriptShaped(true)) })
	t.Run("takes what it is told", func(t *testing.T) { stepsUp(t, alwaysNeeded, walkTypeScriptShaped(false)) })
}

// What a client begins with: scopes that the metadata names and no challenge
// does, or scopes that each challenge repeats.
func justAdvertised(c *emamw.Config) { c.ScopesSupported = []string{readScope} }
func alwaysNeeded(c *emamw.Config)   { c.BaseScopes = []string{readScope} }

// stepsUp walks from no token to a call that needs more than the first token
// has: the same request is refused and then answered, in the same session, with
// a token whose scopes are a strict superset of the first one's.
func stepsUp(t *testing.T, begin func(*emamw.Config), walk walk) {
	t.Helper()
	for _, method := range []string{"client_secret_basic", "client_secret_post"} {
		t.Run(method, func(t *testing.T) { stepsUpBy(t, method, begin, walk) })
	}
}

func stepsUpBy(t *testing.T, method string, begin func(*emamw.Config), walk walk) {
	t.Helper()
	eras(t, func(t *testing.T, protocol string, s setup) {
		s.scopes = nil // the identity provider grants what is asked for
		s.guard = begin
		e := newEnterprise(t, s)
		steps := walk(t, e, protocol, method, "whoami", "write_file", "whoami", "purge", "write_file")
		for i, want := range []string{
			"alice of engineering+on-call with " + readScope, "done: write_file",
			"alice of engineering+on-call with " + readScope + "+" + writeScope, "", "done: write_file",
		} {
			if i >= len(steps) || steps[i].Text != want {
				t.Fatalf("step %d: %+v, want %q", i, steps, want)
			}
		}
		if steps[3].Status != http.StatusForbidden || e.hasRun("purge") > 0 {
			t.Errorf("purge, which needs a group: %+v", steps[3])
		}
		checkStepUp(t, e)
		checkTypeScriptForms(t, e, method)
		oneSession(t, e)
	})
}

// checkStepUp looks at the requests as the server got them.
func checkStepUp(t *testing.T, e *enterprise) {
	t.Helper()
	var calls []request
	for _, q := range e.calls.to(http.MethodPost, "/mcp") {
		if strings.Contains(q.body, `"write_file"`) {
			calls = append(calls, q)
		}
	}
	if len(calls) != 3 || calls[0].status != http.StatusForbidden || calls[1].status != http.StatusOK || calls[2].status != http.StatusOK {
		t.Fatalf("%d calls of write_file, want 403, 200, and 200 without another step", len(calls))
	}
	if calls[0].body != calls[1].body || calls[0].header.Get("Mcp-Session-Id") != calls[1].header.Get("Mcp-Session-Id") {
		t.Errorf("after the step up another request was sent, or in another session: %s, and before %s", calls[1].body, calls[0].body)
	}
	first, second := scopesOf(t, calls[0]), scopesOf(t, calls[1])
	for _, scope := range first {
		if !slices.Contains(second, scope) {
			t.Errorf("the second token lost %s: %v", scope, second)
		}
	}
	if len(second) <= len(first) {
		t.Errorf("the second token has %v, want more than %v", second, first)
	}
	if n := len(e.tokenRequests.to(http.MethodPost, "/token")); n != 2 {
		t.Errorf("%d tokens were redeemed, want 2", n)
	}
}

// scopesOf reads the access token of a request.
func scopesOf(t *testing.T, q request) []string {
	t.Helper()
	var token struct {
		jwt.RegisteredClaims
		Scope string `json:"scope"`
	}
	bearer := strings.TrimPrefix(q.header.Get("Authorization"), "Bearer ")
	if _, _, err := jwt.NewParser().ParseUnverified(bearer, &token); err != nil {
		t.Fatal(err)
	}
	return strings.Fields(token.Scope)
}

// checkTypeScriptForms holds what makes this client another one than that of the
// Go SDK.
func checkTypeScriptForms(t *testing.T, e *enterprise, method string) {
	t.Helper()
	for _, q := range e.tokenRequests.to(http.MethodPost, "/token") {
		form := q.form(t)
		if basic := q.header.Get("Authorization") != ""; basic != (method == "client_secret_basic") || basic == form.Has("client_secret") {
			t.Errorf("the client does not authenticate with %s", method)
		}
		if form.Get("scope") == "" || form.Get("resource") != e.resource {
			t.Errorf("the client redeems with scope=%q and resource=%q", form["scope"], form["resource"])
		}
	}
}
