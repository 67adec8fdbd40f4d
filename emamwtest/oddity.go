package emamwtest

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Oddities returns unusual access tokens that are good, by name: a verifier set
// up as for [Defects] must accept every one. They keep strictness from turning
// into refusing what the standards allow.
func Oddities(as *AuthorizationServer) map[string]string {
	k := as.signer("")
	good := func() (header, payload map[string]any) {
		t := as.complete(Token{})
		return map[string]any{"alg": k.alg, "kid": k.id, "typ": typeAccessToken}, t.claims(as.id, as.now())
	}
	all := map[string]string{}
	for _, v := range append(oddHeaders(k), variant{"typ in upper case", map[string]any{"typ": "AT+JWT"}}) {
		h, p := good()
		override(h, v.value.(map[string]any))
		all[v.how] = compact(marshal(h), marshal(p), k.sign)
	}
	for _, v := range as.oddClaims() {
		h, p := good()
		override(p, v.value.(map[string]any))
		all[v.how] = compact(marshal(h), marshal(p), k.sign)
	}
	h, p := good()
	spaced := must1(json.MarshalIndent(p, " ", "\t"))
	all["white space in header and payload"] = compact(must1(json.MarshalIndent(h, "", "  ")), append(spaced, "\r\n "...), k.sign)
	h, p = good()
	all["escapes where none are needed"] = compact(marshal(h), []byte(strings.Replace(string(marshal(p)), `"sub"`, `"\u0073ub"`, 1)), k.sign)
	return all
}

// oddHeaders have parameters that are to be ignored (RFC 7515 section 4). Those
// that hold or name a key are there in the tokens of some products, and mean
// nothing as long as nobody looks at them.
func oddHeaders(k key) []variant {
	return []variant{
		{"typ as a full media type", map[string]any{"typ": "application/at+jwt"}},
		{"an unknown header parameter", map[string]any{"example.com/x": map[string]any{"a": []int{1}}}},
		{"a jku of the issuer", map[string]any{"jku": "https://auth.example.com/jwks"}},
		{"a jwk in the header", map[string]any{"jwk": k.jwk()}},
		{"a certificate thumbprint in the header", map[string]any{"x5t": base64url(make([]byte, 20))}},
		{"a content type in the header", map[string]any{"cty": "json"}},
	}
}

func (as *AuthorizationServer) oddClaims() []variant {
	now := as.now().Unix()
	at := func(seconds int64, suffix string) json.RawMessage {
		return json.RawMessage(strconv.FormatInt(seconds, 10) + suffix)
	}
	return []variant{
		{"aud as an array of one", map[string]any{"aud": []string{as.resource}}},
		{"aud as an array of several", map[string]any{"aud": []string{"https://other.example.com", as.resource}}},
		{"exp and iat with a fraction", map[string]any{"exp": at(now+60, ".75"), "iat": at(now-60, ".25")}},
		{"exp with an exponent", map[string]any{"exp": at((now+600)/10, "e1")}},
		{"nbf that has come", map[string]any{"nbf": now - 60}},
		{"a lifetime of an hour", map[string]any{"exp": now + 3600}},
		{"an empty scope", map[string]any{"scope": ""}},
		{"a scope with every legal character", map[string]any{"scope": "!#$%&'()*+,-./0:;<=>?@A[]^_`a{|}~ https://example.com/files.read"}},
		{"groups as objects", map[string]any{"groups": []any{map[string]any{"value": "engineering", "display": "Engineering"}}}},
		{"groups with commas and spaces", map[string]any{"groups": []string{"CN=Engineering,OU=Groups,DC=example", "mcp users"}}},
		{"no groups", map[string]any{"groups": []string{}}},
		{"a sub outside ASCII", map[string]any{"sub": "ålice-\U0001F600"}},
		{"a sub of 255 characters", map[string]any{"sub": strings.Repeat("s", 255)}},
		{"an unknown claim of null", map[string]any{"https://example.com/x": null}},
		{"an unknown claim nested ten deep", map[string]any{"x": json.RawMessage(nested(`{"a":`, "}", 10))}},
		{"names below the top that differ in case", map[string]any{"resource_access": map[string]any{"App": 1, "app": 2}}},
		{"an actor", map[string]any{"act": map[string]any{"sub": "agent", "act": map[string]any{"sub": "service"}}}},
	}
}
