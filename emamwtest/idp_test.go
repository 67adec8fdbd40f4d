package emamwtest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/emamwtest"
)

const (
	filesServer  = "https://auth.example.com"
	filesMCP     = "https://files.example.com/mcp"
	otherServer  = "https://auth.other.example"
	idpIssuer    = "https://idp.example.com"
	exchangeURN  = "urn:ietf:params:oauth:grant-type:token-exchange"
	idTokenURN   = "urn:ietf:params:oauth:token-type:id_token"
	idJAGURN     = "urn:ietf:params:oauth:token-type:id-jag"
	clientSecret = "s3cret: with+%colon"
)

// acme is the configuration that the tests start from.
func acme() emamwtest.IdPConfig {
	return emamwtest.IdPConfig{
		Issuer: idpIssuer,
		Users: []emamwtest.User{
			{Name: "alice", Subject: "u-1", Email: "alice@example.com", Tenant: "acme", Groups: []string{"engineering"}, Roles: []string{"operator"},
				AuthContext: "mfa", AuthMethods: []string{"pwd", "otp"}, AuthTime: instant.Add(-time.Minute), Claims: object{"sub_profile": "user"}},
			{Name: "bob", Groups: []string{}, Scopes: []string{"files:read"}},
			{Name: "carol", Scopes: []string{}},
		},
		Clients: []emamwtest.Client{{ID: "agent", Secret: clientSecret}, {ID: "https://client.example.com/metadata.json", Secret: "x"}, {ID: "public"}},
		Audiences: []emamwtest.Audience{
			{Issuer: filesServer, Resources: []string{filesMCP}, Scopes: []string{"files:read", "files:write"},
				ClientIDs: map[string]string{"agent": "agent-at-files", "public": "public-at-files"}},
			{Issuer: otherServer, MaxAge: 30 * time.Second},
		},
		Now: standstill,
	}
}

func TestSignIn(t *testing.T) {
	idp := emamwtest.NewIdP(acme())
	now := instant.Unix()
	header, claims := read(t, idp.SignIn("alice", "agent"))
	wantClaims(t, header, object{"typ": "JWT", "alg": "ES256", "kid": "ES256-1"})
	wantClaims(t, claims, object{"iss": idpIssuer, "sub": "u-1", "aud": "agent", "iat": now, "exp": now + 3600,
		"email": "alice@example.com", "email_verified": true, "acr": "mfa", "amr": []string{"pwd", "otp"}, "auth_time": now - 60,
		"groups": nil, "scope": nil})
	_, claims = read(t, idp.SignIn("bob", "public"))
	wantClaims(t, claims, object{"sub": "bob", "aud": "public", "auth_time": now, "email": nil, "acr": nil, "amr": nil})
}

func TestMintIDJAG(t *testing.T) {
	idp := emamwtest.NewIdP(acme())
	now := instant.Unix()
	for _, c := range []struct {
		name   string
		token  emamwtest.Token
		claims object
	}{
		{"zero", emamwtest.Token{},
			object{"iss": idpIssuer, "sub": "u-1", "aud": filesServer, "client_id": "agent-at-files", "iat": now, "exp": now + 300,
				"email": "alice@example.com", "email_verified": true, "tenant": "acme", "groups": []string{"engineering"}, "roles": []string{"operator"},
				"acr": "mfa", "amr": []string{"pwd", "otp"}, "auth_time": now - 60, "sub_profile": "user", "resource": nil, "scope": nil}},
		{"a user by name", emamwtest.Token{Subject: "bob"}, object{"sub": "bob", "groups": []string{}, "roles": nil, "email": nil, "tenant": nil}},
		{"a user by sub", emamwtest.Token{Subject: "u-1"}, object{"sub": "u-1", "email": "alice@example.com"}},
		{"a stranger", emamwtest.Token{Subject: "mallory"}, object{"sub": "mallory", "groups": nil, "email": nil}},
		{"an audience without client ids", emamwtest.Token{Audience: []string{otherServer}}, object{"aud": otherServer, "client_id": "agent"}},
		{"fields win over the user", emamwtest.Token{Groups: []string{"x"}, Roles: []string{}, Tenant: "y", Lifetime: time.Minute, Resource: filesMCP,
			Scopes: []string{"files:read"}, Claims: object{"email": nil, "acr": "none"}},
			object{"groups": []string{"x"}, "roles": []string{}, "tenant": "y", "exp": now + 60, "resource": filesMCP, "scope": "files:read", "email": nil, "acr": "none"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			header, claims := read(t, idp.Mint(c.token))
			wantClaims(t, header, object{"typ": "oauth-id-jag+jwt", "alg": "ES256"})
			wantClaims(t, claims, c.claims)
		})
	}
	_, claims := read(t, emamwtest.NewIdP(emamwtest.IdPConfig{Issuer: idpIssuer}).Mint(emamwtest.Token{Audience: []string{filesServer}}))
	wantClaims(t, claims, object{"sub": "alice", "client_id": "mcp-client", "aud": filesServer})
}

