package emamwtest

import (
	"strings"
)

// payloads are claims sets that are no JSON object, or that two readers can read
// differently: encoding/json takes the last of two members, matches names
// without case, and repairs broken UTF-8. All are properly signed.
func (f *forge) payloads() {
	p := f.mint()
	good := string(marshal(p))
	for _, v := range []struct{ name, payload string }{
		{"is empty", ""},
		{"is an array", "[" + good + "]"},
		{"is a string", `"sub"`},
		{"is null", "null"},
		{"is a number", "7"},
		{"is another token", f.change(nil, nil)},
		{"is a form", "iss=a&sub=b"},
		{"is cut off", good[:len(good)-1]},
		{"goes on with a brace", good + "}"},
		{"goes on with a second object", good + `{"sub":"mallory"}`},
		{"goes on with a zero byte", good + "\x00"},
		{"begins with a byte order mark", "\uFEFF" + good},
		{"has a comma at its end", good[:len(good)-1] + ",}"},
		{"has a comment", good[:len(good)-1] + "/**/}"},
		{"has single quotes", strings.ReplaceAll(good, `"`, "'")},
		{"has a name without quotes", with(p, `x:1`)},
		{"has a value that is not UTF-8", with(p, "\"x\":\"\xff\"")},
		{"has an overlong slash", with(p, "\"x\":\"\xc0\xaf\"")},
		{"has a name that is not UTF-8", with(p, "\"\xff\":1")},
		{"has a line feed in a string", with(p, "\"x\":\"\n\"")},
		{"has half of a surrogate pair", with(p, `"x":"\ud800"`)},
		{"has the wrong half of a surrogate pair", with(p, `"x":"\udc00"`)},
		{"has an unknown escape", with(p, `"x":"\x41"`)},
		{"has a number with a leading zero", with(p, `"x":01`)},
		{"has a hexadecimal number", with(p, `"x":0x10`)},
		{"has NaN", with(p, `"x":NaN`)},
		{"has Infinity", with(p, `"x":Infinity`)},
		{"is nested a hundred arrays deep", with(p, `"x":`+nested("[", "]", 100))},
		{"is nested a thousand objects deep", with(p, `"x":`+nested(`{"a":`, "}", 1000))},
		{"has an unknown claim twice", with(p, `"x":1,"x":1`)},
		{"has a member of an unknown claim twice", with(p, `"x":{"a":1,"a":2}`)},
		{"has an unknown claim in two cases", with(p, `"x":1,"X":2`)},
	} {
		f.rawPayload(v.name, v.payload)
	}
	for _, claim := range []struct{ name, other, value string }{
		{"iss", "ISS", `"https://attacker.example"`},
		{"sub", "Sub", `"mallory"`},
		{"aud", "AUD", `"https://attacker.example"`},
		{"exp", "Exp", `32503680000`},
		{"client_id", "Client_ID", `"attacker"`},
		{"scope", "SCOPE", `"admin"`},
		{"jti", "Jti", `"other"`},
	} {
		f.rawPayload("has "+claim.name+" twice", with(p, `"`+claim.name+`":`+claim.value))
		f.rawPayload("has "+claim.name+" first as another value", `{"`+claim.name+`":`+claim.value+","+good[1:])
		f.rawPayload("has "+claim.name+" also as "+claim.other, with(p, `"`+claim.other+`":`+claim.value))
	}
	f.rawPayload("has sub twice, once escaped", with(p, `"\u0073ub":"mallory"`))
	f.rawPayload("has sub also with a long s", with(p, `"`+"\u017F"+`ub":"mallory"`))
	f.rawPayload("has a Kelvin sign for a k", with(p, `"keys":[],"`+"\u212A"+`eys":[]`))
}

func nested(open, shut string, depth int) string {
	return strings.Repeat(open, depth) + "0" + strings.Repeat(shut, depth)
}
