package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/jose"
)

// The keys of the tests are made once: an RSA key takes a tenth of a second.
var (
	rsaKey    = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	otherRSA  = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	p256Key   = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	otherP256 = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	p384Key   = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
	p521Key   = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)) })
	edKey     = sync.OnceValue(func() ed25519.PrivateKey {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return must(key, err)
	})
)

// signerFor returns a key that fits alg.
func signerFor(alg string) crypto.Signer {
	switch alg {
	case "ES256":
		return p256Key()
	case "ES384":
		return p384Key()
	case "ES512":
		return p521Key()
	case "EdDSA":
		return edKey()
	}
	return rsaKey()
}

// syntheticRSA has the shape of a public key of that many bits. Nobody knows its
// factors, and no test needs them.
func syntheticRSA(bits, exponent int) *rsa.PublicKey {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	return &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: exponent}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func encode(raw string) string { return base64.RawURLEncoding.EncodeToString([]byte(raw)) }

func decode(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// sign returns a token of the given algorithm over a small payload.
func sign(t *testing.T, alg string) string {
	t.Helper()
	token, err := jose.Sign(signerFor(alg), jose.Header{Algorithm: alg, KeyID: "k1", Type: "at+jwt"}, map[string]any{"sub": "alice"})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// withHeader puts another header on a token.
func withHeader(token, rawHeader string) string {
	_, rest, _ := strings.Cut(token, ".")
	return encode(rawHeader) + "." + rest
}

// wantReason fails unless err is an *Error with that reason; "" means no error.
func wantReason(t *testing.T, err error, want claims.Reason) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	e, ok := err.(*jose.Error)
	if !ok {
		t.Errorf("error = %v, want a *jose.Error with %s", err, want)
		return
	}
	if e.Reason != want {
		t.Errorf("reason = %s (%v), want %s", e.Reason, err, want)
	}
	if !strings.HasPrefix(err.Error(), "jose: ") {
		t.Errorf("error %q does not start with the package name", err)
	}
}
