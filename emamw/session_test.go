package emamw_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/scopes"
)

func stateful(c *benchConfig) {
	c.transport = func(s *server.MCPServer) http.Handler {
		return server.NewStreamableHTTPServer(s, server.WithStateful(true))
	}
}

func openTool(b *bench) {
	b.mcp.AddTool(mcp.NewTool("open", scopes.Where(scopes.Authenticated())), b.tool("open"))
}

// A session belongs to issuer, tenant, subject and client: not to the bytes of
// a token, and not to whoever knows its id.
func TestSessionBelongsToItsCaller(t *testing.T) {
	tests := []struct {
		name  string
		token emamwtest.Token
		ok    bool
	}{
		{"the same token's caller", emamwtest.Token{Subject: "alice"}, true},
		{"the same names of another issuer", emamwtest.Token{Subject: "alice", Claims: map[string]any{"iss": "https://second.example"}}, false},
		{"a refreshed token with other scopes", emamwtest.Token{Subject: "alice", Scopes: []string{"more"}, ID: "new"}, true},
		{"another subject", emamwtest.Token{Subject: "mallory"}, false},
		{"another tenant", emamwtest.Token{Subject: "alice", Tenant: "other"}, false},
		{"another client", emamwtest.Token{Subject: "alice", ClientID: "other"}, false},
	}
	// The second issuer has the first one's keys, so that nothing but its name
	// tells its tokens from the first one's.
	b := newBench(t, before(openTool), stateful, with(func(c *emamw.Config) {
		c.AuthorizationServers = append(c.AuthorizationServers, emamw.AuthorizationServer{Issuer: "https://second.example", JWKSURL: issuer + "/jwks"})
	}))
	session := b.session(b.token())
	if session == "" {
		t.Fatal("no session")
	}
	for _, tt := range tests {
		if _, err := b.guard.Verify(t.Context(), b.as.Mint(tt.token)); err != nil {
			t.Fatalf("%s: %v", tt.name, err) // or the session would not be what is refused
		}
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
			if tt.ok && method != http.MethodPost {
				continue // a stream would stay open, and a DELETE end the session for the next row
			}
			before := b.runs("open")
			a := b.do(newRequest(method, b.as.Mint(tt.token), message("tools/call", call("open")), header("Mcp-Session-Id", session)))
			if tt.ok {
				b.wantAnswer(a, 200, "")
				continue
			}
			if a.Code != http.StatusNotFound || b.runs("open") != before {
				t.Errorf("%s by %s: %d, want 404", method, tt.name, a.Code)
			}
		}
	}
	// Its own caller may end it, and then it is gone.
	if a := b.do(newRequest(http.MethodDelete, b.token(), "", header("Mcp-Session-Id", session))); a.Code != http.StatusOK {
		t.Errorf("DELETE by its caller: %d", a.Code)
	}
	if a := b.post(b.token(), message("tools/call", call("open")), header("Mcp-Session-Id", session)); a.Code != http.StatusNotFound {
		t.Errorf("an ended session: %d, want 404", a.Code)
	}
}

// Another's session answers like one that does not exist.
func TestForeignSessionLooksUnknown(t *testing.T) {
	b := newBench(t, before(openTool), stateful)
	session := b.session(b.token())
	ask := func(id string) answer {
		return b.post(b.tokenOf("mallory"), message("tools/call", call("open")), header("Mcp-Session-Id", id))
	}
	foreign := ask(session)
	for name, id := range map[string]string{
		"unknown":           "mcp-session-00000000-0000-4000-8000-000000000000.AAAA",
		"unsealed":          "mcp-session-00000000-0000-4000-8000-000000000000",
		"empty seal":        strings.SplitN(session, ".", 2)[0] + ".",
		"cut seal":          session[:len(session)-1],
		"longer seal":       session + "A",
		"another last bit":  session[:len(session)-1] + string(session[len(session)-1]^1),
		"only a seal":       session[strings.LastIndexByte(session, '.'):],
		"isolated, guessed": "emamw-AAAA",
	} {
		if a := ask(id); a.Code != foreign.Code || a.body != foreign.body || a.Code != http.StatusNotFound {
			t.Errorf("%s: %d %q, a foreign one %d %q", name, a.Code, a.body, foreign.Code, foreign.body)
		}
	}
	// Two headers are no session, also where a caller without one is served: mcp-go
	// reads the first, a proxy might read the last.
	for _, b := range []*bench{b, newBench(t, stateless)} {
		for _, two := range [][]string{{session, session}, {"", session}, {session, ""}, {"", ""}} {
			if a := b.post(b.token(), message("ping", nil), header("Mcp-Session-Id", two...)); a.Code != http.StatusNotFound {
				t.Errorf("two session headers, %q: %d, want 404", two, a.Code)
			}
		}
	}
}

// Replicas with one key accept each other's sessions; a rotated key is accepted
// for as long as it is configured.
func TestSessionKeys(t *testing.T) {
	key := func(c byte) []byte { return bytes.Repeat([]byte{c}, 32) }
	replica := func(current []byte, previous ...[]byte) *bench {
		return newBench(t, before(openTool), with(func(c *emamw.Config) { c.SessionKey, c.PreviousSessionKeys = current, previous }))
	}
	first := replica(key('a'))
	session := first.session(first.token())
	tests := []struct {
		name   string
		other  *bench
		status int
	}{
		{"the same key", replica(key('a')), 200},
		{"another key", replica(key('b')), 404},
		{"a random key", replica(nil), 404},
		{"rotated, the old one kept", replica(key('b'), key('a')), 200},
		{"rotated twice", replica(key('c'), key('b'), key('a')), 200},
		{"rotated, the old one dropped", replica(key('c'), key('b')), 404},
	}
	for _, tt := range tests {
		for range 2 { // the second time from memory
			if a := tt.other.post(tt.other.token(), message("ping", nil), header("Mcp-Session-Id", session)); a.Code != tt.status {
				t.Errorf("%s: %d, want %d", tt.name, a.Code, tt.status)
			}
		}
	}
}

// Without a SessionKey each guard makes one up: what one sealed, no other opens,
// and nobody can seal by himself.
func TestSessionKeyIsMadeUp(t *testing.T) {
	one, other := newBench(t), newBench(t, stateless)
	session := one.session(one.token())
	if session == "" {
		t.Fatal("no session")
	}
	if a := other.post(other.token(), message("ping", nil), header("Mcp-Session-Id", session)); a.Code != http.StatusNotFound {
		t.Errorf("another guard's session: %d %s, want 404", a.Code, a.body)
	}
}
