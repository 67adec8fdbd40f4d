package idjag_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/idjag"
	"github.com/emamw/mcp-ema/internal/jose"
)

// TestAssertionDefects mints one ID-JAG per defect. Every one of them must be
// refused with the same words, and for the reason that the operator is told.
func TestAssertionDefects(t *testing.T) {
	unix := func(d time.Duration) int64 { return begin.Add(d).Unix() }
	type change = func(header, claims claimSet)
	header := func(name string, value any) change {
		return func(header, _ claimSet) {
			if value == nil {
				delete(header, name)
				return
			}
			header[name] = value
		}
	}
	tests := []struct {
		name   string
		change change
		reason string
	}{
		// typ (draft section 4.4.1)
		{"typ JWT", header("typ", "JWT"), "typ_not_allowed"},
		{"typ at+jwt", header("typ", "at+jwt"), "typ_not_allowed"},
		{"typ absent", header("typ", nil), "typ_not_allowed"},
		{"typ of a client assertion", header("typ", "client-authentication+jwt"), "typ_not_allowed"},
		{"typ with a suffix", header("typ", "oauth-id-jag+jwt2"), "typ_not_allowed"},
		{"crit", header("crit", []string{"exp"}), "header_malformed"},

		// iss (RFC 7523 section 3, item 1)
		{"iss absent", with(claimSet{"iss": nil}), "claim_missing"},
		{"iss unknown", with(claimSet{"iss": "https://evil.example.com"}), "issuer_untrusted"},
		{"iss with a slash", with(claimSet{"iss": idpIssuer + "/"}), "issuer_untrusted"},
		{"iss in upper case", with(claimSet{"iss": strings.ToUpper(idpIssuer)}), "issuer_untrusted"},
		{"iss is this server", with(claimSet{"iss": ownIssuer}), "issuer_untrusted"},
		{"iss is a number", with(claimSet{"iss": 7}), "claim_malformed"},

		// aud (draft section 4.4.1)
		{"aud absent", with(claimSet{"aud": nil}), "claim_missing"},
		{"aud is the token endpoint", with(claimSet{"aud": ownIssuer + "/token"}), "audience_mismatch"},
		{"aud is the resource", with(claimSet{"aud": resourceID}), "audience_mismatch"},
		{"aud with a slash", with(claimSet{"aud": ownIssuer + "/"}), "audience_mismatch"},
		{"aud of two", with(claimSet{"aud": []string{ownIssuer, "https://other.example.com"}}), "audience_mismatch"},
		{"aud twice", with(claimSet{"aud": []string{ownIssuer, ownIssuer}}), "audience_mismatch"},
		{"aud of none", with(claimSet{"aud": []string{}}), "audience_mismatch"},
		{"aud is an object", with(claimSet{"aud": claimSet{}}), "claim_malformed"},

		// client_id
		{"client_id absent", with(claimSet{"client_id": nil}), "claim_missing"},
		{"client_id of another", with(claimSet{"client_id": "someone-else"}), "client_mismatch"},
		{"client_id in upper case", with(claimSet{"client_id": strings.ToUpper(clientID)}), "client_mismatch"},
		{"client_id is a list", with(claimSet{"client_id": []string{clientID}}), "claim_malformed"},

		// sub
		{"sub absent", with(claimSet{"sub": nil}), "claim_missing"},
		{"sub empty", with(claimSet{"sub": ""}), "claim_malformed"},
		{"sub too long", with(claimSet{"sub": strings.Repeat("a", 256)}), "claim_malformed"},
		{"sub is a number", with(claimSet{"sub": 12}), "claim_malformed"},

		// exp, iat, nbf; the skew is 30 seconds and the longest life 10 minutes
		{"exp absent", with(claimSet{"exp": nil}), "claim_missing"},
		{"exp just passed", with(claimSet{"exp": unix(-30 * time.Second), "iat": unix(-time.Minute)}), "token_expired"},
		{"exp is a string", with(claimSet{"exp": "1793610000"}), "claim_malformed"},
		{"exp is huge", with(claimSet{"exp": 1e300}), "claim_malformed"},
		{"exp in ten years", with(claimSet{"exp": unix(87600 * time.Hour)}), "token_lives_too_long"},
		{"life too long by a second", with(claimSet{"exp": unix(601 * time.Second)}), "token_lives_too_long"},
		{"iat is a string", with(claimSet{"iat": "now"}), "claim_malformed"},
		{"aud_tenant is a number", with(claimSet{"aud_tenant": 7}), "claim_malformed"},
		{"iat absent", with(claimSet{"iat": nil}), "claim_missing"},
		{"iat ahead", with(claimSet{"iat": unix(31 * time.Second)}), "token_not_yet_valid"},
		{"nbf ahead", with(claimSet{"nbf": unix(31 * time.Second)}), "token_not_yet_valid"},
		{"nbf is a string", with(claimSet{"nbf": "soon"}), "claim_malformed"},

		// jti
		{"jti absent", with(claimSet{"jti": nil}), "claim_missing"},
		{"jti empty", with(claimSet{"jti": ""}), "claim_malformed"},
		{"jti is a number", with(claimSet{"jti": 42}), "claim_malformed"},
		{"jti is an object", with(claimSet{"jti": claimSet{"a": 1}}), "claim_malformed"},
		{"jti too long", with(claimSet{"jti": strings.Repeat("j", 256)}), "claim_malformed"},

		// keys
		{"alg not on the list", header("alg", "ES384"), "alg_not_allowed"},
		{"kid unknown", header("kid", "idp-9"), "key_unknown"},

		// resource (draft section 4.4.1, RFC 8707 section 2)
		{"resource of another server", with(claimSet{"resource": "https://other.example.com/mcp"}), "resource_mismatch"},
		{"resource with a slash", with(claimSet{"resource": resourceID + "/"}), "resource_mismatch"},
		{"resource with one that is not ours", with(claimSet{"resource": []string{resourceID, "https://other.example.com"}}), "resource_mismatch"},
		{"resource empty", with(claimSet{"resource": ""}), "resource_mismatch"},
		{"resource of none", with(claimSet{"resource": []string{}}), "claim_malformed"},
		{"resource is no URI", with(claimSet{"resource": "mcp"}), "resource_mismatch"},
		{"resource is an object", with(claimSet{"resource": claimSet{}}), "claim_malformed"},

		{"scope is a list", with(claimSet{"scope": []string{"files:read"}}), "claim_malformed"},
		{"tenant where none is expected", with(claimSet{"tenant": "acme"}), "tenant_not_allowed"},
		{"aud_tenant is a number", with(claimSet{"aud_tenant": 7}), "claim_malformed"},
		{"aud_tenant where none is expected", with(claimSet{"aud_tenant": "acme"}), "tenant_not_allowed"},
		{"cnf without a proof", with(claimSet{"cnf": claimSet{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}), "confirmation_required"},
		{"cnf of a wrong type", with(claimSet{"cnf": false}), "confirmation_required"},
		{"act is a string", with(claimSet{"act": "agent"}), "claim_malformed"},
		{"auth_time is a string", with(claimSet{"auth_time": "now"}), "claim_malformed"},
	}
	w := newWorld(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			a := w.redeem(w.mint(tt.change))
			w.refused(a, http.StatusBadRequest, "invalid_grant", tt.reason)
			if got := a.body["error_description"]; got != "The assertion was not accepted. Request a new one from the identity provider." {
				t.Errorf("description %q tells more than that", got)
			}
		})
	}
	t.Run("and one without a defect", func(t *testing.T) {
		w.t = t
		w.granted(w.redeem(w.mint(nil)))
	})
}

