package idjag

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
)

// A Client is an MCP client that is registered here. Its ID is the client_id
// that the identity provider writes into ID-JAGs for this server. At least one
// way to authenticate must be set, and it may use only what is set.
type Client struct {
	ID string

	// SecretHashes admit client_secret_basic and client_secret_post. They are
	// made by [HashSecret]; two while a secret is being replaced.
	SecretHashes []string

	// JWKS (a JWK set as JSON) or JWKSURL admits private_key_jwt.
	JWKS    []byte
	JWKSURL string

	// DangerouslyAllowTokenEndpointAudience also accepts client assertions whose
	// audience is the token endpoint, as clients older than
	// draft-ietf-oauth-rfc7523bis write them. A server that such a client is
	// tricked into talking to can then replay them here.
	DangerouslyAllowTokenEndpointAudience bool

	// DangerouslyPublic admits the client without authentication. Whoever
	// holds an ID-JAG for it, from a log or a proxy, can redeem it then: the
	// client_id in it proves nothing (draft section 9.1).
	DangerouslyPublic bool

	// Resources limit what the client may get tokens for. Nil: everything; an
	// empty list is refused.
	Resources []string
}

// HashSecret returns what belongs into [Client].SecretHashes. The hash is a
// plain SHA-256, which is enough for a random secret of 128 bits or more, such
// as 32 hex digits, and far too little for a password that a person made up.
func HashSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return secretHashPrefix + base64.RawURLEncoding.EncodeToString(sum[:])
}

const secretHashPrefix = "sha256:"

// parseSecretHash undoes the encoding of HashSecret.
func parseSecretHash(text string) (hash [sha256.Size]byte, ok bool) {
	encoded, found := strings.CutPrefix(text, secretHashPrefix)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if !found || err != nil || len(raw) != sha256.Size {
		return hash, false
	}
	return [sha256.Size]byte(raw), true
}

// A client is a registered Client, or one made from a metadata document.
type client struct {
	id                    string
	secrets               [][sha256.Size]byte
	keys                  keySource // nil: no private_key_jwt
	tokenEndpointAudience bool
	public                bool
	resources             []string
	grantRefused          bool // its document lists grants, and ours is not among them
}

// A presented credential is one reading of what a request carries.
type credential struct{ id, secret string }

// checkSecret returns the client that one of the credentials is right for. It
// does the same work for a client that does not exist as for one that does, so
// that the time of an answer does not tell who is registered.
func checkSecret(lookup func(id string) *client, presented []credential) *client {
	var found *client
	for _, p := range presented {
		sum := sha256.Sum256([]byte(p.secret))
		c := lookup(p.id)
		secrets := [][sha256.Size]byte{{}} // no secret has this hash
		if c != nil && len(c.secrets) > 0 {
			secrets = c.secrets
		}
		matches := 0
		for i := range secrets {
			matches |= subtle.ConstantTimeCompare(sum[:], secrets[i][:])
		}
		if matches == 1 && c != nil {
			found = c
		}
	}
	return found
}
