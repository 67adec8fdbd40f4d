package soak_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/internal/jose"
)

// A forgery is a token that must never be let in, for this reason. Where the
// reason is an unknown key, the issuer may have to be asked, so 503 is an answer
// as well.
type forgery struct {
	name   string
	reason claims.Reason
	token  func(w *world) string
}

var forgeries = []forgery{
	{"a stranger's signature", claims.SignatureInvalid, func(w *world) string {
		return w.stranger.Mint(emamwtest.Token{Lifetime: tokenLifetime, Header: map[string]any{"kid": w.signer.Load().id}})
	}},
	{"a stranger's key", claims.KeyUnknown, func(w *world) string { return w.stranger.Mint(emamwtest.Token{Lifetime: tokenLifetime}) }},
	{"an unheard-of key", claims.KeyUnknown, func(w *world) string {
		return w.stranger.Mint(emamwtest.Token{Lifetime: tokenLifetime, Header: map[string]any{"kid": rand.Text()}})
	}},
	{"no algorithm", claims.AlgorithmNotAllowed, func(w *world) string {
		_, rest, _ := strings.Cut(w.honest(nil), ".")
		payload, _, _ := strings.Cut(rest, ".")
		return encode(`{"alg":"none","typ":"at+jwt","kid":"`+w.signer.Load().id+`"}`) + "." + payload + "."
	}},
	{"a symmetric key that was published", claims.AlgorithmNotAllowed, func(w *world) string {
		_, rest, _ := strings.Cut(w.honest(nil), ".")
		payload, _, _ := strings.Cut(rest, ".")
		input := encode(`{"alg":"HS256","typ":"at+jwt","kid":"`+symmetricID+`"}`) + "." + payload
		mac := hmac.New(sha256.New, []byte("secret-secret-secret-secret-secr"))
		mac.Write([]byte(input))
		return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}},
	{"a payload that was changed", claims.SignatureInvalid, func(w *world) string {
		one, other := strings.Split(w.honest(nil), "."), strings.Split(w.honest(map[string]any{"sub": "admin"}), ".")
		return one[0] + "." + other[1] + "." + one[2]
	}},
	{"a signature that was cut", claims.SignatureInvalid, func(w *world) string { t := w.honest(nil); return t[:len(t)-2] }},
	{"an issuer that nobody trusts", claims.IssuerUntrusted, func(w *world) string { return w.foreigner.Mint(emamwtest.Token{}) }},
	{"another audience", claims.AudienceMismatch, func(w *world) string { return w.honest(map[string]any{"aud": otherResource}) }},
	{"an ID-JAG", claims.IssuerUntrusted, func(w *world) string { return newUser("somebody", readScope).assertion(w) }},
	{"an ID token", claims.IssuerUntrusted, func(w *world) string { return w.idp.SignIn("somebody", client) }},
	{"another type", claims.TypeNotAllowed, func(w *world) string {
		return w.signer.Load().sign(w, jose.Header{Type: "JWT"}, nil)
	}},
	{"long expired", claims.TokenExpired, func(w *world) string {
		return w.honest(map[string]any{"iat": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(-30 * time.Second).Unix()})
	}},
	{"not yet valid", claims.TokenNotYetValid, func(w *world) string { return w.honest(map[string]any{"nbf": time.Now().Add(time.Minute).Unix()}) }},
	{"too long a life", claims.TokenLivesTooLong, func(w *world) string { return w.honest(map[string]any{"exp": time.Now().Add(time.Hour).Unix()}) }},
	{"bound to a key", claims.ConfirmationRequired, func(w *world) string { return w.honest(map[string]any{"cnf": map[string]string{"jkt": "x"}}) }},
}

// mustBeRefusedForItsReason checks each forgery by itself: one that is refused for
// another reason is no test of what it is named for.
func (w *world) mustBeRefusedForItsReason(t *testing.T) {
	t.Helper()
	for _, f := range forgeries {
		_, err := w.replicas[0].Load().guard.Verify(w.life, f.token(w))
		var refused *emamw.TokenError
		if !errors.As(err, &refused) || refused.Reason != f.reason {
			t.Errorf("forged: %s: %v, want %s", f.name, err, f.reason)
		}
	}
}

// honest is a token by the authorization server's own key.
func (w *world) honest(change map[string]any) string {
	return w.signer.Load().sign(w, jose.Header{}, change)
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func base64Reader(text string) io.Reader {
	return base64.NewDecoder(base64.RawURLEncoding, strings.NewReader(text))
}