// TestAssertionAccepted are spellings that must be let in.
func TestAssertionAccepted(t *testing.T) {
	tests := []struct {
		name   string
		change func(header, claims claimSet)
	}{
		{"typ as a media type", func(h, _ claimSet) { h["typ"] = "application/OAuth-ID-JAG+JWT" }},
		{"aud as a list of one", with(claimSet{"aud": []string{ownIssuer}})},
		{"exp within the skew", with(claimSet{"exp": begin.Add(-29 * time.Second).Unix(), "iat": begin.Add(-time.Minute).Unix()})},
		{"iat within the skew", with(claimSet{"iat": begin.Add(30 * time.Second).Unix()})},
		{"the longest life", with(claimSet{"exp": begin.Add(10 * time.Minute).Unix()})},
		{"resource as a list of one", with(claimSet{"resource": []string{resourceID}})},
		{"no resource", with(claimSet{"resource": nil})},
		{"no kid", func(h, _ claimSet) { delete(h, "kid") }},
		{"foreign header members", func(h, _ claimSet) { h["jku"] = "https://evil.example.com/jwks" }},
		{"unknown claims", with(claimSet{"authorization_details": []any{claimSet{"type": "x"}}, "sub_id": claimSet{"format": "opaque", "id": "x"}})},
		{"nested act", with(claimSet{"act": claimSet{"sub": "agent", "act": claimSet{"sub": "other"}}})},
	}
	w := newWorld(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			w.granted(w.redeem(w.mint(tt.change)))
		})
	}
}

