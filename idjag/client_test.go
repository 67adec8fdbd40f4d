package idjag_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/idjag"
	"github.com/emamw/mcp-ema/internal/jose"
)

const (
	urlClient     = "https://client.example.com:8443/oauth/metadata.json"
	oddSecret     = "p%41ss+word:with:colons"
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// basic is an Authorization header as it is built by clients that encode and
// by clients that do not (RFC 6749 section 2.3.1 asks for the former).
func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

func manyClients(w *world, cfg *idjag.Config) {
	cfg.Clients = append(cfg.Clients,
		idjag.Client{ID: urlClient, SecretHashes: []string{idjag.HashSecret("an older one"), idjag.HashSecret(oddSecret)}},
		idjag.Client{ID: "ten%", SecretHashes: []string{idjag.HashSecret("5%zz")}},
		idjag.Client{ID: "signer", JWKS: jwks(clientKey)},
		idjag.Client{ID: "old-signer", JWKS: jwks(clientKey), DangerouslyAllowTokenEndpointAudience: true},
		idjag.Client{ID: "remote-signer", JWKSURL: "https://keys.example.com/jwks"},
		idjag.Client{ID: "plain-signer", JWKS: jwks(signKey{id: clientKey.id, key: clientKey.key})},
		idjag.Client{ID: "open", DangerouslyPublic: true},
	)
	w.net.serve("https://keys.example.com/jwks", jwks(clientKey))
}

func TestClientAuthentication(t *testing.T) {
	esc := url.QueryEscape
	type request struct {
		header []string
		form   url.Values
	}
	tests := []struct {
		name   string
		client string // of the ID-JAG
		request
		status int // 200, or what the refusal has
		code   string
		reason string
	}{
		{"basic", clientID, request{header: []string{basic(clientID, secret)}}, 200, "", ""},
		{"basic, scheme in lower case", clientID, request{header: []string{strings.Replace(basic(clientID, secret), "Basic", "basic", 1)}}, 200, "", ""},
		{"basic, and the same client_id in the form", clientID, request{[]string{basic(clientID, secret)}, url.Values{"client_id": {clientID}}}, 200, "", ""},
		{"basic of a URL, encoded", urlClient, request{header: []string{basic(esc(urlClient), esc(oddSecret))}}, 200, "", ""},
		{"basic of a URL, raw", urlClient, request{header: []string{basic(urlClient, oddSecret)}}, 200, "", ""},
		{"basic of a URL, only the id encoded", urlClient, request{header: []string{basic(esc(urlClient), "an older one")}}, 200, "", ""},
		{"basic of what cannot be decoded", "ten%", request{header: []string{basic("ten%", "5%zz")}}, 200, "", ""},
		{"basic of what cannot be decoded, encoded", "ten%", request{header: []string{basic(esc("ten%"), esc("5%zz"))}}, 200, "", ""},
		{"basic, only the id encoded, of a secret that cannot be decoded", "ten%", request{header: []string{basic(esc("ten%"), "5%zz")}}, 401, "invalid_client", "client_unauthenticated"},
		{"post", clientID, request{form: url.Values{"client_id": {clientID}, "client_secret": {secret}}}, 200, "", ""},
		{"public, registered so", "open", request{form: url.Values{"client_id": {"open"}}}, 200, "", ""},

		{"basic, wrong secret", clientID, request{header: []string{basic(clientID, secret+"x")}}, 401, "invalid_client", "client_unauthenticated"},
		{"basic, no such client", clientID, request{header: []string{basic("nobody", secret)}}, 401, "invalid_client", "client_unauthenticated"},
		{"basic, empty secret", clientID, request{header: []string{basic(clientID, "")}}, 401, "invalid_client", "client_unauthenticated"},
		{"basic, empty secret of a public client", "open", request{header: []string{basic("open", "")}}, 401, "invalid_client", "client_unauthenticated"},
		{"basic, the hash as the secret", clientID, request{header: []string{basic(clientID, idjag.HashSecret(secret))}}, 401, "invalid_client", "client_unauthenticated"},
		{"basic, another client's secret", clientID, request{header: []string{basic(clientID, oddSecret)}}, 401, "invalid_client", "client_unauthenticated"},
		{"basic, no colon", clientID, request{header: []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(clientID))}}, 401, "invalid_client", "client_unauthenticated"},
		{"basic, not base64", clientID, request{header: []string{"Basic !!!"}}, 401, "invalid_client", "client_unauthenticated"},
		{"basic, many colons", clientID, request{header: []string{basic(clientID, strings.Repeat(":", 99))}}, 401, "invalid_client", "client_unauthenticated"},
		{"bearer", clientID, request{header: []string{"Bearer " + secret}}, 401, "invalid_client", "client_unauthenticated"},
		{"another scheme, and what basic would have", clientID, request{header: []string{strings.Replace(basic(clientID, secret), "Basic", "Digest", 1)}}, 401, "invalid_client", "client_unauthenticated"},
		{"empty header", clientID, request{header: []string{""}}, 401, "invalid_client", "client_unauthenticated"},
		{"post, wrong secret", clientID, request{form: url.Values{"client_id": {clientID}, "client_secret": {"x"}}}, 400, "invalid_client", "client_unauthenticated"},
		{"post, no such client", clientID, request{form: url.Values{"client_id": {"nobody"}, "client_secret": {secret}}}, 400, "invalid_client", "client_unauthenticated"},
		{"post, a public client with a secret", "open", request{form: url.Values{"client_id": {"open"}, "client_secret": {"x"}}}, 400, "invalid_client", "client_unauthenticated"},
		{"post, no client_id", clientID, request{form: url.Values{"client_secret": {secret}}}, 400, "invalid_request", "request_malformed"},
		{"none at all", clientID, request{}, 400, "invalid_client", "client_unauthenticated"},
		{"only client_id of a confidential client", clientID, request{form: url.Values{"client_id": {clientID}}}, 400, "invalid_client", "client_unauthenticated"},
		{"only client_id of nobody", clientID, request{form: url.Values{"client_id": {"nobody"}}}, 400, "invalid_client", "client_unauthenticated"},
		{"only a URL as client_id", clientID, request{form: url.Values{"client_id": {"https://evil.example.com/c.json"}}}, 400, "invalid_client", "client_unauthenticated"},

		{"two headers", clientID, request{header: []string{basic(clientID, secret), basic(clientID, secret)}}, 400, "invalid_request", "multiple_credentials"},
		{"basic and post", clientID, request{[]string{basic(clientID, secret)}, url.Values{"client_id": {clientID}, "client_secret": {secret}}}, 400, "invalid_request", "multiple_credentials"},
		{"basic and an assertion", clientID, request{[]string{basic(clientID, secret)}, url.Values{"client_assertion_type": {assertionType}, "client_assertion": {"x"}}}, 400, "invalid_request", "multiple_credentials"},
		{"post and an assertion", clientID, request{form: url.Values{"client_id": {clientID}, "client_secret": {secret}, "client_assertion": {"x"}}}, 400, "invalid_request", "multiple_credentials"},
		{"basic, and another client_id in the form", clientID, request{[]string{basic(clientID, secret)}, url.Values{"client_id": {"open"}}}, 400, "invalid_request", "request_malformed"},
		{"an empty client_secret is none", "open", request{form: url.Values{"client_id": {"open"}, "client_secret": {""}}}, 200, "", ""},
	}
	w := newWorld(t, manyClients)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			values := form(w.mint(with(claimSet{"client_id": tt.client})))
			for name, value := range tt.form {
				values[name] = value
			}
			r := tokenRequest(values)
			r.Header["Authorization"] = tt.header
			if tt.header == nil {
				delete(r.Header, "Authorization")
			}
			a := w.send(r)
			if tt.status == http.StatusOK {
				if got := w.granted(a)["client_id"]; got != tt.client {
					t.Errorf("client_id %v, want %s", got, tt.client)
				}
				return
			}
			w.refused(a, tt.status, tt.code, tt.reason)
			challenged := strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic ")
			if challenged != (tt.status == http.StatusUnauthorized) {
				t.Errorf("WWW-Authenticate %q beside status %d", a.header.Get("WWW-Authenticate"), a.status)
			}
		})
	}
}

