package emamwtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// A key signs with one algorithm, as RFC 8725 section 3.1 asks: a key that
// served two would let an attacker choose the weaker.
type key struct {
	id     string
	alg    string
	signer crypto.Signer
}

// newKey makes a key for alg. Its id tells the algorithm and the generation,
// so a failing test shows at a glance which key a token was signed with. Two
// issuers use the same ids on purpose: a verifier that pools the keys of its
// issuers is then caught.
func newKey(alg string, generation int) key {
	return key{id: alg + "-" + strconv.Itoa(generation), alg: alg, signer: newSigner(alg)}
}

// signatureAlgorithms are those that the kit can sign with.
var signatureAlgorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

func newSigner(alg string) crypto.Signer {
	switch alg {
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		must(err)
		return k
	case "ES256", "ES384", "ES512":
		k, err := ecdsa.GenerateKey(curve(alg), rand.Reader)
		must(err)
		return k
	case "EdDSA":
		_, k, err := ed25519.GenerateKey(rand.Reader)
		must(err)
		return k
	}
	panic("emamwtest: unknown algorithm " + strconv.Quote(alg) + ": the kit signs with " + strings.Join(signatureAlgorithms, ", "))
}

func curve(alg string) elliptic.Curve {
	switch alg {
	case "ES384":
		return elliptic.P384()
	case "ES512":
		return elliptic.P521()
	}
	return elliptic.P256()
}

// sign returns the JWS signature of input (RFC 7515 section 5.1).
func (k key) sign(input []byte) []byte {
	if priv, ok := k.signer.(ed25519.PrivateKey); ok {
		return ed25519.Sign(priv, input)
	}
	hash, digest := k.digest(input)
	switch priv := k.signer.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, priv, digest)
		must(err)
		return joinRS(k.alg, r, s)
	case *rsa.PrivateKey:
		var opts crypto.SignerOpts = hash
		if k.alg[0] == 'P' {
			opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
		}
		sig, err := priv.Sign(rand.Reader, digest, opts)
		must(err)
		return sig
	}
	panic("emamwtest: a key of unknown type")
}

// verify reports whether sig is k's signature of input. The IdP checks the ID
// tokens it gets back with it.
func (k key) verify(input, sig []byte) bool {
	if pub, ok := k.signer.Public().(ed25519.PublicKey); ok {
		return ed25519.Verify(pub, input, sig)
	}
	hash, digest := k.digest(input)
	switch pub := k.signer.Public().(type) {
	case *ecdsa.PublicKey:
		n := coordinateSize(k.alg)
		if len(sig) != 2*n {
			return false
		}
		return ecdsa.Verify(pub, digest, new(big.Int).SetBytes(sig[:n]), new(big.Int).SetBytes(sig[n:]))
	case *rsa.PublicKey:
		if k.alg[0] == 'P' {
			return rsa.VerifyPSS(pub, hash, digest, sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return rsa.VerifyPKCS1v15(pub, hash, digest, sig) == nil
	}
	return false
}

func (k key) digest(input []byte) (crypto.Hash, []byte) {
	switch k.alg[2:] {
	case "384":
		d := sha512.Sum384(input)
		return crypto.SHA384, d[:]
	case "512":
		d := sha512.Sum512(input)
		return crypto.SHA512, d[:]
	}
	d := sha256.Sum256(input)
	return crypto.SHA256, d[:]
}

// joinRS writes an ECDSA signature in the fixed-size form of RFC 7518 section
// 3.4.
func joinRS(alg string, r, s *big.Int) []byte {
	n := coordinateSize(alg)
	sig := make([]byte, 2*n)
	r.FillBytes(sig[:n])
	s.FillBytes(sig[n:])
	return sig
}

func coordinateSize(alg string) int {
	return (curve(alg).Params().BitSize + 7) / 8
}

// jwk returns the public key as a JSON Web Key (RFC 7517, RFC 7518 section 6,
// RFC 8037 section 2).
func (k key) jwk() map[string]any {
	m := map[string]any{"kid": k.id, "alg": k.alg, "use": "sig"}
	switch pub := k.signer.Public().(type) {
	case *rsa.PublicKey:
		m["kty"] = "RSA"
		m["n"] = base64url(pub.N.Bytes())
		m["e"] = base64url(big.NewInt(int64(pub.E)).Bytes())
	case *ecdsa.PublicKey:
		n := coordinateSize(k.alg)
		point, err := pub.Bytes()
		must(err)
		m["kty"] = "EC"
		m["crv"] = pub.Curve.Params().Name
		m["x"] = base64url(point[1 : 1+n])
		m["y"] = base64url(point[1+n:])
	case ed25519.PublicKey:
		m["kty"] = "OKP"
		m["crv"] = "Ed25519"
		m["x"] = base64url(pub)
	}
	return m
}

// keys is a signing key per algorithm, and the keys that are published.
type keys struct {
	generation int
	signing    []key // one per algorithm, the first is the default
	published  []key // the signing keys and the older ones not yet withdrawn
}

func newKeys(algorithms []string) keys {
	var ks keys
	for _, alg := range algorithms {
		ks.signing = append(ks.signing, newKey(alg, 1))
	}
	ks.generation = 1
	ks.published = slices.Clone(ks.signing)
	return ks
}

func (ks *keys) rotate() {
	ks.generation++
	for i, old := range ks.signing {
		ks.signing[i] = newKey(old.alg, ks.generation)
	}
	ks.published = append(slices.Clone(ks.signing), ks.published...)
}

func (ks *keys) withdraw() {
	ks.published = slices.Clone(ks.signing)
}

// signer returns the key for alg, and the default key for "".
func (ks *keys) signer(alg string) (key, bool) {
	if alg == "" {
		return ks.signing[0], true
	}
	i := slices.IndexFunc(ks.signing, func(k key) bool { return k.alg == alg })
	if i < 0 {
		return key{}, false
	}
	return ks.signing[i], true
}

func base64url(b []byte) string {
	return base64.RawURLEncoding.EncodeToString(b)
}

// must is for errors that only a broken machine or a broken kit can cause.
func must(err error) {
	if err != nil {
		panic("emamwtest: " + err.Error())
	}
}

// must1 is must for a function that returns a value too.
func must1[T any](v T, err error) T {
	must(err)
	return v
}
