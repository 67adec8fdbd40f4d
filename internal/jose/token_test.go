package jose_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/jose"
)

func TestRoundTrip(t *testing.T) {
	for _, alg := range jose.Algorithms() {
		t.Run(alg, func(t *testing.T) {
			token, err := jose.Parse(sign(t, alg))
			if err != nil {
				t.Fatal(err)
			}
			if want := (jose.Header{Algorithm: alg, KeyID: "k1", Type: "at+jwt"}); token.Header != want {
				t.Errorf("header = %+v, want %+v", token.Header, want)
			}
			if got := token.Payload; got != `{"sub":"alice"}` {
				t.Errorf("payload = %s", got)
			}
			wantReason(t, token.Verify(signerFor(alg).Public()), "")
		})
	}
}

func TestParseRefuses(t *testing.T) {
	good := sign(t, "RS256")
	parts := strings.Split(good, ".")
	h, p, s := parts[0], parts[1], parts[2]

	for name, tt := range map[string]struct {
		token string
		want  claims.Reason
	}{
		"as signed":                {good, ""},
		"empty":                    {"", claims.TokenMalformed},
		"opaque":                   {"0a1b2c3d4e5f", claims.TokenMalformed},
		"one dot":                  {h + "." + p, claims.TokenMalformed},
		"three dots":               {good + ".", claims.TokenMalformed},
		"JWE":                      {h + ".a.b.c.d", claims.TokenEncrypted},
		"JWE with empty parts":     {"....", claims.TokenEncrypted},
		"six parts":                {h + ".a.b.c.d.e", claims.TokenMalformed},
		"longest":                  {tokenOfLength(h, jose.MaxTokenBytes), ""},
		"one byte too long":        {tokenOfLength(h, jose.MaxTokenBytes+1), claims.TokenMalformed},
		"empty payload":            {h + ".." + s, ""}, // legal in RFC 7515; the claims reader refuses it
		"empty signature":          {h + "." + p + ".", ""},
		"empty header":             {"." + p + "." + s, claims.HeaderMalformed},
		"header padded":            {h + "=." + p + "." + s, claims.HeaderMalformed},
		"header with line break":   {h[:4] + "\n" + h[4:] + "." + p + "." + s, claims.HeaderMalformed},
		"header is no base64url":   {"!!!." + p + "." + s, claims.HeaderMalformed},
		"payload padded":           {h + "." + p + "=." + s, claims.TokenMalformed},
		"payload in plain base64":  {h + "." + "eyJ+" + "." + s, claims.TokenMalformed},
		"payload with line feed":   {h + "." + p[:4] + "\n" + p[4:] + "." + s, claims.TokenMalformed},
		"payload with return":      {h + "." + p[:4] + "\r" + p[4:] + "." + s, claims.TokenMalformed},
		"payload with space":       {h + "." + p[:4] + " " + p[4:] + "." + s, claims.TokenMalformed},
		"payload of one character": {h + ".A." + s, claims.TokenMalformed},
		"payload with spare bits":  {h + ".AB." + s, claims.TokenMalformed},
		"signature padded":         {good + "==", claims.TokenMalformed},
		"signature, trailing LF":   {good + "\n", claims.TokenMalformed},
		"signature, trailing CR":   {good + "\r", claims.TokenMalformed},
		"leading space":            {" " + good, claims.HeaderMalformed},
		"header and a character":   {"eyJhbGciOiJSUzI1NiJ9A." + p + "." + s, claims.HeaderMalformed}, // whole without it
	} {
		t.Run(name, func(t *testing.T) {
			_, err := jose.Parse(tt.token)
			wantReason(t, err, tt.want)
		})
	}
}

// tokenOfLength is n characters long and valid up to its signature.
func tokenOfLength(header string, n int) string {
	payload, signature := n-len(header)-2, ""
	if payload%4 == 1 { // no base64 has that length
		payload, signature = payload-2, "AA"
	}
	return header + "." + strings.Repeat("A", payload) + "." + signature
}