// TestLongCredentials: what is hashed for somebody who has proved nothing is
// bounded, and what a client may have fits.
func TestLongCredentials(t *testing.T) {
	const most = 12 << 10 // bytes of 16 KiB of base64, with the id and its colon
	for _, tt := range []struct {
		name   string
		bytes  int
		status int
	}{{"the longest", most, 200}, {"a byte more", most + 1, 401}} {
		t.Run(tt.name, func(t *testing.T) {
			long := strings.Repeat("s", tt.bytes-len(clientID)-1)
			w := newWorld(t, func(_ *world, cfg *idjag.Config) {
				cfg.Clients[0].SecretHashes = []string{idjag.HashSecret(long)}
			})
			r := tokenRequest(form(w.mint(nil)))
			r.Header.Set("Authorization", basic(clientID, long))
			if a := w.send(r); a.status != tt.status {
				t.Errorf("answered %d %s, want %d", a.status, a.raw, tt.status)
			}
		})
	}
}

// TestClientAssertion is private_key_jwt.
func TestClientAssertion(t *testing.T) {
	exp := func(d time.Duration) int64 { return begin.Add(d).Unix() }
	tests := []struct {
		name   string
		client string
		header claimSet
		claims claimSet
		more   url.Values
		code   string // "" is a token
	}{
		{"good", "signer", nil, nil, nil, ""},
		{"good, keys from a URL", "remote-signer", nil, nil, nil, ""},
		{"good, with its own typ", "signer", claimSet{"typ": "client-authentication+jwt"}, nil, nil, ""},
		{"good, aud as a list", "signer", nil, claimSet{"aud": []string{ownIssuer}}, nil, ""},
		{"good, with client_id", "signer", nil, nil, url.Values{"client_id": {"signer"}}, ""},
		{"good, without jti", "signer", nil, claimSet{"jti": nil}, nil, ""},
		{"good, by a key that states no algorithm", "plain-signer", nil, nil, nil, ""},
		{"good, without kid", "signer", claimSet{"kid": nil}, nil, nil, ""},
		{"aud is the token endpoint, registered so", "old-signer", nil, claimSet{"aud": ownIssuer + "/token"}, nil, ""},

		{"aud is the token endpoint", "signer", nil, claimSet{"aud": ownIssuer + "/token"}, nil, "invalid_client"},
		{"aud of two", "signer", nil, claimSet{"aud": []string{ownIssuer, ownIssuer + "/token"}}, nil, "invalid_client"},
		{"aud of another, where the token endpoint may be it", "old-signer", nil, claimSet{"aud": "https://other.example.com"}, nil, "invalid_client"},
		{"iss is a number", "signer", nil, claimSet{"iss": 7}, nil, "invalid_client"},
		{"sub is a number", "signer", nil, claimSet{"sub": 7}, nil, "invalid_client"},
		{"aud is a number", "signer", nil, claimSet{"aud": 7}, nil, "invalid_client"},
		{"exp is a string", "signer", nil, claimSet{"exp": "4102444800"}, nil, "invalid_client"},
		{"nbf is a string", "signer", nil, claimSet{"nbf": "0"}, nil, "invalid_client"},
		{"iat is a string", "signer", nil, claimSet{"iat": "0"}, nil, "invalid_client"},
		{"aud of another", "signer", nil, claimSet{"aud": "https://other.example.com"}, nil, "invalid_client"},
		{"aud absent", "signer", nil, claimSet{"aud": nil}, nil, "invalid_client"},
		{"typ of an ID-JAG", "signer", claimSet{"typ": "oauth-id-jag+jwt"}, nil, nil, "invalid_client"},
		{"typ of an access token", "signer", claimSet{"typ": "at+jwt"}, nil, nil, "invalid_client"},
		{"iss is not sub", "signer", nil, claimSet{"iss": "someone"}, nil, "invalid_client"},
		{"sub is not iss", "signer", nil, claimSet{"sub": clientID}, nil, "invalid_client"},
		{"iss absent", "signer", nil, claimSet{"iss": nil}, nil, "invalid_client"},
		{"a client without keys", "signer", nil, claimSet{"iss": clientID, "sub": clientID}, nil, "invalid_client"},
		{"another client_id", "signer", nil, nil, url.Values{"client_id": {clientID}}, "invalid_client"},
		{"expired", "signer", nil, claimSet{"exp": exp(-30 * time.Second)}, nil, "invalid_client"},
		{"expired, without jti", "signer", nil, claimSet{"exp": exp(-30 * time.Second), "jti": nil}, nil, "invalid_client"},
		{"exp absent", "signer", nil, claimSet{"exp": nil}, nil, "invalid_client"},
		{"exp tomorrow", "signer", nil, claimSet{"exp": exp(24 * time.Hour)}, nil, "invalid_client"},
		{"not yet valid", "signer", nil, claimSet{"nbf": exp(time.Hour)}, nil, "invalid_client"},
		{"jti is a number", "signer", nil, claimSet{"jti": 1}, nil, "invalid_client"},
		{"an algorithm that is not on the list", "signer", claimSet{"alg": "ES384"}, nil, nil, "invalid_client"},
		{"iss is a number", "signer", nil, claimSet{"iss": 1}, nil, "invalid_client"},
		{"sub is a number", "signer", nil, claimSet{"sub": 1}, nil, "invalid_client"},
		{"aud is an object", "signer", nil, claimSet{"aud": claimSet{}}, nil, "invalid_client"},
		{"exp is a string", "signer", nil, claimSet{"exp": "soon"}, nil, "invalid_client"},
		{"members in two cases", "signer", nil, claimSet{"ISS": "signer"}, nil, "invalid_client"},
		{"HS256", "signer", claimSet{"alg": "HS256"}, nil, nil, "invalid_client"},
		{"kid unknown", "signer", claimSet{"kid": "else"}, nil, nil, "invalid_client"},
		{"type of something else", "signer", nil, nil, url.Values{"client_assertion_type": {"urn:x"}}, "invalid_request"},
		{"type absent", "signer", nil, nil, url.Values{"client_assertion_type": {""}}, "invalid_request"},
		{"assertion absent", "signer", nil, nil, url.Values{"client_assertion": {""}}, "invalid_request"},
		{"assertion is junk", "signer", nil, nil, url.Values{"client_assertion": {"x.y.z"}}, "invalid_client"},
	}
	w := newWorld(t, manyClients)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			values := form(w.mint(with(claimSet{"client_id": tt.client})))
			values.Set("client_assertion_type", assertionType)
			values.Set("client_assertion", w.clientAssertion(tt.client, tt.header, tt.claims))
			for name, value := range tt.more {
				values[name] = value
			}
			a := w.send(tokenRequest(values))
			if tt.code == "" {
				w.granted(a)
				return
			}
			if a.code() != tt.code || a.status != http.StatusBadRequest {
				t.Errorf("answered %d %s, want 400 %s", a.status, a.raw, tt.code)
			}
		})
	}
}