// TestForgedSignatures are tokens with good claims that the identity provider
// did not sign.
func TestForgedSignatures(t *testing.T) {
	w := newWorld(t, func(w *world, cfg *idjag.Config) {
		w.idp = newRSAKey("idp-1")
		w.net.serve(idpIssuer+"/jwks", jwks(w.idp))
		cfg.IdentityProviders = append(cfg.IdentityProviders, idjag.IdentityProvider{
			Issuer: "https://second.example.com", JWKSURL: "https://second.example.com/jwks",
		})
		w.net.serve("https://second.example.com/jwks", jwks(clientKey))
	})
	header := claimSet{"typ": "oauth-id-jag+jwt", "alg": "RS256", "kid": "idp-1"}
	encode := func(change claimSet, sign func([]byte) []byte) string {
		h := claimSet{}
		for k, v := range header {
			h[k] = v
		}
		for k, v := range change {
			h[k] = v
		}
		return jose.Encode(h, marshal(w.claims()), sign)
	}
	public := jwks(w.idp)
	good := encode(nil, w.idp.sign)
	tests := []struct {
		name, token, reason string
	}{
		{"none", encode(claimSet{"alg": "none"}, nil), "alg_not_allowed"},
		{"HS256 with the public key as secret", encode(claimSet{"alg": "HS256"}, func(in []byte) []byte {
			mac := hmac.New(sha256.New, public)
			mac.Write(in)
			return mac.Sum(nil)
		}), "alg_not_allowed"},
		{"no signature", encode(nil, nil), "signature_invalid"},
		{"another key", encode(nil, newRSAKey("idp-1").sign), "signature_invalid"},
		{"the key of the second provider", encode(claimSet{"alg": "ES256", "kid": "client-1"}, clientKey.sign), "key_unknown"},
		{"the RSA key used as one of a curve", encode(claimSet{"alg": "ES256"}, newKey("idp-1").sign), "alg_not_allowed"},
		{"a key's address in the header", encode(claimSet{"kid": "mine", "jku": "https://evil.example.com/jwks", "x5u": "https://evil.example.com/x5u"}, newRSAKey("mine").sign), "key_unknown"},
		{"a key in the header", encode(claimSet{"kid": "mine", "jwk": claimSet{"kty": "EC"}}, newRSAKey("mine").sign), "key_unknown"},
		{"payload of another", splice(good, w.mint(with(claimSet{"sub": "root"}))), "signature_invalid"},
		{"not a token", "assertion", "token_malformed"},
		{"encrypted", "a.b.c.d.e", "token_encrypted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			w.refused(w.redeem(tt.token), 400, "invalid_grant", tt.reason)
		})
	}
	for asked := range w.net.asked {
		if strings.HasPrefix(asked, "https://evil") {
			t.Errorf("fetched %s", asked)
		}
	}
	w.t = t
	w.granted(w.redeem(good)) // none of the forged ones has used it up
}

// TestTwoKeysOneKid: whoever gets a key of its own into the provider's set, under
// the name of another, does not sign for it.
func TestTwoKeysOneKid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the request waits for keys
		mine := newKey("idp-1")
		w := newWorld(t, func(w *world, _ *idjag.Config) {
			set, other := struct{ Keys []any }{}, struct{ Keys []any }{}
			unmarshal(jwks(w.idp), &set)
			unmarshal(jwks(mine), &other)
			w.net.serve(idpIssuer+"/jwks", marshal(claimSet{"keys": append(set.Keys, other.Keys...)}))
		})
		assertion := w.mint(nil)
		unsigned := assertion[:strings.LastIndex(assertion, ".")]
		forged := unsigned + "." + base64.RawURLEncoding.EncodeToString(mine.sign([]byte(unsigned)))
		if a := w.redeem(forged); a.status == http.StatusOK {
			t.Errorf("redeemed: %s", a.raw)
		}
	})
}

