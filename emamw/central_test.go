package emamw_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/scopes"
)

// A rule in the code and a central rule for the same item must both hold, and
// one challenge names what both want.
func TestAnnotationAndCentralRule(t *testing.T) {
	items := []struct {
		name, method string
		params       map[string]any
		annotation   string
	}{
		{"tool", "tools/call", call("write"), "files:write"},
		{"prompt", "prompts/get", map[string]any{"name": "ask"}, "prompts"},
		{"completion of the prompt", "completion/complete", completion("ref/prompt", "name", "ask"), "prompts"},
		{"resource", "resources/read", uri("file:///fixed"), "fixed"},
		{"template", "resources/read", uri("file:///a.txt"), "text"},
		{"subscription", "resources/subscribe", uri("file:///a.txt"), "text"},
	}
	for _, hide := range []bool{false, true} {
		b := newBench(t, stateless, before(furnish), with(func(c *emamw.Config) {
			c.HideDenied = hide
			c.Unruled = scopes.Authenticated() // which is for items without any rule
			c.Rules = emamw.Rules{
				Tools:     map[string]scopes.Rule{"write": scopes.Scope("central")},
				Prompts:   map[string]scopes.Rule{"ask": scopes.Scope("central")},
				Resources: map[string]scopes.Rule{"file:///fixed": scopes.Scope("central"), "file:///*.txt": scopes.Scope("central")},
			}
		}))
		for _, item := range items {
			tests := []struct {
				held []string
				ok   bool
			}{
				{nil, false}, {[]string{item.annotation}, false}, {[]string{"central"}, false}, {[]string{"central", item.annotation}, true},
			}
			for _, tt := range tests {
				a := b.post(b.token(tt.held...), message(item.method, item.params))
				if hide {
					if _, code := a.result(t); (code == 0) != tt.ok {
						t.Errorf("hidden %s with %q: %d %s", item.name, tt.held, a.Code, a.body)
					}
					continue
				}
				if tt.ok {
					b.wantAnswer(a, 200, "")
					continue
				}
				b.wantAnswer(a, 403, challengeFor(item.annotation+" central"))
			}
		}
	}
}

// A central rule by the text of a template holds for whatever the template serves,
// beside those by URI, and is a rule of its own where the code has none.
func TestCentralRuleByTheTextOfATemplate(t *testing.T) {
	tests := []struct {
		name, method string
		params       map[string]any
		ask          string
	}{
		{"read", "resources/read", uri("file:///a.txt"), "text central"},
		{"read of one that a rule covers by its URI", "resources/read", uri("file:///b.txt"), "text own central"},
		{"subscription", "resources/subscribe", uri("file:///a.txt"), "text central"},
		{"completion", "completion/complete", completion("ref/resource", "uri", "file:///{name}.txt"), "text central"},
		{"completion of a URI", "completion/complete", completion("ref/resource", "uri", "file:///a.txt"), "text central"},
		{"read without an annotation", "resources/read", uri("bare:///a"), "central"},
		{"read through another template", "resources/read", uri("free:///a"), ""},
	}
	b := newBench(t, stateless, before(func(b *bench) {
		furnish(b)
		for _, text := range []string{"bare:///{name}", "free:///{name}"} {
			b.mcp.AddResourceTemplate(mcp.NewResourceTemplate(text, text), b.reader)
		}
	}), with(func(c *emamw.Config) {
		c.Unruled = scopes.Authenticated()
		c.Rules.Resources = map[string]scopes.Rule{
			"file:///{name}.txt": scopes.Scope("central"), "bare:///{name}": scopes.Scope("central"), "file:///b*": scopes.Scope("own"),
		}
	}))
	for _, tt := range tests {
		body := message(tt.method, tt.params)
		if tt.ask != "" {
			b.wantAnswer(b.post(b.token(), body), 403, challengeFor(tt.ask))
		}
		b.wantAnswer(b.post(b.token(strings.Fields(tt.ask)...), body), 200, "")
	}
	if a := b.post(b.token("text"), message("resources/read", uri("file:///a.txt"))); a.Code != http.StatusForbidden {
		t.Errorf("without the central scope: %d %s", a.Code, a.body)
	}
}