func (w *world) clientAssertion(client string, header, claims claimSet) string {
	h := claimSet{"alg": clientKey.alg, "kid": clientKey.id}
	c := claimSet{
		"iss": client, "sub": client, "aud": ownIssuer, "jti": w.claims()["jti"],
		"iat": w.clock.Now().Unix(), "exp": w.clock.Now().Add(time.Minute).Unix(),
	}
	with(header)(nil, h)
	with(claims)(nil, c)
	return jose.Encode(h, marshal(c), clientKey.sign)
}

// TestWhyAClientIsUnproven: the client is told nothing, and the log which of a dozen
// defects it was; but not whether a client of that id is known.
func TestWhyAClientIsUnproven(t *testing.T) {
	signed := func(header, claims claimSet) func(w *world, v url.Values) {
		return func(w *world, v url.Values) {
			v.Set("client_assertion_type", assertionType)
			v.Set("client_assertion", w.clientAssertion("signer", header, claims))
		}
	}
	posted := func(id, secret string) func(w *world, v url.Values) {
		return func(_ *world, v url.Values) { v.Set("client_id", id); v.Set("client_secret", secret) }
	}
	for _, tt := range []struct {
		name   string
		change func(w *world, v url.Values)
		cause  string
	}{
		{"wrong secret", posted(clientID, "wrong"), noSuchSecret},
		{"no such client", posted("stranger", "wrong"), noSuchSecret},
		{"nothing", func(_ *world, v url.Values) { v.Set("client_id", "signer") }, "a client_id without a proof"},
		{"typ", signed(claimSet{"typ": "at+jwt"}, nil), "typ is that of another kind"},
		{"alg", signed(claimSet{"alg": "ES512"}, nil), "alg is not"},
		{"sub", signed(nil, claimSet{"sub": "canary"}), "iss and sub must both"},
		{"no keys", signed(nil, claimSet{"iss": clientID, "sub": clientID}), "has keys"},
		{"aud", signed(nil, claimSet{"aud": "https://canary.example"}), "aud must be"},
		{"exp", signed(nil, claimSet{"exp": nil}), "exp is absent"},
	} {
		w := newWorld(t, manyClients)
		values := form(w.mint(nil))
		tt.change(w, values)
		if a := w.send(tokenRequest(values)); a.code() != "invalid_client" || strings.Contains(a.raw, tt.cause) {
			t.Errorf("%s: answered %s", tt.name, a.raw)
		}
		if log := w.logs.String(); !strings.Contains(log, "cause=\"idjag: ") || !strings.Contains(log, tt.cause) || strings.Contains(log, "canary") {
			t.Errorf("%s: %s", tt.name, log)
		}
	}
}

