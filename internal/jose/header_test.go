package jose_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/jose"
)

func TestHeaderRefuses(t *testing.T) {
	token := sign(t, "RS256")
	for name, tt := range map[string]struct {
		header string
		want   claims.Reason
	}{
		"smallest":                {`{"alg":"RS256"}`, ""},
		"white space":             {" { \"alg\" : \"RS256\" } \r\n", ""},
		"escaped name and value":  {`{"\u0061lg":"RS\u003256"}`, ""},
		"not JSON":                {`alg=RS256`, claims.HeaderMalformed},
		"cut off":                 {`{"alg":"RS256"`, claims.HeaderMalformed},
		"trailing data":           {`{"alg":"RS256"}{}`, claims.HeaderMalformed},
		"trailing comma":          {`{"alg":"RS256",}`, claims.HeaderMalformed},
		"array":                   {`["alg","RS256"]`, claims.HeaderMalformed},
		"string":                  {`"RS256"`, claims.HeaderMalformed},
		"huge number":             {`1e999999`, claims.HeaderMalformed},
		"null":                    {`null`, claims.HeaderMalformed},
		"empty object":            {`{}`, claims.HeaderMalformed},
		"byte order mark":         {"\ufeff" + `{"alg":"RS256"}`, claims.HeaderMalformed},
		"invalid UTF-8":           {"{\"alg\":\"RS256\",\"x\":\"\xff\"}", claims.HeaderMalformed},
		"8 KiB":                   {pad(8 << 10), ""},
		"a byte more than 8 KiB":  {pad(8<<10 + 1), claims.HeaderMalformed},
		"32 levels":               {`{"alg":"RS256","x":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`, ""},
		"33 levels":               {`{"alg":"RS256","x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, claims.HeaderMalformed},
		"alg absent":              {`{"kid":"k1"}`, claims.HeaderMalformed},
		"ALG":                     {`{"ALG":"RS256"}`, claims.HeaderMalformed},
		"alg null":                {`{"alg":null}`, claims.HeaderMalformed},
		"alg number":              {`{"alg":256}`, claims.HeaderMalformed},
		"alg array":               {`{"alg":["RS256"]}`, claims.HeaderMalformed},
		"alg empty":               {`{"alg":""}`, claims.HeaderMalformed},
		"alg half a surrogate":    {`{"alg":"\ud800"}`, claims.HeaderMalformed},
		"alg none":                {`{"alg":"none"}`, claims.AlgorithmNotAllowed},
		"alg NONE":                {`{"alg":"NONE"}`, claims.AlgorithmNotAllowed},
		"alg HS256":               {`{"alg":"HS256"}`, claims.AlgorithmNotAllowed},
		"alg HS384":               {`{"alg":"HS384"}`, claims.AlgorithmNotAllowed},
		"alg HS512":               {`{"alg":"HS512"}`, claims.AlgorithmNotAllowed},
		"alg ES256K":              {`{"alg":"ES256K"}`, claims.AlgorithmNotAllowed},
		"alg rs256":               {`{"alg":"rs256"}`, claims.AlgorithmNotAllowed},
		"alg RSA-OAEP":            {`{"alg":"RSA-OAEP"}`, claims.AlgorithmNotAllowed},
		"alg twice":               {`{"alg":"RS256","alg":"RS256"}`, claims.HeaderMalformed},
		"alg twice, one escaped":  {`{"alg":"RS256","\u0061lg":"RS256"}`, claims.HeaderMalformed},
		"alg and Alg":             {`{"alg":"RS256","Alg":"none"}`, claims.HeaderMalformed},
		"kid and KID":             {`{"alg":"RS256","kid":"a","KID":"b"}`, claims.HeaderMalformed},
		"kid and kelvin-id":       {`{"alg":"RS256","kid":"a","` + "\u212a" + `id":"b"}`, claims.HeaderMalformed},
		"unknown twice":           {`{"alg":"RS256","x":1,"x":1}`, claims.HeaderMalformed},
		"half a surrogate a name": {`{"alg":"RS256","\ud800":1}`, claims.HeaderMalformed},
		"kid of 256 bytes":        {`{"alg":"RS256","kid":"` + strings.Repeat("k", 256) + `"}`, ""},
		"kid of 257 bytes":        {`{"alg":"RS256","kid":"` + strings.Repeat("k", 257) + `"}`, claims.HeaderMalformed},
		"kid number":              {`{"alg":"RS256","kid":1}`, claims.HeaderMalformed},
		"kid null":                {`{"alg":"RS256","kid":null}`, claims.HeaderMalformed},
		"kid object":              {`{"alg":"RS256","kid":{}}`, claims.HeaderMalformed},
		"kid empty is absent":     {`{"alg":"RS256","kid":""}`, ""},
		"typ of 128 bytes":        {`{"alg":"RS256","typ":"` + strings.Repeat("t", 128) + `"}`, ""},
		"typ of 129 bytes":        {`{"alg":"RS256","typ":"` + strings.Repeat("t", 129) + `"}`, claims.HeaderMalformed},
		"typ empty":               {`{"alg":"RS256","typ":""}`, claims.HeaderMalformed},
		"typ null":                {`{"alg":"RS256","typ":null}`, claims.HeaderMalformed},
		"typ number":              {`{"alg":"RS256","typ":7}`, claims.HeaderMalformed},
		"crit, unknown":           {`{"alg":"RS256","crit":["exp"],"exp":1}`, claims.HeaderMalformed},
		"crit, empty":             {`{"alg":"RS256","crit":[]}`, claims.HeaderMalformed},
		"crit, null":              {`{"alg":"RS256","crit":null}`, claims.HeaderMalformed},
		"b64 false":               {`{"alg":"RS256","b64":false}`, claims.HeaderMalformed},
		"b64 true":                {`{"alg":"RS256","b64":true}`, claims.HeaderMalformed},
		"jku, x5u, x5c, jwk, x5t": {`{"alg":"RS256","jku":"https://evil.example","x5u":1,"x5c":null,"jwk":{"kty":"oct"},"x5t":"AA"}`, ""},
		"zip, cty, nonce, ver":    {`{"alg":"RS256","zip":"DEF","cty":"JWT","nonce":"n","ver":"1"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := jose.Parse(withHeader(token, tt.header))
			wantReason(t, err, tt.want)
		})
	}
}

