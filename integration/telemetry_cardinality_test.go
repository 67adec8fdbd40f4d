package integration_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"

	"github.com/emamw/mcp-ema/internal/telemetry"
)

// hostileRequests is how many requests the cardinality test sends, one in five
// to the token endpoint.
const hostileRequests = 10_000

// What the servers of the test have, and metrics may name.
var (
	registeredTools   = 13 // by addItems
	registeredPrompts = 2
	configuredIssuers = 2
)

// However many names callers make up, a backend keeps no more series than the
// closed lists allow.
func TestTelemetryCardinality(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) // the same requests each time
	g, r := newGuarded(t, newWatch(t)), newExchanger(t, newWatch(t))
	addItems(g)
	sets := map[string]map[string]attribute.Set{}
	collect := func(w *watch) {
		for _, p := range w.points() {
			if sets[p.metric] == nil {
				sets[p.metric] = map[string]attribute.Set{}
			}
			sets[p.metric][p.String()] = p.set
		}
		w.forget()
	}
	for i := range hostileRequests {
		switch {
		case i%5 == 0:
			serve(r.server, hostileForm(random, r))
		case i%7 == 0:
			serve(g.bare, hostileMessage(random, g))
		default:
			serve(g.handler, hostileMessage(random, g))
		}
		if i%500 == 0 {
			collect(g.watch)
			collect(r.watch)
		}
	}
	collect(g.watch)
	collect(r.watch)
	for _, m := range telemetry.Metrics {
		bound := product(m)
		if n := len(sets[m.Name]); n > bound {
			t.Errorf("%s has %d sets of attributes, and its closed lists allow %d", m.Name, n, bound)
		}
		for text, set := range sets[m.Name] {
			checkSet(t, m, text, set)
		}
	}
	// What was to be shown needs requests that reach it.
	for metric, least := range map[string]int{"ema.authentication.duration": 10, "ema.authorization.decisions": 13, "ema.id_jag.exchange.duration": 8} {
		if n := len(sets[metric]); n < least {
			t.Errorf("%s has %d sets of attributes: the requests are not as hostile as they should be", metric, n)
		}
	}
}

// product is how many sets of attributes a metric can have. The decision and
// error.type follow from the reason, and a tool excludes a prompt: to multiply
// those as well would make a bound that nothing could exceed.
func product(m telemetry.Metric) int {
	bound, items := 1, 1 // a metric without the name of an item has one choice
	for _, key := range m.Attributes {
		switch key {
		case "ema.decision":
		case "error.type":
			if !slices.Contains(m.Attributes, attribute.Key("ema.reason")) {
				bound *= len(listOf(key)) + 1
			}
		case "gen_ai.tool.name":
			items += registeredTools + 1 // and _OTHER
		case "gen_ai.prompt.name":
			items += registeredPrompts + 1
		case "ema.issuer":
			bound *= configuredIssuers + 1 // or none
		case "http.response.status_code":
			bound *= 500 + 1
		case "mcp.method.name", "ema.cache.name", "ema.token.type":
			bound *= len(listOf(key)) + 1 // always there, or _OTHER
		default:
			bound *= len(listOf(key)) + 2 // _OTHER, or absent
		}
	}
	return bound * items
}

// checkSet demands that each attribute is one of its metric, and its value on the
// closed list or a name that the operator gave.
func checkSet(t *testing.T, m telemetry.Metric, text string, set attribute.Set) {
	t.Helper()
	own := []string{"_OTHER", watchedIssuer, watchedIdP, "unruled"}
	for _, row := range authorizeRows {
		own = append(own, row.values["gen_ai.tool.name"], row.values["gen_ai.prompt.name"])
	}
	for _, kv := range set.ToSlice() {
		value := kv.Value.String()
		closed := append(slices.Clone(own), listOf(kv.Key)...)
		status := kv.Key == "http.response.status_code" && len(value) == 3
		if !slices.Contains(m.Attributes, kv.Key) || !status && !slices.Contains(closed, value) {
			t.Errorf("%s: %s=%s is on no list", text, kv.Key, value)
		}
	}
	reason, _ := set.Value("ema.reason")
	if decision, ok := set.Value("ema.decision"); ok && (decision.AsString() == "allow") != (reason.AsString() == "") {
		t.Errorf("%s: the decision does not follow from the reason", text)
	}
}