const noSuchSecret = "no client has this id and secret"

// TestForgedClientAssertion: good claims, and the signature of somebody else.
func TestForgedClientAssertion(t *testing.T) {
	w := newWorld(t, manyClients)
	mine := newKey(clientKey.id)
	good := w.clientAssertion("signer", nil, nil)
	for name, forged := range map[string]string{
		"another key":  good[:strings.LastIndex(good, ".")] + "." + base64.RawURLEncoding.EncodeToString(mine.sign([]byte(good[:strings.LastIndex(good, ".")]))),
		"no signature": good[:strings.LastIndex(good, ".")] + ".",
		"other claims": splice(good, w.clientAssertion("signer", nil, claimSet{"sub": "signer", "extra": 1})),
	} {
		values := form(w.mint(with(claimSet{"client_id": "signer"})))
		values.Set("client_assertion_type", assertionType)
		values.Set("client_assertion", forged)
		if a := w.send(tokenRequest(values)); a.code() != "invalid_client" {
			t.Errorf("%s: answered %d %s, want invalid_client", name, a.status, a.raw)
		}
	}
}

// TestClientAssertionIsUsedOnce: it is used up by the request that gets a token,
// and by no other.
func TestClientAssertionIsUsedOnce(t *testing.T) {
	w := newWorld(t, manyClients)
	own := w.clientAssertion("signer", nil, nil)
	send := func(assertion string) answer {
		values := form(assertion)
		values.Set("client_assertion_type", assertionType)
		values.Set("client_assertion", own)
		return w.send(tokenRequest(values))
	}
	mine := with(claimSet{"client_id": "signer"})
	if a := send(w.mint(nil)); a.code() != "invalid_grant" { // it is another client's
		t.Fatalf("answered %s, want invalid_grant", a.raw)
	}
	w.granted(send(w.mint(mine)))
	w.refused(send(w.mint(mine)), 400, "invalid_client", "client_unauthenticated")
}

