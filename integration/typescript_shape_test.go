package integration_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/mark3labs/mcp-go/mcp"
)

// typeScriptShaped sends what the transport of the TypeScript SDK sends, in its
// order, where there is no Node.js to run the SDK itself: it learns everything
// from the challenge and the two metadata documents, and it answers a 401 or a
// 403 insufficient_scope by getting a token and sending the same request again,
// once. What makes it worth having beside the SDK is accumulate: the releases
// before 2 forget, on a 403, what they had, and ask for the challenge's scopes
// alone.
type typeScriptShaped struct {
	e          *enterprise
	protocol   string
	method     string // client_secret_basic or client_secret_post
	accumulate bool
	idToken    string

	metadataURL string // of the protected resource, from the last challenge
	scope       []string
	token       string
	granted     []string
	session     string
	id          int
}

// walkTypeScriptShaped calls tools one after the other, in one session.
func walkTypeScriptShaped(accumulate bool) walk {
	return func(t *testing.T, e *enterprise, protocol, method string, tools ...string) []step {
		t.Helper()
		c := &typeScriptShaped{e: e, protocol: protocol, method: method, accumulate: accumulate, idToken: e.idp.SignIn("alice", idpClient)}
		if err := c.connect(); err != nil {
			t.Fatal(err)
		}
		steps := make([]step, 0, len(tools))
		for _, tool := range tools {
			steps = append(steps, c.call(tool))
		}
		return steps
	}
}

func (c *typeScriptShaped) connect() error {
	if c.protocol == modern {
		_, err := c.send(c.request("server/discover", map[string]any{}))
		return err
	}
	_, err := c.send(c.request("initialize", map[string]any{
		"protocolVersion": c.protocol, "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "shaped", "version": "1"},
	}))
	if err != nil {
		return err
	}
	_, err = c.send(map[string]any{"jsonrpc": "2.0", "method": "notifications/initialized"})
	return err
}

func (c *typeScriptShaped) call(tool string) step {
	body, err := c.send(c.request("tools/call", map[string]any{"name": tool, "arguments": map[string]any{}}))
	if refused := (*statusError)(nil); errors.As(err, &refused) {
		return step{Error: err.Error(), Status: refused.status}
	}
	if err != nil {
		return step{Error: err.Error()}
	}
	var answer struct {
		Result struct{ Content []struct{ Text string } }
	}
	if err := json.Unmarshal(body, &answer); err != nil || len(answer.Result.Content) == 0 {
		return step{Error: fmt.Sprintf("%s answered with %s", tool, body)}
	}
	return step{Text: answer.Result.Content[0].Text}
}

func (c *typeScriptShaped) request(method string, params map[string]any) map[string]any {
	c.id++
	if c.protocol == modern {
		params["_meta"] = map[string]any{
			mcp.MetaKeyProtocolVersion: c.protocol, mcp.MetaKeyClientCapabilities: map[string]any{},
			mcp.MetaKeyClientInfo: map[string]any{"name": "shaped", "version": "1"},
		}
	}
	return map[string]any{"jsonrpc": "2.0", "id": c.id, "method": method, "params": params}
}

// statusError is what the SDK throws for an answer that it cannot cure.
type statusError struct{ status int }

func (e *statusError) Error() string { return fmt.Sprint("the server answers ", e.status) }

// send posts a message, and does so again after a 401 and after a 403 that names
// scopes, each once.
func (c *typeScriptShaped) send(message map[string]any) ([]byte, error) {
	authorized, steppedUp := false, false
	for {
		status, challenge, body, err := c.post(message)
		if err != nil {
			return nil, err
		}
		if found := challenge["resource_metadata"]; found != "" {
			c.metadataURL = found
		}
		told := strings.Fields(challenge["scope"])
		switch {
		case status < 300:
			return body, nil
		case status == http.StatusUnauthorized && !authorized:
			authorized, c.scope = true, union(c.scope, told)
		case status == http.StatusForbidden && challenge["error"] == "insufficient_scope" && !steppedUp:
			steppedUp = true
			if c.accumulate {
				told = union(c.scope, c.granted, told)
			}
			c.scope = told
		default:
			return nil, &statusError{status}
		}
		if err := c.authorize(); err != nil {
			return nil, err
		}
	}
}

func union(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}

