package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/internal/jose"
)

func TestPublicJWKSRoundTrip(t *testing.T) {
	keys := []jose.PublicKey{
		{ID: "r", Algorithm: "RS256", Key: rsaKey().Public()},
		{ID: "e256", Algorithm: "ES256", Key: p256Key().Public()},
		{ID: "e384", Key: p384Key().Public()},
		{ID: "e521", Algorithm: "ES512", Key: p521Key().Public()},
		{ID: "ed", Algorithm: "EdDSA", Key: edKey().Public()},
		{Key: otherRSA().Public()},
		{Key: otherP256().Public(), Issuer: "https://login.example/{tenantid}/v2.0"},
	}
	set, err := jose.PublicJWKS(keys...)
	if err != nil {
		t.Fatal(err)
	}
	back, rejected, err := jose.ParseKeys(set)
	if err != nil || len(rejected) != 0 {
		t.Fatalf("rejected %v, error %v", rejected, err)
	}
	if len(back) != len(keys) {
		t.Fatalf("%d keys came back, want %d", len(back), len(keys))
	}
	for i, k := range keys {
		type equal interface{ Equal(crypto.PublicKey) bool }
		b := back[i]
		if b.ID != k.ID || b.Algorithm != k.Algorithm || b.Issuer != k.Issuer || !b.Key.(equal).Equal(k.Key) {
			t.Errorf("key %d came back as %+v", i, b)
		}
	}
}

// What is published is the public half and nothing else, member by member.
func TestPublicJWKSMembers(t *testing.T) {
	set, err := jose.PublicJWKS(
		jose.PublicKey{ID: "r", Algorithm: "PS256", Key: rsaKey().Public()},
		jose.PublicKey{ID: "c", Key: p521Key().Public()},
		jose.PublicKey{Key: edKey().Public()},
	)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Keys []map[string]string }
	if err := json.Unmarshal(set, &got); err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"kty", "use", "kid", "alg", "n", "e"},
		{"kty", "use", "kid", "crv", "x", "y"},
		{"kty", "use", "crv", "x"},
	}
	for i, members := range want {
		if len(got.Keys[i]) != len(members) {
			t.Errorf("key %d = %v, want the members %v", i, got.Keys[i], members)
		}
		for _, name := range members {
			if got.Keys[i][name] == "" {
				t.Errorf("key %d has no %s", i, name)
			}
		}
		if got.Keys[i]["use"] != "sig" {
			t.Errorf("key %d: use = %q", i, got.Keys[i]["use"])
		}
	}
	if n := len(decode(t, got.Keys[1]["x"])); n != 66 {
		t.Errorf("P-521 coordinate of %d bytes, want 66", n)
	}
	if empty, err := jose.PublicJWKS(); err != nil || string(empty) != `{"keys":[]}` {
		t.Errorf("no keys: %s, %v", empty, err)
	}
}

func TestKeysThatAreNotPublished(t *testing.T) {
	p224 := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	for name, key := range map[string]crypto.PublicKey{
		"RSA 1024":          syntheticRSA(1024, 65537),
		"RSA nil":           (*rsa.PublicKey)(nil),
		"P-224":             p224.Public(),
		"off the curve":     offCurve(),
		"EC nil":            (*ecdsa.PublicKey)(nil),
		"EC without curve":  &ecdsa.PublicKey{X: big.NewInt(1), Y: big.NewInt(1)},
		"EC without point":  &ecdsa.PublicKey{Curve: elliptic.P256()},
		"Ed25519 short":     ed25519.PublicKey("short"),
		"RSA private":       rsaKey(),
		"ECDSA private":     p256Key(),
		"Ed25519 private":   edKey(),
		"a secret":          []byte("secret"),
		"nothing":           nil,
		"RSA key by value":  rsaKey().PublicKey,
		"ECDSA by value":    p256Key().PublicKey,
		"pointer to slices": &[]byte{1},
	} {
		if _, err := jose.PublicJWKS(jose.PublicKey{Key: key}); err == nil || !strings.HasPrefix(err.Error(), "jose: ") {
			t.Errorf("%s: published, error %v", name, err)
		}
		if _, err := jose.Thumbprint(key); err == nil || !strings.HasPrefix(err.Error(), "jose: ") {
			t.Errorf("%s: has a thumbprint, error %v", name, err)
		}
	}
	for name, keys := range map[string][]jose.PublicKey{
		"alg of another type": {{Key: rsaKey().Public(), Algorithm: "ES256"}},
		"alg unknown":         {{Key: rsaKey().Public(), Algorithm: "none"}},
		"ID twice":            {{ID: "k", Key: rsaKey().Public()}, {ID: "k", Key: p256Key().Public()}},
	} {
		if _, err := jose.PublicJWKS(keys...); err == nil || !strings.HasPrefix(err.Error(), "jose: ") {
			t.Errorf("%s: published, error %v", name, err)
		}
	}
}

func TestThumbprintNamesTheKey(t *testing.T) {
	seen := make(map[string]bool)
	for _, key := range []crypto.PublicKey{rsaKey().Public(), otherRSA().Public(), p256Key().Public(), otherP256().Public(), p521Key().Public(), edKey().Public()} {
		thumbprint, err := jose.Thumbprint(key)
		if err != nil {
			t.Fatal(err)
		}
		if len(thumbprint) != 43 || seen[thumbprint] {
			t.Errorf("thumbprint %q of %T", thumbprint, key)
		}
		seen[thumbprint] = true
	}
}
