package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/big"
)

// A PublicKey is one member of a JWK set that may verify signatures.
type PublicKey struct {
	ID        string           // kid; "" when the set does not name it
	Algorithm string           // alg, the only one the key may be used with; "" when the set leaves it open
	Issuer    string           // the member "issuer" of Entra ID's shared sets, "" elsewhere: the key may only sign for that one
	Key       crypto.PublicKey // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// material holds the members of a JWK (RFC 7517 section 4) that are written. The
// order is that of the output.
type material struct {
	Type      string `json:"kty"`
	Use       string `json:"use,omitempty"`
	ID        string `json:"kid,omitempty"`
	Algorithm string `json:"alg,omitempty"`
	Issuer    string `json:"issuer,omitempty"`
	Curve     string `json:"crv,omitempty"`
	X         string `json:"x,omitempty"`
	Y         string `json:"y,omitempty"`
	N         string `json:"n,omitempty"`
	E         string `json:"e,omitempty"`
}

// PublicJWKS writes a JWK set (RFC 7517 section 5), as it is served at jwks_uri.
// It refuses what [ParseKeys] would drop: a key that no algorithm fits, an
// Algorithm that does not fit its key, an ID used twice.
func PublicJWKS(keys ...PublicKey) ([]byte, error) {
	set := struct {
		Keys []material `json:"keys"`
	}{Keys: []material{}}
	seen := make(map[string]bool)
	for i, k := range keys {
		m, err := describe(k.Key)
		if err != nil {
			return nil, fmt.Errorf("%w (key %d)", err, i)
		}
		if k.Algorithm != "" && !Fits(k.Algorithm, k.Key) {
			return nil, fmt.Errorf("jose: algorithm %q does not fit key %d, of type %T", k.Algorithm, i, k.Key)
		}
		if k.ID != "" && seen[k.ID] {
			return nil, fmt.Errorf("jose: key %d has the ID of an earlier one: give every key its own, such as its Thumbprint", i)
		}
		seen[k.ID] = true
		m.Use, m.ID, m.Algorithm, m.Issuer = "sig", k.ID, k.Algorithm, k.Issuer
		set.Keys = append(set.Keys, m)
	}
	return json.Marshal(set)
}

// Thumbprint returns the SHA-256 thumbprint of a public key in base64url (RFC
// 7638 section 3, and RFC 8037 section 2 for Ed25519). It is the kid that we
// publish: the same key has the same one on every replica.
func Thumbprint(key crypto.PublicKey) (string, error) {
	m, err := describe(key)
	if err != nil {
		return "", err
	}
	var canonical string // the required members in lexicographic order; base64url needs no escapes
	switch m.Type {
	case "RSA":
		canonical = fmt.Sprintf(`{"e":"%s","kty":"RSA","n":"%s"}`, m.E, m.N)
	case "EC":
		canonical = fmt.Sprintf(`{"crv":"%s","kty":"EC","x":"%s","y":"%s"}`, m.Curve, m.X, m.Y)
	case "OKP":
		canonical = fmt.Sprintf(`{"crv":"%s","kty":"OKP","x":"%s"}`, m.Curve, m.X)
	}
	sum := sha256.Sum256([]byte(canonical))
	return strictBase64.EncodeToString(sum[:]), nil
}

// describe writes key as RFC 7518 section 6 and RFC 8037 section 2 do.
func describe(key crypto.PublicKey) (material, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if soundRSA(k) {
			return material{
				Type: "RSA",
				N:    strictBase64.EncodeToString(k.N.Bytes()),
				E:    strictBase64.EncodeToString(big.NewInt(int64(k.E)).Bytes()),
			}, nil
		}
	case *ecdsa.PublicKey:
		if name, ok := curveName(k); ok {
			if point, err := k.Bytes(); err == nil { // 4, X, Y: SEC 1 section 2.3.3
				half := (len(point) - 1) / 2
				return material{
					Type:  "EC",
					Curve: name,
					X:     strictBase64.EncodeToString(point[1 : 1+half]),
					Y:     strictBase64.EncodeToString(point[1+half:]),
				}, nil
			}
		}
	case ed25519.PublicKey:
		if len(k) == ed25519.PublicKeySize {
			return material{Type: "OKP", Curve: "Ed25519", X: strictBase64.EncodeToString(k)}, nil
		}
	}
	return material{}, fmt.Errorf("jose: no key of type %T that can verify signatures: RSA of 2048 to 8192 bits, P-256, P-384, P-521 or Ed25519 is", key)
}

// curves are those of RFC 7518 section 6.2.1.1.
var curves = map[string]elliptic.Curve{
	"P-256": elliptic.P256(),
	"P-384": elliptic.P384(),
	"P-521": elliptic.P521(),
}

func curveName(k *ecdsa.PublicKey) (string, bool) {
	if k == nil || k.Curve == nil || k.X == nil || k.Y == nil {
		return "", false
	}
	name := k.Curve.Params().Name
	return name, curves[name] == k.Curve
}