func TestIdPMetadata(t *testing.T) {
	idp := emamwtest.NewIdP(acme())
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		_, body := get(t, idp, idpIssuer+path)
		var metadata object
		if err := json.Unmarshal(body, &metadata); err != nil {
			t.Fatal(err)
		}
		wantClaims(t, metadata, object{
			"issuer":                                idpIssuer,
			"jwks_uri":                              idpIssuer + "/jwks",
			"token_endpoint":                        idpIssuer + "/token",
			"authorization_endpoint":                idpIssuer + "/authorize",
			"response_types_supported":              []string{"code"},
			"subject_types_supported":               []string{"public"},
			"code_challenge_methods_supported":      []string{"S256"},
			"grant_types_supported":                 []string{exchangeURN},
			"id_token_signing_alg_values_supported": []string{"ES256"},
			"identity_chaining_requested_token_types_supported": []string{idJAGURN},
		})
	}
	resp, body := get(t, idp, idpIssuer+"/authorize?response_type=code")
	if resp.StatusCode != http.StatusNotImplemented || !strings.Contains(string(body), "/signin") {
		t.Errorf("%s, %q: want a page that says what to do instead", resp.Status, body)
	}
}

func TestSignInEndpoint(t *testing.T) {
	idp := emamwtest.NewIdP(acme())
	client := emamwtest.HTTPClient(map[string]http.Handler{idpIssuer: idp})
	for _, c := range []struct {
		name   string
		form   url.Values
		status int
	}{
		{"user and client", url.Values{"user": {"bob"}, "client_id": {"agent"}}, http.StatusOK},
		{"unknown user", url.Values{"user": {"mallory"}, "client_id": {"agent"}}, http.StatusBadRequest},
		{"unknown client", url.Values{"user": {"bob"}, "client_id": {"x"}}, http.StatusBadRequest},
		{"two users", url.Values{"user": {"bob", "alice"}, "client_id": {"agent"}}, http.StatusBadRequest},
		{"nothing", nil, http.StatusBadRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, err := client.PostForm(idpIssuer+"/signin", c.form)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != c.status || resp.Header.Get("Cache-Control") != "no-store" {
				t.Fatalf("%s, Cache-Control %q", resp.Status, resp.Header.Get("Cache-Control"))
			}
			var answer struct {
				IDToken   string `json:"id_token"`
				ExpiresIn int    `json:"expires_in"`
				Error     string `json:"error"`
			}
			if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
				t.Fatal(err)
			}
			if c.status != http.StatusOK {
				if answer.Error != "invalid_request" {
					t.Errorf("error %q", answer.Error)
				}
				return
			}
			_, claims := read(t, answer.IDToken)
			wantClaims(t, claims, object{"sub": "bob", "aud": "agent", "exp": instant.Unix() + int64(answer.ExpiresIn)})
		})
	}
}