func (c *typeScriptShaped) post(message map[string]any) (status int, challenge map[string]string, answer []byte, err error) {
	body, err := json.Marshal(message)
	if err != nil {
		return 0, nil, nil, err
	}
	r, err := http.NewRequest(http.MethodPost, c.e.resource, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	c.address(r.Header, message)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if id := resp.Header.Get("Mcp-Session-Id"); id != "" && message["method"] == "initialize" {
		c.session = id
	}
	if header := resp.Header.Values("WWW-Authenticate"); len(header) > 0 {
		challenges, err := oauthex.ParseWWWAuthenticate(header)
		if err != nil {
			return 0, nil, nil, err
		}
		challenge = challenges[0].Params
	}
	answer, err = readAnswer(resp)
	return resp.StatusCode, challenge, answer, err
}

// address sets the headers of a message.
func (c *typeScriptShaped) address(h http.Header, message map[string]any) {
	h.Set("Content-Type", "application/json")
	h.Set("Accept", "application/json, text/event-stream")
	if c.token != "" {
		h.Set("Authorization", "Bearer "+c.token)
	}
	if c.session != "" {
		h.Set("Mcp-Session-Id", c.session)
	}
	if message["method"] != "initialize" {
		h.Set("Mcp-Protocol-Version", c.protocol)
	}
	if c.protocol != modern {
		return
	}
	h.Set("Mcp-Method", message["method"].(string))
	if name, ok := message["params"].(map[string]any)["name"].(string); ok {
		h.Set("Mcp-Name", name)
	}
}

// readAnswer returns the JSON of an answer, which may come as an event.
func readAnswer(resp *http.Response) ([]byte, error) {
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if media != "text/event-stream" {
		return io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			return []byte(data), nil
		}
	}
	return nil, errors.New("a stream without an event")
}

// authorize gets a token for c.scope, by way of both metadata documents.
func (c *typeScriptShaped) authorize() error {
	resource, err := fetchObject(c.metadataURL)
	if err != nil {
		return err
	}
	servers, _ := resource["authorization_servers"].([]any)
	if resource["resource"] != c.e.resource || len(servers) == 0 {
		return fmt.Errorf("the metadata of the resource is of no use: %v", resource)
	}
	if len(c.scope) == 0 {
		for _, scope := range resource["scopes_supported"].([]any) {
			c.scope = append(c.scope, scope.(string))
		}
	}
	issuer := servers[0].(string)
	metadata, err := fetchObject(issuer + "/.well-known/oauth-authorization-server")
	if err != nil {
		return err
	}
	// What the schema of the SDK demands of the document.
	for name, want := range map[string]func(any) bool{
		"authorization_endpoint": isText, "token_endpoint": isText, "response_types_supported": isList,
		"issuer": func(v any) bool { return v == issuer },
	} {
		if !want(metadata[name]) {
			return fmt.Errorf("%s of the authorization server is %v", name, metadata[name])
		}
	}
	assertion, err := c.assertion(issuer)
	if err != nil {
		return err
	}
	answer, err := postTo(metadata["token_endpoint"].(string), c.method, asClient, asSecret, url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion},
		"scope": {strings.Join(c.scope, " ")}, "resource": {c.e.resource},
	})
	if err != nil {
		return err
	}
	c.token, _ = answer["access_token"].(string)
	scope, _ := answer["scope"].(string)
	c.granted = strings.Fields(scope)
	return nil
}

// assertion asks the identity provider for an ID-JAG.
func (c *typeScriptShaped) assertion(audience string) (string, error) {
	answer, err := postTo(c.e.idp.Issuer()+"/token", "client_secret_post", idpClient, idpSecret, url.Values{
		"grant_type":           {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"requested_token_type": {"urn:ietf:params:oauth:token-type:id-jag"},
		"subject_token":        {c.idToken},
		"subject_token_type":   {"urn:ietf:params:oauth:token-type:id_token"},
		"audience":             {audience},
		"resource":             {c.e.resource},
		"scope":                {strings.Join(c.scope, " ")},
	})
	assertion, _ := answer["access_token"].(string)
	return assertion, err
}

func isText(v any) bool { s, ok := v.(string); return ok && s != "" }
func isList(v any) bool { l, ok := v.([]any); return ok && len(l) > 0 }

// postTo sends a form. The id and secret of a Basic header are not encoded,
// which RFC 6749 section 2.3.1 asks for and the SDK does not do.
func postTo(address, method, id, secret string, form url.Values) (map[string]any, error) {
	form = maps.Clone(form)
	if method == "client_secret_post" {
		form.Set("client_id", id)
		form.Set("client_secret", secret)
	}
	r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if method == "client_secret_basic" {
		r.SetBasicAuth(id, secret)
	}
	return object(http.DefaultClient.Do(r))
}

func fetchObject(address string) (map[string]any, error) { return object(http.Get(address)) }

// object reads the JSON object of an answer that must be a 200.
func object(resp *http.Response, err error) (map[string]any, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s is answered with %s, %v", resp.Request.URL.Path, resp.Status, answer["error"])
	}
	return answer, nil
}
