package integration_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/scopes"
)

// The attributes of ema.authorize, beside those of its caller.
const (
	ofDecisions = "ema.decision ema.token.type mcp.method.name jsonrpc.request.id"
	ofDenials   = "ema.reason"
	ofScopes    = "ema.scopes.required ema.scopes.missing"
	aCaller     = ofCallers + " " + ofGroups + " " + ofSessions
	aTool       = "gen_ai.tool.name"
	aPrompt     = "gen_ai.prompt.name"
	aResource   = "mcp.resource.uri"
)

// An authorizeRow is a decision on a message whose token is good.
type authorizeRow struct {
	reason claims.Reason // "" for what is allowed
	name   string
	send   func(*guarded) *httptest.ResponseRecorder
	status int
	keys   string            // beside those of every decision
	values map[string]string // of the metric, beside decision, reason and error.type
	spans  map[string]string // of the span, beside those
}

// onTool is a row about a call of a tool that is guarded by a rule of its own.
func onTool(reason claims.Reason, tool string, status int, more string) authorizeRow {
	return authorizeRow{reason, "tool " + tool, func(g *guarded) *httptest.ResponseRecorder {
		return g.send(g.token(), toolCall(tool))
	}, status, aCaller + " " + aTool + " " + more, map[string]string{"mcp.method.name": "tools/call", "gen_ai.tool.name": tool}, nil}
}

var authorizeRows = []authorizeRow{
	onTool("", "read", 200, ""),
	onTool(claims.ScopeMissing, "write", 403, ofScopes),
	onTool(claims.GroupMissing, "admin", 403, ""),
	onTool(claims.RoleMissing, "operate", 403, ""),
	onTool(claims.PermissionMissing, "permitted", 403, ""),
	onTool(claims.TenantDenied, "acme", 403, ""),
	onTool(claims.IssuerDenied, "foreign", 403, ""),
	onTool(claims.ClientDenied, "desktop", 403, ""),
	onTool(claims.IdentityProviderDenied, "federated", 403, ""),
	onTool(claims.PrincipalKindDenied, "machine", 403, ""),
	onTool(claims.Unruled, "unruled", 403, ""),
	onTool(claims.PolicyError, "panics", 403, ofErrors),
	// The caller's own words are in the rule's scopes.
	onTool(claims.ScopeMissing, "depends", 403, ""),

	{claims.GroupsUnknown, "a token without groups", func(g *guarded) *httptest.ResponseRecorder {
		return g.send(g.token(func(t *emamwtest.Token) { t.Groups = nil }), toolCall("admin"))
	}, 403, ofCallers + " " + ofSessions + " " + aTool, map[string]string{"mcp.method.name": "tools/call", "gen_ai.tool.name": "admin"},
		map[string]string{"ema.groups.state": "absent"}},
	{claims.Unguarded, "a transport without the guard", func(g *guarded) *httptest.ResponseRecorder {
		return serve(g.bare, resourceRead("file:///read").request(""))
	}, 0, aResource, map[string]string{"mcp.method.name": "resources/read"}, map[string]string{"mcp.resource.uri": "file:///read", "ema.token.type": "none"}},
	{claims.OwnerMismatch, "another caller's task", func(g *guarded) *httptest.ResponseRecorder {
		return g.sendLegacy(g.token(), `{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"canary"}}`)
	}, 200, aCaller, map[string]string{"mcp.method.name": "tasks/get"}, nil},
	{"", "a prompt", func(g *guarded) *httptest.ResponseRecorder { return g.send(g.token(), promptGet("read")) },
		200, aCaller + " " + aPrompt, map[string]string{"mcp.method.name": "prompts/get", "gen_ai.prompt.name": "read"}, nil},
	{claims.ScopeMissing, "a prompt", func(g *guarded) *httptest.ResponseRecorder { return g.send(g.token(), promptGet("write")) },
		403, aCaller + " " + aPrompt + " " + ofScopes, map[string]string{"mcp.method.name": "prompts/get", "gen_ai.prompt.name": "write"},
		map[string]string{"ema.scopes.required": `["files:write"]`, "ema.scopes.missing": `["files:write"]`}},
	{"", "a resource", func(g *guarded) *httptest.ResponseRecorder { return g.send(g.token(), resourceRead("file:///read")) },
		200, aCaller + " " + aResource, map[string]string{"mcp.method.name": "resources/read"}, map[string]string{"mcp.resource.uri": "file:///read"}},
	{claims.ScopeMissing, "a resource of a template", func(g *guarded) *httptest.ResponseRecorder {
		return g.send(g.token(), resourceRead("notes:///secret"))
	}, 403, aCaller + " " + aResource + " " + ofScopes, map[string]string{"mcp.method.name": "resources/read"},
		map[string]string{"mcp.resource.uri": "notes:///{id}"}},
	{claims.Unruled, "a completion for a name that does not exist", func(g *guarded) *httptest.ResponseRecorder {
		return g.sendLegacy(g.token(), `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"canary"},"argument":{"name":"a","value":"b"}}}`)
	}, 403, aCaller + " " + aPrompt, map[string]string{"mcp.method.name": "completion/complete", "gen_ai.prompt.name": "_OTHER"}, nil},
}

func promptGet(name string) message {
	return message{method: "prompts/get", params: map[string]any{"name": name}}
}

func resourceRead(uri string) message {
	return message{method: "resources/read", params: map[string]any{"uri": uri}}
}