// A central rule speaks for names that nothing was registered for too: a client
// can ask for completions of them and subscribe to them, and a provider answers.
func TestCentralRulesForUnknownNames(t *testing.T) {
	tests := []struct {
		name, method string
		params       map[string]any
		ask          string // "" is open: Unruled allows
	}{
		{"completion of a URI", "completion/complete", completion("ref/resource", "uri", "other:///x"), "other"},
		{"completion of a prompt", "completion/complete", completion("ref/prompt", "name", "none"), "none"},
		{"subscription", "resources/subscribe", uri("other:///x"), "other"},
		{"completion of another URI", "completion/complete", completion("ref/resource", "uri", "free:///x"), ""},
		{"completion of another prompt", "completion/complete", completion("ref/prompt", "name", "free"), ""},
		{"subscription to another", "resources/subscribe", uri("free:///x"), ""},
	}
	for _, hide := range []bool{false, true} {
		b := newBench(t, stateless, before(furnish), with(func(c *emamw.Config) {
			c.HideDenied = hide
			c.Unruled = scopes.Authenticated()
			c.Rules.Resources = map[string]scopes.Rule{"other:///*": scopes.Scope("other")}
			c.Rules.Prompts = map[string]scopes.Rule{"none": scopes.Scope("none")}
		}))
		for _, tt := range tests {
			a := b.post(b.token(), message(tt.method, tt.params))
			switch {
			case hide: // unknown and hidden look the same, so all of them are closed
				if _, code := a.result(t); code == 0 || a.Code != http.StatusOK {
					t.Errorf("hidden %s: %d %s", tt.name, a.Code, a.body)
				}
			case tt.ask != "":
				b.wantAnswer(a, 403, challengeFor(tt.ask))
				b.wantAnswer(b.post(b.token(tt.ask), message(tt.method, tt.params)), 200, "")
			default:
				b.wantAnswer(a, 200, "")
			}
		}
	}
}

// A * stands for any run of characters, and everything around it must be there,
// in its order and without overlap.
func TestResourcePatterns(t *testing.T) {
	tests := []struct {
		pattern, uri string
		covered      bool
	}{
		{"file:///etc", "file:///etc", true},
		{"file:///etc", "file:///etc/passwd", false},
		{"file:///etc", "FILE:///etc", false},
		{"file:///etc/*", "file:///etc/passwd", true},
		{"file:///etc/*", "file:///etc/ssl/private/key", true},
		{"file:///etc/*", "file:///etc/", true},
		{"file:///etc/*", "file:///etc", false},
		{"file:///etc/*", "file:///%65tc/passwd", false},
		{"file:///etc/*", "xfile:///etc/passwd", false},
		{"*", "anything", true},
		{"*.key", "file:///a.key", true},
		{"*.key", "file:///a.key.txt", false},
		{"*.key", "file:///akey", false},
		{"*.key*", "file:///a.key.txt", true},
		{"file:*/secret/*", "file:///a/secret/b", true},
		{"file:*/secret/*", "file:///a/secrets/b", false},
		{"file:*/secret/*", "file:///a/secret", false},
		{"file:*/a/*/b/*.txt", "file:///a/x/b/c.txt", true},
		{"file:*/a/*/b/*.txt", "file:///b/x/a/c.txt", false},
		{"file:*/a/*/b/*.txt", "file:///a/x/b/c.md", false},
		{"ab*ba", "abba", true},
		{"ab*ba", "aba", false}, // the two ends may not share a character
		{"a*bc*c", "abc", false},
		{"a*bc*c", "abcc", true},
		{"a**b", "ab", true},
	}
	for _, tt := range tests {
		b := newBench(t, stateless, before(furnish), with(func(c *emamw.Config) {
			c.Unruled = scopes.Authenticated()
			c.Rules.Resources = map[string]scopes.Rule{tt.pattern: scopes.Scope("ruled")}
		}))
		a := b.post(b.token("text", "secrets", "fixed"), message("completion/complete", completion("ref/resource", "uri", tt.uri)))
		if covered := a.Code == http.StatusForbidden; covered != tt.covered {
			t.Errorf("%s covers %s: %t, want %t", tt.pattern, tt.uri, covered, tt.covered)
		}
	}
}

