package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/server"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/idjag"
	"github.com/emamw/mcp-ema/internal/telemetry"
)

// heard keeps what came out of a server in answers.
type heard struct {
	t       *testing.T
	answers []string
}

// keep holds an answer to its canaries at once, so that a failure names it.
func (h *heard) keep(r *http.Request, a *httptest.ResponseRecorder) {
	h.t.Helper()
	header, body := fmt.Sprint(a.Header()), a.Body.String()
	h.answers = append(h.answers, header, body)
	for _, text := range []string{header, body} {
		if strings.Contains(strings.ToLower(text), inTokens) {
			h.t.Errorf("%s %s: a word of the token is in %d %s", r.Method, r.Header.Get("Mcp-Method"), a.Code, text)
		}
	}
	if own := !strings.Contains(body, `"jsonrpc"`); own && strings.Contains(body, onWire) || strings.Contains(header, onWire) {
		h.t.Errorf("%s %s: a word of the request is in %d %s %s", r.Method, r.Header.Get("Mcp-Method"), a.Code, header, body)
	}
}

func TestTelemetryCanaryOfTheGuard(t *testing.T) {
	g := newGuarded(t, newWatch(t))
	addItems(g)
	out := &heard{t: t}
	tokens := canaryTokens(g.as.MintClaims, "at+jwt", watchedIssuer, watchedResource, nil)
	session := g.session(tokens[0])
	for _, token := range tokens {
		for _, r := range canaryRequests(token, session) {
			out.keep(r, serve(g.handler, r))
		}
	}
	for _, values := range [][]string{nil, {onWire + " " + onWire}, {onWire}, {"Bearer " + tokens[0], "Bearer " + onWire}, {"bearer"}} {
		m := toolCall(onWire)
		m.header = http.Header{"Authorization": values}
		r := m.request("")
		out.keep(r, serve(g.handler, r))
	}
	for _, r := range unacceptable(tokens[0]) {
		out.keep(r, serve(g.handler, r))
	}
	other := g.guard.Handler(server.NewStreamableHTTPServer(server.NewMCPServer(onWire, "1"), server.WithStateLess(true)))
	ungated := rawPost(tokens[0], `{"jsonrpc":"2.0","id":"`+onWire+`","method":"ping"}`)
	out.keep(ungated, serve(other, ungated))
	for _, tool := range []string{"read", onWire} {
		serve(g.bare, toolCall(tool).request(tokens[0]))
	}
	unguarded := resourceRead("file:///read").request(tokens[0])
	serve(g.bare, unguarded) // mcp-go's own answer: only what is told of it counts
	out.checkTold(g.watch, tokens, g.network)
	out.checkAllowed(g.watch, "ema.authentication", "ema.authorization")
	out.checkReasons(g.watch, slices.Concat(telemetry.Unacceptable, telemetry.Unauthenticated, telemetry.Unauthorized), claims.TenantNotAllowed, claims.TokenKindNotAllowed, claims.TokenRevoked)
}

func TestTelemetryCanaryOfTheAuthorizationServer(t *testing.T) {
	authorize := func(_ context.Context, q idjag.Request, d idjag.Decision) (idjag.Decision, error) {
		if slices.Contains(q.Asked, "files:write") {
			d.Reason = claims.Reason(q.User.Subject) // no word of the list: the operator's code makes one up
		}
		return d, nil
	}
	mint := func(r *exchanger) func(header, claims map[string]any) string { return r.idp.MintClaims }
	own := map[string]any{"client_id": asClient, "resource": watchedResource, "scope": "files:read files:write " + inTokens, "idp": nil, "assertion": nil}
	for name, change := range map[string]func(*exchangerSetup){
		"healthy":    func(s *exchangerSetup) { s.config.Authorize = authorize },
		"a policy":   policy(idjag.Rule{Name: "readers", Groups: []string{"readers"}, Scopes: []string{"files:read"}}),
		"no account": resolving(idjag.ErrNoSubject),
		"no keys":    func(s *exchangerSetup) { s.cold = true },
	} {
		t.Run(name, func(t *testing.T) {
			r := newExchanger(t, newWatch(t), change)
			out := &heard{t: t}
			var all []string
			for _, x := range append(slices.Clone(canaryForms), exchange{form: url.Values{"scope": {"files:write"}}}) {
				tokens := canaryTokens(mint(r), "oauth-id-jag+jwt", watchedIdP, watchedIssuer, own)
				all = append(all, tokens...)
				for _, token := range tokens {
					request := x.request(token)
					answer := serve(r.server, request)
					out.keep(request, withoutToken(answer))
				}
			}
			out.checkTold(r.watch, all, r.network)
			if name == "healthy" {
				out.checkAllowed(r.watch, "ema.id_jag.exchange")
			}
		})
	}
}

