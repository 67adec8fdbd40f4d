package emamwtest

import (
	"strings"

	"github.com/emamw/mcp-ema/claims"
)

// headers are JOSE headers that RFC 7515 section 4 forbids. All are properly
// signed.
func (f *forge) headers() {
	h, _ := f.good()
	good := string(marshal(h))
	for _, v := range []struct{ name, header string }{
		{"is empty", ""},
		{"is an empty object", "{}"},
		{"is an array", "[" + good + "]"},
		{"is a string", `"` + f.key.alg + `"`},
		{"is null", "null"},
		{"is not JSON", "alg=" + f.key.alg},
		{"is cut off", good[:len(good)-1]},
		{"goes on after its object", good + good},
		{"begins with a byte order mark", "\uFEFF" + good},
		{"is not UTF-8", with(h, "\"x\":\"\xff\"")},
		{"has alg twice, first none", `{"alg":"none",` + good[1:]},
		{"has alg twice, last none", with(h, `"alg":"none"`)},
		{"has alg twice, the same", with(h, `"alg":"`+f.key.alg+`"`)},
		{"has kid twice", with(h, `"kid":"other"`)},
		{"has typ twice", with(h, `"typ":"JWT"`)},
		{"has an unknown parameter twice", with(h, `"x":1,"x":2`)},
		{"has alg in another case", with(h, `"ALG":"none"`)},
		{"has typ in another case", with(h, `"Typ":"JWT"`)},
		{"has kid in another case", with(h, `"KID":"other"`)},
		{"has kid with a Kelvin sign for the k", with(h, `"`+"\u212A"+`id":"other"`)},
		{"has typ twice, once escaped", with(h, `"\u0074yp":"JWT"`)},
		{"is longer than 8 KiB", with(h, `"x":"`+strings.Repeat("a", 9<<10)+`"`)},
	} {
		f.rawHeader(claims.HeaderMalformed, v.name, v.header)
	}
	f.headerIs(claims.HeaderMalformed, "alg", append(wrongTypes(), variant{"is missing", nil}, variant{"is empty", ""})...)
	f.headerIs(claims.HeaderMalformed, "kid", append(wrongTypes(), variant{"is 4 KiB long", strings.Repeat("k", 4<<10)})...)
	f.headerIs(claims.HeaderMalformed, "typ", wrongTypes()...)
	f.headerIs(claims.HeaderMalformed, "crit",
		variant{"names an unknown extension", []string{"example.com/ext"}},
		variant{"names b64", []string{"b64"}},
		variant{"names exp, which is there", []string{"exp"}},
		variant{"is empty", []string{}},
		variant{"is a string", "exp"},
		variant{"is null", null},
	)
	f.headerIs(claims.HeaderMalformed, "b64", variant{"is false", false}, variant{"is true", true})
	f.unencoded()
}

// unencoded is a token after RFC 7797: the payload is not base64url, and the
// signature is over the payload as it is.
func (f *forge) unencoded() {
	h, p := f.good()
	h["b64"], h["crit"] = false, []string{"b64"}
	p["aud"] = "urn:no-dot-in-the-payload"
	head, payload := base64url(marshal(h)), strings.ReplaceAll(string(marshal(p)), ".", "")
	f.add(claims.HeaderMalformed, "an unencoded payload", head+"."+payload+"."+base64url(f.key.sign([]byte(head+"."+payload))))
}

// types are other kinds of token of the same issuer, signed with the same key.
// Only typ tells them apart (RFC 8725 section 3.11).
func (f *forge) types() {
	types := []variant{
		{"is missing", nil},
		{"is that of an ID token", "JWT"},
		{"is that of an ID token, in lower case", "jwt"},
		{"is that of an access token", "at+jwt"},
		{"is that of an ID-JAG", "oauth-id-jag+jwt"},
		{"is that of an ID-JAG, as a full media type", "application/oauth-id-jag+jwt"},
		{"is that of a DPoP proof", "dpop+jwt"},
		{"is that of a logout token", "logout+jwt"},
		{"is that of a security event", "secevent+jwt"},
		{"is that of a client assertion", "client-authentication+jwt"},
		{"is that of an introspection response", "token-introspection+jwt"},
		{"is that of an entity statement", "entity-statement+jwt"},
		{"is that of an authorization request", "oauth-authz-req+jwt"},
		{"is that of a key binding", "kb+jwt"},
		{"is JOSE", "JOSE"},
		{"has something behind it", f.typ + "x"},
		{"has something before it", "x" + f.typ},
		{"has a space behind it", f.typ + " "},
		{"has a parameter", f.typ + "; charset=utf-8"},
		{"is of another top-level type", "text/" + f.typ},
		{"is prefixed twice", "application/application/" + f.typ},
		{"has a space for the plus", strings.ReplaceAll(f.typ, "+", " ")},
		{"has an escaped plus", strings.ReplaceAll(f.typ, "+", "%2B")},
		{"has a Cyrillic letter", strings.Replace(f.typ, "a", "\u0430", 1)},
	}
	for _, v := range types {
		if v.value != f.typ && v.value != "application/"+f.typ {
			f.headerIs(claims.TypeNotAllowed, "typ", v)
		}
	}
}
