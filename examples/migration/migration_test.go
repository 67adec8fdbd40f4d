// Package migration_test sends the same requests to a server with a bearer check
// that was written by hand and to the same server with the guard, and holds
// docs/migration.md to what comes out.
package migration_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/examples/migration/after"
	"github.com/emamw/mcp-ema/examples/migration/before"
)

const resource = "https://mcp.example.com/mcp"

// as issues the tokens for both servers, and network is their way to it.
var (
	as      = emamwtest.NewAuthorizationServer(emamwtest.AuthorizationServerConfig{Issuer: "https://auth.example.com", Resource: resource, Algorithms: []string{"RS256"}})
	network = emamwtest.HTTPClient(map[string]http.Handler{as.Issuer(): as})
)

// A row is one line of a table of the page: what is tried, and what becomes of it
// with the one server and with the other.
type row struct {
	what          string
	run           func(s side) string
	before, after string
}

// Every row comes out as it says, on servers of its own.
func TestBeforeAndAfter(t *testing.T) {
	for name, rows := range tables() {
		for _, r := range rows {
			t.Run(name+"/"+r.what, func(t *testing.T) {
				if got := r.run(startBefore()); got != r.before {
					t.Errorf("before: %s, want %s", got, r.before)
				}
				if got := r.run(startAfter(t)); got != r.after {
					t.Errorf("after: %s, want %s", got, r.after)
				}
			})
		}
	}
}

// A side is one of the two servers.
type side struct{ handler http.Handler }

func startBefore() side {
	return side{before.New(as.Issuer(), as.Issuer()+"/jwks", network)}
}

func startAfter(t *testing.T) side {
	t.Helper()
	handler, err := after.New(t.Context(), as.Issuer(), resource, network)
	if err != nil {
		t.Fatal(err)
	}
	return side{handler}
}

// A request is one of a client. What is not said is as good clients do it.
type request struct {
	method, url, session, body string
	authorization              []string // the headers
}

func (s side) send(q request) *httptest.ResponseRecorder {
	if q.method == "" {
		q.method = http.MethodPost
	}
	if q.url == "" {
		q.url = resource
	}
	r := httptest.NewRequest(q.method, q.url, strings.NewReader(q.body))
	r.Header["Authorization"] = q.authorization
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if q.session != "" {
		r.Header.Set("Mcp-Session-Id", q.session)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

var (
	said      = regexp.MustCompile(`"(?:text|message)":"((?:[^"\\]|\\.)*)"`)
	errorCode = regexp.MustCompile(`error="([^"]*)"`)
	scopeList = regexp.MustCompile(`scope="([^"]*)"`)
)

// outcome is what a client would look at: the status, the challenge of a refusal,
// and what an answer says.
func outcome(w *httptest.ResponseRecorder) string {
	body, challenge := w.Body.String(), w.Header().Get("WWW-Authenticate")
	code := fmt.Sprint(w.Code)
	switch text := said.FindStringSubmatch(body); {
	case w.Code == http.StatusUnauthorized && challenge == "", w.Code == http.StatusForbidden && challenge == "" && !strings.Contains(body, "access_denied"):
		return code + ", no challenge"
	case w.Code == http.StatusForbidden && challenge == "":
		return code + " access_denied"
	case scopeList.MatchString(challenge):
		return code + " " + errorCode.FindStringSubmatch(challenge)[1] + ": " + scopeList.FindStringSubmatch(challenge)[1]
	case errorCode.MatchString(challenge):
		return code + " " + errorCode.FindStringSubmatch(challenge)[1]
	case challenge != "":
		return code + ", and where the metadata is"
	case strings.Contains(body, `"tasks":[`):
		return fmt.Sprintf("%s, tasks: %d", code, strings.Count(body, `"taskId"`))
	case strings.Contains(body, `"tools":[`):
		return fmt.Sprintf("%s, tools: %d", code, strings.Count(body, `"inputSchema"`))
	case text != nil && w.Code == http.StatusOK:
		return code + " " + text[1]
	}
	return code
}
