package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds on a key set. The largest public ones have about twenty keys.
const (
	MaxKeySetBytes = 1 << 20
	maxMembers     = 1000
	maxKeys        = 100
)

// A Rejected is a member of a key set that was left out. Why is a constant text
// without anything out of the set.
type Rejected struct{ Why string }

// Why a member is left out.
const (
	whyNoObject   = "not a JSON object"
	whyMember     = "a member has the wrong type"
	whySymmetric  = "a symmetric key, which a public set must not hold: replace it, everybody can sign with it"
	whyPrivate    = "a private key, which a public set must not hold: replace it, everybody can sign with it"
	whyUse        = "use is not sig"
	whyOperations = "key_ops does not hold verify"
	whyType       = "kty is not RSA, EC or OKP"
	whyCurve      = "crv is not P-256, P-384, P-521 or Ed25519"
	whyKeyID      = "kid is longer than 256 bytes"
	whyAlgorithm  = "alg is no supported signature algorithm, or does not fit the key"
	whyRSA        = "not an RSA key of 2048 to 8192 bits with an odd modulus and exponent"
	whyPoint      = "not a point on its curve"
	whyDuplicate  = "its kid stands more than once in the set"
	whyTooMany    = "more than 100 usable keys in the set: this one and all after it were left out"
)

// ParseKeys reads a JWK set (RFC 7517 section 5) and keeps the members that may
// verify a signature. Members are judged alone: what is foreign or malformed is
// left out and the others are kept, as that section asks, because one bad member
// must not take the service down.
//
// A member with private or symmetric material is never kept, although it would
// verify: whoever has read the set can sign with it. Two members with one kid are
// both left out, since nothing says which the issuer means, and a guess would let
// one shadow the other. The error is for what is no key set at all; no usable key
// is not an error here.
func ParseKeys(jwks []byte) ([]PublicKey, []Rejected, error) {
	if len(jwks) > MaxKeySetBytes {
		return nil, nil, errors.New("jose: key set is longer than 1 MiB")
	}
	// A map and not a struct: encoding/json would match KEYS with a field, too.
	var set map[string]json.RawMessage
	var members []json.RawMessage
	if json.Unmarshal(jwks, &set) != nil || json.Unmarshal(set["keys"], &members) != nil || members == nil {
		return nil, nil, errors.New(`jose: no JSON object with an array "keys" (RFC 7517 section 5): see what the key set's URL answers`)
	}
	if len(members) > maxMembers {
		return nil, nil, errors.New("jose: key set has more than 1000 members")
	}

	var keys []PublicKey
	var rejected []Rejected
	for _, m := range members {
		k, why := parseKey(m)
		if why != "" {
			rejected = append(rejected, Rejected{why})
			continue
		}
		keys = append(keys, k)
	}
	keys, rejected = dropDuplicates(keys, rejected)
	if len(keys) > maxKeys {
		keys = slices.Clip(keys[:maxKeys])
		rejected = append(rejected, Rejected{whyTooMany})
	}
	return keys, rejected, nil
}

// dropDuplicates works over usable keys only: an encryption key with the kid of
// a signature key makes nothing ambiguous here.
func dropDuplicates(keys []PublicKey, rejected []Rejected) ([]PublicKey, []Rejected) {
	count := make(map[string]int)
	for _, k := range keys {
		count[k.ID]++
	}
	var unique []PublicKey
	for _, k := range keys {
		if k.ID != "" && count[k.ID] > 1 {
			rejected = append(rejected, Rejected{whyDuplicate})
			continue
		}
		unique = append(unique, k)
	}
	return unique, rejected
}

// privateMembers are those of RFC 7518 sections 6.2.2 and 6.3.2, and of RFC 8037
// section 2.
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth"}

