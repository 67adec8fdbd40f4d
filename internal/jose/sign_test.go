package jose_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/internal/jose"
)

func TestSignWritesHeader(t *testing.T) {
	for name, tt := range map[string]struct {
		header jose.Header
		want   string
	}{
		"all":       {jose.Header{Algorithm: "ES256", KeyID: "k", Type: "at+jwt"}, `{"alg":"ES256","kid":"k","typ":"at+jwt"}`},
		"alg alone": {jose.Header{Algorithm: "ES256"}, `{"alg":"ES256"}`},
	} {
		token, err := jose.Sign(p256Key(), tt.header, json.RawMessage(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		header, _, _ := strings.Cut(token, ".")
		if got := string(decode(t, header)); got != tt.want {
			t.Errorf("%s: header = %s, want %s", name, got, tt.want)
		}
	}
}

// RFC 7518 section 3.5 fixes the salt's length. Verifiers that insist on it exist.
func TestPSSSaltLength(t *testing.T) {
	token := sign(t, "PS384")
	dot := strings.LastIndexByte(token, '.')
	h := crypto.SHA384.New()
	h.Write([]byte(token[:dot]))
	err := rsa.VerifyPSS(&rsaKey().PublicKey, crypto.SHA384, h.Sum(nil), decode(t, token[dot+1:]), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	if err != nil {
		t.Error(err)
	}
}

// remoteSigner is a key that lives elsewhere: only the crypto.Signer shows.
type remoteSigner struct {
	public crypto.PublicKey
	sign   func(digest []byte, opts crypto.SignerOpts) ([]byte, error)
}

func (s remoteSigner) Public() crypto.PublicKey { return s.public }

func (s remoteSigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.sign(digest, opts)
}

func TestSignWithRemoteSigner(t *testing.T) {
	for _, alg := range jose.Algorithms() {
		key := signerFor(alg)
		remote := remoteSigner{key.Public(), func(digest []byte, opts crypto.SignerOpts) ([]byte, error) {
			return key.Sign(rand.Reader, digest, opts)
		}}
		token, err := jose.Sign(remote, jose.Header{Algorithm: alg}, map[string]any{"sub": "alice"})
		if err != nil {
			t.Errorf("%s: %v", alg, err)
			continue
		}
		parsed, err := jose.Parse(token)
		if err != nil {
			t.Errorf("%s: %v", alg, err)
			continue
		}
		wantReason(t, parsed.Verify(key.Public()), "")
	}
}

func TestSignRefuses(t *testing.T) {
	down := errors.New("key service is down")
	returns := func(public crypto.PublicKey, signature []byte, err error) crypto.Signer {
		return remoteSigner{public, func([]byte, crypto.SignerOpts) ([]byte, error) { return signature, err }}
	}
	der := func(r, s *big.Int) []byte { return must(asn1.Marshal(struct{ R, S *big.Int }{r, s})) }
	one, tooBig := big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 256)
	p256 := p256Key().Public()

	for name, tt := range map[string]struct {
		signer crypto.Signer
		alg    string
		claims any
		want   string
	}{
		"no signer":                  {nil, "ES256", nil, "no signer"},
		"other key type":             {rsaKey(), "ES256", nil, "does not fit"},
		"other curve":                {p384Key(), "ES256", nil, "does not fit"},
		"none":                       {rsaKey(), "none", nil, "does not fit"},
		"HS256":                      {rsaKey(), "HS256", nil, "does not fit"},
		"claims that are no JSON":    {rsaKey(), "RS256", func() {}, "encode claims"},
		"signer fails":               {returns(rsaKey().Public(), nil, down), "RS256", nil, "key service is down"},
		"RSA, short":                 {returns(rsaKey().Public(), make([]byte, 255), nil), "RS256", nil, "no signature of its key"},
		"Ed25519, long":              {returns(edKey().Public(), make([]byte, 65), nil), "EdDSA", nil, "no signature of its key"},
		"ECDSA, fixed size already":  {returns(p256, make([]byte, 64), nil), "ES256", nil, "no signature of its key"},
		"ECDSA, trailing byte":       {returns(p256, append(der(one, one), 0), nil), "ES256", nil, "no signature of its key"},
		"ECDSA, r of 257 bits":       {returns(p256, der(tooBig, one), nil), "ES256", nil, "no signature of its key"},
		"ECDSA, s of 257 bits":       {returns(p256, der(one, tooBig), nil), "ES256", nil, "no signature of its key"},
		"ECDSA, r zero":              {returns(p256, der(new(big.Int), one), nil), "ES256", nil, "no signature of its key"},
		"ECDSA, s negative":          {returns(p256, der(one, big.NewInt(-1)), nil), "ES256", nil, "no signature of its key"},
		"ECDSA, small r and s, good": {returns(p256, der(one, one), nil), "ES256", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			token, err := jose.Sign(tt.signer, jose.Header{Algorithm: tt.alg}, tt.claims)
			if tt.want == "" {
				if err != nil || token == "" {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if token != "" || err == nil || !strings.HasPrefix(err.Error(), "jose: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("token %q, error %v; want an error with %q", token, err, tt.want)
			}
		})
	}
	if _, err := jose.Sign(returns(p256, nil, down), jose.Header{Algorithm: "ES256"}, nil); !errors.Is(err, down) {
		t.Errorf("error %v does not wrap the signer's", err)
	}
}

// A small r or s is padded on the left: its place in the signature is fixed.
func TestFixedSizePadding(t *testing.T) {
	signer := remoteSigner{p256Key().Public(), func([]byte, crypto.SignerOpts) ([]byte, error) {
		return asn1.Marshal(struct{ R, S *big.Int }{big.NewInt(1), big.NewInt(2)})
	}}
	token := must(jose.Sign(signer, jose.Header{Algorithm: "ES256"}, nil))
	signature := decode(t, token[strings.LastIndexByte(token, '.')+1:])
	if len(signature) != 64 || signature[31] != 1 || signature[63] != 2 {
		t.Errorf("signature = %x", signature)
	}
}

func TestEncode(t *testing.T) {
	var input string
	got := jose.Encode(map[string]any{"alg": "none"}, []byte("hello"), func(in []byte) []byte {
		input = string(in)
		return []byte{1, 2, 3}
	})
	if want := encode(`{"alg":"none"}`) + "." + encode("hello"); input != want || got != want+".AQID" {
		t.Errorf("Encode = %q over %q", got, input)
	}
	if got := jose.Encode(nil, nil, nil); got != encode("null")+".." {
		t.Errorf("Encode of nothing = %q", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("a header that is no JSON was encoded")
		}
	}()
	jose.Encode(map[string]any{"alg": func() {}}, nil, nil)
}
