package emamw_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/scopes"
)

// audited is a bench whose audit records end up in the returned log.
func audited(t *testing.T, options ...benchOption) (*bench, *logs) {
	t.Helper()
	records := &logs{}
	b := newBench(t, append(options, with(func(c *emamw.Config) { c.Audit = slog.NewJSONHandler(records, nil) }), before(func(b *bench) {
		b.mcp.AddTool(mcp.NewTool("write", scopes.Require("files:read", "files:write")), b.tool("write"))
		b.mcp.AddTool(mcp.NewTool("where", scopes.Where(scopes.When(func(args map[string]any) scopes.Rule {
			path, _ := args["path"].(string)
			return scopes.Scope("path:" + path)
		}))), b.tool("where"))
		b.mcp.AddResource(mcp.NewResource("file:///open", "open", scopes.ForResource(scopes.Authenticated())), func(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			return nil, nil
		})
	}))...)
	return b, records
}

// take returns the records since the last time, by their names and in order.
func (l *logs) take(t *testing.T) (records []map[string]any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.buf.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		records = append(records, record)
	}
	l.buf.Reset()
	return records
}

func TestAudit(t *testing.T) {
	reads := []string{"files:read"}
	tests := []struct {
		name     string
		scopes   []string // nil: no token
		method   string
		params   map[string]any
		refused  string // reason of the authentication
		decision map[string]any
	}{
		{name: "no token", method: "tools/call", params: call("write"), refused: "token_missing"},
		{
			name: "a scope is missing", scopes: reads, method: "tools/call", params: call("write"),
			decision: map[string]any{
				"ema.decision": "deny", "ema.reason": "scope_missing", "mcp.method.name": "tools/call", "gen_ai.tool.name": "write",
				"ema.scopes.required": []any{"files:read", "files:write"}, "ema.scopes.missing": []any{"files:write"}, "jsonrpc.request.id": "1",
			},
		},
		{
			name: "allowed", scopes: []string{"files:read", "files:write"}, method: "tools/call", params: call("write"),
			decision: map[string]any{"ema.decision": "allow", "mcp.method.name": "tools/call", "gen_ai.tool.name": "write"},
		},
		{
			name: "a scope made of the caller's words", scopes: reads, method: "tools/call", params: call("where", "path", "secret"),
			decision: map[string]any{"ema.decision": "deny", "ema.reason": "scope_missing", "gen_ai.tool.name": "where", "ema.scopes.required": nil, "ema.scopes.missing": nil},
		},
		{
			name: "a resource", scopes: reads, method: "resources/read", params: map[string]any{"uri": "file:///open"},
			decision: map[string]any{"ema.decision": "allow", "mcp.method.name": "resources/read", "mcp.resource.uri": "file:///open"},
		},
		{name: "a list is no decision", scopes: reads, method: "tools/list"},
		{name: "a tool that does not exist is none either", scopes: reads, method: "tools/call", params: call("secret")},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			b, log := audited(t)
			token := ""
			if tc.scopes != nil {
				token = b.token(tc.scopes...)
			}
			eras[1].send(b, token, tc.method, tc.params)

			records := log.take(t)
			want := 1
			if tc.decision != nil {
				want = 2
			}
			if len(records) != want {
				t.Fatalf("%d records, want %d: %v", len(records), want, records)
			}
			first := records[0]
			if reason, _ := first["ema.reason"].(string); first["msg"] != "ema.authentication" || reason != tc.refused {
				t.Errorf("first record is %v", first)
			}
			if tc.decision == nil {
				return
			}
			second := records[1]
			for key, value := range tc.decision {
				if got := second[key]; jsonOf(t, got) != jsonOf(t, value) {
					t.Errorf("%s is %v, want %v", key, got, value)
				}
			}
			for _, key := range []string{"user.hash", "ema.client.hash", "ema.token.id_hash", "ema.session.id_hash", "ema.issuer"} {
				if second[key] == nil || second[key] != first[key] {
					t.Errorf("%s is %v when authenticated and %v when authorized", key, first[key], second[key])
				}
			}
		})
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A token that every check refuses leaves one record, with the reason that the
// kit says it is refused for, and nothing of the token.
func TestAuditOfRefusedTokens(t *testing.T) {
	b, log := audited(t)
	for _, defect := range emamwtest.Defects(b.as) {
		if defect.Reason == claims.HeaderMalformed {
			continue // what is not token68 is refused as such before the token is read
		}
		t.Run(defect.Name, func(t *testing.T) {
			log.take(t)
			a := b.post(defect.Token, message("ping", nil))
			records := log.take(t)
			if len(records) != 1 || records[0]["ema.reason"] != string(defect.Reason) || records[0]["http.response.status_code"] != float64(a.Code) {
				t.Errorf("answer %d, records %v, want one for %s", a.Code, records, defect.Reason)
			}
		})
	}
}

func TestAuditOfForeignSession(t *testing.T) {
	b, log := audited(t)
	session := b.session(b.tokenOf("alice"))
	log.take(t)
	b.post(b.tokenOf("bob"), message("ping", nil), header("Mcp-Session-Id", session))
	records := log.take(t)
	if len(records) != 1 || records[0]["ema.reason"] != "session_mismatch" || records[0]["http.response.status_code"] != float64(http.StatusNotFound) {
		t.Errorf("records: %v", records)
	}
}