// splice puts the payload of one token between header and signature of another.
func splice(token, payload string) string {
	parts := strings.Split(token, ".")
	return parts[0] + "." + strings.Split(payload, ".")[1] + "." + parts[2]
}

// TestNoKeyIsFetchedForAStranger holds the order of the checks: an issuer that
// is not trusted makes the server fetch nothing.
func TestNoKeyIsFetchedForAStranger(t *testing.T) {
	w := newWorld(t, nil)
	if err := w.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.redeem(w.mint(with(claimSet{"iss": "https://evil.example.com"})))
	w.net.mu.Lock()
	defer w.net.mu.Unlock()
	for url := range w.net.asked {
		if !strings.HasPrefix(url, idpIssuer) {
			t.Errorf("fetched %s", url)
		}
	}
}

func TestTenants(t *testing.T) {
	tests := []struct {
		name    string
		tenants []string
		any     bool
		claim   any
		ok      bool
	}{
		{"one customer, no claim", nil, false, nil, true},
		{"one customer, a claim", nil, false, "acme", false},
		{"listed", []string{"acme", "blue"}, false, "blue", true},
		{"not listed", []string{"acme"}, false, "blue", false},
		{"listed, but not said", []string{"acme"}, false, nil, false},
		{"in another case", []string{"acme"}, false, "ACME", false},
		{"any", nil, true, "blue", true},
		{"any, but not said", nil, true, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, func(_ *world, cfg *idjag.Config) {
				cfg.IdentityProviders[0].Tenants, cfg.IdentityProviders[0].DangerouslyAnyTenant = tt.tenants, tt.any
			})
			a := w.redeem(w.mint(with(claimSet{"tenant": tt.claim})))
			if !tt.ok {
				w.refused(a, 400, "invalid_grant", "tenant_not_allowed")
				return
			}
			if got := w.granted(a)["tenant"]; got != tt.claim {
				t.Errorf("tenant of the token is %v, want %v", got, tt.claim)
			}
		})
	}
}

func TestSAMLSubject(t *testing.T) {
	id := func(format, issuer string) claimSet {
		return claimSet{"sub_id": claimSet{"format": format, "issuer": issuer, "nameid": "alice@example.com"}}
	}
	tests := []struct {
		name   string
		claims claimSet
		reason string
	}{
		{"the configured issuer", id("saml-nameid", "https://idp.example.com/saml"), ""},
		{"with an underscore", id("saml_nameid", "https://idp.example.com/saml"), ""},
		{"a foreign issuer, with an underscore", id("saml_nameid", "https://evil.example.com/saml"), "subject_unresolved"},
		{"a format that is a number", claimSet{"sub_id": claimSet{"format": 7, "issuer": "https://evil.example.com/saml", "nameid": "alice@example.com"}}, "claim_malformed"},
		{"a foreign issuer", id("saml-nameid", "https://evil.example.com/saml"), "subject_unresolved"},
		{"no issuer", claimSet{"sub_id": claimSet{"format": "saml-nameid", "nameid": "a"}}, "claim_missing"},
		{"no name", claimSet{"sub_id": claimSet{"format": "saml-nameid", "issuer": "https://idp.example.com/saml"}}, "claim_missing"},
		{"not an object", claimSet{"sub_id": "alice"}, "claim_malformed"},
		{"a format that is no text", claimSet{"sub_id": claimSet{"format": 7}}, "claim_malformed"},
		{"another format", claimSet{"sub_id": claimSet{"format": "opaque", "id": "x"}}, ""},
		{"absent", claimSet{}, ""},
	}
	w := newWorld(t, func(_ *world, cfg *idjag.Config) {
		cfg.IdentityProviders[0].SAMLIssuer = "https://idp.example.com/saml"
	})
	plain := w.granted(w.redeem(w.mint(nil)))["sub"]
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			a := w.redeem(w.mint(with(tt.claims)))
			if tt.reason == "" {
				if got := w.granted(a)["sub"]; got != plain {
					t.Errorf("the name makes the user another one: %v", got)
				}
				return
			}
			w.refused(a, 400, "invalid_grant", tt.reason)
		})
	}
	t.Run("where none is configured, it says nothing", func(t *testing.T) {
		w := newWorld(t, nil)
		for _, claims := range []claimSet{id("saml-nameid", "https://evil.example.com/saml"), {"sub_id": "alice"}} {
			if got := w.granted(w.redeem(w.mint(with(claims))))["sub"]; got != plain {
				t.Errorf("%v makes the user another one: %v", claims, got)
			}
		}
	})
}

