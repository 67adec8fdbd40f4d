package emamwtest_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamwtest"
)

// A corpus is a list of defects, and what a good token of its kind is like.
type corpus struct {
	defects []emamwtest.Defect
	good    string
	keys    map[string]published
}

// corpora are made once: RSA keys take their time.
func corpora(t *testing.T) map[string]corpus {
	t.Helper()
	once.Do(func() { made = newCorpora(t) })
	return made
}

var (
	once sync.Once
	made map[string]corpus
)

func newCorpora(t *testing.T) map[string]corpus {
	algorithms := []string{"ES256", "RS256", "PS256", "EdDSA"}
	cfg := acme()
	cfg.Algorithms = algorithms
	idp := emamwtest.NewIdP(cfg)
	good := emamwtest.Token{Subject: "bob", Resource: filesMCP, Scopes: []string{"files:read"}}
	as := newServer(emamwtest.AuthorizationServerConfig{Algorithms: algorithms})
	small := newServer(emamwtest.AuthorizationServerConfig{})
	rotated := newServer(emamwtest.AuthorizationServerConfig{Issuer: "https://auth.example.com/realms/acme/", Resource: "https://mcp.example.com/"})
	rotated.RotateKey()
	access := emamwtest.Token{Scopes: []string{"files:read", "files:write"}}
	return map[string]corpus{
		"access tokens":                   {emamwtest.Defects(as), as.Mint(access), keysOf(t, as)},
		"access tokens, one algorithm":    {emamwtest.Defects(small), small.Mint(access), keysOf(t, small)},
		"access tokens, after a rotation": {emamwtest.Defects(rotated), rotated.Mint(access), keysOf(t, rotated)},
		"ID-JAGs":                         {emamwtest.AssertionDefects(idp, good), idp.Mint(good), keysOf(t, idp)},
	}
}

func TestDefectsAreManyAndDistinct(t *testing.T) {
	for name, c := range corpora(t) {
		t.Run(name, func(t *testing.T) {
			if len(c.defects) < 300 {
				t.Errorf("%d defects", len(c.defects))
			}
			names, tokens := map[string]bool{}, map[string]string{c.good: "the good token"}
			for _, d := range c.defects {
				if names[d.Name] || d.Name == "" || d.Reason == "" {
					t.Errorf("%q, reason %q: want a name of its own and a reason", d.Name, d.Reason)
				}
				if other, same := tokens[d.Token]; same {
					t.Errorf("%q is the same token as %q", d.Name, other)
				}
				names[d.Name], tokens[d.Token] = true, d.Name
			}
		})
	}
}

// A defect that concerns claims, the type or the issuer must be perfect in its
// form and its signature: else a verifier that never looks at the defect would
// pass the test.
func TestDefectsInWhatIsSignedAreProperlySigned(t *testing.T) {
	for name, c := range corpora(t) {
		t.Run(name, func(t *testing.T) {
			goodHeader, _ := read(t, c.good)
			for _, d := range c.defects {
				switch d.Reason {
				case claims.TokenMalformed, claims.TokenEncrypted, claims.HeaderMalformed, claims.AlgorithmNotAllowed, claims.KeyUnknown, claims.SignatureInvalid:
					continue
				}
				part, _, _ := strings.Cut(d.Token, ".")
				header := decodeObject(t, part)
				if d.Reason == claims.TypeNotAllowed {
					delete(header, "typ")
					header["typ"] = goodHeader["typ"]
				}
				if text(t, header) != text(t, goodHeader) {
					t.Errorf("%s: header %v", d.Name, header)
				}
				if k := c.keys[goodHeader["kid"].(string)]; !signedBy(d.Token, k.alg, k.key) {
					t.Errorf("%s: not properly signed", d.Name)
				}
			}
		})
	}
}

// A defect of one claim must differ from a good token in that claim alone.
func TestDefectsOfAClaimAreOfOneClaim(t *testing.T) {
	// These cannot be wrong alone: a token that begins later must also end later.
	also := map[string]string{"iat is beyond the skew": "exp", "iat is in a year": "exp", "nbf is beyond the skew": "exp"}
	for name, c := range corpora(t) {
		t.Run(name, func(t *testing.T) {
			_, good := read(t, c.good)
			checked := 0
			for _, d := range c.defects {
				claim, _, _ := strings.Cut(d.Name, " ")
				if claim == "payload" || claim == "header" || claim == "alg" || claim == "signature" {
					continue
				}
				if _, known := good[claim]; !known && claim != "nbf" && claim != "cnf" && claim != "roles" && claim != "groups" && claim != "tenant" && claim != "aud_tenant" {
					continue
				}
				_, bad := read(t, d.Token)
				for _, name := range union(good, bad) {
					expected := name == claim || name == "jti" || name == also[d.Name]
					if same := same(t, good, bad, name); !same && !expected {
						t.Errorf("%s: %s differs too", d.Name, name)
					} else if same && name == claim {
						t.Errorf("%s: %s is as in a good token", d.Name, name)
					}
				}
				checked++
			}
			if checked < 100 {
				t.Errorf("only %d defects of claims", checked)
			}
		})
	}
}