// A signature of 256 bytes ends in a character with four bits to spare: read
// leniently, it has sixteen spellings.
func TestOneSpelling(t *testing.T) {
	token := sign(t, "RS256")
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	accepted := 0
	for _, last := range alphabet {
		parsed, err := jose.Parse(token[:len(token)-1] + string(last))
		if err == nil && parsed.Verify(rsaKey().Public()) == nil {
			accepted++
		}
	}
	if accepted != 1 {
		t.Errorf("%d spellings of one token were accepted", accepted)
	}
}

func TestVerifyRefuses(t *testing.T) {
	flip := func(token string, part int) string {
		parts := strings.Split(token, ".")
		c := byte('A')
		if parts[part][2] == c {
			c = 'B'
		}
		parts[part] = parts[part][:2] + string(c) + parts[part][3:]
		return strings.Join(parts, ".")
	}
	for name, tt := range map[string]struct {
		token string
		key   crypto.PublicKey
		want  claims.Reason
	}{
		"RS256, payload changed":     {flip(sign(t, "RS256"), 1), rsaKey().Public(), claims.SignatureInvalid},
		"RS256, signature changed":   {flip(sign(t, "RS256"), 2), rsaKey().Public(), claims.SignatureInvalid},
		"RS256, other key":           {sign(t, "RS256"), otherRSA().Public(), claims.SignatureInvalid},
		"RS256, header changed":      {withHeader(sign(t, "RS256"), `{"alg":"RS256"}`), rsaKey().Public(), claims.SignatureInvalid},
		"RS256 called PS256":         {withHeader(sign(t, "RS256"), `{"alg":"PS256"}`), rsaKey().Public(), claims.SignatureInvalid},
		"RS256, no signature":        {cutSignature(sign(t, "RS256")), rsaKey().Public(), claims.SignatureInvalid},
		"RS256, EC key":              {sign(t, "RS256"), p256Key().Public(), claims.AlgorithmNotAllowed},
		"RS256, small key":           {sign(t, "RS256"), syntheticRSA(2047, 65537), claims.AlgorithmNotAllowed},
		"RS256, no key":              {sign(t, "RS256"), nil, claims.AlgorithmNotAllowed},
		"ES256, payload changed":     {flip(sign(t, "ES256"), 1), p256Key().Public(), claims.SignatureInvalid},
		"ES256, other key":           {sign(t, "ES256"), otherP256().Public(), claims.SignatureInvalid},
		"ES256, key of ES384":        {sign(t, "ES256"), p384Key().Public(), claims.AlgorithmNotAllowed},
		"ES256, RSA key":             {sign(t, "ES256"), rsaKey().Public(), claims.AlgorithmNotAllowed},
		"ES256, point off the curve": {sign(t, "ES256"), offCurve(), claims.SignatureInvalid},
		"ES256, no signature":        {cutSignature(sign(t, "ES256")), p256Key().Public(), claims.SignatureInvalid},
		"EdDSA, payload changed":     {flip(sign(t, "EdDSA"), 1), edKey().Public(), claims.SignatureInvalid},
		"EdDSA, no signature":        {cutSignature(sign(t, "EdDSA")), edKey().Public(), claims.SignatureInvalid},
		"EdDSA, short key":           {sign(t, "EdDSA"), ed25519.PublicKey("short"), claims.AlgorithmNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			token, err := jose.Parse(tt.token)
			if err != nil {
				t.Fatal(err)
			}
			wantReason(t, token.Verify(tt.key), tt.want)
		})
	}

	var zero jose.Token
	wantReason(t, zero.Verify(rsaKey().Public()), claims.AlgorithmNotAllowed)
}

func cutSignature(token string) string { return token[:strings.LastIndexByte(token, '.')+1] }

func offCurve() *ecdsa.PublicKey {
	k := p256Key().PublicKey
	k.Y = new(big.Int).Add(k.Y, big.NewInt(1))
	return &k
}