// TestRequiredWhateverTheMapping: a mapping that does not ask for jti does not
// make it optional, since single use rests on it.
func TestRequiredWhateverTheMapping(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *idjag.Config) {
		mapping := claims.IDJAG()
		mapping.Require, mapping.TokenID = []claims.Condition{}, []claims.Source{}
		cfg.IdentityProviders[0].Claims = mapping
	})
	w.granted(w.redeem(w.mint(nil)))
	w.refused(w.redeem(w.mint(with(claimSet{"jti": nil}))), 400, "invalid_grant", "claim_missing")
	w.refused(w.redeem(w.mint(with(claimSet{"jti": ""}))), 400, "invalid_grant", "claim_malformed")
}

// TestServiceIsNoUser: a mapping can tell that an ID-JAG is about a service, and an
// access token could not pass that on.
func TestServiceIsNoUser(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *idjag.Config) {
		mapping := claims.IDJAG()
		mapping.Service = []claims.Condition{{Pointer: "/sub_profile", Equals: []string{"service"}}}
		cfg.IdentityProviders[0].Claims = mapping
	})
	for _, profile := range []any{nil, "user", "ai_agent"} {
		w.granted(w.redeem(w.mint(with(claimSet{"sub_profile": profile}))))
	}
	w.refused(w.redeem(w.mint(with(claimSet{"sub_profile": "service"}))), 400, "invalid_grant", "subject_unresolved")
}

// TestProviderLimits checks what one provider may speak for.
func TestProviderLimits(t *testing.T) {
	tests := []struct {
		name   string
		limit  func(p *idjag.IdentityProvider)
		claims claimSet
		code   string
		reason string
	}{
		{"another client", func(p *idjag.IdentityProvider) { p.Clients = []string{"second"} }, nil, "invalid_grant", "client_denied"},
		{"another resource, claimed", func(p *idjag.IdentityProvider) { p.Resources = []string{otherMCP} }, nil, "invalid_grant", "resource_mismatch"},
		{"aud_tenant of another", func(p *idjag.IdentityProvider) { p.AudienceTenant = "acme" }, claimSet{"aud_tenant": "blue"}, "invalid_grant", "tenant_not_allowed"},
		{"aud_tenant in another case", func(p *idjag.IdentityProvider) { p.AudienceTenant = "acme" }, claimSet{"aud_tenant": "Acme"}, "invalid_grant", "tenant_not_allowed"},
		{"aud_tenant is ours", func(p *idjag.IdentityProvider) { p.AudienceTenant = "acme" }, claimSet{"aud_tenant": "acme"}, "", ""},
		{"aud_tenant is not said", func(p *idjag.IdentityProvider) { p.AudienceTenant = "acme" }, nil, "", ""},
		{"this client", func(p *idjag.IdentityProvider) { p.Clients = []string{"second", clientID} }, nil, "", ""},
		{"this resource", func(p *idjag.IdentityProvider) { p.Resources = []string{otherMCP, resourceID} }, nil, "", ""},
		{"algorithm", func(p *idjag.IdentityProvider) { p.Algorithms = []string{"RS256"} }, nil, "invalid_grant", "alg_not_allowed"},
		{"lifetime", func(p *idjag.IdentityProvider) { p.MaxLifetime = time.Minute }, nil, "invalid_grant", "token_lives_too_long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, func(_ *world, cfg *idjag.Config) {
				cfg.Clients = append(cfg.Clients, idjag.Client{ID: "second", SecretHashes: []string{idjag.HashSecret("x")}})
				cfg.Resources = append(cfg.Resources, idjag.Resource{ID: otherMCP})
				tt.limit(&cfg.IdentityProviders[0])
			})
			a := w.redeem(w.mint(with(tt.claims)))
			if tt.code == "" {
				w.granted(a)
				return
			}
			w.refused(a, 400, tt.code, tt.reason)
		})
	}
}
