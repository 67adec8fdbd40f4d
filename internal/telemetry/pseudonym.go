package telemetry

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"sync"
)

// pseudonyms stands for people and clients by keyed digests. A plain digest would
// not do: whoever has a list of all users could hash each and find them again.
type pseudonyms struct{ hashes sync.Pool }

func newPseudonyms(key []byte) *pseudonyms {
	if len(key) == 0 {
		key = make([]byte, sha256.Size)
		_, _ = rand.Read(key) // never fails
	}
	return &pseudonyms{sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
}

// of is HMAC-SHA-256 over the parts with a zero byte between them, the first 16
// bytes in hex: an operator who has the key and a user's name can make the same
// with any tool. The issuer is one of the parts, as two issuers may call two
// people by one name.
func (p *pseudonyms) of(parts ...string) string {
	mac, _ := p.hashes.Get().(hash.Hash)
	defer p.hashes.Put(mac)
	mac.Reset()
	for i, part := range parts {
		if i > 0 {
			mac.Write([]byte{0})
		}
		mac.Write([]byte(part))
	}
	var sum [sha256.Size]byte
	return hex.EncodeToString(mac.Sum(sum[:0])[:16])
}

// IDHash is the digest that stands for the id of a token or session: base64url of
// its SHA-256. It has no key, so that the authorization server's records and the
// MCP server's can be joined without one; an id is random and is no credential.
func IDHash(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// digest is IDHash, and "" for no id.
func digest(id string) string {
	if id == "" {
		return ""
	}
	return IDHash(id)
}

// isIDHash reports whether s can be an IDHash. One that comes in a claim is copied
// only then.
func isIDHash(s string) bool {
	sum, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(sum) == sha256.Size
}
