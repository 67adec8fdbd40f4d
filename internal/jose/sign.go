package jose

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// Sign writes a compact JWS whose header is h and whose payload is claims as
// JSON. s is any signer whose public key fits h.Algorithm: one in memory, in an
// HSM or in a cloud's key service. h.Type and h.KeyID are left out when empty.
// Errors come from encoding claims, from s, or name what does not fit.
func Sign(s crypto.Signer, h Header, claims any) (string, error) {
	if s == nil {
		return "", errors.New("jose: no signer: pass the private key of one of the published keys")
	}
	key := s.Public()
	a, ok := algorithms[h.Algorithm]
	if !ok || !a.fits(key) {
		return "", fmt.Errorf("jose: algorithm %q does not fit a key of type %T: choose one for its type, curve and size", h.Algorithm, key)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("jose: encode claims: %w", err)
	}
	header := map[string]any{"alg": h.Algorithm}
	if h.KeyID != "" {
		header["kid"] = h.KeyID
	}
	if h.Type != "" {
		header["typ"] = h.Type
	}
	compact := Encode(header, payload, func(input []byte) []byte {
		var signature []byte
		signature, err = a.sign(s, input)
		return signature
	})
	if err != nil {
		return "", err
	}
	return compact, nil
}

// Encode assembles a compact JWS out of any header and any payload, with what
// sign returns for the signing input as its signature; a nil sign leaves the
// signature empty. It checks nothing: it is there for tests that need a bad
// token. It panics when header cannot be written as JSON.
func Encode(header map[string]any, payload []byte, sign func(input []byte) []byte) string {
	raw, err := json.Marshal(header)
	if err != nil {
		panic("jose: encode header: " + err.Error())
	}
	var b strings.Builder
	b.WriteString(strictBase64.EncodeToString(raw))
	b.WriteByte('.')
	b.WriteString(strictBase64.EncodeToString(payload))
	var signature []byte
	if sign != nil {
		signature = sign([]byte(b.String()))
	}
	b.WriteByte('.')
	b.WriteString(strictBase64.EncodeToString(signature))
	return b.String()
}

func (a *algorithm) sign(s crypto.Signer, input []byte) ([]byte, error) {
	var opts crypto.SignerOpts = a.hash
	digest := input
	if a.family != edDSA {
		h := a.hash.New()
		h.Write(input)
		digest = h.Sum(nil)
	}
	if a.family == rsaPSS {
		// RFC 7518 section 3.5: the salt is as long as the hash.
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.hash}
	}
	signature, err := s.Sign(rand.Reader, digest, opts)
	if err != nil {
		return nil, fmt.Errorf("jose: signer: %w", err)
	}
	size := a.signatureSize(s.Public())
	if a.family == ecdsaFixed {
		signature, err = fixedSize(signature, size)
	} else if len(signature) != size {
		err = errForeignSignature
	}
	return signature, err
}

var errForeignSignature = errors.New("jose: signer returned something that is no signature of its key: see how it encodes signatures")

// fixedSize turns the ASN.1 form that a crypto.Signer returns for ECDSA into the
// one of RFC 7518 section 3.4: r and s as big-endian integers of half of size
// each.
func fixedSize(der []byte, size int) ([]byte, error) {
	var sig struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &sig)
	if err != nil || len(rest) != 0 {
		return nil, errForeignSignature
	}
	out := make([]byte, size)
	half := size / 2
	for i, v := range []*big.Int{sig.R, sig.S} {
		if v.Sign() <= 0 || v.BitLen() > 8*half {
			return nil, errForeignSignature
		}
		v.FillBytes(out[i*half : (i+1)*half])
	}
	return out, nil
}
