package claims_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/claims"
)

// nested returns an array of arrays, n deep.
func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

// manyMembers returns an object of n members and one more, last.
func manyMembers(n int, last string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"m%d":0,`, i)
	}
	return "{" + b.String() + last + ":0}"
}

func TestParsePayload(t *testing.T) {
	for _, c := range []struct {
		name, raw string
		refused   string // a part of the reason; "" means accepted
	}{
		{"empty object", `{}`, ""},
		{"space around", " \t\r\n{ \"a\" : 1 , \"b\" : [ 1 , 2 ] } \n", ""},
		{"every kind of value", `{"s":"x","n":-1.5e+3,"t":true,"f":false,"z":null,"a":[],"o":{}}`, ""},
		{"every escape", `{"a":"\"\\\/\b\f\n\r\t\u00e9\uD83D\ude00"}`, ""},
		{"unicode", `{"é":"日本"}`, ""},
		{"DEL", "{\"a\":\"\x7f\"}", ""},
		{"empty name", `{"":1}`, ""},
		{"U+FFFD written out", "{\"a\":\"\uFFFD\"}", ""},

		{"nothing", ``, "not a JSON object"},
		{"space only", `  `, "not a JSON object"},
		{"null", `null`, "not a JSON object"},
		{"array", `[{}]`, "not a JSON object"},
		{"string", `"{}"`, "not a JSON object"},
		{"number", `1`, "not a JSON object"},
		{"byte order mark", "\uFEFF{}", "not a JSON object"},
		{"other space", "\v{}", "not a JSON object"},

		{"trailing object", `{}{}`, "goes on after"},
		{"trailing comma", `{},`, "goes on after"},
		{"trailing NUL", "{}\x00", "goes on after"},
		{"trailing comment", `{}//`, "goes on after"},

		{"cut after the brace", `{`, "not valid JSON"},
		{"cut after a name", `{"a"`, "not valid JSON"},
		{"cut after a colon", `{"a":`, "not valid JSON"},
		{"cut after a value", `{"a":1`, "not valid JSON"},
		{"cut after a comma", `{"a":1,`, "not valid JSON"},
		{"cut in a string", `{"a":"b`, "not valid JSON"},
		{"cut in an escape", `{"a":"\`, "not valid JSON"},
		{"cut in a word", `{"a":tru`, "not valid JSON"},
		{"cut in an array", `{"a":[`, "not valid JSON"},
		{"cut after an element", `{"a":[1`, "not valid JSON"},
		{"comma at the end", `{"a":1,}`, "not valid JSON"},
		{"comma at the start", `{,"a":1}`, "not valid JSON"},
		{"comma missing", `{"a":1 "b":2}`, "not valid JSON"},
		{"colon missing", `{"a" 1}`, "not valid JSON"},
		{"comma at the end of an array", `{"a":[1,]}`, "not valid JSON"},
		{"comma missing in an array", `{"a":[1 2]}`, "not valid JSON"},
		{"something else than a comma", `{"a":1;"b":2}`, "not valid JSON"},
		{"something else than a colon", `{"a";1}`, "not valid JSON"},
		{"something else than a comma in an array", `{"a":[1;2]}`, "not valid JSON"},
		{"something else than a quotation mark", `{'a":1}`, "not valid JSON"},
		{"unquoted name", `{a:1}`, "not valid JSON"},
		{"single quotes", `{'a':1}`, "not valid JSON"},
		{"comment", `{/**/"a":1}`, "not valid JSON"},
		{"word in other case", `{"a":True}`, "not valid JSON"},
		{"NaN", `{"a":NaN}`, "not valid JSON"},
		{"Infinity", `{"a":-Infinity}`, "not valid JSON"},
		{"wrong bracket", `{"a":[1}}`, "not valid JSON"},

		{"leading zero", `{"a":01}`, "not valid JSON"},
		{"minus zero one", `{"a":-01}`, "not valid JSON"},
		{"plus", `{"a":+1}`, "not valid JSON"},
		{"no whole part", `{"a":.5}`, "not valid JSON"},
		{"no fraction", `{"a":1.}`, "not valid JSON"},
		{"no exponent", `{"a":1e}`, "not valid JSON"},
		{"no exponent after sign", `{"a":1e+}`, "not valid JSON"},
		{"minus alone", `{"a":-}`, "not valid JSON"},
		{"hexadecimal", `{"a":0x1}`, "not valid JSON"},
		{"zero", `{"a":0,"b":-0,"c":0.0,"d":0e0}`, ""},

		{"unknown escape", `{"a":"\x"}`, "not valid JSON"},
		{"short escape", `{"a":"\u12"}`, "not valid JSON"},
		{"escape with a letter beyond f", `{"a":"\u12g4"}`, "not valid JSON"},
		{"high surrogate alone", `{"a":"\ud800"}`, "surrogate"},
		{"low surrogate alone", `{"a":"\udc00"}`, "surrogate"},
		{"two low surrogates", `{"a":"\udc00\udc00"}`, "surrogate"},
		{"two high surrogates", `{"a":"\ud800\ud800"}`, "surrogate"},
		{"high surrogate and a letter", `{"a":"\ud800x"}`, "surrogate"},
		{"high surrogate and a character beyond the low ones", `{"a":"\ud800\ue000"}`, "surrogate"},
		{"high surrogate and the letters of an escape", `{"a":"\ud800xudc00"}`, "surrogate"},
		{"high surrogate and an escape of another letter", `{"a":"\ud800\xdc00"}`, "surrogate"},
		{"high surrogate and the end", `{"\ud800\udc":1}`, "surrogate"},
		{"high surrogate and a broken escape", `{"a":"\ud800\u00"}`, "surrogate"},
		{"surrogate in a name", `{"\udc00":1}`, "surrogate"},
		{"line break in a string", "{\"a\":\"x\ny\"}", "control character"},
		{"NUL in a string", "{\"a\":\"\x00\"}", "control character"},
		{"tab in a name", "{\"a\tb\":1}", "control character"},
		{"stray continuation byte", "{\"a\":\"\x80\"}", "UTF-8"},
		{"cut sequence", "{\"a\":\"\xc3\"}", "UTF-8"},
		{"overlong slash", "{\"a\":\"\xc0\xaf\"}", "UTF-8"},
		{"surrogate as UTF-8", "{\"a\":\"\xed\xa0\x80\"}", "UTF-8"},
		{"beyond Unicode", "{\"a\":\"\xf4\x90\x80\x80\"}", "UTF-8"},
		{"invalid UTF-8 deep inside", "{\"a\":[{\"b\":\"\xff\"}]}", "UTF-8"},

		{"the same member twice", `{"sub":"alice","sub":"admin"}`, "one member twice"},
		{"twice with the same value", `{"sub":"alice","sub":"alice"}`, "one member twice"},
		{"in other case", `{"sub":"alice","SUB":"admin"}`, "one member twice"},
		{"in mixed case", `{"client_id":"a","client_ID":"b"}`, "one member twice"},
		{"spelled with an escape", `{"sub":"alice","\u0073ub":"admin"}`, "one member twice"},
		{"long s", `{"sub":"alice","ſub":"admin"}`, "one member twice"},
		{"long s as an escape", `{"sub":"alice","\u017fub":"admin"}`, "one member twice"},
		{"Kelvin sign", `{"kid":"a","` + "\u212A" + `id":"b"}`, "one member twice"},
		{"sigma", `{"σ":"a","ς":"b"}`, "one member twice"},
		{"three spellings", `{"a":1,"b":2,"A":3}`, "one member twice"},
		{"empty name twice", `{"":1,"":2}`, "one member twice"},
		{"dotless i is another letter", `{"iss":"a","ıss":"b"}`, ""},
		{"at sign and backquote differ by the case bit only", "{\"@\":1,\"`\":2}", ""},
		{"same ends and length", `{"axb":1,"ayb":2}`, ""},
		{"twice inside an object", `{"o":{"roles":1,"roles":2}}`, "one member twice"},
		{"twice inside, with an escape", `{"o":{"roles":1,"role\u0073":2}}`, "one member twice"},
		{"twice deep inside", `{"o":[[{"a":1,"a":2}]]}`, "one member twice"},
		{"ninth member of an inner object twice", `{"o":{"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"9":0}}`, "one member twice"},
		{"many members of an inner object, an early one twice", `{"o":{"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"2":0}}`, "one member twice"},
		{"ids inside an object may differ in case", `{"resource_access":{"App":{},"app":{}}}`, ""},
		{"the same member in two objects", `{"o":{"a":1},"p":{"a":1}}`, ""},
		{"many members", manyMembers(500, `"last"`), ""},
		{"many members, the first again", manyMembers(500, `"M0"`), "one member twice"},
		{"many members, the last again", manyMembers(500, `"M499"`), "one member twice"},
		{"many members, a wide name", manyMembers(500, `"ſ"`), ""},

		{"32 levels", `{"a":` + nested(31) + `}`, ""},
		{"33 levels", `{"a":` + nested(32) + `}`, "deeper than 32"},
		{"33 levels of objects", strings.Repeat(`{"a":`, 32) + "{}" + strings.Repeat("}", 32), "deeper than 32"},
		{"a bomb", `{"a":` + strings.Repeat("[", 60000), "deeper than 32"},
		{"64 KiB", `{"a":"` + strings.Repeat("x", 64<<10-8) + `"}`, ""},
		{"64 KiB and a byte", `{"a":"` + strings.Repeat("x", 64<<10-7) + `"}`, "larger than 64 KiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := claims.ParsePayload([]byte(c.raw))
			if c.refused == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil {
				t.Fatal("accepted")
			}
			if reason, claim := reasonOf(err); reason != claims.ClaimMalformed || claim != "" {
				t.Errorf("reason %s of %q, want %s of no claim", reason, claim, claims.ClaimMalformed)
			}
			if !strings.Contains(err.Error(), c.refused) {
				t.Errorf("refused with %q, want %q", err, c.refused)
			}
		})
	}
}

// TestParsePayloadCopies shows that what was checked cannot change afterwards.
func TestParsePayloadCopies(t *testing.T) {
	raw := []byte(`{"sub":"alice","o":{"a":["x"]}}`)
	p := parse(t, string(raw))
	inner, _ := p.Lookup("o")
	p2, err := claims.ParsePayload(raw)
	if err != nil {
		t.Fatal(err)
	}
	copy(raw, bytes.Repeat([]byte("#"), len(raw)))
	inner[0] = '#'
	if got, _, err := p2.Text("sub"); got != "alice" || err != nil {
		t.Errorf("sub = %q, %v", got, err)
	}
	if got, _ := p.Lookup("o", "a"); string(got) != `["x"]` {
		t.Errorf("o.a = %s", got)
	}
}

func TestLookup(t *testing.T) {
	p := parse(t, `{"a":{"b":{"c":[1, 2]},"B":1},"n":null,"a.b":2,"é":3,"\u0065sc":4,"o":{"\u0065sc":5}}`)
	for _, c := range []struct {
		path []string
		want string
		ok   bool
	}{
		{[]string{"a", "b", "c"}, `[1, 2]`, true},
		{[]string{"a", "b"}, `{"c":[1, 2]}`, true},
		{[]string{"a", "B"}, `1`, true},
		{[]string{"n"}, `null`, true},
		{[]string{"a.b"}, `2`, true},
		{[]string{"é"}, `3`, true},
		{[]string{"esc"}, `4`, true},
		{[]string{"o", "esc"}, `5`, true},
		{[]string{"A"}, ``, false},
		{[]string{"a", "x"}, ``, false},
		{[]string{"x", "b"}, ``, false},
		{[]string{"n", "b"}, ``, false},
		{[]string{"a", "b", "c", "0"}, ``, false},
		{[]string{""}, ``, false},
		{nil, ``, false},
	} {
		got, ok := p.Lookup(c.path...)
		if string(got) != c.want || ok != c.ok {
			t.Errorf("Lookup(%q) = %s, %v, want %s, %v", c.path, got, ok, c.want, c.ok)
		}
	}
}

func TestTextAndTexts(t *testing.T) {
	p := parse(t, `{
		"text":"a\n\"b\" \ud83d\ude00\/","empty":"","number":1,"null":null,"object":{},
		"list":["a","b,c"],"none":[],"mixed":["a",1],"inner":[["a"]],"nulls":[null],"escaped":["\u0061","x\\y"]
	}`)
	for _, c := range []struct {
		name    string
		text    string
		texts   []string
		present bool
		textErr bool
		listErr bool
	}{
		{"text", "a\n\"b\" 😀/", []string{"a\n\"b\" 😀/"}, true, false, false},
		{"empty", "", []string{""}, true, false, false},
		{"absent", "", nil, false, false, false},
		{"number", "", nil, true, true, true},
		{"null", "", nil, true, true, true},
		{"object", "", nil, true, true, true},
		{"list", "", []string{"a", "b,c"}, true, true, false},
		{"escaped", "", []string{"a", `x\y`}, true, true, false},
		{"none", "", nil, true, true, false},
		{"mixed", "", nil, true, true, true},
		{"inner", "", nil, true, true, true},
		{"nulls", "", nil, true, true, true},
	} {
		text, present, err := p.Text(c.name)
		if text != c.text || present != c.present || (err != nil) != c.textErr {
			t.Errorf("Text(%s) = %q, %v, %v", c.name, text, present, err)
		}
		if reason, claim := reasonOf(err); c.textErr && (reason != claims.ClaimMalformed || claim != c.name) {
			t.Errorf("Text(%s): reason %s of %q", c.name, reason, claim)
		}
		texts, present, err := p.Texts(c.name)
		if (err != nil) != c.listErr || present != c.present || err == nil && !slices.Equal(texts, c.texts) {
			t.Errorf("Texts(%s) = %q, %v, %v", c.name, texts, present, err)
		}
		if reason, claim := reasonOf(err); c.listErr && (reason != claims.ClaimMalformed || claim != c.name) {
			t.Errorf("Texts(%s): reason %s of %q", c.name, reason, claim)
		}
	}
}

func TestTime(t *testing.T) {
	const refused = -1
	for _, c := range []struct {
		value string
		want  int64
	}{
		{"1790000000", 1790000000},
		{"0", 0},
		{"1790000000.0", 1790000000},
		{"1790000000.9999999999999999", 1790000000},
		{"0.9", 0},
		{"0.0", 0},
		{"1.79e9", 1790000000},
		{"1.79E+9", 1790000000},
		{"1.7900000005e9", 1790000000},
		{"17900000000000e-4", 1790000000},
		{"17900000009999e-4", 1790000000},
		{"0.00179e12", 1790000000},
		{"1790000000e0", 1790000000},
		{"1e-5", 0},
		{"0e300", 0},
		{"253402300799", 253402300799}, // the last second of the year 9999
		{"253402300799.9", 253402300799},
		{"253402300800", refused},
		{"999999999999", refused},
		{"9999999999999", refused},
		{"1790000000000", refused}, // milliseconds
		{"1e12", refused},
		{"1e300", refused},
		{"1e99999", refused},
		{"1e9223372036854775807", refused},
		{"1e99999999999999999999", refused},
		{"1e-99999999999999999999", refused},
		{"1e-65537", refused}, // no sender of a time writes so
		{"-1", refused},
		{"-0", refused},
		{"-1e-9", refused},
		{`"1790000000"`, refused},
		{`""`, refused},
		{"null", refused},
		{"true", refused},
		{"[1790000000]", refused},
		{"{}", refused},
	} {
		got, present, err := parse(t, `{"exp":`+c.value+`}`).Time("exp")
		if !present {
			t.Errorf("%s: not present", c.value)
		}
		if c.want == refused {
			if reason, claim := reasonOf(err); reason != claims.ClaimMalformed || claim != "exp" || !got.IsZero() {
				t.Errorf("%s: %v, %v, want it refused", c.value, got, err)
			}
			continue
		}
		if err != nil || got.Unix() != c.want || got.Nanosecond() != 0 {
			t.Errorf("%s: %v, %v, want %d", c.value, got, err, c.want)
		}
	}
	if got, present, err := parse(t, `{}`).Time("exp"); present || err != nil || !got.IsZero() {
		t.Errorf("absent: %v, %v, %v", got, present, err)
	}
}

// TestManyGroups: no limit on the number of groups but the size of the payload.
func TestManyGroups(t *testing.T) {
	for _, c := range []struct {
		n    int
		fits bool
	}{{5000, true}, {10000, false}} {
		groups := make([]string, c.n)
		for i := range groups {
			groups[i] = fmt.Sprintf("g%05d", i)
		}
		raw := edited(t, "rfc9068-generic.json", object{"groups": groups})
		p, err := mapToken(t, claims.RFC9068(), raw)
		if (err == nil) != c.fits {
			t.Fatalf("%d groups in %d bytes: %v", c.n, len(raw), err)
		}
		if c.fits && !slices.Equal(p.Groups.Names, groups) {
			t.Errorf("%d groups: got others", c.n)
		}
	}
}

func parse(tb testing.TB, raw string) *claims.Payload {
	tb.Helper()
	p, err := claims.ParsePayload([]byte(raw))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}
