package migration_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/emamw/mcp-ema/emamwtest"
)

// tables are those of the page, by the name that stands before each there.
func tables() map[string][]row {
	return map[string][]row{
		"what stays": same(), "what clients gain": gained(), "tokens": tokens(), "requests": requests(),
	}
}

// same is what good clients did before, and go on doing.
func same() []row {
	reader := bearer(emamwtest.Token{Scopes: []string{"notes:read"}})
	writer := bearer(emamwtest.Token{Scopes: []string{"notes:read", "notes:write"}})
	return []row{
		{"A session begins.", one(reader.with(initialize)), "200", "200"},
		{"A call in it.", one(reader.with(call("list_notes"))), "200 notes of alice", "200 notes of alice"},
		{"The list of tools.", one(reader.with(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)), "200, tools: 4", "200, tools: 4"},
		{"A call that needs a second scope, with it.", one(writer.with(call("delete_note"))), "200 deleted for alice", "200 deleted for alice"},
		{"Who made a task fetches its result.", afterTask(reader, "tasks/result", reader), "200 export for alice", "200 export for alice"},
		{"A token without a signature (`alg` `none`).", one(hostile("alg none without a signature (RS256)").with(call("list_notes"))), "401, no challenge", "401 invalid_token"},
		{"`HS256` with the public key as the secret: the library's key types exclude it.", one(hostile("alg HS256 with the public key in PEM as the secret (RS256)").with(call("list_notes"))), "401, no challenge", "401 invalid_token"},
	}
}

// gained is what good clients could not do.
func gained() []row {
	reader := bearer(emamwtest.Token{Scopes: []string{"notes:read"}})
	lower := request{authorization: []string{strings.Replace(reader.authorization[0], "Bearer", "bearer", 1)}}
	expired := bearer(emamwtest.Token{Scopes: []string{"notes:read"}, IssuedAt: time.Now().Add(-time.Hour)})
	metadata := request{method: http.MethodGet, url: "https://mcp.example.com/.well-known/oauth-protected-resource/mcp"}
	return []row{
		{"No token: where does one get it?", one(request{body: initialize}), "401, no challenge", "401, and where the metadata is"},
		{"The metadata, for which nobody has a token yet.", one(metadata), "401, no challenge", "200"},
		{"A token that has expired.", one(expired.with(call("list_notes"))), "401, no challenge", "401 invalid_token"},
		{"A call that lacks a scope: which one?", one(reader.with(call("delete_note"))), "403, no challenge", "403 insufficient_scope: notes:write"},
		{"The scheme as `bearer`, which RFC 7235 allows.", one(lower.with(call("list_notes"))), "401, no challenge", "200 notes of alice"},
	}
}

