package jose

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"io"
)

// verifyOnly gives the library a key in the form that it takes without
// reflection: as a crypto.Signer, which it asks for its public key. Handed the
// public key itself it copies it by package reflect, which costs a tenth of what
// everything here may add to a signature. The types below are those of crypto with
// another method set, so that the conversion copies nothing.
func verifyOnly(key crypto.PublicKey) crypto.PublicKey {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return (*rsaVerifyOnly)(k)
	case ed25519.PublicKey:
		return ed25519VerifyOnly(k)
	}
	return key
}

type (
	rsaVerifyOnly     rsa.PublicKey
	ed25519VerifyOnly ed25519.PublicKey
)

func (k *rsaVerifyOnly) Public() crypto.PublicKey { return (*rsa.PublicKey)(k) }

func (k ed25519VerifyOnly) Public() crypto.PublicKey { return ed25519.PublicKey(k) }

var errVerifyOnly = errors.New("jose: a public key signs nothing")

func (k *rsaVerifyOnly) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errVerifyOnly
}

func (k ed25519VerifyOnly) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errVerifyOnly
}
