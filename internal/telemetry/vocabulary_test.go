package telemetry_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/telemetry"
)

// words returns the values of the string constants of a file that a pattern
// picks by their names.
func words(t *testing.T, file, names string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	wanted := regexp.MustCompile(names)
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !wanted.MatchString(spec.Names[0].Name) || len(spec.Values) != 1 {
			return true
		}
		text, ok := spec.Values[0].(*ast.BasicLit)
		if !ok || text.Kind != token.STRING {
			return true
		}
		word, err := strconv.Unquote(text.Value)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, word)
		return true
	})
	if len(found) == 0 {
		t.Fatalf("%s has no constant %s", file, names)
	}
	slices.Sort(found)
	return found
}

// The tables of reasons are the list of package claims, no more and no less.
func TestReasonsAreThoseOfClaims(t *testing.T) {
	var got []string
	for _, row := range telemetry.Reasons() {
		got = append(got, string(row.Reason))
		if row.Meaning == "" || row.Cure == "" {
			t.Errorf("%s has no meaning or no cure", row.Reason)
		}
		if listed := slices.Contains(telemetry.Undecided, row); listed != row.Reason.Undecided() {
			t.Errorf("%s stands in the wrong table", row.Reason)
		}
	}
	slices.Sort(got)
	if want := words(t, "../../claims/reason.go", "."); !slices.Equal(got, want) {
		t.Errorf("reasons are\n%v\nand in claims\n%v", got, want)
	}
}

// Closed lists of packages that this one may not import.
func TestClosedListsOfOthers(t *testing.T) {
	for _, tc := range []struct {
		key         attribute.Key
		file, names string
	}{
		{"error.type", "../keys/cause.go", "^Cause"},
		{"ema.jwks.step", "../keys/cause.go", "^Step"},
		{"ema.jwks.trigger", "../keys/config.go", "^(Startup|Scheduled|UnknownKeyID|Retry)$"},
		{"ema.client.auth_method", "../../idjag/authenticate.go", "^method"},
	} {
		listed, _ := row(tc.key)
		for _, word := range words(t, tc.file, tc.names) {
			if !slices.Contains(listed.Values, word) {
				t.Errorf("%s: %s of %s is not on the list", tc.key, word, tc.file)
			}
		}
	}
}

// The requests that mcp-go dispatches to a server are on the list.
func TestMethods(t *testing.T) {
	listed, _ := row("mcp.method.name")
	for _, method := range []mcp.MCPMethod{
		mcp.MethodInitialize, mcp.MethodPing, mcp.MethodServerDiscover, mcp.MethodSetLogLevel, mcp.MethodCompletionComplete,
		mcp.MethodToolsList, mcp.MethodToolsCall, mcp.MethodPromptsList, mcp.MethodPromptsGet,
		mcp.MethodResourcesList, mcp.MethodResourcesTemplatesList, mcp.MethodResourcesRead,
		mcp.MethodResourcesSubscribe, mcp.MethodResourcesUnsubscribe, mcp.MethodSubscriptionsListen,
		mcp.MethodTasksList, mcp.MethodTasksGet, mcp.MethodTasksResult, mcp.MethodTasksCancel,
	} {
		if !slices.Contains(listed.Values, string(method)) {
			t.Errorf("%s is not on the list", method)
		}
	}
}

func row(key attribute.Key) (telemetry.Attribute, bool) {
	i := slices.IndexFunc(telemetry.Attributes, func(a telemetry.Attribute) bool { return a.Key == key })
	if i < 0 {
		return telemetry.Attribute{}, false
	}
	return telemetry.Attributes[i], true
}

// loud is a kit after everything that can be recorded was, all opt-ins on.
func loud(t *testing.T) kit {
	t.Helper()
	all := telemetry.Identity{UserID: true, Roles: true, Tenant: true, ClientID: true, Scopes: true}
	k := newKit(func(c *telemetry.Config) { c.SpanIdentity, c.AuditIdentity = all, all })
	issuer := k.Issuer(issuerName, "okta")
	caller := k.Caller(alice(), issuer, "ES256")
	for _, reason := range append([]telemetry.Refusal{{}}, telemetry.Reasons()...) {
		_, a := k.StartAuthentication(t.Context(), nil)
		origin := a.End(&telemetry.Authenticated{Reason: reason.Reason, Claim: "jti", Issuer: issuer, Caller: caller, Cache: telemetry.Stale, Session: "s", Status: 401})
		for _, kind := range []telemetry.ItemKind{"", telemetry.Tool, telemetry.Prompt, telemetry.Resource} {
			k.Authorize(t.Context(), &telemetry.Decision{
				Origin: &origin, Caller: caller, Reason: reason.Reason, Method: "tools/call", Kind: kind, Name: "n",
				Required: []string{"a"}, Missing: []string{"a"}, RequestID: 1, Session: "s",
			})
		}
		_, e := k.StartExchange(t.Context(), nil)
		e.End(&telemetry.Exchanged{
			Reason: reason.Reason, Claim: "jti", Issuer: issuer, ClientID: "c", AuthMethod: "none", User: alice(), AssertionID: "j", Resource: "r",
			Scopes: []string{"a"}, TokenID: "t", Rules: []string{"r"}, Reported: &telemetry.Reported{Reason: claims.GroupMissing, Rules: []string{"r"}, Withheld: []string{"a"}},
		})
	}
	for _, reason := range []claims.Reason{"", claims.ClientUnauthorized, claims.StoreUnavailable} {
		k.Revocation(t.Context(), nil, &telemetry.Revoked{Reason: reason, ClientID: "c", AuthMethod: "none", TokenID: "t"})
	}
	for _, cause := range []string{"", "dns"} {
		_, f := k.StartFetch(t.Context(), issuer, "startup")
		f.End(telemetry.Fetched{Cause: cause, Step: "keys", Status: 200, Keys: 1, Rejected: 1})
	}
	k.CacheLookup(t.Context(), telemetry.DocumentCache, telemetry.Hit)
	k.WatchKeys(t.Context(), issuer, &keySet{loaded: true})
	return k
}