// withoutToken takes the access token out of an answer: it is the one thing that
// carries claims, to the one who may have them.
func withoutToken(a *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	var body map[string]any
	if a.Code != http.StatusOK || json.Unmarshal(a.Body.Bytes(), &body) != nil {
		return a
	}
	delete(body, "access_token")
	raw, err := json.Marshal(body)
	if err != nil {
		return a
	}
	a.Body = bytes.NewBuffer(raw)
	return a
}

// checkTold looks for the canaries, and for pieces of the tokens, in all that a
// server told besides its answers.
func (h *heard) checkTold(w *watch, tokens []string, network *outbound) {
	h.t.Helper()
	told := map[string]string{
		"the audit": w.audit.text(), "the log": w.log.take(), "the spans": spanText(w.spans.Ended()), "the metrics": w.metricText(),
		"the requests to issuers": network.headers.take(), "the answers": strings.Join(h.answers, "\n"),
	}
	for where, text := range told {
		if text == "" && where != "the log" {
			h.t.Errorf("there is nothing in %s: nothing was tried", where)
		}
		for _, canary := range []string{inTokens, onWire} {
			at := strings.Index(strings.ToLower(text), canary)
			if at >= 0 && where != "the answers" {
				h.t.Errorf("%q is in %s: …%s…", canary, where, text[max(0, at-200):min(len(text), at+100)])
			}
		}
		for _, token := range tokens {
			for part := range strings.SplitSeq(token, ".") {
				if len(part) > 48 && strings.Contains(text, part[len(part)-40:]) {
					h.t.Errorf("a part of a token is in %s", where)
				}
			}
		}
	}
	if strings.Contains(strings.ToLower(told["the requests to issuers"]), "traceparent") {
		h.t.Error("trace context went to an issuer")
	}
}

// spanText is everything that spans say.
func spanText(spans []sdktrace.ReadOnlySpan) string {
	var b strings.Builder
	for _, s := range spans {
		fmt.Fprintln(&b, s.Name(), s.Status(), s.Events(), s.Links(), s.SpanContext().TraceState(), written(s.Attributes()))
	}
	return b.String()
}

// metricText is everything that metrics say, exemplars included.
func (w *watch) metricText() string {
	w.t.Helper()
	var all metricdata.ResourceMetrics
	if err := w.reader.Collect(context.Background(), &all); err != nil {
		w.t.Fatal(err)
	}
	raw, err := json.Marshal(all)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(raw)
}

// checkAllowed demands that a canary was let in, with a record of each name.
func (h *heard) checkAllowed(w *watch, names ...string) {
	h.t.Helper()
	for _, name := range names {
		if !strings.Contains(w.audit.text(), `"msg":"`+name+`","ema.decision":"allow"`) {
			h.t.Errorf("no canary was allowed: %s", name)
		}
	}
}

// checkReasons demands that a canary was refused for every reason of a table:
// what was not tried was not shown. The last are those that need another server.
func (h *heard) checkReasons(w *watch, table []telemetry.Refusal, elsewhere ...claims.Reason) {
	h.t.Helper()
	seen := map[string]bool{}
	for _, record := range w.audit.records(h.t) {
		reason, _ := record["ema.reason"].(string)
		seen[reason] = true
	}
	for _, row := range table {
		if !seen[string(row.Reason)] && !slices.Contains(elsewhere, row.Reason) {
			h.t.Errorf("no canary was refused for %s", row.Reason)
		}
	}
}