// tokens are those that were accepted and should not have been.
func tokens() []row {
	lists := func(t emamwtest.Token) func(side) string {
		if t.Scopes == nil {
			t.Scopes = []string{"notes:read"}
		}
		return one(bearer(t).with(call("list_notes")))
	}
	const ran = "200 notes of alice"
	return []row{
		{"For another service of the same issuer.", lists(emamwtest.Token{Audience: []string{"https://payroll.example.com"}}), ran, "401 invalid_token"},
		{"Of type `JWT` and for a web application, as ID tokens are.", lists(emamwtest.Token{Header: map[string]any{"typ": "JWT"}, Audience: []string{"some-web-app"}}), ran, "401 invalid_token"},
		{"Without `exp`: good for ever.", lists(emamwtest.Token{Claims: map[string]any{"exp": nil}}), ran, "401 invalid_token"},
		{"Bound to a key (`cnf`), stolen, and sent without the proof.", lists(emamwtest.Token{Claims: map[string]any{"cnf": map[string]any{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}}), ran, "401 invalid_token"},
		{"With a `crit` header that nobody here understands.", lists(emamwtest.Token{Header: map[string]any{"crit": []string{"example"}, "example": true}}), ran, "401 invalid_token"},
		{"With the scope `notes:read-titles`, which only begins like the one that is needed.", lists(emamwtest.Token{Scopes: []string{"notes:read-titles"}}), ran, "403 insufficient_scope: notes:read"},
		{"Twenty forged ones, each with an invented `kid`: fetches of the issuer's keys.", flood, "20", "1 at most"},
		{"The corpus of hostile tokens, `emamwtest.Defects`: how many are let in?", corpus, "over 150", "none"},
	}
}

// requests got past the check with a token for something else.
func requests() []row {
	reader := bearer(emamwtest.Token{Scopes: []string{"notes:read"}})
	nothing := bearer(emamwtest.Token{Scopes: []string{"profile"}})
	bob := bearer(emamwtest.Token{Subject: "bob", Scopes: []string{"notes:read"}})
	inQuery := request{url: resource + "?access_token=" + strings.TrimPrefix(reader.authorization[0], "Bearer ")}
	twice := request{authorization: []string{reader.authorization[0], nothing.authorization[0]}}
	const deleted = "200 deleted for alice"
	const denied = "403 insufficient_scope: notes:write"
	return []row{
		{"The name in two spellings: the check read `name`, mcp-go the last of both.", one(reader.with(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_notes","Name":"delete_note"}}`)), deleted, denied},
		{"The method in two spellings.", one(reader.with(`{"jsonrpc":"2.0","id":1,"method":"ping","METHOD":"tools/call","params":{"name":"delete_note"}}`)), deleted, denied},
		{"Parameters in two spellings.", one(reader.with(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_notes"},"PARAMS":{"name":"delete_note"}}`)), deleted, denied},
		{"A tool that nobody put into the table.", one(nothing.with(call("purge_notes"))), "200 purged for alice", "403 access_denied"},
		{"A tool that runs as a task, added after the check.", afterTask(nothing, "tasks/result", nothing), "200 export for alice", "403 insufficient_scope: notes:read"},
		{"A resource.", one(nothing.with(`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"notes://archive"}}`)), "200 the archive", "403 insufficient_scope: notes:admin"},
		{"Another's session, which is all it takes to list her tasks.", afterTask(reader, "tasks/list", bob), "200, tasks: 1", "404"},
		{"Another's session, and the result of her task.", afterTask(reader, "tasks/result", bob), "200 export for alice", "404"},
		{"A token in the URL, where every log has it.", one(inQuery.with(call("list_notes"))), "200 notes of alice", "401, and where the metadata is"},
		{"Two Authorization headers, of which a proxy may have checked the other.", one(twice.with(call("list_notes"))), "200 notes of alice", "400 invalid_request"},
	}
}

const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`

func call(tool string) string {
	return `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"` + tool + `"}}`
}

func bearer(t emamwtest.Token) request {
	return request{authorization: []string{"Bearer " + as.Mint(t)}}
}

func (q request) with(body string) request {
	q.body = body
	return q
}

func (q request) in(session string) request {
	q.session = session
	return q
}

// one is the outcome of one request, in a session of its own.
func one(q request) func(side) string {
	return func(s side) string {
		if q.body == initialize {
			return outcome(s.send(q))
		}
		return outcome(s.send(q.in(s.begin(q))))
	}
}

// begin returns the id of a new session of the sender of q, if one may begin.
func (s side) begin(q request) string {
	return s.send(q.with(initialize)).Header().Get("Mcp-Session-Id")
}

// afterTask is the outcome of a request about the task that another one began,
// and in its session; of that one, where it begins none.
func afterTask(first request, method string, second request) func(side) string {
	return func(s side) string {
		session := s.begin(first)
		began := s.send(first.in(session).with(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"export_notes","task":{}}}`))
		_, rest, found := strings.Cut(began.Body.String(), `"taskId":"`)
		if !found {
			return outcome(began)
		}
		id, _, _ := strings.Cut(rest, `"`)
		return outcome(s.send(second.in(session).with(`{"jsonrpc":"2.0","id":2,"method":"` + method + `","params":{"taskId":"` + id + `"}}`)))
	}
}

// flood counts what forged tokens make the server ask of the issuer, once it has
// the keys.
func flood(s side) string {
	s.send(bearer(emamwtest.Token{}).with(initialize))
	known := as.KeyFetches()
	for i := range 20 {
		s.send(bearer(emamwtest.Token{Header: map[string]any{"kid": fmt.Sprint("forged-", i)}}).with(initialize))
	}
	if fetched := as.KeyFetches() - known; fetched > 1 {
		return fmt.Sprint(fetched)
	}
	return "1 at most"
}

// hostile is a request with the token of that name out of the test kit's corpus.
func hostile(name string) request {
	for _, d := range emamwtest.Defects(as) {
		if d.Name == name {
			return request{authorization: []string{"Bearer " + d.Token}}
		}
	}
	panic("no hostile token " + name)
}

// corpus says how many hostile tokens of the test kit are let in.
func corpus(s side) string {
	in := 0
	for _, d := range emamwtest.Defects(as) {
		q := request{authorization: []string{"Bearer " + d.Token}}
		if s.send(q.with(initialize)).Code == http.StatusOK {
			in++
		}
	}
	switch {
	case in == 0:
		return "none"
	case in > 150:
		return "over 150"
	}
	return fmt.Sprint(in)
}
