package emamwtest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"encoding/asn1"
	"math/big"
	"slices"

	"github.com/emamw/mcp-ema/claims"
)

// signatures are tokens whose signature is not the key's over these bytes.
// Names end with the algorithm.
func (f *forge) signatures() {
	stranger := key{id: f.key.id, alg: f.key.alg, signer: newSigner(f.key.alg)}
	invalid := func(name string, sign func(input []byte) []byte) {
		f.signedBy(claims.SignatureInvalid, "signature "+name+f.of(), nil, sign)
	}
	changed := func(name string, change func(sig []byte) []byte) {
		invalid(name, func(input []byte) []byte { return change(f.key.sign(input)) })
	}
	invalid("of another issuer's key with the same kid", stranger.sign)
	invalid("is empty", unsigned)
	invalid("is one zero byte", func([]byte) []byte { return []byte{0} })
	changed("is all zero", func(sig []byte) []byte { return make([]byte, len(sig)) })
	changed("is all ones", func(sig []byte) []byte { return bytes.Repeat([]byte{0xFF}, len(sig)) })
	changed("lacks its last byte", func(sig []byte) []byte { return sig[:len(sig)-1] })
	changed("lacks its first byte", func(sig []byte) []byte { return sig[1:] })
	changed("has a zero byte behind it", func(sig []byte) []byte { return append(sig, 0) })
	changed("has a zero byte before it", func(sig []byte) []byte { return append([]byte{0}, sig...) })
	changed("is there twice", func(sig []byte) []byte { return append(sig, sig...) })
	changed("has its first bit flipped", func(sig []byte) []byte { return flip(sig, 0, 0x80) })
	changed("has its last bit flipped", func(sig []byte) []byte { return flip(sig, len(sig)-1, 1) })
	changed("is backwards", func(sig []byte) []byte { slices.Reverse(sig); return sig })
	invalid("over the header alone", func(input []byte) []byte {
		return f.key.sign(input[:bytes.IndexByte(input, '.')])
	})
	invalid("over the payload alone", func(input []byte) []byte {
		return f.key.sign(input[bytes.IndexByte(input, '.')+1:])
	})
	invalid("over the parts without their dot", func(input []byte) []byte {
		return f.key.sign(bytes.Replace(input, []byte("."), nil, 1))
	})
	f.tampered()
	switch k := f.key.signer.(type) {
	case *ecdsa.PrivateKey:
		f.ecdsaSignatures(k, invalid)
	case *rsa.PrivateKey:
		f.rsaSignatures(k, invalid)
	case ed25519.PrivateKey:
		f.ed25519Signatures(k, invalid, changed)
	}
}

func flip(sig []byte, i int, bit byte) []byte {
	sig[i] ^= bit
	return sig
}

// tampered are good tokens with one part exchanged after signing.
func (f *forge) tampered() {
	header, payload, signature := split(f.change(nil, nil))
	h, p := f.good()
	p["sub"] = "mallory"
	f.add(claims.SignatureInvalid, "sub changed after signing"+f.of(), header+"."+base64url(marshal(p))+"."+signature)
	p = f.mint()
	p["scope"] = "admin"
	f.add(claims.SignatureInvalid, "scope changed after signing"+f.of(), header+"."+base64url(marshal(p))+"."+signature)
	h["x"] = 1
	f.add(claims.SignatureInvalid, "header changed after signing"+f.of(), base64url(marshal(h))+"."+payload+"."+signature)
	_, _, other := split(f.change(nil, nil))
	f.add(claims.SignatureInvalid, "signature of another token"+f.of(), header+"."+payload+"."+other)
}

// ecdsaSignatures are wrong only for r and s in fixed size (RFC 7518 section
// 3.4).
func (f *forge) ecdsaSignatures(k *ecdsa.PrivateKey, invalid func(string, func([]byte) []byte)) {
	size := coordinateSize(f.key.alg)
	zero, order := new(big.Int), k.Params().N
	fixed := func(name string, r, s *big.Int) {
		invalid(name, func([]byte) []byte { return joinRS(f.key.alg, r, s) })
	}
	fixed("has r = 0", zero, big.NewInt(1))
	fixed("has s = 0", big.NewInt(1), zero)
	fixed("has r and s = 1", big.NewInt(1), big.NewInt(1))
	fixed("has r and s = the order of the curve", order, order)
	fixed("has s = the order of the curve", big.NewInt(1), order)
	invalid("is in DER", func(input []byte) []byte {
		sig := f.key.sign(input)
		r, s := new(big.Int).SetBytes(sig[:size]), new(big.Int).SetBytes(sig[size:])
		return must1(asn1.Marshal(struct{ R, S *big.Int }{r, s}))
	})
	invalid("has r and s swapped", func(input []byte) []byte {
		sig := f.key.sign(input)
		return slices.Concat(sig[size:], sig[:size])
	})
	invalid("has r and s one byte longer", func(input []byte) []byte {
		sig := f.key.sign(input)
		return slices.Concat([]byte{0}, sig[:size], []byte{0}, sig[size:])
	})
	invalid("is r alone", func(input []byte) []byte { return f.key.sign(input)[:size] })
	invalid("over another hash of the parts", func(input []byte) []byte {
		sum := sha512.Sum512_224(input)
		r, s, err := ecdsa.Sign(rand.Reader, k, sum[:])
		must(err)
		return joinRS(f.key.alg, r, s)
	})
}

// rsaSignatures have another padding or hash than alg says.
func (f *forge) rsaSignatures(k *rsa.PrivateKey, invalid func(string, func([]byte) []byte)) {
	sibling := key{id: f.key.id, alg: swapRSA(f.key.alg), signer: k}
	invalid("is that of "+sibling.alg, sibling.sign)
	invalid("over another hash of the parts", func(input []byte) []byte {
		sum := sha512.Sum512_224(input)
		return must1(k.Sign(rand.Reader, sum[:], crypto.SHA512_224))
	})
	invalid("has a padding without a hash in it", func(input []byte) []byte {
		_, digest := f.key.digest(input)
		return must1(rsa.SignPKCS1v15(nil, k, 0, digest))
	})
	invalid("is the number 1", func([]byte) []byte { return big.NewInt(1).FillBytes(make([]byte, k.Size())) })
}

// ed25519Signatures are those that RFC 8032 section 5.1.7 refuses and a careless
// verifier takes.
func (f *forge) ed25519Signatures(k ed25519.PrivateKey, invalid func(string, func([]byte) []byte), changed func(string, func([]byte) []byte)) {
	invalid("is that of Ed25519ph", func(input []byte) []byte {
		sum := sha512.Sum512(input)
		return must1(k.Sign(nil, sum[:], crypto.SHA512))
	})
	changed("has s plus the order of the group", func(sig []byte) []byte {
		order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
		s := slices.Clone(sig[32:])
		slices.Reverse(s)
		sum := new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
		slices.Reverse(sum)
		return append(sig[:32], sum...)
	})
	invalid("has the neutral point and s = 0", func([]byte) []byte {
		sig := make([]byte, ed25519.SignatureSize)
		sig[0] = 1
		return sig
	})
}
