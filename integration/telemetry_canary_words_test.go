package integration_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The canaries. One is in every claim and header of every token: it must come
// out nowhere. The other is in everything else that a caller writes: it may come
// back to that caller in a JSON-RPC answer, which repeats the id and which mcp-go
// words, and must be nowhere else.
const (
	inTokens = "t0kencan4ry"
	onWire   = "w1recan4ry"
)

// canaryClaims are the claims of a token that is good, as far as changes leave
// it so.
func canaryClaims(issuer, audience string, changes map[string]any) map[string]any {
	now := time.Now().Unix()
	c := map[string]any{
		"iss": issuer, "aud": audience, "iat": now, "exp": now + 300,
		"jti": inTokens + fmt.Sprint(time.Now().UnixNano()), "sub": inTokens, "client_id": inTokens + "-client", "scope": "files:read files:" + inTokens,
		"groups": []string{inTokens}, "roles": []string{inTokens}, "entitlements": []string{inTokens}, "email": inTokens + "@example.com", "email_verified": true,
		"act": map[string]any{"sub": inTokens, "iss": "https://" + inTokens + ".example", "act": map[string]any{"sub": inTokens}},
		"acr": inTokens, "amr": []string{inTokens}, "name": inTokens, "nonce": inTokens, "preferred_username": inTokens,
		"idp": "https://" + inTokens + ".example", "assertion": inTokens, inTokens: map[string]any{inTokens: inTokens},
	}
	for name, value := range changes {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	return c
}

// canaryDefects are changes of claims and headers that are refused, beside what
// is done to the text of a token. The first two are not: another caller, and one
// whose groups are unknown.
var canaryDefects = []struct{ header, claims map[string]any }{
	{nil, map[string]any{"client_id": inTokens}},
	{nil, map[string]any{"groups": nil}},
	{nil, map[string]any{"iss": inTokens}},
	{nil, map[string]any{"iss": "https://" + inTokens + ".example"}},
	{nil, map[string]any{"iss": nil}},
	{nil, map[string]any{"aud": "https://" + inTokens + ".example"}},
	{nil, map[string]any{"aud": map[string]any{inTokens: inTokens}}},
	{nil, map[string]any{"exp": 1}},
	{nil, map[string]any{"exp": inTokens}},
	{nil, map[string]any{"exp": time.Now().Add(9000 * time.Hour).Unix()}},
	{nil, map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}},
	{nil, map[string]any{"sub": map[string]any{inTokens: 1}}},
	{nil, map[string]any{"client_id": nil}},
	{nil, map[string]any{"jti": nil}},
	{nil, map[string]any{"cnf": map[string]any{"jkt": inTokens}}},
	{nil, map[string]any{"groups": map[string]any{inTokens: inTokens}}},
	{nil, map[string]any{"act": inTokens}},
	{nil, map[string]any{inTokens: 1, strings.ToUpper(inTokens): 1}},
	{nil, map[string]any{"tenant": inTokens}},
	{map[string]any{"kid": inTokens}, nil},
	{map[string]any{"typ": inTokens}, nil},
	{map[string]any{"alg": inTokens}, nil},
	{map[string]any{"alg": "none", "kid": inTokens}, nil},
	{map[string]any{"crit": []string{inTokens}, inTokens: inTokens}, nil},
	{map[string]any{"jku": "https://" + inTokens + ".example", "x5u": "https://" + inTokens + ".example", "cty": inTokens}, nil},
}

// canaryTokens are one good token and many bad ones.
func canaryTokens(mint func(header, claims map[string]any) string, typ, issuer, audience string, more map[string]any) []string {
	good := func(header, changes map[string]any) string {
		h := map[string]any{"typ": typ}
		for name, value := range header {
			h[name] = value
		}
		c := canaryClaims(issuer, audience, more)
		for name, value := range changes {
			if c[name] = value; value == nil {
				delete(c, name)
			}
		}
		return mint(h, c)
	}
	tokens := []string{good(nil, nil)}
	for _, d := range canaryDefects {
		tokens = append(tokens, good(d.header, d.claims))
	}
	parts := strings.Split(tokens[0], ".")
	return append(tokens,
		tokens[0][:len(tokens[0])-8]+"AAAAAAAA", // another signature
		inTokens, inTokens+"."+inTokens+"."+inTokens, // no JWS
		strings.Join(append(slices.Clone(parts), parts...), "."), // too many parts
		parts[0]+"."+parts[0]+"."+parts[0]+"."+parts[0]+"."+parts[0],
		strings.Repeat(inTokens, 2000),
		inTokens+","+inTokens,
	)
}

