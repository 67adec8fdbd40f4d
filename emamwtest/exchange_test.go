package emamwtest_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/emamwtest"
)

type answer struct {
	status int
	header http.Header

	AccessToken     string  `json:"access_token"`
	IssuedTokenType string  `json:"issued_token_type"`
	TokenType       string  `json:"token_type"`
	ExpiresIn       int     `json:"expires_in"`
	Scope           *string `json:"scope"`
	RefreshToken    *string `json:"refresh_token"`

	Error            string `json:"error"`
	ErrorDescription string `json:"error_description"`
	MaxAge           int    `json:"max_age"`
}

// post sends a form to the token endpoint.
func post(t *testing.T, idp *emamwtest.IdP, form url.Values, change func(*http.Request)) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, idp.Issuer()+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if change != nil {
		change(r)
	}
	resp, err := emamwtest.HTTPClient(map[string]http.Handler{idp.Issuer(): idp}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header}
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatalf("%s: %v in %q", resp.Status, err, body)
	}
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v: a token response is JSON and must not be cached", a.header)
	}
	return a
}

// request is a good exchange by client_secret_post.
func request(idp *emamwtest.IdP, changes url.Values) url.Values {
	form := url.Values{
		"grant_type":           {exchangeURN},
		"requested_token_type": {idJAGURN},
		"subject_token_type":   {idTokenURN},
		"subject_token":        {idp.SignIn("alice", "agent")},
		"audience":             {filesServer},
		"resource":             {filesMCP},
		"scope":                {"files:read"},
		"client_id":            {"agent"},
		"client_secret":        {clientSecret},
	}
	maps.Copy(form, changes)
	return form
}

func TestExchange(t *testing.T) {
	now := instant.Unix()
	for _, c := range []struct {
		name    string
		changes url.Values // an empty list removes
		scope   string     // of the response; "" for none
		claims  object
	}{
		{"as in the draft", nil, "files:read",
			object{"iss": idpIssuer, "sub": "u-1", "aud": filesServer, "client_id": "agent-at-files", "resource": filesMCP, "scope": "files:read",
				"iat": now, "exp": now + 300, "auth_time": now - 60, "acr": "mfa", "amr": []string{"pwd", "otp"}, "email": "alice@example.com",
				"tenant": "acme", "groups": []string{"engineering"}, "roles": []string{"operator"}, "sub_profile": "user"}},
		{"no scope asked: all that policy has", url.Values{"scope": {}}, "files:read files:write", object{"scope": "files:read files:write"}},
		{"an empty parameter is absent", url.Values{"scope": {""}, "actor_token": {""}}, "files:read files:write", nil},
		{"policy narrows", url.Values{"scope": {"files:write admin"}}, "files:write", object{"scope": "files:write"}},
		{"the user's own limit", url.Values{"subject_token": {"user:bob"}, "scope": {"files:write files:read"}}, "files:read",
			object{"sub": "bob", "scope": "files:read", "groups": []string{}, "roles": nil, "auth_time": now}},
		{"a user who may have no scope and asks for none", url.Values{"subject_token": {"user:carol"}, "scope": {}}, "", object{"scope": nil}},
		{"no resource", url.Values{"resource": {}}, "files:read", object{"resource": nil}},
		{"the same resource twice", url.Values{"resource": {filesMCP, filesMCP}}, "files:read", object{"resource": []string{filesMCP, filesMCP}}},
		{"a public client", url.Values{"client_id": {"public"}, "client_secret": {}, "subject_token": {"user:bob@public"}}, "files:read", object{"client_id": "public-at-files"}},
		{"an audience without limits", url.Values{"audience": {otherServer}, "resource": {"urn:x", "urn:y"}, "scope": {"a b"}, "subject_token": {"user:new@agent"}}, "a b",
			object{"aud": otherServer, "resource": []string{"urn:x", "urn:y"}, "client_id": "agent", "scope": "a b"}},
		{"an audience without limits, no scope asked", url.Values{"audience": {otherServer}, "resource": {}, "scope": {}, "subject_token": {"user:new@agent"}}, "",
			object{"scope": nil}},
		{"an unknown parameter", url.Values{"x": {"y"}}, "files:read", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			idp := emamwtest.NewIdP(withNew(acme()))
			a := post(t, idp, request(idp, signedIn(idp, c.changes)), nil)
			if a.status != http.StatusOK || a.Error != "" {
				t.Fatalf("%d %s: %s", a.status, a.Error, a.ErrorDescription)
			}
			if a.IssuedTokenType != idJAGURN || a.TokenType != "N_A" || a.ExpiresIn != 300 || a.RefreshToken != nil {
				t.Errorf("issued_token_type %q, token_type %q, expires_in %d, refresh_token %v", a.IssuedTokenType, a.TokenType, a.ExpiresIn, a.RefreshToken)
			}
			if got := a.Scope; c.scope == "" && got != nil || c.scope != "" && (got == nil || *got != c.scope) {
				t.Errorf("scope %v, want %q", got, c.scope)
			}
			header, claims := read(t, a.AccessToken)
			wantClaims(t, header, object{"typ": "oauth-id-jag+jwt"})
			wantClaims(t, claims, c.claims)
			k := keysOf(t, idp)[header["kid"].(string)]
			if !signedBy(a.AccessToken, k.alg, k.key) {
				t.Error("the ID-JAG does not verify")
			}
		})
	}
}

