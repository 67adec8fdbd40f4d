package emamwtest

import (
	"crypto/rsa"
	"net/http"
	"net/url"
	"strings"
)

const hugePadding = 8 << 20

// symmetricSecret is the key that [KeysSymmetric] publishes.
const symmetricSecret = "a secret that everybody who reads the key set knows"

// serveKeys answers the key set (RFC 7517 section 5).
func (i *issuer) serveKeys(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.fetches++
	i.mu.Unlock()
	if i.fail(w, r, KeysSlow, KeysUnreachable, KeysDown) {
		return
	}
	redirected := r.URL.Query().Has("redirected")
	switch {
	case i.failing(KeysGarbage):
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("<!DOCTYPE html><title>Sign in to the network</title>"))
	case i.failing(KeysObject):
		writeJSON(w, http.StatusOK, map[string]any{})
	case i.failing(KeysEmpty):
		writeJSON(w, http.StatusOK, map[string]any{"keys": []any{}})
	case i.failing(KeysRedirect) && !redirected:
		http.Redirect(w, r, i.elsewhere(), http.StatusFound)
	default:
		writeJSON(w, http.StatusOK, i.keySet())
	}
}

// keySet returns the published keys, with what the faults add.
func (i *issuer) keySet() map[string]any {
	var members []any
	for _, k := range i.publishedKeys() {
		if i.failing(KeysDuplicate) {
			stranger := key{id: k.id, alg: k.alg, signer: newSigner(k.alg)}
			members = append(members, stranger.jwk())
		}
		members = append(members, k.jwk())
	}
	for _, f := range []Fault{KeysPrivate, KeysSymmetric, KeysEncryption, KeysWeak, KeysMalformed} {
		if i.failing(f) {
			members = append(members, f.members()...)
		}
	}
	set := map[string]any{"keys": members}
	if i.failing(KeysHuge) {
		// The name sorts before "keys", so whoever stops reading at a limit has
		// not seen one.
		set["a"] = strings.Repeat("a", hugePadding)
	}
	return set
}

// members are what f puts into the key set beside the good keys.
func (f Fault) members() []any {
	switch f {
	case KeysPrivate:
		m := key{id: "private", alg: "EdDSA", signer: newSigner("EdDSA")}.jwk()
		m["d"] = base64url(make([]byte, 32))
		return []any{m}
	case KeysSymmetric:
		return []any{map[string]any{"kty": "oct", "kid": "HS256-1", "alg": "HS256", "use": "sig", "k": base64url([]byte(symmetricSecret))}}
	case KeysEncryption:
		m := key{id: "encryption", alg: "ES256", signer: newSigner("ES256")}.jwk()
		m["use"] = "enc"
		delete(m, "alg")
		return []any{m}
	case KeysWeak:
		return []any{weakKey().jwk()}
	case KeysMalformed:
		short := base64url([]byte{1})
		return []any{nil, 7, "key", []any{}, map[string]any{},
			map[string]any{"kty": "EC", "crv": "P-256", "kid": "off-curve", "x": short, "y": short},
			map[string]any{"kty": "LATTICE", "kid": "of-the-future"}}
	}
	return nil
}

// weakKey is an RSA key of a size that can be broken. The modulus is the product
// of nothing in particular: nobody signs with it.
func weakKey() key {
	n := newSigner("RS256").Public().(*rsa.PublicKey).N
	weak := rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n.Rsh(n, 1024), E: 65537}}
	return key{id: "weak", alg: "RS256", signer: &weak}
}

// elsewhere is the address of the key set under another origin. On loopback it
// is the same listener by another name, so that a client which follows the
// redirect gets the keys, and a test sees it.
func (i *issuer) elsewhere() string {
	u, err := url.Parse(i.url("/jwks"))
	must(err)
	u.RawQuery = "redirected"
	if port := u.Port(); i.server != nil {
		u.Host = "localhost:" + port
	} else {
		u.Host = "elsewhere." + u.Host
	}
	return u.String()
}
