package emamwtest_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/emamwtest"
)

// The tests read tokens and key sets with the standard library alone, in code
// that shares nothing with the kit's own.

type object = map[string]any

// instant is the time in tests whose clock stands still.
var instant = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func standstill() time.Time { return instant }

func decode(t *testing.T, part string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		t.Fatalf("not base64url: %v", err)
	}
	return raw
}

func decodeObject(t *testing.T, part string) object {
	t.Helper()
	var m object
	d := json.NewDecoder(bytes.NewReader(decode(t, part)))
	d.UseNumber() // there are numbers that no float can hold
	if err := d.Decode(&m); err != nil {
		t.Fatalf("not a JSON object: %v", err)
	}
	return m
}

// read takes a token apart without verifying it.
func read(t *testing.T, token string) (header, claims object) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts, want 3", len(parts))
	}
	return decodeObject(t, parts[0]), decodeObject(t, parts[1])
}

// signedBy reports whether key made the signature of token under alg.
func signedBy(token, alg string, key crypto.PublicKey) bool {
	last := strings.LastIndexByte(token, '.')
	sig, err := base64.RawURLEncoding.Strict().DecodeString(token[last+1:])
	if err != nil || last < 0 {
		return false
	}
	input := []byte(token[:last])
	if pub, ok := key.(ed25519.PublicKey); ok {
		return alg == "EdDSA" && ed25519.Verify(pub, input, sig)
	}
	hashes := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}
	if len(alg) != 5 || hashes[alg[2:]] == 0 {
		return false
	}
	hash := hashes[alg[2:]]
	h := hash.New()
	h.Write(input)
	digest := h.Sum(nil)
	switch pub := key.(type) {
	case *rsa.PublicKey:
		if alg[:2] == "PS" {
			return rsa.VerifyPSS(pub, hash, digest, sig, &rsa.PSSOptions{SaltLength: hash.Size()}) == nil
		}
		return alg[:2] == "RS" && rsa.VerifyPKCS1v15(pub, hash, digest, sig) == nil
	case *ecdsa.PublicKey:
		size := (pub.Curve.Params().BitSize + 7) / 8
		return alg[:2] == "ES" && len(sig) == 2*size &&
			ecdsa.Verify(pub, digest, new(big.Int).SetBytes(sig[:size]), new(big.Int).SetBytes(sig[size:]))
	}
	return false
}

// A published key, out of a JWK set.
type published struct {
	alg string
	key crypto.PublicKey
}

// get fetches a URL of a server of the kit, in memory or on loopback.
func get(t *testing.T, server interface {
	http.Handler
	Issuer() string
}, url string) (*http.Response, []byte) {
	t.Helper()
	client := http.DefaultClient
	if !strings.HasPrefix(url, "http://127.0.0.1:") {
		client = emamwtest.HTTPClient(map[string]http.Handler{server.Issuer(): server})
	}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body
}

// keysOf fetches the key set that the metadata names.
func keysOf(t *testing.T, server interface {
	http.Handler
	Issuer() string
}) map[string]published {
	t.Helper()
	_, body := get(t, server, strings.TrimSuffix(server.Issuer(), "/")+"/.well-known/openid-configuration")
	var metadata struct{ Issuer, JWKSURI string }
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(body), "jwks_uri", "JWKSURI")), &metadata); err != nil {
		t.Fatal(err)
	}
	_, body = get(t, server, metadata.JWKSURI)
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(body, &set); err != nil {
		t.Fatal(err)
	}
	keys := map[string]published{}
	for _, m := range set.Keys {
		if m["use"] != "sig" || m["kid"] == "" || keys[m["kid"]].key != nil {
			t.Errorf("key %v: want use sig and a kid of its own", m)
		}
		keys[m["kid"]] = published{alg: m["alg"], key: publicKey(t, m)}
	}
	return keys
}

func publicKey(t *testing.T, m map[string]string) crypto.PublicKey {
	t.Helper()
	number := func(name string) *big.Int { return new(big.Int).SetBytes(decode(t, m[name])) }
	switch m["kty"] {
	case "RSA":
		return &rsa.PublicKey{N: number("n"), E: int(number("e").Int64())}
	case "OKP":
		return ed25519.PublicKey(decode(t, m["x"]))
	case "EC":
		curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[m["crv"]]
		key, err := ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, decode(t, m["x"])...), decode(t, m["y"])...))
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	t.Fatalf("kty %q", m["kty"])
	return nil
}

// wantClaims compares claims with want: a nil there means absent.
func wantClaims(t *testing.T, got, want object) {
	t.Helper()
	for name, value := range want {
		is, present := got[name]
		if value == nil {
			if present {
				t.Errorf("%s = %v, want none", name, is)
			}
			continue
		}
		if text(t, is) != text(t, value) {
			t.Errorf("%s = %s, want %s", name, text(t, is), text(t, value))
		}
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// seconds reads a NumericDate.
func seconds(t *testing.T, v any) time.Time {
	t.Helper()
	f, err := v.(json.Number).Float64()
	if err != nil {
		t.Fatal(err)
	}
	return time.Unix(int64(f), 0)
}

// panics returns what f panics with.
func panics(t *testing.T, f func()) (message string) {
	t.Helper()
	defer func() {
		message, _ = recover().(string)
		if !strings.HasPrefix(message, "emamwtest: ") {
			t.Errorf("panic %q, want one that begins with the package", message)
		}
	}()
	f()
	return ""
}