// parseKey returns the key, or why it is left out.
func parseKey(raw json.RawMessage) (k PublicKey, why string) {
	var m member
	if json.Unmarshal(raw, &m) != nil || m == nil {
		return PublicKey{}, whyNoObject
	}
	kty, ok := m.text("kty")
	switch {
	case !ok:
		return PublicKey{}, whyMember
	case kty == "oct" || m.has("k"):
		return PublicKey{}, whySymmetric
	case slices.ContainsFunc(privateMembers, m.has):
		return PublicKey{}, whyPrivate
	}
	if why = m.purpose(); why != "" {
		return PublicKey{}, why
	}
	if k.Key, why = m.material(kty); why != "" {
		return PublicKey{}, why
	}
	if k.ID, ok = m.text("kid"); !ok {
		return PublicKey{}, whyMember
	}
	if len(k.ID) > maxKeyIDBytes {
		return PublicKey{}, whyKeyID
	}
	if k.Issuer, ok = m.text("issuer"); !ok {
		return PublicKey{}, whyMember
	}
	if k.Algorithm, ok = m.text("alg"); !ok || m.has("alg") && !Fits(k.Algorithm, k.Key) {
		return PublicKey{}, whyAlgorithm
	}
	return k, ""
}

// A member is one JWK as it stands in a set.
type member map[string]json.RawMessage

func (m member) has(name string) bool {
	_, ok := m[name]
	return ok
}

// text returns a string member, "" when it is absent, and false when it is
// something else.
func (m member) text(name string) (string, bool) {
	if !m.has(name) {
		return "", true
	}
	// Valid JSON starts with a quote only for a string. A null would be taken for
	// "", and U+FFFD may stand for half a surrogate pair, which makes two names one.
	var s string
	if m[name][0] != '"' || json.Unmarshal(m[name], &s) != nil {
		return "", false
	}
	return s, !strings.ContainsRune(s, utf8.RuneError)
}

// purpose judges use and key_ops (RFC 7517 sections 4.2 and 4.3). Either may be
// absent; what is there must allow to verify.
func (m member) purpose() (why string) {
	use, ok := m.text("use")
	if !ok {
		return whyMember
	}
	if m.has("use") && use != "sig" {
		return whyUse
	}
	if !m.has("key_ops") {
		return ""
	}
	var ops []string
	if json.Unmarshal(m["key_ops"], &ops) != nil {
		return whyMember
	}
	if !slices.Contains(ops, "verify") {
		return whyOperations
	}
	return ""
}

// bytes returns a base64url member. Absent is empty.
func (m member) bytes(name string) ([]byte, bool) {
	s, ok := m.text(name)
	if !ok {
		return nil, false
	}
	return decoded(s)
}

func (m member) material(kty string) (key crypto.PublicKey, why string) {
	switch kty {
	case "RSA":
		return m.rsaKey()
	case "EC":
		return m.ecKey()
	case "OKP":
		return m.okpKey()
	}
	return nil, whyType
}

func (m member) rsaKey() (crypto.PublicKey, string) {
	n, okN := m.bytes("n")
	e, okE := m.bytes("e")
	if !okN || !okE {
		return nil, whyMember
	}
	exponent := new(big.Int).SetBytes(e)
	if exponent.BitLen() > 31 {
		return nil, whyRSA
	}
	k := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}
	if !soundRSA(k) {
		return nil, whyRSA
	}
	return k, ""
}

func (m member) ecKey() (crypto.PublicKey, string) {
	crv, okCurve := m.text("crv")
	x, okX := m.bytes("x")
	y, okY := m.bytes("y")
	if !okCurve || !okX || !okY {
		return nil, whyMember
	}
	curve, ok := curves[crv]
	if !ok {
		return nil, whyCurve
	}
	// RFC 7518 section 6.2.1.2: a coordinate has the full size of the field. The
	// parser below knows the length of both together only, so that y could lend x
	// a byte.
	if len(x) != coordinateSize(curve) {
		return nil, whyPoint
	}
	k, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil, whyPoint
	}
	return k, ""
}

// okpKey cannot ask whether x is a point: crypto/ed25519 finds out when it
// verifies, and then refuses every signature.
func (m member) okpKey() (crypto.PublicKey, string) {
	crv, okCurve := m.text("crv")
	x, okX := m.bytes("x")
	switch {
	case !okCurve || !okX:
		return nil, whyMember
	case crv != "Ed25519":
		return nil, whyCurve
	case len(x) != ed25519.PublicKeySize:
		return nil, whyPoint
	}
	return ed25519.PublicKey(x), ""
}
