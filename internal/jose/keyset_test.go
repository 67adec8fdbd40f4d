package jose_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/internal/jose"
)

// jwkOf returns the members of a published key, to be spoiled.
func jwkOf(t *testing.T, alg string) map[string]any {
	t.Helper()
	set, err := jose.PublicJWKS(jose.PublicKey{Key: signerFor(alg).Public()})
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Keys []map[string]any }
	if err := json.Unmarshal(set, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Keys[0]
}

// with returns a copy of jwk with members set, or removed when their value is
// nil; the pairs are name, value, name, value.
func with(jwk map[string]any, pairs ...any) map[string]any {
	c := maps.Clone(jwk)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == nil {
			delete(c, pairs[i].(string))
			continue
		}
		c[pairs[i].(string)] = pairs[i+1]
	}
	return c
}

func setOf(t *testing.T, members ...any) []byte {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"keys": members})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestParseKeysJudgesEachMember(t *testing.T) {
	rsa, ec, okp := jwkOf(t, "RS256"), jwkOf(t, "ES256"), jwkOf(t, "EdDSA")
	null := json.RawMessage("null")
	small := syntheticRSA(2047, 65537).N.Bytes()
	zeroY := encode(strings.Repeat("\x00", 32))

	for name, tt := range map[string]struct {
		member any
		why    string // "" when the member is kept
	}{
		"RSA":                     {rsa, ""},
		"EC":                      {ec, ""},
		"OKP":                     {okp, ""},
		"no use":                  {with(rsa, "use", nil), ""},
		"x5c and friends":         {with(rsa, "x5c", []string{"not a certificate"}, "x5t", 5, "x5u", "http://10.0.0.1"), ""},
		"unknown members":         {with(rsa, "exp", 12, "D", "x"), ""},
		"kid":                     {with(rsa, "kid", strings.Repeat("k", 256)), ""},
		"alg":                     {with(rsa, "alg", "PS512"), ""},
		"key_ops verify":          {with(rsa, "key_ops", []string{"verify"}), ""},
		"key_ops more":            {with(rsa, "key_ops", []string{"encrypt", "verify"}), ""},
		"e leading zero":          {with(rsa, "e", encode("\x00\x01\x00\x01")), ""},
		"string":                  {"key", "not a JSON object"},
		"null":                    {null, "not a JSON object"},
		"array":                   {[]any{rsa}, "not a JSON object"},
		"empty object":            {map[string]any{}, "kty is not"},
		"kty unknown":             {with(rsa, "kty", "AKP"), "kty is not"},
		"kty null":                {with(rsa, "kty", null), "wrong type"},
		"kty number":              {with(rsa, "kty", 1), "wrong type"},
		"kty of another":          {with(ec, "kty", "RSA"), "not an RSA key"},
		"oct":                     {map[string]any{"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}, "symmetric"},
		"oct without k":           {map[string]any{"kty": "oct"}, "symmetric"},
		"RSA with k":              {with(rsa, "k", "c2VjcmV0"), "symmetric"},
		"RSA d":                   {with(rsa, "d", "AQAB"), "private"},
		"RSA d null":              {with(rsa, "d", null), "private"},
		"RSA p":                   {with(rsa, "p", "AQAB"), "private"},
		"RSA q":                   {with(rsa, "q", "AQAB"), "private"},
		"RSA dp":                  {with(rsa, "dp", "AQAB"), "private"},
		"RSA dq":                  {with(rsa, "dq", "AQAB"), "private"},
		"RSA qi":                  {with(rsa, "qi", "AQAB"), "private"},
		"RSA oth":                 {with(rsa, "oth", []any{}), "private"},
		"EC d":                    {with(ec, "d", "AQAB"), "private"},
		"OKP d":                   {with(okp, "d", "AQAB"), "private"},
		"use enc":                 {with(rsa, "use", "enc"), "use is not sig"},
		"use tls":                 {with(rsa, "use", "tls"), "use is not sig"},
		"use empty":               {with(rsa, "use", ""), "use is not sig"},
		"use number":              {with(rsa, "use", 1), "wrong type"},
		"key_ops sign":            {with(rsa, "key_ops", []string{"sign"}), "key_ops"},
		"key_ops empty":           {with(rsa, "key_ops", []string{}), "key_ops"},
		"key_ops null":            {with(rsa, "key_ops", null), "key_ops"},
		"key_ops string":          {with(rsa, "key_ops", "verify"), "wrong type"},
		"alg HS256":               {with(rsa, "alg", "HS256"), "alg is no"},
		"alg none":                {with(rsa, "alg", "none"), "alg is no"},
		"alg empty":               {with(rsa, "alg", ""), "alg is no"},
		"alg RSA-OAEP":            {with(rsa, "alg", "RSA-OAEP"), "alg is no"},
		"alg of another type":     {with(rsa, "alg", "ES256"), "alg is no"},
		"alg of another curve":    {with(ec, "alg", "ES384"), "alg is no"},
		"alg number":              {with(rsa, "alg", 256), "alg is no"},
		"kid too long":            {with(rsa, "kid", strings.Repeat("k", 257)), "kid is longer"},
		"kid number":              {with(rsa, "kid", 1), "wrong type"},
		"kid null":                {with(rsa, "kid", null), "wrong type"},
		"kid of half a surrogate": {with(rsa, "kid", json.RawMessage(`"\ud800"`)), "wrong type"},
		"issuer number":           {with(rsa, "issuer", 1), "wrong type"},
		"RSA without n":           {with(rsa, "n", nil), "not an RSA key"},
		"RSA without e":           {with(rsa, "e", nil), "not an RSA key"},
		"RSA 2047":                {with(rsa, "n", encode(string(small))), "not an RSA key"},
		"RSA 8193":                {with(rsa, "n", encode(string(syntheticRSA(8193, 3).N.Bytes()))), "not an RSA key"},
		"RSA e=1":                 {with(rsa, "e", "AQ"), "not an RSA key"},
		"RSA e even":              {with(rsa, "e", "AQAA"), "not an RSA key"},
		"RSA e of 32 bits":        {with(rsa, "e", encode("\xff\xff\xff\xff")), "not an RSA key"},
		"RSA e of 9 bytes":        {with(rsa, "e", encode("\x01\x00\x00\x00\x00\x00\x00\x00\x03")), "not an RSA key"},
		"RSA n padded":            {with(rsa, "n", rsa["n"].(string)+"=="), "wrong type"},
		"RSA n number":            {with(rsa, "n", 7), "wrong type"},
		"RSA e number":            {with(rsa, "e", 65537), "wrong type"},
		"EC without crv":          {with(ec, "crv", nil), "crv is not"},
		"EC secp256k1":            {with(ec, "crv", "secp256k1"), "crv is not"},
		"EC P-224":                {with(ec, "crv", "P-224"), "crv is not"},
		"EC crv number":           {with(ec, "crv", 256), "wrong type"},
		"EC other curve":          {with(ec, "crv", "P-384"), "not a point"},
		"EC without x":            {with(ec, "x", nil), "not a point"},
		"EC without y":            {with(ec, "y", nil), "not a point"},
		"EC x number":             {with(ec, "x", 1), "wrong type"},
		"EC y padded":             {with(ec, "y", ec["y"].(string)+"="), "wrong type"},
		"EC off the curve":        {with(ec, "y", zeroY), "not a point"},
		"EC x lends y a byte":     {lendByte(t, ec), "not a point"},
		"EC (0, 0)":               {with(ec, "x", zeroY, "y", zeroY), "not a point"},
		"OKP without crv":         {with(okp, "crv", nil), "crv is not"},
		"OKP X25519":              {with(okp, "crv", "X25519"), "crv is not"},
		"OKP Ed448":               {with(okp, "crv", "Ed448"), "crv is not"},
		"OKP crv number":          {with(okp, "crv", 1), "wrong type"},
		"OKP without x":           {with(okp, "x", nil), "not a point"},
		"OKP x of 31 bytes":       {with(okp, "x", encode(strings.Repeat("x", 31))), "not a point"},
		"OKP x number":            {with(okp, "x", 1), "wrong type"},
		"half a surrogate in kid": {json.RawMessage(`{"kty":"RSA","kid":"\ud800"}`), "not an RSA key"},
	} {
		t.Run(name, func(t *testing.T) {
			// The good member beside it shows that members are judged alone.
			neighbour := with(jwkOf(t, "ES384"), "kid", "neighbour")
			keys, rejected, err := jose.ParseKeys(setOf(t, tt.member, neighbour))
			if err != nil {
				t.Fatal(err)
			}
			if keys[len(keys)-1].ID != "neighbour" {
				t.Error("the neighbour was left out")
			}
			if tt.why == "" {
				if len(keys) != 2 || len(rejected) != 0 {
					t.Errorf("left out: %v", rejected)
				}
				return
			}
			if len(keys) != 1 || len(rejected) != 1 || !strings.Contains(rejected[0].Why, tt.why) {
				t.Errorf("kept %d keys, rejected %v, want one with %q", len(keys), rejected, tt.why)
			}
		})
	}
}

// lendByte moves the first byte of y to the end of x: together they are the same
// point.
func lendByte(t *testing.T, ec map[string]any) map[string]any {
	x, y := decode(t, ec["x"].(string)), decode(t, ec["y"].(string))
	return with(ec, "x", encode(string(append(x, y[0]))), "y", encode(string(y[1:])))
}

func TestParseKeysDuplicateIDs(t *testing.T) {
	rsa, ec := jwkOf(t, "RS256"), jwkOf(t, "ES256")
	for name, tt := range map[string]struct {
		members []any
		kept    int
		dropped int
	}{
		"two keys, one kid":        {[]any{with(rsa, "kid", "a"), with(ec, "kid", "a"), with(ec, "kid", "b")}, 1, 2},
		"one key twice":            {[]any{with(rsa, "kid", "a"), with(rsa, "kid", "a")}, 0, 2},
		"three":                    {[]any{with(rsa, "kid", "a"), with(ec, "kid", "a"), with(rsa, "kid", "a")}, 0, 3},
		"no kid":                   {[]any{rsa, ec}, 2, 0},
		"kid empty":                {[]any{with(rsa, "kid", ""), with(ec, "kid", "")}, 2, 0},
		"kids compared with case":  {[]any{with(rsa, "kid", "a"), with(ec, "kid", "A")}, 2, 0},
		"enc key with the same":    {[]any{with(rsa, "kid", "a"), with(rsa, "kid", "a", "use", "enc")}, 1, 1},
		"malformed with the same":  {[]any{with(rsa, "kid", "a"), with(ec, "kid", "a", "x", "")}, 1, 1},
		"private with the same":    {[]any{with(rsa, "kid", "a"), with(ec, "kid", "a", "d", "x")}, 1, 1},
		"nothing usable, no error": {[]any{with(rsa, "use", "enc")}, 0, 1},
		"empty set, no error":      {[]any{}, 0, 0},
	} {
		keys, rejected, err := jose.ParseKeys(setOf(t, tt.members...))
		if err != nil || len(keys) != tt.kept || len(rejected) != tt.dropped {
			t.Errorf("%s: kept %d, dropped %v, error %v; want %d and %d", name, len(keys), rejected, err, tt.kept, tt.dropped)
		}
	}
}

func TestParseKeysBounds(t *testing.T) {
	var members []any
	for i := range 1000 {
		members = append(members, with(jwkOf(t, "EdDSA"), "kid", fmt.Sprint(i)))
	}
	keys, rejected, err := jose.ParseKeys(setOf(t, members[:100]...))
	if err != nil || len(keys) != 100 || len(rejected) != 0 {
		t.Errorf("100 keys: kept %d, rejected %v, error %v", len(keys), rejected, err)
	}
	keys, rejected, err = jose.ParseKeys(setOf(t, members...))
	if err != nil || len(keys) != 100 || len(rejected) != 1 || keys[99].ID != "99" {
		t.Errorf("1000 keys: kept %d, rejected %v, error %v", len(keys), rejected, err)
	}
	if _, _, err = jose.ParseKeys(setOf(t, append(members, 0)...)); err == nil {
		t.Error("1001 members were read")
	}
	set := setOf(t, members[0])
	longest := append(set, strings.Repeat(" ", jose.MaxKeySetBytes-len(set))...)
	if _, _, err = jose.ParseKeys(longest); err != nil {
		t.Errorf("1 MiB: %v", err)
	}
	if _, _, err = jose.ParseKeys(append(longest, ' ')); err == nil {
		t.Error("more than 1 MiB was read")
	}
}

func TestParseKeysNoSet(t *testing.T) {
	for name, body := range map[string]string{
		"empty":            ``,
		"HTML":             `<html>sign in</html>`,
		"empty object":     `{}`,
		"error object":     `{"error":"not_found"}`,
		"keys null":        `{"keys":null}`,
		"keys object":      `{"keys":{}}`,
		"keys string":      `{"keys":"none"}`,
		"KEYS":             `{"KEYS":[]}`,
		"array":            `[]`,
		"null":             `null`,
		"cut off":          `{"keys":[`,
		"trailing data":    `{"keys":[]}{}`,
		"deeper than deep": `{"keys":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`,
	} {
		keys, rejected, err := jose.ParseKeys([]byte(body))
		if err == nil || keys != nil || rejected != nil || !strings.HasPrefix(err.Error(), "jose: ") {
			t.Errorf("%s: keys %v, rejected %v, error %v", name, keys, rejected, err)
		}
	}
}