func TestUpdate(t *testing.T) {
	idp := emamwtest.NewIdP(acme())
	idp.Update(func(cfg *emamwtest.IdPConfig) {
		cfg.Users[1].Groups = []string{"finance"}
		cfg.Users = append(cfg.Users, emamwtest.User{Name: "dave"})
		cfg.Audiences = append(cfg.Audiences, emamwtest.Audience{Issuer: "https://new.example"})
		cfg.Lifetime = time.Minute
		cfg.Issuer = "https://ignored.example"
	})
	_, claims := read(t, idp.Mint(emamwtest.Token{Subject: "bob", Audience: []string{"https://new.example"}}))
	wantClaims(t, claims, object{"iss": idpIssuer, "groups": []string{"finance"}, "exp": instant.Unix() + 60})
	_, claims = read(t, idp.SignIn("dave", "agent"))
	wantClaims(t, claims, object{"sub": "dave"})
}

// No update is lost among several at once.
func TestUpdateConcurrently(t *testing.T) {
	idp := emamwtest.NewIdP(acme())
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			idp.Update(func(cfg *emamwtest.IdPConfig) {
				cfg.Users = append(cfg.Users, emamwtest.User{Name: "user-" + strconv.Itoa(i)})
			})
			idp.SignIn("user-"+strconv.Itoa(i), "agent")
			idp.Mint(emamwtest.Token{})
		})
	}
	wg.Wait()
	for i := range 50 {
		idp.SignIn("user-"+strconv.Itoa(i), "agent")
	}
}

// A change that is refused, or still being made, must not show.
func TestUpdateIsAllOrNothing(t *testing.T) {
	idp := emamwtest.NewIdP(acme())
	panics(t, func() {
		idp.Update(func(cfg *emamwtest.IdPConfig) {
			cfg.Users[0].Groups = []string{"admins"}
			cfg.Users[0].Name = ""
		})
	})
	_, claims := read(t, idp.Mint(emamwtest.Token{}))
	wantClaims(t, claims, object{"groups": []string{"engineering"}})
}

func TestStartIdP(t *testing.T) {
	cfg := acme()
	cfg.Issuer = ""
	idp := emamwtest.StartIdP(cfg)
	defer idp.Close()
	token := idp.SignIn("alice", "agent")
	header, claims := read(t, token)
	wantClaims(t, claims, object{"iss": idp.Issuer()})
	k := keysOf(t, idp)[header["kid"].(string)]
	if !signedBy(token, k.alg, k.key) {
		t.Error("the ID token does not verify with the key set on loopback")
	}
}

func TestIdPMisuse(t *testing.T) {
	idp := emamwtest.NewIdP(acme())
	for name, c := range map[string]struct {
		misuse func()
		cures  []string
	}{
		"no issuer": {func() { emamwtest.NewIdP(emamwtest.IdPConfig{}) }, []string{"Issuer"}},
		"every mistake at once": {func() {
			emamwtest.NewIdP(emamwtest.IdPConfig{
				Issuer:    idpIssuer,
				Users:     []emamwtest.User{{}, {Name: "a", Subject: "s"}, {Name: "a"}, {Name: "b", Subject: "s"}},
				Clients:   []emamwtest.Client{{Secret: "x"}},
				Audiences: []emamwtest.Audience{{Issuer: filesServer}, {Issuer: filesServer}},
			})
		}, []string{"Users[0].Name must not be empty", `Users[2].Name "a" is there twice`, `Users[3].Subject "s" is there twice`,
			"Clients[0].ID must not be empty", `Audiences[1].Issuer "` + filesServer + `" is there twice`}},
		"sign in an unknown user":   {func() { idp.SignIn("mallory", "agent") }, []string{`"mallory"`, "IdPConfig.Users"}},
		"sign in at unknown client": {func() { idp.SignIn("alice", "x") }, []string{`"x"`, "IdPConfig.Clients"}},
		"mint for nobody":           {func() { emamwtest.NewIdP(emamwtest.IdPConfig{Issuer: idpIssuer}).Mint(emamwtest.Token{}) }, []string{"Token.Audience"}},
		"full issuer with Start":    {func() { emamwtest.StartIdP(emamwtest.IdPConfig{Issuer: idpIssuer}) }, []string{"NewIdP", "path"}},
	} {
		t.Run(name, func(t *testing.T) {
			message := panics(t, c.misuse)
			for _, cure := range c.cures {
				if cure != "NewIdP" && !strings.Contains(message, cure) {
					t.Errorf("panic %q does not say %q", message, cure)
				}
			}
		})
	}
}
