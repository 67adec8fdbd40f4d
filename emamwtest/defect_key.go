package emamwtest

import (
	"bytes"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/pem"
	"hash"
	"slices"
	"strings"

	"github.com/emamw/mcp-ema/claims"
)

// algorithms are tokens whose alg is not what the issuer signs with (RFC 8725
// section 3.1). Names end with the algorithm of the key under attack.
func (f *forge) algorithms() {
	for _, none := range []string{"none", "None", "NONE", "nOnE"} {
		f.signedBy(claims.AlgorithmNotAllowed, "alg "+none+" without a signature"+f.of(), map[string]any{"alg": none}, unsigned)
		f.signedBy(claims.AlgorithmNotAllowed, "alg "+none+" with the signature of the key"+f.of(), map[string]any{"alg": none}, f.key.sign)
	}
	for _, v := range f.publicSecrets() {
		f.signedBy(claims.AlgorithmNotAllowed, "alg HS256 with "+v.how+" as the secret"+f.of(), map[string]any{"alg": "HS256"}, hmacSigner(sha256.New, v.value.([]byte)))
	}
	public := pemText(f.key)
	f.signedBy(claims.AlgorithmNotAllowed, "alg HS384 with the public key as the secret"+f.of(), map[string]any{"alg": "HS384"}, hmacSigner(sha512.New384, public))
	f.signedBy(claims.AlgorithmNotAllowed, "alg HS512 with the public key as the secret"+f.of(), map[string]any{"alg": "HS512"}, hmacSigner(sha512.New, public))
	f.signedBy(claims.AlgorithmNotAllowed, "alg HS256 with the symmetric key of the key set"+f.of(), map[string]any{"alg": "HS256", "kid": "HS256-1"}, hmacSigner(sha256.New, []byte(symmetricSecret)))

	lower := strings.ToLower(f.key.alg)
	wrong := []string{"ES256K", "Ed25519", "RSA-OAEP", "A256KW", "dir", "RS1", f.key.alg + " ", " " + f.key.alg, f.key.alg + "\x00"}
	if lower != f.key.alg {
		wrong = append(wrong, lower)
	}
	for _, alg := range append(wrong, signatureAlgorithms...) {
		if alg != f.key.alg {
			f.signedBy(claims.AlgorithmNotAllowed, "alg "+visible(alg)+" over a signature of the key"+f.of(), map[string]any{"alg": alg}, f.key.sign)
		}
	}
	// The same key under its sibling algorithm: RS256 and PS256 share RSA keys,
	// and only the alg of the key itself forbids to swap them.
	if k, ok := f.key.signer.(*rsa.PrivateKey); ok {
		sibling := key{id: f.key.id, alg: swapRSA(f.key.alg), signer: k}
		f.signedBy(claims.AlgorithmNotAllowed, "alg "+sibling.alg+", properly signed"+f.of(), map[string]any{"alg": sibling.alg}, sibling.sign)
	}
}

// of names the key in the defects that exist once per key.
func (f *forge) of() string { return " (" + f.key.alg + ")" }

func unsigned([]byte) []byte { return nil }

// publicSecrets are what a confused verifier may use as an HMAC secret: the
// public key in every spelling that a library might hold it in, and secrets that
// are none.
func (f *forge) publicSecrets() []variant {
	text := pemText(f.key)
	return []variant{
		{"the public key in PEM", text},
		{"the public key in PEM, trimmed", bytes.TrimSpace(text)},
		{"the public key in DER", must1(x509.MarshalPKIXPublicKey(f.key.signer.Public()))},
		{"the public key as a JWK", marshal(f.key.jwk())},
		{"the key id", []byte(f.key.id)},
		{"nothing", []byte{}},
		{"a guess", []byte("secret")},
	}
}

func pemText(k key) []byte {
	der := must1(x509.MarshalPKIXPublicKey(k.signer.Public()))
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func hmacSigner(h func() hash.Hash, secret []byte) func([]byte) []byte {
	return func(input []byte) []byte {
		mac := hmac.New(h, secret)
		mac.Write(input)
		return mac.Sum(nil)
	}
}

func swapRSA(alg string) string {
	if alg[0] == 'P' {
		return "R" + alg[1:]
	}
	return "P" + alg[1:]
}

// visible makes blanks readable in a name.
func visible(alg string) string {
	return strings.NewReplacer(" ", "␠", "\x00", "␀").Replace(alg)
}

// keys are tokens that lead the verifier to another key than the issuer's (RFC
// 8725 section 3.10).
func (f *forge) keys() {
	for _, v := range []variant{
		{"is unknown", "unknown"},
		{"is the known one in another case", swapCase(f.key.id)},
		{"is the known one with a space", f.key.id + " "},
		{"is a path", "../../../../dev/null"},
		{"is a URL", "https://attacker.example/key"},
		{"is a query", "x' UNION SELECT 'secret' --"},
		{"is the position in the key set", "0"},
	} {
		f.headerIs(claims.KeyUnknown, "kid", v)
	}
	attacker := key{id: f.key.id, alg: f.key.alg, signer: newSigner(f.key.alg)}
	certificate := base64url(must1(x509.MarshalPKIXPublicKey(attacker.signer.Public())))
	for _, v := range []variant{
		{"jwk", attacker.jwk()},
		{"jku", "https://attacker.example/jwks"},
		{"x5u", "https://attacker.example/certificate"},
		{"x5c", []string{certificate}},
	} {
		f.signedBy(claims.SignatureInvalid, "header "+v.how+" with the key that signed", map[string]any{v.how: v.value}, attacker.sign)
		f.signedBy(claims.KeyUnknown, "header "+v.how+" with the key that signed, and its kid", map[string]any{v.how: v.value, "kid": "attacker"}, attacker.sign)
	}
	f.withoutKid(attacker)
}

// withoutKid adds what a missing kid must lead to: the one key that fits, and
// no guessing among several.
func (f *forge) withoutKid(attacker key) {
	fitting := slices.DeleteFunc(f.issuer.publishedKeys(), func(k key) bool { return k.alg != f.key.alg })
	reason := claims.SignatureInvalid
	if len(fitting) != 1 {
		reason = claims.KeyUnknown
		f.headerIs(reason, "kid", variant{"is missing, and several keys fit", nil})
	}
	h, p := f.good()
	delete(h, "kid")
	f.add(reason, "header kid is missing, signed by another key", compact(marshal(h), marshal(p), attacker.sign))
}

// swapCase turns upper into lower case, and lower into upper.
func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, s)
}
