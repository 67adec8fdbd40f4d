package emamwtest

import (
	"strings"

	"github.com/emamw/mcp-ema/claims"
)

// forms are texts that are no compact JWS, or a second spelling of one (RFC 7515
// sections 2 and 7.1). Whoever accepts a second spelling lets one token pass a
// replay check twice.
func (f *forge) forms() {
	token := f.change(nil, nil)
	head, payload, signature := split(token)
	for _, v := range []struct {
		name  string
		token string
	}{
		{"one part", head},
		{"two parts", head + "." + payload},
		{"four parts", token + "." + signature},
		{"four parts, the last one empty", token + "."},
		{"four parts, the first one empty", "." + token},
		{"six parts", token + "." + token},
		{"cut off in the payload", head + "." + payload[:len(payload)/2]},
		{"the JSON serialization", `{"payload":"` + payload + `","protected":"` + head + `","signature":"` + signature + `"}`},
		{"dots that are not ASCII", head + "\u2024" + payload + "\u2024" + signature},
		{"a space at the end", token + " "},
		{"a line feed at the end", token + "\n"},
		{"a line break in the signature", inSignature(token, "\r\n")},
		{"a letter that is not ASCII in the signature", inSignature(token, "é")},
		{"a percent escape in the signature", inSignature(token, "%2D")},
		{"padding after the signature", padded(token)},
		{"a signature of an impossible length", token + strings.Repeat("A", (5-len(signature)%4)%4)},
		{"the base64 alphabet with plus and slash in the signature", f.standardAlphabet()},
		{"a quotation mark at the end", token + `"`},
		{"a comma at the end", token + ","},
	} {
		f.add(claims.TokenMalformed, v.name, v.token)
	}
	if len(signature)%4 != 0 { // else every bit stands for something
		f.add(claims.TokenMalformed, "spare bits in the signature", head+"."+payload+"."+spareBits(signature))
	}
	f.spellings()
	f.add(claims.TokenMalformed, "longer than 16 KiB", f.change(nil, map[string]any{"padding": strings.Repeat("a", 16<<10)}))
	f.encrypted(head, payload, signature)
}

// octets are bytes that a header can carry and a form cannot: the server that
// redeems ID-JAGs refuses them before it sees a token.
func (f *forge) octets() {
	token := f.change(nil, nil)
	f.add(claims.TokenMalformed, "a zero byte in the signature", inSignature(token, "\x00"))
	f.add(claims.TokenMalformed, "a byte that is not UTF-8 in the signature", inSignature(token, "\xff"))
}

// spellings are properly signed, over the text as it is spelled.
func (f *forge) spellings() {
	h, p := f.good()
	// A length that is no multiple of three leaves spare bits, and would want
	// padding.
	header := base64url([]byte(padTo(string(marshal(h)), 2)))
	payload := base64url([]byte(padTo(string(marshal(p)), 2)))
	for _, v := range []struct {
		reason        claims.Reason
		name          string
		head, payload string
	}{
		{claims.HeaderMalformed, "padding after the header", header + "=", payload},
		{claims.TokenMalformed, "padding after the payload", header, payload + "="},
		{claims.HeaderMalformed, "spare bits in the header", spareBits(header), payload},
		{claims.TokenMalformed, "spare bits in the payload", header, spareBits(payload)},
		{claims.HeaderMalformed, "a line feed in the header", header[:8] + "\n" + header[8:], payload},
		{claims.TokenMalformed, "a line feed in the payload", header, payload[:8] + "\n" + payload[8:]},
		{claims.HeaderMalformed, "a space at the start", " " + header, payload},
		{claims.HeaderMalformed, "the scheme at the start", "Bearer " + header, payload},
		{claims.HeaderMalformed, "a byte order mark at the start", "\uFEFF" + header, payload},
		{claims.TokenMalformed, "a payload that is not base64url", header, "not/base64url"},
		{claims.HeaderMalformed, "a header that is not base64url", "not/base64url", payload},
		{claims.HeaderMalformed, "a header that is JSON as it is", string(marshal(map[string]any{"alg": f.key.alg})), payload},
	} {
		input := v.head + "." + v.payload
		f.add(v.reason, v.name, input+"."+base64url(f.key.sign([]byte(input))))
	}
}

// encrypted are JWEs (RFC 7516 section 7.1): five parts.
func (f *forge) encrypted(head, payload, signature string) {
	direct := base64url(marshal(map[string]any{"alg": "dir", "enc": "A256GCM", "typ": f.typ}))
	wrapped := base64url(marshal(map[string]any{"alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "JWT", "typ": f.typ}))
	f.add(claims.TokenEncrypted, "encrypted with a shared key", strings.Join([]string{direct, "", base64url(make([]byte, 12)), payload, base64url(make([]byte, 16))}, "."))
	f.add(claims.TokenEncrypted, "encrypted to a public key", strings.Join([]string{wrapped, signature, base64url(make([]byte, 12)), payload, base64url(make([]byte, 16))}, "."))
	f.add(claims.TokenEncrypted, "five parts with the header of a signed token", strings.Join([]string{head, payload, signature, payload, signature}, "."))
}

// standardAlphabet is a token with a signature that base64url writes with "-" or
// "_", written with "+" and "/".
func (f *forge) standardAlphabet() string {
	for {
		head, payload, signature := split(f.change(nil, nil))
		if strings.ContainsAny(signature, "-_") {
			return head + "." + payload + "." + strings.NewReplacer("-", "+", "_", "/").Replace(signature)
		}
	}
}

// inSignature puts text into the signature.
func inSignature(token, text string) string {
	at := len(token) - 20
	return token[:at] + text + token[at:]
}

// padded adds the padding that base64url in JOSE leaves out.
func padded(token string) string {
	_, _, signature := split(token)
	return token + strings.Repeat("=", max(1, (4-len(signature)%4)%4))
}

// padTo lengthens a JSON text with spaces until its length modulo three is rest.
func padTo(text string, rest int) string {
	for len(text)%3 != rest {
		text += " "
	}
	return text
}

// spareBits changes bits of the last character that stand for no byte. Lenient
// decoders do not look at them.
func spareBits(text string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, text[len(text)-1])
	return text[:len(text)-1] + string(alphabet[last^1])
}