// withNew adds a user whose sign-in is always fresh.
func withNew(cfg emamwtest.IdPConfig) emamwtest.IdPConfig {
	cfg.Users = append(cfg.Users, emamwtest.User{Name: "new"})
	return cfg
}

// signedIn replaces "user:name" or "user:name@client" as the subject_token by an
// ID token.
func signedIn(idp *emamwtest.IdP, changes url.Values) url.Values {
	who, is := strings.CutPrefix(changes.Get("subject_token"), "user:")
	if !is {
		return changes
	}
	user, client, found := strings.Cut(who, "@")
	if !found {
		client = "agent"
	}
	changes = maps.Clone(changes)
	changes["subject_token"] = []string{idp.SignIn(user, client)}
	return changes
}

func TestExchangeRefused(t *testing.T) {
	for _, c := range []struct {
		name    string
		changes url.Values
		code    string
	}{
		{"no grant_type", url.Values{"grant_type": {}}, "invalid_request"},
		{"another grant_type", url.Values{"grant_type": {"authorization_code"}}, "unsupported_grant_type"},
		{"two grant_types", url.Values{"grant_type": {exchangeURN, exchangeURN}}, "invalid_request"},
		{"no requested_token_type", url.Values{"requested_token_type": {}}, "invalid_request"},
		{"another requested_token_type", url.Values{"requested_token_type": {idTokenURN}}, "invalid_request"},
		{"another subject_token_type", url.Values{"subject_token_type": {"urn:ietf:params:oauth:token-type:saml2"}}, "invalid_request"},
		{"an actor_token", url.Values{"actor_token": {"x"}}, "invalid_request"},
		{"no subject_token", url.Values{"subject_token": {}}, "invalid_request"},
		{"a subject_token that is no JWT", url.Values{"subject_token": {"x.y.z"}}, "invalid_request"},
		{"an ID token of another client", url.Values{"subject_token": {"user:alice@public"}}, "invalid_request"},
		{"no audience", url.Values{"audience": {}}, "invalid_request"},
		{"two audiences", url.Values{"audience": {filesServer, otherServer}}, "invalid_request"},
		{"an unknown audience", url.Values{"audience": {"https://unknown.example"}}, "invalid_target"},
		{"an audience with another slash", url.Values{"audience": {filesServer + "/"}}, "invalid_target"},
		{"an unknown resource", url.Values{"resource": {filesMCP + "/"}}, "invalid_target"},
		{"a known and an unknown resource", url.Values{"resource": {filesMCP, "https://x"}}, "invalid_target"},
		{"a resource that is no URI", url.Values{"resource": {"mcp"}}, "invalid_target"},
		{"a resource with a fragment", url.Values{"resource": {filesMCP + "#x"}}, "invalid_target"},
		{"a resource with a fragment, where any is allowed", url.Values{"audience": {otherServer}, "resource": {"https://a#b"}}, "invalid_target"},
		{"a resource that is no URI, where any is allowed", url.Values{"audience": {otherServer}, "resource": {"mcp"}}, "invalid_target"},
		{"no scope that policy grants", url.Values{"scope": {"admin"}}, "invalid_scope"},
		{"a user without scopes", url.Values{"subject_token": {"user:carol"}}, "invalid_scope"},
		{"an unknown client", url.Values{"client_id": {"x"}}, "invalid_client"},
		{"no client", url.Values{"client_id": {}, "client_secret": {}}, "invalid_client"},
		{"a wrong secret", url.Values{"client_secret": {"x"}}, "invalid_client"},
		{"no secret", url.Values{"client_secret": {}}, "invalid_client"},
		{"a secret of a public client", url.Values{"client_id": {"public"}}, "invalid_client"},
		{"a client that may not reach the audience", url.Values{"client_id": {"https://client.example.com/metadata.json"}, "client_secret": {"x"},
			"subject_token": {"user:alice@https://client.example.com/metadata.json"}}, "invalid_target"},
	} {
		t.Run(c.name, func(t *testing.T) {
			idp := emamwtest.NewIdP(acme())
			a := post(t, idp, request(idp, signedIn(idp, c.changes)), nil)
			if a.status != http.StatusBadRequest || a.Error != c.code || a.AccessToken != "" {
				t.Errorf("%d %q, want 400 %q", a.status, a.Error, c.code)
			}
			if a.ErrorDescription == "" {
				t.Error("no error_description")
			}
		})
	}
}