// What is recorded is in the vocabulary, with its type, its place and its closed
// list; and what is in the vocabulary is recorded.
func TestVocabularyIsWhatIsRecorded(t *testing.T) {
	k := loud(t)
	seen := map[string]bool{}
	types := map[attribute.Type]string{attribute.STRING: "string", attribute.INT64: "int", attribute.FLOAT64: "double", attribute.STRINGSLICE: "string[]"}
	for _, s := range k.tracers.spans {
		for key, value := range s.attrs {
			seen[s.name+" "+string(key)] = true
			a, ok := row(key)
			switch {
			case !ok:
				t.Errorf("%s: %s is not in the vocabulary", s.name, key)
				continue
			case !slices.Contains(a.On, s.name):
				t.Errorf("%s: %s is not meant for it", s.name, key)
			case types[value.Type()] != a.Type:
				t.Errorf("%s: %s is a %s, not a %s", s.name, key, value.Type(), a.Type)
			}
			if a.Values != nil && !slices.Contains(append(a.Values, "_OTHER"), value.AsString()) {
				t.Errorf("%s: %s is %q, which is not on its list", s.name, key, value.AsString())
			}
		}
	}
	for _, a := range telemetry.Attributes {
		for _, name := range a.On {
			if !seen[name+" "+string(a.Key)] {
				t.Errorf("%s is in the vocabulary of %s, and never recorded", a.Key, name)
			}
		}
	}
}

func TestVocabularyOfMetrics(t *testing.T) {
	k := loud(t)
	seen := map[string]bool{}
	for _, p := range append(k.meters.points, k.meters.collect(t)...) {
		i := slices.IndexFunc(telemetry.Metrics, func(m telemetry.Metric) bool { return m.Name == p.name })
		if i < 0 {
			t.Errorf("%s is not in the vocabulary", p.name)
			continue
		}
		seen[p.name] = true
		for _, kv := range p.attrs.ToSlice() {
			seen[p.name+" "+string(kv.Key)] = true
			if !slices.Contains(telemetry.Metrics[i].Attributes, kv.Key) {
				t.Errorf("%s: %s is not meant for it", p.name, kv.Key)
			}
		}
	}
	for _, m := range telemetry.Metrics {
		for _, key := range m.Attributes {
			if !seen[m.Name+" "+string(key)] {
				t.Errorf("%s of %s is in the vocabulary, and never recorded", key, m.Name)
			}
			if _, ok := row(key); !ok {
				t.Errorf("%s of %s is not in the table of attributes", key, m.Name)
			}
		}
	}
}

// Names are made up in one place: a log line elsewhere uses one of these.
func TestNamesElsewhere(t *testing.T) {
	known := map[string]bool{}
	for _, a := range telemetry.Attributes {
		known[string(a.Key)] = true
	}
	for _, e := range telemetry.Events {
		known[e.Name] = true
	}
	name := regexp.MustCompile(`"(ema\.[a-z_.]+)"`)
	for _, dir := range []string{"../keys", "../../emamw", "../../idjag"} {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files: %v", dir, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range name.FindAllStringSubmatch(string(text), -1) {
				if !known[found[1]] {
					t.Errorf("%s: %s is not in the vocabulary", file, found[1])
				}
			}
		}
	}
}

// The keys that are not ours are spelled as the semantic conventions spell them.
func TestConventions(t *testing.T) {
	for _, key := range []attribute.Key{
		semconv.ErrorTypeKey, semconv.UserHashKey, semconv.UserIDKey, semconv.UserRolesKey, semconv.JSONRPCRequestIDKey, semconv.HTTPResponseStatusCodeKey,
	} {
		if _, ok := row(key); !ok {
			t.Errorf("%s is not in the vocabulary", key)
		}
	}
}
