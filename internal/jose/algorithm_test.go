package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"slices"
	"testing"

	"github.com/emamw/mcp-ema/internal/jose"
)

func TestAlgorithmsAreAsymmetric(t *testing.T) {
	want := []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
	if got := jose.Algorithms(); !slices.Equal(got, want) {
		t.Errorf("Algorithms() = %v, want %v", got, want)
	}
	for _, alg := range want {
		if !jose.Supported(alg) {
			t.Errorf("%s is not supported", alg)
		}
	}
	for _, alg := range []string{"", "none", "None", "HS256", "HS384", "HS512", "ES256K", "rs256", "RSA-OAEP", "A128KW", "dir"} {
		if jose.Supported(alg) {
			t.Errorf("%q is supported", alg)
		}
	}
	jose.Algorithms()[0] = "none"
	if jose.Algorithms()[0] != "RS256" || jose.Supported("none") {
		t.Error("the list is not the caller's own")
	}
}

func TestFits(t *testing.T) {
	p224 := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	evenModulus := syntheticRSA(2048, 65537)
	evenModulus.N.SetBit(evenModulus.N, 0, 0)

	keys := map[string]crypto.PublicKey{
		"RSA 2048":         &rsaKey().PublicKey,
		"RSA 2047":         syntheticRSA(2047, 65537),
		"RSA 1024":         syntheticRSA(1024, 65537),
		"RSA 8192":         syntheticRSA(8192, 65537),
		"RSA 8193":         syntheticRSA(8193, 65537),
		"RSA e=3":          syntheticRSA(2048, 3),
		"RSA e=1":          syntheticRSA(2048, 1),
		"RSA e=0":          syntheticRSA(2048, 0),
		"RSA e=-3":         syntheticRSA(2048, -3),
		"RSA e even":       syntheticRSA(2048, 65536),
		"RSA e 2^31+1":     syntheticRSA(2048, 1<<31+1),
		"RSA even modulus": evenModulus,
		"RSA without N":    &rsa.PublicKey{E: 65537},
		"RSA nil":          (*rsa.PublicKey)(nil),
		"RSA by value":     rsaKey().PublicKey,
		"RSA private":      rsaKey(),
		"P-224":            &p224.PublicKey,
		"P-256":            &p256Key().PublicKey,
		"P-384":            &p384Key().PublicKey,
		"P-521":            &p521Key().PublicKey,
		"EC nil":           (*ecdsa.PublicKey)(nil),
		"EC without curve": &ecdsa.PublicKey{X: big.NewInt(1), Y: big.NewInt(1)},
		"EC without X":     &ecdsa.PublicKey{Curve: elliptic.P256(), Y: big.NewInt(1)},
		"EC without Y":     &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1)},
		"Ed25519":          edKey().Public(),
		"Ed25519 short":    ed25519.PublicKey(make([]byte, 31)),
		"Ed25519 nil":      ed25519.PublicKey(nil),
		"octets":           []byte("a shared secret of 32 bytes or so"),
		"nothing":          nil,
	}
	rsaAlgorithms := []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	fits := map[string][]string{ // every other pair must not fit
		"RSA 2048": rsaAlgorithms,
		"RSA 8192": rsaAlgorithms,
		"RSA e=3":  rsaAlgorithms,
		"P-256":    {"ES256"},
		"P-384":    {"ES384"},
		"P-521":    {"ES512"},
		"Ed25519":  {"EdDSA"},
	}
	for name, key := range keys {
		for _, alg := range append(jose.Algorithms(), "none", "HS256", "") {
			if got, want := jose.Fits(alg, key), slices.Contains(fits[name], alg); got != want {
				t.Errorf("Fits(%q, %s) = %v, want %v", alg, name, got, want)
			}
		}
	}
}
