package integration_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
)

// variant is the resource of which oidc-provider issues tokens of one kind. All
// tokens are for files, if nothing else is said.
func variant(name string) string { return "https://variants.example.com/" + name }

func filesResource(r providerResource) providerResource {
	r.Scope = readScope + " " + writeScope
	if r.Audience == "" {
		r.Audience = files
	}
	return r
}

// oidc-provider issues RFC 9068 tokens by itself. Each row is a deployment that
// chose otherwise.
func TestOIDCProviderTokens(t *testing.T) {
	es384 := setting{"the algorithm ES384", func(as *emamw.AuthorizationServer) { as.Algorithms = []string{"ES384"} }, claims.AlgorithmNotAllowed}
	twoDays := setting{"the lifetime", func(as *emamw.AuthorizationServer) { as.MaxAge = 48 * time.Hour }, claims.TokenLivesTooLong}
	typed := func(typ any) map[string]any { return map[string]any{"typ": typ} }
	signed := map[string]any{"sign": map[string]any{"alg": "ES384"}}
	without := map[string]any{"client_id": nil, "jti": nil}
	const who, nameless = `user alice of client "desktop" with [files:read]`, `unknown alice of client "" with [files:read]`
	rows := map[string]struct {
		resource providerResource
		settings []setting
		who      string
	}{
		"as it comes":          {providerResource{}, nil, who},
		"aud is an array":      {providerResource{Also: "https://reports.example.com"}, nil, who},
		"aud is no URL":        {providerResource{Audience: "files-api"}, []setting{listAudience("files-api")}, who},
		"typ is long":          {providerResource{Header: typed("application/AT+JWT")}, nil, who},
		"typ is JWT":           {providerResource{Header: typed("JWT")}, []setting{allowType("JWT")}, who},
		"no typ":               {providerResource{Header: typed(nil)}, []setting{allowType("")}, who},
		"no client_id, no jti": {providerResource{Payload: without}, []setting{noClient}, nameless},
		"signed ES384":         {providerResource{JWT: signed}, []setting{es384}, who},
		"lives two days":       {providerResource{Seconds: 48 * 60 * 60}, []setting{twoDays}, who},
		"all of it": {
			providerResource{
				Also: "https://reports.example.com", Audience: "files-api", Header: typed("JWT"), Payload: without,
				JWT: signed, Seconds: 48 * 60 * 60,
			},
			[]setting{listAudience("files-api"), allowType("JWT"), noClient, es384, twoDays},
			nameless,
		},
	}
	resources := map[string]providerResource{}
	for name, row := range rows {
		resources[variant(url.PathEscape(name))] = filesResource(row.resource)
	}
	p := startOpenIDProvider(t, nil, resources)
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			token := p.signIn(t, "alice", "openid "+readScope, variant(url.PathEscape(name)))["access_token"].(string)
			if got := tell(onlyWith(t, p.issuer, token, row.settings...)); got != row.who {
				t.Errorf("the token stands for %s, want %s", got, row.who)
			}
		})
	}
}