func union(a, b object) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

// same tells an absent member from null.
func same(t *testing.T, a, b object, name string) bool {
	t.Helper()
	x, inA := a[name]
	y, inB := b[name]
	return inA == inB && text(t, x) == text(t, y)
}

// A bad signature must be the only thing wrong, and must be bad.
func TestDefectsOfSignatures(t *testing.T) {
	for name, c := range corpora(t) {
		t.Run(name, func(t *testing.T) {
			goodHeader, good := read(t, c.good)
			for _, d := range c.defects {
				if d.Reason != claims.SignatureInvalid {
					continue
				}
				header, payload := read(t, d.Token)
				kid, named := header["kid"].(string)
				k := c.keys[kid]
				if named && (k.key == nil || header["alg"] != k.alg) || header["typ"] != goodHeader["typ"] {
					t.Errorf("%s: header %v", d.Name, header)
				}
				for _, claim := range []string{"iss", "aud", "exp", "iat", "client_id"} {
					if !same(t, good, payload, claim) {
						t.Errorf("%s: %s = %v", d.Name, claim, payload[claim])
					}
				}
				if anySigned(d.Token, c.keys) {
					t.Errorf("%s: the signature is good", d.Name)
				}
			}
		})
	}
}

func anySigned(token string, keys map[string]published) bool {
	for _, k := range keys {
		if signedBy(token, k.alg, k.key) {
			return true
		}
	}
	return false
}

// An algorithm that is not allowed must be the only thing wrong.
func TestDefectsOfAlgorithms(t *testing.T) {
	for name, c := range corpora(t) {
		t.Run(name, func(t *testing.T) {
			_, good := read(t, c.good)
			for _, d := range c.defects {
				if d.Reason != claims.AlgorithmNotAllowed {
					continue
				}
				header, payload := read(t, d.Token)
				kid, _ := header["kid"].(string)
				if k, known := c.keys[kid]; known && k.alg == header["alg"] {
					t.Errorf("%s: %v is what the key is for", d.Name, header["alg"])
				}
				payload["jti"] = good["jti"]
				if text(t, payload) != text(t, good) {
					t.Errorf("%s: claims %v", d.Name, payload)
				}
			}
		})
	}
}

// A key that is unknown must be so by kid, and the rest must be good.
func TestDefectsOfKeys(t *testing.T) {
	for name, c := range corpora(t) {
		t.Run(name, func(t *testing.T) {
			goodHeader, _ := read(t, c.good)
			for _, d := range c.defects {
				if d.Reason != claims.KeyUnknown {
					continue
				}
				header, _ := read(t, d.Token)
				kid, named := header["kid"].(string)
				if named && c.keys[kid].key != nil {
					t.Errorf("%s: kid %q is known", d.Name, kid)
				}
				if header["alg"] != goodHeader["alg"] || header["typ"] != goodHeader["typ"] {
					t.Errorf("%s: header %v", d.Name, header)
				}
			}
		})
	}
}

// Where lenient decoders see a good token, the defect is in the spelling alone.
func TestDefectsOfSpelling(t *testing.T) {
	lenient := map[string]func(string) string{
		"padding after the signature":                              func(s string) string { return strings.TrimRight(s, "=") },
		"a space at the end":                                       strings.TrimSpace,
		"a line feed at the end":                                   strings.TrimSpace,
		"a line break in the signature":                            func(s string) string { return strings.ReplaceAll(s, "\r\n", "") },
		"the base64 alphabet with plus and slash in the signature": strings.NewReplacer("+", "-", "/", "_").Replace,
		"a quotation mark at the end":                              func(s string) string { return strings.TrimSuffix(s, `"`) },
		"a comma at the end":                                       func(s string) string { return strings.TrimSuffix(s, ",") },
		"dots that are not ASCII":                                  func(s string) string { return strings.ReplaceAll(s, "\u2024", ".") },
		"four parts, the last one empty":                           func(s string) string { return strings.TrimSuffix(s, ".") },
		"four parts, the first one empty":                          func(s string) string { return strings.TrimPrefix(s, ".") },
		"spare bits in the signature":                              respell,
	}
	for name, c := range corpora(t) {
		t.Run(name, func(t *testing.T) {
			seen := 0
			for _, d := range c.defects {
				repair, ok := lenient[d.Name]
				if !ok {
					continue
				}
				seen++
				if repaired := repair(d.Token); repaired == d.Token || !anySigned(repaired, c.keys) {
					t.Errorf("%s: a lenient reader does not see a good token", d.Name)
				}
			}
			if seen != len(lenient) {
				t.Errorf("%d of %d found", seen, len(lenient))
			}
		})
	}
}