// TestClientAssertionRunsOut: used, forgotten, and sent again in a request that was
// let in while it was good, and hung for longer than that.
func TestClientAssertionRunsOut(t *testing.T) {
	var hangs time.Duration
	w := newWorld(t, func(w *world, cfg *idjag.Config) {
		manyClients(w, cfg)
		cfg.ResolveSubject = func(context.Context, claims.Principal) (string, error) {
			w.clock.advance(hangs)
			return "user_42", nil
		}
	})
	own := w.clientAssertion("signer", nil, nil) // it lives for a minute, and the ID-JAG for five
	send := func() answer {
		values := form(w.mint(with(claimSet{"client_id": "signer"})))
		values.Set("client_assertion_type", assertionType)
		values.Set("client_assertion", own)
		return w.send(tokenRequest(values))
	}
	w.granted(send())
	hangs = 4 * time.Minute
	w.refused(send(), 400, "invalid_client", "client_unauthenticated")
}

// TestClientKeysUnavailable must not be taken for a wrong signature.
func TestClientKeysUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the request waits for keys
		w := newWorld(t, func(w *world, cfg *idjag.Config) {
			manyClients(w, cfg)
			w.net.set("https://keys.example.com/jwks", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
		})
		values := form(w.mint(with(claimSet{"client_id": "remote-signer"})))
		values.Set("client_assertion_type", assertionType)
		values.Set("client_assertion", w.clientAssertion("remote-signer", nil, nil))
		w.refused(w.send(tokenRequest(values)), http.StatusServiceUnavailable, "temporarily_unavailable", "keys_unavailable")
	})
}

