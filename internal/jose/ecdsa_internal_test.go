package jose

import (
	"bytes"
	"encoding/asn1"
	"math/big"
	"testing"
)

// What is handed to crypto/ecdsa is what encoding/asn1 makes of the same numbers.
func FuzzAppendASN1(f *testing.F) {
	for _, size := range []int{32, 48, 66} {
		for _, first := range []byte{0, 1, 0x7f, 0x80, 0xff} {
			n := make([]byte, size)
			n[0], n[size-1] = first, 1
			f.Add(n, bytes.Repeat([]byte{0xff}, size))
			f.Add(bytes.Repeat([]byte{0}, size), n)
		}
	}
	f.Fuzz(func(t *testing.T, r, s []byte) {
		if len(r) > 66 || len(s) > 66 {
			t.Skip("no curve has larger numbers")
		}
		want, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(r), new(big.Int).SetBytes(s)})
		if err != nil {
			t.Fatal(err)
		}
		if got := appendASN1(nil, r, s); !bytes.Equal(got, want) {
			t.Errorf("r %x, s %x: %x, want %x", r, s, got, want)
		}
	})
}
