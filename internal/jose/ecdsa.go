package jose

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
)

// verifiesECDSA asks crypto/ecdsa itself. The library would ask first whether the
// point is on its curve, which [ParseKeys] did and crypto/ecdsa does again, pass the
// key through package reflect, and make numbers out of the signature that crypto/ecdsa
// makes bytes of again: together as much as reading the claims takes.
func verifiesECDSA(hash crypto.Hash, input, signature []byte, key *ecdsa.PublicKey) bool {
	size := coordinateSize(key.Curve)
	if len(signature) != 2*size {
		return false
	}
	h := hash.New()
	h.Write(input)
	var room [3 + 2*(3+66)]byte // three bytes before each, and 66 of a P-521 number
	return ecdsa.VerifyASN1(key, h.Sum(nil), appendASN1(room[:0], signature[:size], signature[size:]))
}

// appendASN1 writes r and s as crypto/ecdsa reads them: the Ecdsa-Sig-Value of RFC
// 3279 section 2.2.3, in DER.
func appendASN1(dst, r, s []byte) []byte {
	r, s = unsigned(r), unsigned(s)
	dst = append(dst, 0x30) // SEQUENCE
	if n := integerLen(r) + integerLen(s); n < 0x80 {
		dst = append(dst, byte(n))
	} else {
		dst = append(dst, 0x81, byte(n))
	}
	return appendInteger(appendInteger(dst, r), s)
}

// unsigned takes the zeros off that fill a number up.
func unsigned(n []byte) []byte { return bytes.TrimLeft(n, "\x00") }

func integerLen(n []byte) int {
	if signed(n) {
		return len(n) + 3
	}
	return len(n) + 2
}

func appendInteger(dst, n []byte) []byte {
	if !signed(n) {
		return append(append(dst, 0x02, byte(len(n))), n...)
	}
	return append(append(dst, 0x02, byte(len(n)+1), 0), n...)
}

// signed reports whether DER would read n as a negative number, or as none at all,
// were there no zero before it.
func signed(n []byte) bool { return len(n) == 0 || n[0] >= 0x80 }
