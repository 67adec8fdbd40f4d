//go:build !race

// The race detector allocates on its own account, so nothing is counted under it.

package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/internal/jose"
)

// largeToken has the claims of a caller with twenty groups: about 900 bytes of
// signed text.
func largeToken(t testing.TB, alg string) string {
	t.Helper()
	groups := make([]string, 20)
	for i := range groups {
		groups[i] = "engineering-team-" + string(rune('a'+i))
	}
	token, err := jose.Sign(signerFor(alg), jose.Header{Algorithm: alg, KeyID: "2026-11-key", Type: "at+jwt"}, map[string]any{
		"iss": "https://auth.example.com", "aud": "https://mcp.example.com/mcp", "sub": "00u1exampleAlice",
		"client_id": "0oa1exampleClient", "iat": 1790000000, "exp": 1790000600, "jti": "b1946ac92492d234",
		"scope": "files:read files:write", "email": "alice@example.com", "groups": groups,
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// rawCrypto checks the signature with the standard library alone: what every
// verification costs at least.
func rawCrypto(t testing.TB, token, alg string) func() bool {
	t.Helper()
	dot := strings.LastIndexByte(token, '.')
	input := []byte(token[:dot])
	signature := must(base64.RawURLEncoding.DecodeString(token[dot+1:]))
	switch alg {
	case "RS256":
		return func() bool {
			digest := sha256.Sum256(input)
			return rsa.VerifyPKCS1v15(&rsaKey().PublicKey, crypto.SHA256, digest[:], signature) == nil
		}
	case "PS256":
		return func() bool {
			digest := sha256.Sum256(input)
			return rsa.VerifyPSS(&rsaKey().PublicKey, crypto.SHA256, digest[:], signature, nil) == nil
		}
	case "ES256":
		der := must(asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])}))
		return func() bool {
			digest := sha256.Sum256(input)
			return ecdsa.VerifyASN1(&p256Key().PublicKey, digest[:], der)
		}
	}
	public := edKey().Public().(ed25519.PublicKey)
	return func() bool { return ed25519.Verify(public, input, signature) }
}

func parseAndVerify(token string, key crypto.PublicKey) bool {
	t, err := jose.Parse(token)
	return err == nil && t.Verify(key) == nil
}

// The allowance is what we may add to the cryptography: the payload, the
// signature, and what the signature primitive spends. Counts are exact
// and do not depend on the machine.
func TestAllocations(t *testing.T) {
	for alg, allowance := range map[string]float64{"RS256": 5, "PS256": 4, "ES256": 5, "EdDSA": 5} {
		token, key := largeToken(t, alg), signerFor(alg).Public()
		raw := rawCrypto(t, token, alg)
		if !raw() || !parseAndVerify(token, key) {
			t.Fatalf("%s: refused", alg)
		}
		base := testing.AllocsPerRun(50, func() { raw() })
		got := testing.AllocsPerRun(50, func() { parseAndVerify(token, key) })
		if got-base > allowance {
			t.Errorf("%s: %v allocations beside the %v of raw crypto, allowance %v", alg, got-base, base, allowance)
		}
	}
}

// A refusal before the payload is read must cost nothing that a flood could
// multiply: no memory, however long the token is.
func TestRefusalsAreFree(t *testing.T) {
	good := largeToken(t, "ES256")
	for name, token := range map[string]string{
		"too long":    strings.Repeat("A", jose.MaxTokenBytes+1),
		"opaque":      strings.Repeat("A", jose.MaxTokenBytes),
		"all dots":    strings.Repeat(".", jose.MaxTokenBytes),
		"JWE":         good + ".a.b",
		"long header": strings.Repeat("A", 15<<10) + "..",
	} {
		if n := testing.AllocsPerRun(50, func() { jose.Parse(token) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
		token, key := largeToken(b, alg), signerFor(alg).Public()
		raw := rawCrypto(b, token, alg)
		b.Run(alg+"/raw", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !raw() {
					b.Fatal("refused")
				}
			}
		})
		b.Run(alg+"/jose", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !parseAndVerify(token, key) {
					b.Fatal("refused")
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	known := largeToken(b, "ES256")
	parseAndVerify(known, p256Key().Public())
	unknown := withHeader(known, `{"alg":"ES256","kid":"nobody has signed with this","typ":"at+jwt"}`)
	for name, token := range map[string]string{"known header": known, "unknown header": unknown} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := jose.Parse(token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