// Where several patterns match, all of their rules hold, also for a resource
// that has none in the code.
func TestSeveralPatternsHold(t *testing.T) {
	b := newBench(t, stateless, before(furnish), with(func(c *emamw.Config) {
		c.Rules.Resources = map[string]scopes.Rule{"file:*": scopes.Scope("a"), "*bare": scopes.Scope("b"), "*other": scopes.Scope("c")}
	}))
	for held, challenge := range map[string]string{"": "b a", "a": "b a", "b": "b a"} {
		b.wantAnswer(b.post(b.token(held), message("resources/read", uri("file:///bare"))), 403, challengeFor(challenge))
	}
	b.wantAnswer(b.post(b.token("a", "b"), message("resources/read", uri("file:///bare"))), 200, "")
}

// Base scopes are asked of a service as of a user, although the rule of an item
// is for users unless it names services; and it may name them in either place.
func TestServices(t *testing.T) {
	robot := func(held ...string) emamwtest.Token {
		return emamwtest.Token{Subject: "robot", ClientID: "robot", Scopes: held}
	}
	jobs := scopes.Scope("jobs")
	tests := []struct {
		name       string
		annotation scopes.Rule
		central    scopes.Rule // the zero Rule is none
		token      emamwtest.Token
		status     int
		ask        string
	}{
		{"a service where only users may", jobs, scopes.Rule{}, robot("base", "jobs"), 403, ""},
		{"a service, all held", scopes.All(scopes.Service(), jobs), scopes.Rule{}, robot("base", "jobs"), 200, ""},
		{"a service, base scope missing", scopes.All(scopes.Service(), jobs), scopes.Rule{}, robot("jobs"), 403, "base jobs"},
		{"a service, its own scope missing", scopes.All(scopes.Service(), jobs), scopes.Rule{}, robot("base"), 403, "base jobs"},
		{"a service, open to any token", scopes.Authenticated(), scopes.Rule{}, robot("base"), 200, ""},
		{"a service, open, base scope missing", scopes.Authenticated(), scopes.Rule{}, robot(), 403, "base"},
		{"named in the code, scope central", scopes.Service(), jobs, robot("base", "jobs"), 200, ""},
		{"named in the code, central scope missing", scopes.Service(), jobs, robot("base"), 403, "base jobs"},
		{"named centrally, scope in the code", jobs, scopes.Service(), robot("base", "jobs"), 200, ""},
		{"a user where only services may", scopes.All(scopes.Service(), jobs), scopes.Rule{}, emamwtest.Token{Scopes: []string{"base", "jobs"}}, 403, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, stateless, before(func(b *bench) {
				b.mcp.AddTool(mcp.NewTool("job", scopes.Where(tt.annotation)), b.tool("job"))
			}), with(func(c *emamw.Config) {
				c.BaseScopes = []string{"base"}
				if tt.central.Validate() == nil {
					c.Rules.Tools = map[string]scopes.Rule{"job": tt.central}
				}
			}))
			challenge := ""
			if tt.ask != "" {
				challenge = challengeFor(tt.ask)
			}
			b.wantAnswer(b.post(b.as.Mint(tt.token), message("tools/call", call("job"))), tt.status, challenge)
			if (b.runs("job") == 1) != (tt.status == 200) {
				t.Errorf("it ran %d times", b.runs("job"))
			}
		})
	}
}