// pad returns a valid header of n bytes.
func pad(n int) string {
	const before, after = `{"alg":"RS256","x":"`, `"}`
	return before + strings.Repeat("x", n-len(before)-len(after)) + after
}

// RFC 7515 section 4.1.9: "application/" may be left out when no other slash
// follows, and media types are compared without case.
func TestTypeForm(t *testing.T) {
	token := sign(t, "RS256")
	for typ, want := range map[string]string{
		"at+jwt":                     "at+jwt",
		"AT+JWT":                     "at+jwt",
		"application/at+jwt":         "at+jwt",
		"Application/At+Jwt":         "at+jwt",
		"JWT":                        "jwt",
		"oauth-id-jag+jwt":           "oauth-id-jag+jwt",
		"application/":               "application/",
		"application/a/b":            "application/a/b",
		"text/at+jwt":                "text/at+jwt",
		"application/at+jwt; v=1":    "at+jwt; v=1",
		" at+jwt":                    " at+jwt",
		"\u212awt":                   "\u212awt", // the Kelvin sign is no k
		"application/application/at": "application/application/at",
	} {
		parsed, err := jose.Parse(withHeader(token, fmt.Sprintf(`{"alg":"RS256","typ":%q}`, typ)))
		if err != nil {
			t.Errorf("typ %q: %v", typ, err)
			continue
		}
		if parsed.Header.Type != want || jose.ShortType(typ) != want {
			t.Errorf("typ %q reads as %q, want %q", typ, parsed.Header.Type, want)
		}
	}
	parsed, err := jose.Parse(withHeader(token, `{"alg":"RS256"}`))
	if err != nil || parsed.Header.Type != "" || parsed.Header.KeyID != "" {
		t.Errorf("typ and kid absent: %+v, %v", parsed, err)
	}
}