// A call that never passed the guard, by stdio or out of a handler, is told of by
// the item that was decided on, with the reason of the decision.
func TestAuditOfStrays(t *testing.T) {
	nobody := context.Background()
	tests := []struct {
		name   string
		caller context.Context
		method string
		params map[string]any
		want   map[string]any // nil: no record
		runs   int
	}{
		{"nobody", nobody, "tools/call", call("write"), map[string]any{"ema.decision": "deny", "ema.reason": "unguarded", "gen_ai.tool.name": "write"}, 0},
		{"a scope is missing", user("files:read"), "tools/call", call("write"), map[string]any{
			"ema.decision": "deny", "ema.reason": "scope_missing", "gen_ai.tool.name": "write", "ema.scopes.missing": []any{"files:write"},
		}, 0},
		{"allowed", user("files:read", "files:write"), "tools/call", call("write"), map[string]any{"ema.decision": "allow", "gen_ai.tool.name": "write", "jsonrpc.request.id": "1"}, 1},
		{"a rule that wants to see the arguments", user("path:"), "tools/call", call("where", "path", "home"), map[string]any{
			"ema.decision": "deny", "ema.reason": "unguarded", "gen_ai.tool.name": "where", "ema.scopes.missing": nil,
		}, 0},
		{"a prompt", user("files:read"), "prompts/get", map[string]any{"name": "summary"}, map[string]any{"ema.decision": "allow", "mcp.method.name": "prompts/get", "gen_ai.prompt.name": "summary"}, 1},
		{"a list is no decision", user("files:read"), "tools/list", nil, nil, 0},
		{"a tool that does not exist is none either", user("files:read"), "tools/call", call("secret"), nil, 0},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			b, log := audited(t)
			b.mcp.AddPrompt(mcp.NewPrompt("summary", scopes.ForPrompt(scopes.Scope("files:read"))), func(context.Context, mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
				b.note("summary")
				return &mcp.GetPromptResult{}, nil
			})
			b.mcp.HandleMessage(tc.caller, []byte(message(tc.method, tc.params)))
			if got := len(b.whatRan()); got != tc.runs {
				t.Errorf("%d handlers ran, want %d", got, tc.runs)
			}
			records := log.take(t)
			if tc.want == nil {
				if len(records) != 0 {
					t.Errorf("records: %v", records)
				}
				return
			}
			if len(records) != 1 || records[0]["msg"] != "ema.authorization" {
				t.Fatalf("records: %v, want one of an authorization", records)
			}
			for key, value := range tc.want {
				if got := records[0][key]; jsonOf(t, got) != jsonOf(t, value) {
					t.Errorf("%s is %v, want %v", key, got, value)
				}
			}
		})
	}
}

// Whoever looks for a claim that is missing is told which it is: in the error, and
// in the audit record.
func TestClaimAtFault(t *testing.T) {
	b, records := audited(t)
	for _, tt := range []struct {
		change map[string]any
		reason claims.Reason
		claim  string // "" where the reason is about no one claim
	}{
		{map[string]any{"iss": nil}, claims.ClaimMissing, "iss"},
		{map[string]any{"iss": 7}, claims.ClaimMalformed, "iss"},
		{map[string]any{"exp": nil}, claims.ClaimMissing, "exp"},
		{map[string]any{"exp": "tomorrow"}, claims.ClaimMalformed, "exp"},
		{map[string]any{"nbf": "now"}, claims.ClaimMalformed, "nbf"},
		{map[string]any{"iat": "now"}, claims.ClaimMalformed, "iat"},
		{map[string]any{"aud": nil}, claims.ClaimMissing, "aud"},
		{map[string]any{"client_id": nil}, claims.ClaimMissing, "client_id"},
		{map[string]any{"scope": []string{"a b"}}, claims.ClaimMalformed, "scope"},
		{map[string]any{"groups": 7}, claims.ClaimMalformed, "groups"},
		{map[string]any{"SUB": "bob"}, claims.ClaimMalformed, ""},
		{map[string]any{"iss": "https://elsewhere.example"}, claims.IssuerUntrusted, ""},
		{map[string]any{"aud": "https://elsewhere.example"}, claims.AudienceMismatch, ""},
	} {
		token := b.as.Mint(emamwtest.Token{Claims: tt.change})
		_, err := b.guard.Verify(t.Context(), token)
		var refused *emamw.TokenError
		if !errors.As(err, &refused) || refused.Reason != tt.reason || refused.Claim != tt.claim || !strings.HasSuffix(err.Error(), tt.claim) {
			t.Errorf("%v: %v, want %s of %q", tt.change, err, tt.reason, tt.claim)
		}
		records.take(t)
		b.post(token, message("ping", nil))
		told := records.take(t)
		if claim, _ := told[0]["ema.token.claim"].(string); len(told) != 1 || claim != tt.claim {
			t.Errorf("%v: %v, want one record of %q", tt.change, told, tt.claim)
		}
	}
}