// canaryMessages are requests of every kind, with the canary wherever a caller
// can write.
func canaryMessages() []message {
	args := map[string]any{onWire: onWire, "path": onWire}
	call := func(name string) message {
		return message{id: onWire, method: "tools/call", params: map[string]any{"name": name, "arguments": args}}
	}
	messages := []message{
		call(onWire), call(strings.Repeat(onWire, 500)),
		{id: onWire, method: "tools/list", params: map[string]any{"cursor": onWire}},
		{id: onWire, method: "resources/list", params: map[string]any{"cursor": onWire}},
		{id: onWire, method: "server/discover"},
		{id: onWire, method: onWire + "/" + onWire},
		{id: onWire, method: "tasks/get", params: map[string]any{"taskId": onWire}},
		{id: onWire, method: "prompts/get", params: map[string]any{"name": onWire, "arguments": map[string]any{onWire: onWire}}},
		{id: onWire, method: "prompts/get", params: map[string]any{"name": "write", "arguments": map[string]any{onWire: onWire}}},
		{id: onWire, method: "completion/complete", params: map[string]any{"ref": map[string]any{"type": "ref/prompt", "name": onWire}, "argument": map[string]any{"name": onWire, "value": onWire}}},
		{id: onWire, method: "completion/complete", params: map[string]any{"ref": map[string]any{"type": "ref/resource", "uri": "notes:///" + onWire}, "argument": map[string]any{"name": onWire, "value": onWire}}},
		{id: onWire, method: "subscriptions/listen", params: map[string]any{"notifications": map[string]any{"resourceSubscriptions": []string{"notes:///" + onWire}}}},
	}
	for _, uri := range []string{"file:///read", "file:///write", "notes:///" + onWire, onWire + ":///" + onWire} {
		messages = append(messages, message{id: onWire, method: "resources/read", params: map[string]any{"uri": uri}})
	}
	for _, row := range authorizeRows {
		if tool := row.values["gen_ai.tool.name"]; tool != "" {
			messages = append(messages, call(tool))
		}
	}
	return messages
}

// canaryRequests are all of them, and what is no message of the newest protocol.
func canaryRequests(token, session string) (requests []*http.Request) {
	for _, m := range canaryMessages() {
		requests = append(requests, m.request(token))
	}
	for _, body := range []string{
		onWire, `{"jsonrpc":"2.0","id":{"` + onWire + `":1},"method":"ping"}`, `[{"` + onWire + `":1}]`, `{"jsonrpc":"` + onWire + `","id":"` + onWire + `","method":"ping"}`,
		`{"jsonrpc":"2.0","id":"` + onWire + `","method":"tools/call","params":{"name":"read","NAME":"` + onWire + `"}}`,
		`{"jsonrpc":"2.0","method":"notifications/` + onWire + `"}`, `{"jsonrpc":"2.0","id":"` + onWire + `","method":"resources/subscribe","params":{"uri":"` + onWire + `"}}`,
		`{"jsonrpc":"2.0","id":"` + onWire + `","method":"tasks/cancel","params":{"taskId":"` + onWire + `"}}`,
	} {
		requests = append(requests, rawPost(token, body), inSession(token, session, body))
	}
	foreign := inSession(token, onWire+"."+onWire, `{"jsonrpc":"2.0","id":1,"method":"ping"}`)
	deletion, other := httptest.NewRequest(http.MethodDelete, watchedResource, nil), httptest.NewRequest(onWire, watchedResource, nil)
	deletion.Header.Set("Authorization", "Bearer "+token)
	other.Header.Set("Authorization", "Bearer "+token)
	requests = append(requests, foreign, deletion, other)
	for _, r := range requests {
		q := r.URL.Query()
		q.Set("access_token", onWire)
		q.Set("sessionId", onWire)
		r.URL.RawQuery = q.Encode()
		for _, name := range []string{"User-Agent", "X-Forwarded-For", "Baggage", "Tracestate", "Mcp-Param-" + onWire, "Cookie", "Dpop"} {
			r.Header.Set(name, onWire+"="+onWire)
		}
	}
	return requests
}

// unacceptable are requests that are refused for their form.
func unacceptable(token string) []*http.Request {
	origin, large := rawPost(token, onWire), rawPost(token, onWire)
	origin.Header.Set("Origin", "https://"+onWire+".example")
	large.ContentLength = 1 << 30
	cancellation := rawPost(token, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"`+onWire+`"}}`)
	cancellation.Header.Set("Mcp-Protocol-Version", modern)
	return []*http.Request{origin, large, cancellation}
}

// canaryForms are requests to the token endpoint with a good ID-JAG.
var canaryForms = []exchange{
	{},
	{form: url.Values{"scope": {onWire}}},
	{form: url.Values{"resource": {"https://" + onWire + ".example"}}},
	{form: url.Values{"grant_type": {onWire}}},
	{form: url.Values{onWire: {onWire, onWire}}},
	{form: url.Values{"assertion": {""}}},
	{form: url.Values{"client_secret": {onWire}}},
	{form: url.Values{"client_id": {onWire}}, header: http.Header{"Authorization": nil}},
	{form: url.Values{"client_id": {documentOrigin + "/" + onWire}}, header: http.Header{"Authorization": nil}},
	{form: url.Values{"client_assertion": {onWire}, "client_assertion_type": {onWire}}, header: http.Header{"Authorization": nil}},
	{header: http.Header{"Authorization": {onWire}}},
	{header: http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(onWire+":"+onWire))}}},
	{header: http.Header{"Content-Type": {onWire}}},
	{header: http.Header{"Dpop": {onWire}}},
	{header: http.Header{"Baggage": {onWire + "=" + onWire}, "Tracestate": {onWire + "=" + onWire}, "User-Agent": {onWire}}},
}
