package jose

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"math/big"
	"testing"
)

// The library is handed the very key, in a form that can do nothing but verify.
func TestVerifyOnly(t *testing.T) {
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	modulus := &rsa.PublicKey{N: big.NewInt(35), E: 65537}
	for _, key := range []interface {
		Equal(crypto.PublicKey) bool
	}{modulus, edwards} {
		signer, ok := verifyOnly(key).(crypto.Signer)
		if !ok {
			t.Fatalf("%T: no crypto.Signer, which the library would copy by reflection", key)
		}
		if !key.Equal(signer.Public()) {
			t.Errorf("%T: another key", key)
		}
		if signature, err := signer.Sign(rand.Reader, nil, crypto.SHA256); !errors.Is(err, errVerifyOnly) || signature != nil {
			t.Errorf("%T: signs", key)
		}
	}
	if verifyOnly("another") != crypto.PublicKey("another") {
		t.Error("what is no key was changed")
	}
}