// Tokens that oidc-provider issues, and that are refused however much of the above
// is configured.
func TestOIDCProviderTokensRefused(t *testing.T) {
	encrypt := map[string]any{"alg": "RSA-OAEP-256", "enc": "A256GCM"}
	direct := map[string]any{"alg": "dir", "enc": "A256GCM"}
	p := startOpenIDProvider(t, nil, map[string]providerResource{
		files:                filesResource(providerResource{}),
		variant("nested"):    filesResource(providerResource{JWT: map[string]any{"encrypt": encrypt}}),
		variant("encrypted"): filesResource(providerResource{JWT: map[string]any{"sign": nil, "encrypt": direct}}),
		variant("symmetric"): filesResource(providerResource{JWT: map[string]any{"sign": map[string]any{"alg": "HS256"}}}),
		variant("opaque"):    filesResource(providerResource{Format: "opaque"}),
		variant("elsewhere"): filesResource(providerResource{Audience: "https://elsewhere.example.com/mcp"}),
	})
	token := func(kind, resource string) string {
		return p.signIn(t, "alice", "openid "+readScope, resource)[kind].(string)
	}
	access, idToken := token("access_token", files), token("id_token", files)
	if parts := strings.Count(token("access_token", variant("nested")), ".") + 1; parts != 5 {
		t.Fatalf("the encrypted token has %d parts", parts)
	}
	refused := refusals{
		"signed, then encrypted": {token("access_token", variant("nested")), claims.TokenEncrypted},
		"encrypted":              {token("access_token", variant("encrypted")), claims.TokenEncrypted},
		"signed with a secret":   {token("access_token", variant("symmetric")), claims.AlgorithmNotAllowed},
		"opaque":                 {token("access_token", variant("opaque")), claims.TokenMalformed},
		"for another server":     {token("access_token", variant("elsewhere")), claims.AudienceMismatch},
		"bound to a key":         {p.boundToken(t, files), claims.ConfirmationRequired},
	}
	loose := with(p.issuer, noClient, allowType("at+jwt"), allowType("JWT"), allowType(""))
	for name, as := range map[string]emamw.AuthorizationServer{"as it comes": with(p.issuer), "all is accepted": loose} {
		t.Run(name, func(t *testing.T) {
			refused.check(t, as)
			if _, reason := judge(t, as, access); reason != "" {
				t.Errorf("the access token: %s", reason)
			}
			if _, reason := judgeAt(t, as, access, inTwoHours); reason != claims.TokenExpired {
				t.Errorf("in two hours: %q", reason)
			}
		})
	}
	t.Run("ID token", func(t *testing.T) { p.idTokenIsNoAccessToken(t, idToken) })
	t.Run("a client's own token", func(t *testing.T) {
		service := accessToken(t, p.metadata(t)["token_endpoint"].(string), idpClient, url.QueryEscape(idpSecret), url.Values{
			"grant_type": {"client_credentials"}, "resource": {files}, "scope": {readScope},
		})
		if got := tell(onlyWith(t, p.issuer, service)); got != `service desktop of client "desktop" with [files:read]` {
			t.Errorf("the token stands for %s", got)
		}
	})
}

// idTokenIsNoAccessToken takes away, one after the other, what keeps an ID token
// out.
func (p *openIDProvider) idTokenIsNoAccessToken(t *testing.T, idToken string) {
	t.Helper()
	itsAudience := listAudience(idpClient)
	for _, c := range []struct {
		name string
		as   emamw.AuthorizationServer
		want claims.Reason
	}{
		{"as it comes", with(p.issuer), claims.TypeNotAllowed},
		{"its audience is accepted", with(p.issuer, itsAudience), claims.TypeNotAllowed},
		{"its type is accepted", with(p.issuer, allowType("JWT"), allowType("")), claims.AudienceMismatch},
		{"both are", with(p.issuer, itsAudience, allowType("JWT"), allowType("")), claims.ClaimMissing},                                    // client_id
		{"both are, and no client is needed", with(p.issuer, itsAudience, allowType("JWT"), allowType(""), noClient), claims.ClaimMissing}, // scope
		{"nothing is left that tells them apart", unrequired(with(p.issuer, itsAudience, allowType("JWT"), allowType(""), noClient)), ""},
	} {
		if _, got := judge(t, c.as, idToken); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// boundToken is a token that only the holder of a key may use (RFC 9449).
func (p *openIDProvider) boundToken(t *testing.T, resource string) string {
	t.Helper()
	endpoint := p.metadata(t)["token_endpoint"].(string)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var public map[string]any
	if err := json.Unmarshal(publicJWK(t, key), &public); err != nil {
		t.Fatal(err)
	}
	proof := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"jti": rand.Text(), "htm": http.MethodPost, "htu": endpoint, "iat": time.Now().Unix(),
	})
	proof.Header["typ"], proof.Header["jwk"] = "dpop+jwt", public
	signed, err := proof.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {resource}, "scope": {readScope}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(idpClient, url.QueryEscape(idpSecret))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("DPoP", signed)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer); err != nil || answer.TokenType != "DPoP" {
		t.Fatalf("%s with a token of type %q, %v", resp.Status, answer.TokenType, err)
	}
	return answer.AccessToken
}

func publicJWK(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"kty": "EC", "crv": "P-256", "x": base64.RawURLEncoding.EncodeToString(point[1:33]), "y": base64.RawURLEncoding.EncodeToString(point[33:])})
	if err != nil {
		t.Fatal(err)
	}
	return text
}