// A rule that looks at the arguments of a prompt sees them, and one that changes
// its mind is held to its no.
func TestPromptArguments(t *testing.T) {
	mind := 0
	b := newBench(t, stateless, before(func(b *bench) {
		b.mcp.AddPrompt(mcp.NewPrompt("deploy", scopes.ForPrompt(scopes.When(func(args map[string]any) scopes.Rule {
			if args["to"] == "staging" {
				return scopes.Scope("deploy")
			}
			return scopes.Scope("deploy:production")
		}))), func(context.Context, mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			b.note("deploy")
			return mcp.NewGetPromptResult("", nil), nil
		})
		b.mcp.AddTool(mcp.NewTool("fickle", scopes.Where(scopes.When(func(map[string]any) scopes.Rule {
			if mind++; mind == 1 {
				return scopes.Scope("fickle")
			}
			return scopes.Authenticated()
		}))), b.tool("fickle"))
	}))
	get := func(args map[string]any) string {
		return message("prompts/get", map[string]any{"name": "deploy", "arguments": args})
	}
	b.wantAnswer(b.post(b.token("deploy"), get(map[string]any{"to": "staging"})), 200, "")
	b.wantAnswer(b.post(b.token("deploy"), get(map[string]any{"to": "production"})), 403, challengeFor("deploy:production"))
	b.wantAnswer(b.post(b.token("deploy"), get(nil)), 403, challengeFor("deploy:production"))
	if b.runs("deploy") != 1 {
		t.Errorf("the prompt was made %d times, want once", b.runs("deploy"))
	}
	mind = 0 // an annotation is asked once for what clients are shown
	b.wantAnswer(b.post(b.token(), message("tools/call", call("fickle"))), 403, "")
	if b.runs("fickle") != 0 {
		t.Error("a rule was talked into yes")
	}
}

// Hidden is what the caller's lists leave out. A call that only its arguments
// close is of an item in the lists, and is told what it lacks.
func TestClosedByItsArguments(t *testing.T) {
	rule := scopes.When(func(args map[string]any) scopes.Rule {
		if args["to"] == "production" {
			return scopes.All(scopes.Scope("deploy"), scopes.Scope("deploy:production"))
		}
		return scopes.Scope("deploy")
	})
	b := newBench(t, stateless, with(func(c *emamw.Config) { c.HideDenied = true }), before(func(b *bench) {
		b.mcp.AddTool(mcp.NewTool("deploy", scopes.Where(rule)), b.tool("deploy"))
	}))
	b.wantAnswer(b.post(b.token("deploy"), message("tools/call", call("deploy", "to", "production"))), 403, challengeFor("deploy deploy:production"))
	b.wantAnswer(b.post(b.token("deploy"), message("tools/call", call("deploy", "to", "staging"))), 200, "")
	for held, listed := range map[string]bool{"deploy": true, "other": false} {
		if a := b.post(b.token(held), message("tools/list", nil)); strings.Contains(a.body, `"deploy"`) != listed {
			t.Errorf("with %s: listed=%t in %s", held, !listed, a.body)
		}
	}
	if a := b.post(b.token(), message("tools/call", call("deploy", "to", "staging"))); a.Code != http.StatusOK || b.runs("deploy") != 1 {
		t.Errorf("hidden: %d %s, ran %d times", a.Code, a.body, b.runs("deploy"))
	}
}

// A principal without anything, given by a program on a transport of its own, is
// a caller like any other and not a way around the rules.
func TestEmptyPrincipal(t *testing.T) {
	b := newBench(t, before(furnish))
	ctx := claims.NewContext(context.Background(), claims.Principal{})
	for _, d := range doors {
		b.mcp.HandleMessage(ctx, []byte(message(d.method, d.params)))
		if d.runs != "" && b.runs(d.runs) != 0 {
			t.Errorf("%s ran", d.name)
		}
	}
}