// respell decodes the signature as a lenient decoder does, and encodes it anew.
func respell(token string) string {
	last := strings.LastIndexByte(token, '.') + 1
	raw, err := base64.RawURLEncoding.DecodeString(token[last:])
	if err != nil {
		return token
	}
	return token[:last] + base64.RawURLEncoding.EncodeToString(raw)
}

// The times must lie where the names say, on the clock of the issuer.
func TestDefectsOfTimes(t *testing.T) {
	const longestSkew, shortestMaxAge = 5 * time.Minute, time.Hour
	for name, c := range corpora(t) {
		t.Run(name, func(t *testing.T) {
			seen := map[claims.Reason]int{}
			for _, d := range c.defects {
				seen[d.Reason]++
				if d.Reason != claims.TokenExpired && d.Reason != claims.TokenNotYetValid && d.Reason != claims.TokenLivesTooLong {
					continue
				}
				_, payload := read(t, d.Token)
				at := func(claim string) time.Time {
					if payload[claim] == nil {
						return time.Time{}
					}
					return seconds(t, payload[claim])
				}
				expired := !instant.Before(at("exp").Add(longestSkew))
				early := at("iat").After(instant.Add(longestSkew)) || at("nbf").After(instant.Add(longestSkew))
				long := at("exp").Sub(at("iat")) > shortestMaxAge
				switch {
				case expired != (d.Reason == claims.TokenExpired), early != (d.Reason == claims.TokenNotYetValid), long != (d.Reason == claims.TokenLivesTooLong):
					t.Errorf("%s: %v, expired %v, early %v, long %v", d.Name, payload, expired, early, long)
				}
			}
			for _, reason := range []claims.Reason{
				claims.TokenMalformed, claims.TokenEncrypted, claims.HeaderMalformed, claims.AlgorithmNotAllowed, claims.TypeNotAllowed,
				claims.KeyUnknown, claims.SignatureInvalid, claims.IssuerUntrusted, claims.AudienceMismatch, claims.TokenExpired,
				claims.TokenNotYetValid, claims.TokenLivesTooLong, claims.ClaimMissing, claims.ClaimMalformed, claims.ConfirmationRequired,
			} {
				if seen[reason] == 0 {
					t.Errorf("no defect for %s", reason)
				}
			}
		})
	}
}

// Payloads that readers disagree on: encoding/json, which many verifiers use,
// takes a good part of them for a good claims set.
func TestDefectsOfPayloadsFoolEncodingJSON(t *testing.T) {
	for name, c := range corpora(t) {
		fooled := 0
		for _, d := range c.defects {
			if !strings.HasPrefix(d.Name, "payload has ") {
				continue
			}
			var v struct{ Iss, Sub string }
			parts := strings.Split(d.Token, ".")
			if json.Unmarshal(decode(t, parts[1]), &v) == nil && v.Iss != "" {
				fooled++
			}
		}
		if fooled < 20 {
			t.Errorf("%s: encoding/json takes only %d", name, fooled)
		}
	}
}

// The tokens of another call are other tokens: a replay check must not be what
// refuses them.
func TestDefectsAreMintedAnew(t *testing.T) {
	as := newServer(emamwtest.AuthorizationServerConfig{})
	first, second := emamwtest.Defects(as), emamwtest.Defects(as)
	if len(first) != len(second) {
		t.Fatalf("%d and %d defects", len(first), len(second))
	}
	var seen = map[any]bool{}
	for i, d := range slices.Concat(first, second) {
		if d.Name != first[i%len(first)].Name {
			t.Fatalf("%q: the order is not fixed", d.Name)
		}
		if d.Reason == claims.TypeNotAllowed {
			_, payload := read(t, d.Token)
			if seen[payload["jti"]] {
				t.Errorf("%s: jti used twice", d.Name)
			}
			seen[payload["jti"]] = true
		}
	}
}

// An oddity must be as good as the standard library can tell.
func TestOddities(t *testing.T) {
	as := newServer(emamwtest.AuthorizationServerConfig{})
	k := keysOf(t, as)["ES256-1"]
	all := emamwtest.Oddities(as)
	if len(all) < 20 {
		t.Errorf("%d oddities", len(all))
	}
	for name, token := range all {
		header, payload := read(t, token)
		if !signedBy(token, k.alg, k.key) || header["kid"] != "ES256-1" || payload["iss"] != as.Issuer() {
			t.Errorf("%s: header %v, claims %v", name, header, payload)
		}
		if !instant.Before(seconds(t, payload["exp"])) || instant.Before(seconds(t, payload["iat"])) {
			t.Errorf("%s: exp %v, iat %v", name, payload["exp"], payload["iat"])
		}
	}
}