// Each token here is well signed or well formed, and still no ID token of the
// client's user.
func TestExchangeRefusesSubjectTokens(t *testing.T) {
	cfg := acme()
	cfg.Algorithms = []string{"ES256", "RS256"}
	idp := emamwtest.NewIdP(cfg)
	good := object{"iss": idpIssuer, "sub": "u-1", "aud": "agent", "exp": instant.Unix() + 60, "auth_time": instant.Unix()}
	mint := func(header, changes object) string {
		c := maps.Clone(good)
		maps.Copy(c, changes)
		return idp.MintClaims(header, c)
	}
	status := func(idToken string) string {
		return post(t, idp, request(idp, url.Values{"subject_token": {idToken}}), nil).Error
	}
	for name, token := range map[string]string{
		"good":                  mint(nil, nil),
		"good, by another key":  mint(object{"alg": "RS256"}, nil),
		"an ID-JAG":             mint(object{"typ": "oauth-id-jag+jwt"}, nil),
		"no typ":                mint(object{"typ": nil}, nil),
		"another issuer":        mint(nil, object{"iss": idpIssuer + "/"}),
		"another audience":      mint(nil, object{"aud": "public"}),
		"an array as audience":  mint(nil, object{"aud": []string{"agent"}}),
		"expired":               mint(nil, object{"exp": instant.Unix()}),
		"unknown user":          mint(nil, object{"sub": "mallory"}),
		"a name, no sub":        mint(nil, object{"sub": "alice"}),
		"unknown kid":           mint(object{"kid": "x"}, nil),
		"alg of another key":    mint(object{"alg": "none"}, nil),
		"kid of another key":    mint(object{"kid": "RS256-1"}, nil),
		"signature cut off":     mint(nil, nil)[:len(mint(nil, nil))-4],
		"signature not base64":  mint(nil, nil) + "=",
		"header not base64":     "=" + mint(nil, nil),
		"four parts":            mint(nil, nil) + ".x",
		"another's signature":   emamwtest.NewIdP(cfg).SignIn("alice", "agent"),
		"another's, RSA and PS": emamwtest.NewIdP(cfg).MintClaims(object{"alg": "RS256"}, good),
	} {
		want := "invalid_request"
		if strings.HasPrefix(name, "good") {
			want = ""
		}
		if got := status(token); got != want {
			t.Errorf("%s: error %q, want %q", name, got, want)
		}
	}
}

// An ID token ends with its key, its exp, or its user's account.
func TestExchangeRefusesWhatHasEnded(t *testing.T) {
	clock := instant
	cfg := acme()
	cfg.Now = func() time.Time { return clock }
	idp := emamwtest.NewIdP(cfg)
	exchange := func(idToken string) string {
		form := request(idp, nil)
		form.Set("subject_token", idToken)
		return post(t, idp, form, nil).Error
	}

	old := idp.SignIn("bob", "agent")
	idp.RotateKey()
	if got := exchange(old); got != "" {
		t.Errorf("%s: an ID token must survive a rotation", got)
	}
	idp.WithdrawKey()
	if got := exchange(old); got != "invalid_request" {
		t.Errorf("%q: an ID token must not survive the withdrawal of its key", got)
	}
	fresh := idp.SignIn("bob", "agent")
	clock = clock.Add(time.Hour)
	if got := exchange(fresh); got != "invalid_request" {
		t.Errorf("%q: an ID token must not survive its exp", got)
	}
	fresh = idp.SignIn("bob", "agent")
	idp.Update(func(cfg *emamwtest.IdPConfig) { cfg.Users = cfg.Users[:1] })
	if got := exchange(fresh); got != "invalid_request" {
		t.Errorf("%q: a user who left must get no ID-JAG", got)
	}
}

// Every signature algorithm goes the way back into the exchange.
func TestExchangeVerifiesEveryAlgorithm(t *testing.T) {
	for _, alg := range everyAlgorithm {
		cfg := acme()
		cfg.Algorithms = []string{alg}
		idp := emamwtest.NewIdP(cfg)
		form := request(idp, nil)
		if a := post(t, idp, form, nil); a.Error != "" {
			t.Errorf("%s: %s", alg, a.Error)
		}
		token := form.Get("subject_token")
		signature := token[strings.LastIndexByte(token, '.')+1:]
		for _, wrong := range []string{"", "AAAA", strings.Repeat("A", len(signature))} {
			form.Set("subject_token", strings.TrimSuffix(token, signature)+wrong)
			if a := post(t, idp, form, nil); a.Error != "invalid_request" {
				t.Errorf("%s with a signature of %d characters: %q", alg, len(wrong), a.Error)
			}
		}
	}
}

