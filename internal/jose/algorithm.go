package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.SHA256.New
	_ "crypto/sha512" // for crypto.SHA384.New and crypto.SHA512.New

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// RSA keys outside these bounds fit no algorithm. The lower one is RFC 7518
// section 3.3. The upper one is ours: the work of a verification grows with the
// square of the size, and a hostile key set must not choose it.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

type family int

const (
	rsaPKCS1 family = iota
	rsaPSS
	ecdsaFixed // r and s as fixed-size integers, RFC 7518 section 3.4
	edDSA
)

type algorithm struct {
	name     string
	family   family
	hash     crypto.Hash    // zero for EdDSA, which hashes by itself
	curve    elliptic.Curve // for ecdsaFixed
	verifier jws.Verifier   // not asked for ecdsaFixed
}

// The order is that of Algorithms.
var algorithmList = []*algorithm{
	newAlgorithm("RS256", rsaPKCS1, crypto.SHA256, nil),
	newAlgorithm("RS384", rsaPKCS1, crypto.SHA384, nil),
	newAlgorithm("RS512", rsaPKCS1, crypto.SHA512, nil),
	newAlgorithm("PS256", rsaPSS, crypto.SHA256, nil),
	newAlgorithm("PS384", rsaPSS, crypto.SHA384, nil),
	newAlgorithm("PS512", rsaPSS, crypto.SHA512, nil),
	newAlgorithm("ES256", ecdsaFixed, crypto.SHA256, elliptic.P256()),
	newAlgorithm("ES384", ecdsaFixed, crypto.SHA384, elliptic.P384()),
	newAlgorithm("ES512", ecdsaFixed, crypto.SHA512, elliptic.P521()),
	newAlgorithm("EdDSA", edDSA, 0, nil),
}

var algorithms = func() map[string]*algorithm {
	m := make(map[string]*algorithm, len(algorithmList))
	for _, a := range algorithmList {
		m[a.name] = a
	}
	return m
}()

// newAlgorithm takes the verifier once, while the program starts. The library
// keeps verifiers in a process-wide table that any package may overwrite; a
// lookup per token would pay for its lock and trust whoever wrote last.
func newAlgorithm(name string, f family, h crypto.Hash, c elliptic.Curve) *algorithm {
	v, _ := jws.NewVerifier(jwa.SignatureAlgorithm(name)) // the names above are all known to it: every round trip test would panic
	return &algorithm{name: name, family: f, hash: h, curve: c, verifier: v}
}

// Algorithms lists what is supported, in the spelling of RFC 7518 section 3.1
// and RFC 8037 section 3.1. The slice is the caller's own.
func Algorithms() []string {
	names := make([]string, len(algorithmList))
	for i, a := range algorithmList {
		names[i] = a.name
	}
	return names
}

// Supported reports whether alg is one of [Algorithms]. none and the HMAC
// algorithms never are.
func Supported(alg string) bool {
	_, ok := algorithms[alg]
	return ok
}

// Fits reports whether key may verify signatures made with alg: an
// *rsa.PublicKey of 2048 to 8192 bits for RS and PS, an *ecdsa.PublicKey on the
// curve of that ES, an ed25519.PublicKey for EdDSA. Without this check a token
// could choose how its key is used (RFC 8725 section 2.1).
func Fits(alg string, key crypto.PublicKey) bool {
	a, ok := algorithms[alg]
	return ok && a.fits(key)
}

func (a *algorithm) fits(key crypto.PublicKey) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return (a.family == rsaPKCS1 || a.family == rsaPSS) && soundRSA(k)
	case *ecdsa.PublicKey:
		return a.family == ecdsaFixed && k != nil && k.Curve == a.curve && k.X != nil && k.Y != nil
	case ed25519.PublicKey:
		return a.family == edDSA && len(k) == ed25519.PublicKeySize
	}
	return false
}

// verifies reports whether signature is one over input by a key that fits.
func (a *algorithm) verifies(input, signature []byte, key crypto.PublicKey) bool {
	if k, ok := key.(*ecdsa.PublicKey); ok {
		return verifiesECDSA(a.hash, input, signature, k)
	}
	return a.verifier.Verify(input, signature, verifyOnly(key)) == nil
}

// soundRSA refuses what no key generator makes: an even modulus or exponent,
// and the exponent 1, under which every message is its own signature.
func soundRSA(k *rsa.PublicKey) bool {
	if k == nil || k.N == nil {
		return false
	}
	if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
		return false
	}
	return k.N.Bit(0) == 1 && k.E >= 3 && k.E%2 == 1 && int64(k.E) <= maxRSAExponent
}

// maxRSAExponent is the largest that crypto/rsa verifies with.
const maxRSAExponent = 1<<31 - 1

// signatureSize is the length in bytes of every signature by a key that fits.
func (a *algorithm) signatureSize(key crypto.PublicKey) int {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.Size()
	case *ecdsa.PublicKey:
		return 2 * coordinateSize(k.Curve)
	}
	return ed25519.SignatureSize
}

// coordinateSize is the length in bytes of one coordinate, and of r or s.
func coordinateSize(c elliptic.Curve) int {
	return (c.Params().BitSize + 7) / 8
}
