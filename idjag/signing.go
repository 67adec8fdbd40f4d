package idjag

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"slices"
	"time"

	"github.com/emamw/mcp-ema/internal/jose"
)

// A SigningKey signs access tokens. The Signer may be anything that has a
// public key: a key in memory, in an HSM, or in a key service.
type SigningKey struct {
	Signer    crypto.Signer
	Algorithm string // "" means the one that fits the key: RS256, ES256, ES384, ES512 or EdDSA
	ID        string // kid; "" means the RFC 7638 thumbprint
}

// Keys are the keys of a server. All of them are published.
//
// To rotate: set Next, and leave it so until every resource server has seen it,
// which takes as long as their key cache lives (an hour is plenty). Then make it
// Current, and put the old one into Previous, where it is published until the
// last token that it signed has expired, and then drops out by itself. Setting the
// same keys again does not bring it back; a restart does, for as long. A key
// that leaked is left out of all three, and every token that it signed is
// refused as soon as the resource servers look again.
type Keys struct {
	Current  SigningKey
	Next     *SigningKey
	Previous []SigningKey
}

// DangerouslyEphemeralKey returns a new key that exists only in this process.
// Every token dies with it, and two replicas do not accept each other's. It is
// for trials and tests.
func DangerouslyEphemeralKey() SigningKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic("idjag: no randomness: " + err.Error()) // crypto/rand does not fail on any supported system
	}
	return SigningKey{Signer: key}
}

// A keyring is what signs and what is published. It is replaced as a whole.
type keyring struct {
	current SigningKey
	steady  []jose.PublicKey // current and next
	retired []retiredKey
}

type retiredKey struct {
	jose.PublicKey
	until time.Time // when it drops out
}

// newKeyring fills in what the configuration leaves open, and reports every
// mistake. last is what it replaces, or nil.
func newKeyring(k Keys, last *keyring, now time.Time) (*keyring, mistakes) {
	var m mistakes
	ring := &keyring{}
	ids := make(map[string]bool)
	add := func(field string, key SigningKey) (SigningKey, jose.PublicKey) {
		key, public, reason := key.complete()
		if reason == "" && ids[key.ID] {
			reason = "is a key that stands here twice: each has its place in one of Current, Next and Previous"
		}
		if reason != "" {
			m.add(field, key.ID, reason)
		}
		ids[key.ID] = true
		return key, public
	}
	var public jose.PublicKey
	ring.current, public = add("Keys.Current", k.Current)
	ring.steady = append(ring.steady, public)
	if k.Next != nil {
		_, public = add("Keys.Next", *k.Next)
		ring.steady = append(ring.steady, public)
	}
	for i, key := range k.Previous {
		_, public = add(fmt.Sprintf("Keys.Previous[%d]", i), key)
		ring.retired = append(ring.retired, retiredKey{public, last.end(public, now)})
	}
	return ring, m
}

// end is when a key that is Previous drops out. One that becomes so now may have
// signed until now. One that was so before signed nothing since: keys that are
// set anew, for a reason of their own, do not bring it back.
func (r *keyring) end(key jose.PublicKey, now time.Time) time.Time {
	if r != nil {
		for _, old := range r.retired {
			if same, ok := old.Key.(interface{ Equal(crypto.PublicKey) bool }); ok && same.Equal(key.Key) {
				return old.until
			}
		}
	}
	return now.Add(maxTokenLifetime + maxClockSkew)
}

// complete chooses the algorithm and the ID. reason is "" for a good key.
func (k SigningKey) complete() (_ SigningKey, public jose.PublicKey, reason string) {
	if k.Signer == nil {
		return k, public, "has no Signer: load one with LoadKeyFile, or take DangerouslyEphemeralKey for a trial"
	}
	key := k.Signer.Public()
	if k.Algorithm == "" {
		k.Algorithm = algorithmOf(key)
	}
	if !jose.Fits(k.Algorithm, key) {
		return k, public, "does not fit its Algorithm: use RSA of 2048 bits or more, ECDSA on P-256, P-384 or P-521, or Ed25519"
	}
	if k.ID == "" {
		id, err := jose.Thumbprint(key)
		if err != nil {
			return k, public, "has no thumbprint: use an RSA, ECDSA or Ed25519 key"
		}
		k.ID = id
	}
	return k, jose.PublicKey{ID: k.ID, Algorithm: k.Algorithm, Key: key}, ""
}

func algorithmOf(key crypto.PublicKey) string {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return "RS256"
	case ed25519.PublicKey:
		return "EdDSA"
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return "ES256"
		case elliptic.P384():
			return "ES384"
		case elliptic.P521():
			return "ES512"
		}
	}
	return ""
}

// published are the keys that the JWK set holds now.
func (r *keyring) published(now time.Time) []jose.PublicKey {
	keys := slices.Clone(r.steady)
	for _, old := range r.retired {
		if !now.After(old.until) {
			keys = append(keys, old.PublicKey)
		}
	}
	return keys
}

// SetKeys replaces all keys at once. What it does not list is withdrawn; see
// [Keys] for how to rotate. On an error nothing changes, and the error holds
// every mistake as a [*ConfigError].
func (s *Server) SetKeys(k Keys) error {
	ring, m := newKeyring(k, s.ring.Load(), s.now())
	if err := m.err(); err != nil {
		return err
	}
	s.ring.Store(ring)
	return nil
}