// RFC 7518 section 3.4: r and s have exactly the size of the field, in order.
func TestECDSASignatureForm(t *testing.T) {
	token := sign(t, "ES256")
	dot := strings.LastIndexByte(token, '.')
	input, signature := token[:dot+1], decode(t, token[dot+1:])
	r, s := signature[:32], signature[32:]
	digest := sha256.Sum256([]byte(token[:dot]))
	der := must(p256Key().Sign(rand.Reader, digest[:], crypto.SHA256))

	for name, tt := range map[string]struct {
		signature []byte
		want      claims.Reason
	}{
		"r, s":                    {signature, ""},
		"s, r":                    {join(s, r), claims.SignatureInvalid},
		"ASN.1":                   {der, claims.SignatureInvalid},
		"r only":                  {r, claims.SignatureInvalid},
		"33 bytes each":           {join([]byte{0}, r, []byte{0}, s), claims.SignatureInvalid},
		"a byte appended":         {join(signature, []byte{0}), claims.SignatureInvalid},
		"all zero (the psychic)":  {make([]byte, 64), claims.SignatureInvalid},
		"size of a P-384 one":     {make([]byte, 96), claims.SignatureInvalid},
		"s replaced by order - s": {join(r, negate(s)), ""}, // ECDSA is malleable by design: cache and replay keys must not rest on the signature alone
	} {
		t.Run(name, func(t *testing.T) {
			parsed, err := jose.Parse(input + encode(string(tt.signature)))
			if err != nil {
				t.Fatal(err)
			}
			wantReason(t, parsed.Verify(p256Key().Public()), tt.want)
		})
	}
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func negate(s []byte) []byte {
	n := p256Key().Curve.Params().N
	return new(big.Int).Sub(n, new(big.Int).SetBytes(s)).FillBytes(make([]byte, 32))
}

// The classic confusion: the issuer's public key as an HMAC secret.
func TestPublicKeyIsNoSecret(t *testing.T) {
	public := x509.MarshalPKCS1PublicKey(rsaKey().Public().(*rsa.PublicKey))
	forged := jose.Encode(map[string]any{"alg": "HS256", "kid": "k1"}, []byte(`{}`), func(input []byte) []byte {
		mac := hmac.New(sha256.New, public)
		mac.Write(input)
		return mac.Sum(nil)
	})
	_, err := jose.Parse(forged)
	wantReason(t, err, claims.AlgorithmNotAllowed)
}

// A key that the sender brings along proves only that the sender has it.
func TestHeaderKeyIsNotUsed(t *testing.T) {
	mallory := otherP256()
	jwk := map[string]any{"kty": "EC", "crv": "P-256", "x": encode(string(mallory.X.Bytes())), "y": encode(string(mallory.Y.Bytes()))}
	forged := jose.Encode(map[string]any{
		"alg": "ES256", "jwk": jwk, "jku": "https://evil.example/keys", "x5u": "https://evil.example/cert", "x5c": []string{"MIIB"},
	}, []byte(`{}`), func(input []byte) []byte {
		digest := sha256.Sum256(input)
		r, s, err := ecdsa.Sign(rand.Reader, mallory, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		return join(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32)))
	})
	token, err := jose.Parse(forged)
	if err != nil {
		t.Fatal(err)
	}
	wantReason(t, token.Verify(p256Key().Public()), claims.SignatureInvalid)
}

// What the caller does to the exported header reaches no later decision.
func TestHeaderIsACopy(t *testing.T) {
	raw := withHeader(sign(t, "RS256"), `{"alg":"RS256","kid":"k1","typ":"at+jwt"}`)
	token, err := jose.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	token.Header = jose.Header{Algorithm: "ES256", KeyID: "other", Type: "other"}
	wantReason(t, token.Verify(rsaKey().Public()), "")

	again, err := jose.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if again.Header.Type != "at+jwt" {
		t.Errorf("header = %+v", again.Header)
	}
}

func TestConcurrentUse(t *testing.T) {
	token := sign(t, "ES256")
	parsed, err := jose.Parse(token)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if parsed.Verify(p256Key().Public()) != nil {
					t.Error("refused")
				}
				if _, err := jose.Parse(token); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
