package jose_test

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/emamw/mcp-ema/internal/jose"
)

// Tokens of the library are read by us, and ours by the library.
func TestAgreesWithLibrary(t *testing.T) {
	payload := []byte(`{"sub":"alice"}`)
	for _, alg := range jose.Algorithms() {
		theirs, err := jws.Sign(payload, jws.WithKey(jwa.SignatureAlgorithm(alg), signerFor(alg)))
		if err != nil {
			t.Fatal(err)
		}
		token, err := jose.Parse(string(theirs))
		if err != nil {
			t.Errorf("%s: %v", alg, err)
			continue
		}
		wantReason(t, token.Verify(signerFor(alg).Public()), "")

		got, err := jws.Verify([]byte(sign(t, alg)), jws.WithKey(jwa.SignatureAlgorithm(alg), signerFor(alg).Public()))
		if err != nil || !bytes.Equal(got, payload) {
			t.Errorf("%s: the library reads our token as %s, %v", alg, got, err)
		}
	}
}

// FuzzParse: whatever we accept, a plain reading with the standard library
// understands in the same way, and no other spelling of it exists.
func FuzzParse(f *testing.F) {
	for _, header := range []string{
		`{"alg":"RS256"}`, `{"alg":"ES256","kid":"k1","typ":"application/AT+jwt"}`, `{"alg":"EdDSA","x":{"alg":"none"}}`,
		`{"alg":"RS256","alg":"none"}`, `{"\u0061lg":"RS256"}`, `{"alg":"RS256","crit":["b64"]}`, `{"ALG":"none","alg":"RS256"}`, `[]`,
	} {
		f.Add(encode(header) + ".e30.AA")
	}
	f.Add("....")
	f.Add("eyJhbGciOiJFUzI1NiJ9.e30=.AA")
	f.Add("eyJhbGciOiJFUzI1NiJ9.e30.AB")

	f.Fuzz(func(t *testing.T, compact string) {
		token, err := jose.Parse(compact)
		if err != nil {
			if _, ok := err.(*jose.Error); !ok || token.Payload != "" || token.Header != (jose.Header{}) {
				t.Fatalf("token %+v, error %T", token, err)
			}
			return
		}
		parts := strings.Split(compact, ".")
		if len(parts) != 3 || len(compact) > jose.MaxTokenBytes {
			t.Fatal("accepted something that is no compact JWS")
		}
		for i, part := range parts {
			raw, err := base64.RawURLEncoding.DecodeString(part)
			if err != nil || base64.RawURLEncoding.EncodeToString(raw) != part {
				t.Fatalf("part %d has another spelling", i)
			}
			if i == 1 && string(raw) != token.Payload {
				t.Fatalf("payload differs")
			}
		}
		agreeOnHeader(t, parts[0], token.Header)
		if err := token.Verify(rsaKey().Public()); err == nil {
			t.Fatal("a forged signature was accepted")
		}
	})
}

// agreeOnHeader reads the header with encoding/json twice: as a map, and as a
// struct, whose fields match in any case and take the last of several.
func agreeOnHeader(t *testing.T, text string, got jose.Header) {
	t.Helper()
	raw := must(base64.RawURLEncoding.DecodeString(text))
	var loose struct{ Alg, Kid, Typ string }
	var strict map[string]any
	if err := json.Unmarshal(raw, &strict); err != nil {
		t.Fatalf("header is not JSON: %v", err)
	}
	if strict["alg"] != got.Algorithm || !jose.Supported(got.Algorithm) {
		t.Fatalf("alg %v read as %q", strict["alg"], got.Algorithm)
	}
	if kid, _ := strict["kid"].(string); kid != got.KeyID {
		t.Fatalf("kid %v read as %q", strict["kid"], got.KeyID)
	}
	typ, _ := strict["typ"].(string)
	short := strings.TrimPrefix(strings.ToLower(typ), "application/")
	if isASCII(typ) && got.Type != short && got.Type != strings.ToLower(typ) {
		t.Fatalf("typ %q read as %q", typ, got.Type)
	}
	for _, refused := range []string{"crit", "b64"} {
		if _, ok := strict[refused]; ok {
			t.Fatalf("%s accepted", refused)
		}
	}
	if slices.ContainsFunc([]string{"alg", "kid", "typ"}, func(name string) bool { return spelledOtherwise(strict, name) }) {
		return // such as KID alone: the struct reads it as kid, and we do not
	}
	if err := json.Unmarshal(raw, &loose); err != nil || loose.Alg != got.Algorithm || loose.Kid != got.KeyID || loose.Typ != typ {
		t.Fatalf("header reads as %+v, %v; we read %+v", loose, err, got)
	}
}

func spelledOtherwise(header map[string]any, name string) bool {
	for other := range header {
		if other != name && strings.EqualFold(other, name) {
			return true
		}
	}
	return false
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 127 })
}

// FuzzParseKeys: whatever is kept can verify, is named once, and is not secret.
func FuzzParseKeys(f *testing.F) {
	set := must(jose.PublicJWKS(
		jose.PublicKey{ID: "r", Algorithm: "RS256", Key: rsaKey().Public()},
		jose.PublicKey{ID: "e", Key: p256Key().Public()},
		jose.PublicKey{Key: edKey().Public()},
	))
	f.Add(set)
	f.Add([]byte(`{"keys":[` + rsa7638JWK + `,` + p521JWK + `,` + ed25519JWK + `]}`))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"},null,1,{}]}`))

	f.Fuzz(func(t *testing.T, body []byte) {
		keys, _, err := jose.ParseKeys(body)
		if err != nil {
			if keys != nil {
				t.Fatal("keys and an error")
			}
			return
		}
		var doc struct {
			Keys []map[string]any `json:"keys"`
		}
		_ = json.Unmarshal(body, &doc)
		seen := make(map[string]bool)
		for _, k := range keys {
			fits := func(alg string) bool { return jose.Fits(alg, k.Key) }
			if !slices.ContainsFunc(jose.Algorithms(), fits) || k.Algorithm != "" && !fits(k.Algorithm) {
				t.Fatalf("kept a key that fits nothing: %T", k.Key)
			}
			if _, private := k.Key.(crypto.Signer); private {
				t.Fatal("kept a private key")
			}
			if k.ID != "" && seen[k.ID] {
				t.Fatal("kept one kid twice")
			}
			seen[k.ID] = true
		}
		if len(keys) > len(doc.Keys) && doc.Keys != nil {
			t.Fatalf("%d keys out of %d members", len(keys), len(doc.Keys))
		}
		if _, err := jose.PublicJWKS(keys...); err != nil {
			t.Fatalf("cannot publish what was kept: %v", err)
		}
	})
}
