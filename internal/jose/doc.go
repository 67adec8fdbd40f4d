// Package jose reads, verifies and writes signed tokens: compact JWS in,
// verified bytes out, and the other way round.
//
// It is the only package that imports a JOSE library, and it takes one thing
// from it: the primitive that checks a signature over bytes, for RSA and EdDSA.
// For ECDSA, where that primitive takes a detour, package crypto/ecdsa is asked.
// Splitting, decoding and every rule about the header are done here, because the
// libraries that do it all cost twice the cryptography and accept what RFC 7515
// forbids, such as an unknown crit extension or sixteen spellings of the same
// signature.
//
// The rules:
//
//   - The algorithm is one of RS, PS and ES with SHA-256, -384 and -512, or
//     EdDSA with Ed25519. none and HMAC are no algorithms here at all, so no
//     configuration can let them in (RFC 8725 section 3.1).
//   - A key verifies only the algorithms that fit its type, its curve and its
//     size (RFC 8725 section 3.2).
//   - One token has one spelling: base64url without padding, line breaks or
//     spare bits, and a header without repeated members.
//   - Key material and addresses in the header are never used (RFC 8725
//     section 3.10). Keys come from [ParseKeys] over a set that the caller
//     fetched from a place it trusts.
//
// [Parse] proves nothing. What a [Token] holds is the sender's claim until
// [Token.Verify] returns nil.
package jose