// failsAt is a store that fails in its n-th call, and says so at once.
type failsAt struct {
	idjag.ReplayStore
	n atomic.Int32
}

func (s *failsAt) Consume(ctx context.Context, key string, until time.Time) (bool, error) {
	if s.n.Add(-1) == 0 {
		return false, errors.New("connection refused")
	}
	return s.ReplayStore.Consume(ctx, key, until)
}

// TestStoreDiesMidRequest: whichever of the two assertions the store fails at,
// the ID-JAG is as good as before. The client's own may be used up by then; it
// makes a new one for each request.
func TestStoreDiesMidRequest(t *testing.T) {
	for n := range int32(2) {
		store := &failsAt{}
		w := newWorld(t, func(w *world, cfg *idjag.Config) {
			manyClients(w, cfg)
			store.ReplayStore = idjag.NewReplayStore(0, w.clock.Now)
			cfg.Replay = store
		})
		values := form(w.mint(with(claimSet{"client_id": "signer"})))
		values.Set("client_assertion_type", assertionType)
		for _, dies := range []bool{true, false} {
			values.Set("client_assertion", w.clientAssertion("signer", nil, nil))
			store.n.Store(n + 1)
			if !dies {
				store.n.Store(0)
				w.granted(w.send(tokenRequest(values)))
				continue
			}
			w.refused(w.send(tokenRequest(values)), http.StatusServiceUnavailable, "temporarily_unavailable", "store_unavailable")
		}
	}
}

// TestClientAssertionAlgorithm: a key fits several algorithms of its kind, and
// only those that the metadata announces are taken.
func TestClientAssertionAlgorithm(t *testing.T) {
	key := newRSAKey("rsa")
	w := newWorld(t, func(_ *world, cfg *idjag.Config) {
		cfg.Clients = append(cfg.Clients, idjag.Client{ID: "rsa-signer", JWKS: jwks(signKey{id: key.id, key: key.key})})
	})
	bySHA512 := func(input []byte) []byte {
		sum := sha512.Sum512(input)
		raw, err := key.key.Sign(rand.Reader, sum[:], crypto.SHA512)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for _, tt := range []struct {
		alg  string
		sign func([]byte) []byte
		code string
	}{{"RS256", key.sign, ""}, {"RS512", bySHA512, "invalid_client"}} {
		now := w.clock.Now()
		values := form(w.mint(with(claimSet{"client_id": "rsa-signer"})))
		values.Set("client_assertion_type", assertionType)
		values.Set("client_assertion", jose.Encode(claimSet{"alg": tt.alg, "kid": key.id}, marshal(claimSet{
			"iss": "rsa-signer", "sub": "rsa-signer", "aud": ownIssuer, "jti": tt.alg, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
		}), tt.sign))
		if a := w.send(tokenRequest(values)); a.code() != tt.code {
			t.Errorf("%s: answered %d %s, want %q", tt.alg, a.status, a.raw, tt.code)
		}
	}
}