// addItems gives the server an item per rule.
func addItems(g *guarded) {
	for name, rule := range map[string]scopes.Rule{
		"read":      scopes.Scope("files:read"),
		"write":     scopes.Scope("files:write"),
		"admin":     scopes.Group("admins"),
		"operate":   scopes.Role("operator"),
		"permitted": scopes.Permission("files"),
		"acme":      scopes.Tenant("acme"),
		"foreign":   scopes.Issuer("https://other.example"),
		"desktop":   scopes.Client("desktop"),
		"federated": scopes.IdentityProvider(watchedIdP),
		"machine":   scopes.Service(),
		"panics":    scopes.When(func(map[string]any) scopes.Rule { panic("c4n4ry") }),
		"depends":   scopes.When(func(map[string]any) scopes.Rule { return scopes.Scope("c4n4ry") }),
	} {
		g.mcp.AddTool(mcp.NewTool(name, scopes.Where(rule)), answerOK)
	}
	g.mcp.AddTool(mcp.NewTool("unruled"), answerOK)
	for name, scope := range map[string]string{"read": "files:read", "write": "files:write"} {
		g.mcp.AddPrompt(mcp.NewPrompt(name, scopes.ForPrompt(scopes.Scope(scope))), summarize)
		g.mcp.AddResource(mcp.NewResource("file:///"+name, name, scopes.ForResource(scopes.Scope(scope))), readResource)
	}
	g.mcp.AddResourceTemplate(mcp.NewResourceTemplate("notes:///{id}", "notes", scopes.ForTemplate(scopes.Scope("files:write"))),
		func(_ context.Context, r mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			return []mcp.ResourceContents{mcp.TextResourceContents{URI: r.Params.URI}}, nil
		})
}

func TestTelemetryOfAuthorization(t *testing.T) {
	g := newGuarded(t, newWatch(t))
	addItems(g)
	for _, row := range authorizeRows {
		t.Run(string(row.reason)+", "+row.name, func(t *testing.T) {
			g.t = t
			g.forget()
			a := row.send(g)
			if row.status != 0 && a.Code != row.status {
				t.Errorf("answered %d %s, want %d", a.Code, a.Body, row.status)
			}
			g.checkAuthorization(row)
		})
	}
}

func (w *watch) checkAuthorization(row authorizeRow) {
	w.t.Helper()
	w.checkDecision(ofDecisions, row)
}

// checkDecision holds the span, the metric and the audit record of one decision
// to its row, whose keys come on top of each.
func (w *watch) checkDecision(each string, row authorizeRow) {
	w.t.Helper()
	want := keys(each, row.keys)
	decision, wantStatus, labels := "allow", codes.Unset, map[string]string{}
	switch {
	case row.reason == claims.PolicyError, row.reason == claims.Ungated:
		decision, wantStatus, want = "error", codes.Error, keys(want, ofDenials, ofErrors)
		labels["error.type"] = string(row.reason)
	case row.reason != "":
		decision, want = "deny", keys(want, ofDenials)
	}
	labels["ema.decision"], labels["ema.reason"] = decision, string(row.reason)
	for key, value := range row.values {
		labels[key] = value
	}
	s := w.span("ema.authorize")
	if s.SpanKind() != trace.SpanKindInternal || s.Status().Code != wantStatus || s.Status().Description != "" || len(s.Events()) > 0 {
		w.t.Errorf("kind %v, status %v, %d events", s.SpanKind(), s.Status(), len(s.Events()))
	}
	if got := keysOf(s.Attributes()); got != want {
		w.t.Errorf("attributes\n%s, want\n%s", got, want)
	}
	w.checkValues(s, labels)
	w.checkValues(s, row.spans)
	w.checkPoint("ema.authorization.decisions", labels)
	w.checkRecord("ema.authorization", want, string(row.reason))
}

// A request that lacks the base scopes is refused before MCP names what it asks
// for.
func TestTelemetryOfBaseScopes(t *testing.T) {
	g := newGuarded(t, newWatch(t), func(s *guardedSetup) { s.config.BaseScopes = []string{"mcp:use"} })
	g.forget()
	if a := g.send(g.token(), listTools); a.Code != http.StatusForbidden {
		t.Errorf("answered %d", a.Code)
	}
	want := keys("ema.decision ema.reason ema.token.type mcp.method.name", aCaller, ofScopes)
	s := g.span("ema.authorize")
	if got := keysOf(s.Attributes()); got != want {
		t.Errorf("attributes\n%s, want\n%s", got, want)
	}
	g.checkValues(s, map[string]string{"mcp.method.name": "_OTHER", "ema.scopes.missing": `["mcp:use"]`})
	g.checkPoint("ema.authorization.decisions", map[string]string{"ema.decision": "deny", "ema.reason": "scope_missing", "mcp.method.name": "_OTHER"})
	g.checkRecord("ema.authorization", want, "scope_missing")
}

// What is hidden is a refusal to the operator, whatever the caller is told.
func TestTelemetryOfHiddenTools(t *testing.T) {
	g := newGuarded(t, newWatch(t), func(s *guardedSetup) { s.config.HideDenied = true })
	addItems(g)
	g.forget()
	g.send(g.token(), toolCall("write"))
	g.checkAuthorization(onTool(claims.ScopeMissing, "write", 200, ofScopes))
}

// Messages that name nothing, or nothing that there is, are no decision.
func TestTelemetryOfWhatIsNoDecision(t *testing.T) {
	g := newGuarded(t, newWatch(t))
	addItems(g)
	for _, m := range []message{listTools, {method: "prompts/list"}, toolCall("c4n4ry"), promptGet("c4n4ry"), resourceRead("c4n4ry:///")} {
		g.forget()
		g.send(g.token(), m)
		if n := len(g.named("ema.authorize")); n != 0 || len(g.pointsNamed("ema.authorization.decisions")) != 0 {
			t.Errorf("%s: %d spans, or a point", m.method, n)
		}
	}
}