// made is a name that nobody has.
func made(random *rand.Rand) string { return fmt.Sprintf("x%016x", random.Uint64()) }

// one of several, or a name that nobody has.
func one(random *rand.Rand, known ...string) string {
	if i := random.IntN(len(known) + 1); i < len(known) {
		return known[i]
	}
	return made(random)
}

// hostileToken is a token with names that the caller made up, in one case of two
// well signed.
func hostileToken(random *rand.Rand, mint func(header, claims map[string]any) string, typ, issuer, audience, client string) string {
	header := map[string]any{"typ": one(random, typ, typ, typ)}
	if random.IntN(4) == 0 {
		header["kid"] = made(random)
	}
	if random.IntN(8) == 0 {
		header["alg"] = one(random, "none", "HS256")
	}
	changes := map[string]any{"sub": made(random), "client_id": one(random, client, client), "tenant": nil, "scope": "files:read " + made(random), "groups": []string{made(random)}, "idp": nil}
	switch random.IntN(8) {
	case 0:
		changes["iss"] = "https://" + made(random) + ".example"
	case 1:
		changes["aud"] = "https://" + made(random) + ".example"
	case 2:
		changes["exp"] = random.Int64()
	case 3:
		changes[made(random)], changes["cnf"] = made(random), map[string]any{}
	}
	return mint(header, canaryClaims(issuer, audience, changes))
}

func hostileMessage(random *rand.Rand, g *guarded) *http.Request {
	token := hostileToken(random, g.as.MintClaims, "at+jwt", watchedIssuer, watchedResource, "mcp-client")
	m := message{id: made(random), method: one(random, "tools/call", "prompts/get", "resources/read", "tools/list", "server/discover"), header: http.Header{}}
	name := one(random, "read", "write", "admin", "panics", "unruled", "acme", "operate", "permitted", "machine")
	m.params = map[string]any{"name": name, "uri": one(random, "file:///read", "file:///write", "notes:///"+made(random)), "arguments": map[string]any{made(random): made(random)}}
	r := m.request(token)
	r.Header.Del("Mcp-Name")
	switch m.method {
	case "tools/call", "prompts/get":
		r.Header.Set("Mcp-Name", name)
	case "resources/read":
		r.Header.Set("Mcp-Name", m.params["uri"].(string))
	}
	switch random.IntN(12) {
	case 0:
		r.Header.Set("Authorization", one(random, "Basic x", "Bearer", "Bearer "+made(random)))
	case 1:
		r.Header.Set("Mcp-Session-Id", made(random))
	case 2:
		r.Header.Set("Mcp-Protocol-Version", made(random))
	case 3:
		r.Header.Set("Origin", "https://"+made(random)+".example")
	case 4:
		r.ContentLength = random.Int64()
	case 5:
		r.Method = strings.ToUpper(made(random))
	}
	return r
}

func hostileForm(random *rand.Rand, r *exchanger) *http.Request {
	token := hostileToken(random, r.idp.MintClaims, "oauth-id-jag+jwt", watchedIdP, watchedIssuer, asClient)
	x := exchange{form: url.Values{}, header: http.Header{}}
	switch random.IntN(8) {
	case 0:
		x.form.Set("grant_type", made(random))
	case 1:
		x.form.Set("scope", made(random))
	case 2:
		x.form.Set("resource", made(random))
	case 3:
		x.form.Set("client_id", made(random))
		x.header["Authorization"] = nil
	case 4:
		x.header.Set("Authorization", "Basic "+made(random))
	}
	return x.request(token)
}