func TestClientSecretBasic(t *testing.T) {
	const cimd = "https://client.example.com/metadata.json"
	raw := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	encoded := raw(url.QueryEscape("agent") + ":" + url.QueryEscape(clientSecret))
	none := url.Values{"client_id": {}, "client_secret": {}}
	for _, c := range []struct {
		name    string
		header  string
		changes url.Values
		status  int
		code    string
	}{
		{"encoded", encoded, none, 200, ""},
		{"scheme in lower case", "basic" + encoded[5:], none, 200, ""},
		{"client_id says the same", encoded, url.Values{"client_secret": {}}, 200, ""},
		{"a URL as id", raw(url.QueryEscape(cimd) + ":x"), url.Values{"client_id": {}, "client_secret": {}, "audience": {otherServer}, "resource": {}}, 400, "invalid_request"},
		{"client_id says another", encoded, url.Values{"client_id": {"public"}, "client_secret": {}}, 401, "invalid_client"},
		{"two methods", encoded, nil, 400, "invalid_request"},
		{"a wrong secret", raw("agent:x"), none, 401, "invalid_client"},
		{"an unknown client", raw("x:x"), none, 401, "invalid_client"},
		{"no colon", raw("agent"), none, 401, "invalid_client"},
		{"not base64", "Basic !", none, 401, "invalid_client"},
		{"a broken escape in the id", raw("%:x"), none, 401, "invalid_client"},
		{"a broken escape in the secret", raw("agent:%"), none, 401, "invalid_client"},
		{"another scheme", "Bearer " + encoded[6:], none, 401, "invalid_client"},
	} {
		t.Run(c.name, func(t *testing.T) {
			idp := emamwtest.NewIdP(acme())
			a := post(t, idp, request(idp, c.changes), func(r *http.Request) { r.Header.Set("Authorization", c.header) })
			if a.status != c.status || a.Error != c.code {
				t.Errorf("%d %q, want %d %q", a.status, a.Error, c.status, c.code)
			}
			if challenged := strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic "); challenged != (c.status == 401) {
				t.Errorf("WWW-Authenticate %q with %d", a.header.Get("WWW-Authenticate"), a.status)
			}
		})
	}
}

func TestTokenEndpointForm(t *testing.T) {
	idp := emamwtest.NewIdP(acme())
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		status int
		code   string
	}{
		{"GET", func(r *http.Request) { r.Method = http.MethodGet }, http.StatusMethodNotAllowed, "invalid_request"},
		{"JSON", func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, http.StatusBadRequest, "invalid_request"},
		{"no content type", func(r *http.Request) { r.Header.Del("Content-Type") }, http.StatusBadRequest, "invalid_request"},
		{"broken encoding", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("a=%")) }, http.StatusBadRequest, "invalid_request"},
		{"too large", func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(request(idp, nil).Encode() + "&a=" + strings.Repeat("a", 1<<20)))
		}, http.StatusBadRequest, "invalid_request"},
		{"parameters in the URL", func(r *http.Request) {
			r.URL.RawQuery = request(idp, nil).Encode()
			r.Body = http.NoBody
		}, http.StatusBadRequest, "invalid_client"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := post(t, idp, request(idp, nil), c.change)
			if a.status != c.status || a.Error != c.code {
				t.Errorf("%d %q, want %d %q", a.status, a.Error, c.status, c.code)
			}
			if allow := a.header.Get("Allow"); (allow == "POST") != (c.status == http.StatusMethodNotAllowed) {
				t.Errorf("Allow %q", allow)
			}
		})
	}
}

func TestStepUp(t *testing.T) {
	idp := emamwtest.NewIdP(withNew(acme()))
	changes := url.Values{"audience": {otherServer}, "resource": {}}
	a := post(t, idp, request(idp, changes), nil) // alice signed in a minute ago
	if a.status != http.StatusBadRequest || a.Error != "insufficient_user_authentication" || a.MaxAge != 30 {
		t.Errorf("%d %q, max_age %d", a.status, a.Error, a.MaxAge)
	}
	changes["subject_token"] = []string{idp.SignIn("new", "agent")}
	if a := post(t, idp, request(idp, changes), nil); a.Error != "" {
		t.Errorf("a fresh sign-in is refused: %s", a.Error)
	}
}
