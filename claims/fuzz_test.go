package claims_test

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/emamw/mcp-ema/claims"
)

// stricter are the only grounds on which the reader refuses what encoding/json
// accepts.
var stricter = []string{
	"not a JSON object", // null, to encoding/json, is a nil map
	"not valid UTF-8",   // encoding/json puts U+FFFD in its place
	"half of a surrogate pair",
	"one member twice", // encoding/json takes the last
	"deeper than 32 levels",
	"larger than 64 KiB",
}

// FuzzParsePayload compares the reader with encoding/json: what encoding/json
// refuses is refused, what both accept is the same, and what only the reader
// refuses is on the list, with the cause shown to be in the text.
func FuzzParsePayload(f *testing.F) {
	files, err := filepath.Glob("testdata/idp-tokens/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		f.Add(readFixture(f, filepath.Base(file)))
	}
	for _, seed := range []string{
		`{}`, `null`, ` {"a" : [1, -2.5e-3, true, null, {"b":"\u00e9\ud83d\ude00"}] } `, `{"a":1,"A":2}`, `{"s":1,"ſ":2}`, `{"a":"\ud800"}`,
		"{\"a\":\"\xff\"}", "{\"a\":\"\x01\"}", `{"a":1}x`, `{"a":01}`, `{"o":{"a":1,"a":2}}`, `{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(agree)
}

func agree(t *testing.T, raw []byte) {
	std, stdErr := decodeStd(raw)
	p, err := claims.ParsePayload(raw)
	if err != nil {
		if stdErr != nil {
			return
		}
		for _, reason := range stricter {
			if strings.Contains(err.Error(), reason) {
				confirm(t, reason, raw)
				return
			}
		}
		t.Fatalf("encoding/json accepts %q, and the reader refuses it: %v", raw, err)
	}
	if stdErr != nil {
		t.Fatalf("the reader accepts %q, and encoding/json refuses it: %v", raw, stdErr)
	}
	for name, want := range std {
		same(t, p, name, want)
	}
}

// decodeStd is encoding/json as a server would use it.
func decodeStd(raw []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var all map[string]any
	if err := d.Decode(&all); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, io.ErrUnexpectedEOF
	}
	return all, nil
}

// same compares one member as the two read it.
func same(t *testing.T, p *claims.Payload, name string, want any) {
	value, ok := p.Lookup(name)
	if !ok {
		t.Fatalf("%q is missing", name)
	}
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	var got any
	if err := d.Decode(&got); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%q = %s (%v), want %v", name, value, err, want)
	}
	text, isText := want.(string)
	if s, _, err := p.Text(name); (err == nil) != isText || s != text {
		t.Fatalf("Text(%q) = %q, %v, want %v", name, s, err, want)
	}
	var texts []string
	isTexts := isText
	if isText {
		texts = []string{text}
	}
	if list, isList := want.([]any); isList {
		isTexts = true
		for _, element := range list {
			s, isText := element.(string)
			isTexts = isTexts && isText
			texts = append(texts, s)
		}
	}
	list, _, err := p.Texts(name)
	if (err == nil) != isTexts || isTexts && strings.Join(list, "\x00") != strings.Join(texts, "\x00") {
		t.Fatalf("Texts(%q) = %q, %v, want %v", name, list, err, want)
	}
	for inner, value := range asObject(want) {
		got, ok := p.Lookup(name, inner)
		std, err := json.Marshal(value)
		if !ok || err != nil {
			t.Fatalf("Lookup(%q, %q) = %s, %v (%v)", name, inner, got, ok, err)
		}
		if !sameJSON(got, std) {
			t.Fatalf("Lookup(%q, %q) = %s, want %s", name, inner, got, std)
		}
	}
	_, isNumber := want.(json.Number)
	if _, _, err := p.Time(name); err == nil && !isNumber {
		t.Fatalf("Time(%q) accepts %v", name, want)
	}
}

func asObject(v any) map[string]any {
	o, _ := v.(map[string]any)
	return o
}

func sameJSON(a, b []byte) bool {
	var x, y any
	da, db := json.NewDecoder(bytes.NewReader(a)), json.NewDecoder(bytes.NewReader(b))
	da.UseNumber()
	db.UseNumber()
	return da.Decode(&x) == nil && db.Decode(&y) == nil && reflect.DeepEqual(x, y)
}

// confirm shows that a ground for refusal is there, by other means than the
// reader's, so that "one member twice" cannot become the excuse for anything.
func confirm(t *testing.T, reason string, raw []byte) {
	ok := true
	switch reason {
	case "not a JSON object":
		ok = strings.TrimSpace(string(raw)) == "null"
	case "not valid UTF-8":
		ok = !utf8.Valid(raw)
	case "half of a surrogate pair":
		ok = strings.Contains(strings.ToLower(string(raw)), `\ud`)
	case "one member twice":
		ok = repeats(json.NewDecoder(bytes.NewReader(raw)))
	case "deeper than 32 levels":
		ok = bytes.Count(raw, []byte("{"))+bytes.Count(raw, []byte("[")) > 32
	case "larger than 64 KiB":
		ok = len(raw) > 64<<10
	}
	if !ok {
		t.Fatalf("%q is refused as %q, which it is not", raw, reason)
	}
}

// repeats reports whether an object in the text has a name twice, or the
// outermost one two names that fold to one.
func repeats(d *json.Decoder) bool {
	type level struct {
		object bool
		name   bool // the next token is a name
		names  []string
	}
	var stack []level
	for {
		token, err := d.Token()
		if err != nil {
			return false
		}
		top := len(stack) - 1
		if delim, ok := token.(json.Delim); ok {
			switch delim {
			case '{', '[':
				if top >= 0 {
					stack[top].name = stack[top].object
				}
				stack = append(stack, level{object: delim == '{', name: delim == '{'})
			default:
				stack = stack[:top]
			}
			continue
		}
		if top < 0 || !stack[top].object {
			continue
		}
		if !stack[top].name {
			stack[top].name = true
			continue
		}
		name := token.(string)
		for _, other := range stack[top].names {
			if other == name || top == 0 && strings.EqualFold(other, name) {
				return true
			}
		}
		stack[top].names = append(stack[top].names, name)
		stack[top].name = false
	}
}

// TestAgreesWithStd makes claims sets at random, all of them valid, and expects
// every one to be accepted and read as encoding/json reads it.
func TestAgreesWithStd(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		set := make(map[string]any)
		folded := make(map[string]bool)
		for range random.IntN(40) {
			name := randomText(random)
			if key := strings.ToLower(strings.ToUpper(name)); !folded[key] {
				folded[key] = true
				set[name] = randomValue(random, 4)
			}
		}
		raw, err := json.Marshal(set)
		if err != nil {
			t.Fatal(err)
		}
		if random.IntN(2) == 0 {
			var spaced bytes.Buffer
			if err := json.Indent(&spaced, raw, " ", "\t"); err != nil {
				t.Fatal(err)
			}
			raw = spaced.Bytes()
		}
		if len(raw) > 64<<10 {
			continue
		}
		if _, err := claims.ParsePayload(raw); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		agree(t, raw)
	}
}

var alphabet = []rune("abcdefgXYZ0189_:/.~-{}\"\\\n\t <>&é日😀\u2028\u0000\u007f")

func randomText(random *rand.Rand) string {
	text := make([]rune, random.IntN(12))
	for i := range text {
		text[i] = alphabet[random.IntN(len(alphabet))]
	}
	return string(text)
}

func randomValue(random *rand.Rand, depth int) any {
	switch n := random.IntN(9); {
	case n == 0:
		return nil
	case n == 1:
		return random.IntN(2) == 0
	case n == 2:
		return random.Int64() - random.Int64()
	case n == 3:
		return random.NormFloat64() * 1e12
	case n >= 7 && depth > 0:
		list := make([]any, random.IntN(5))
		for i := range list {
			list[i] = randomValue(random, depth-1)
		}
		return list
	case n == 6 && depth > 0:
		object := make(map[string]any)
		for range random.IntN(12) {
			object[randomText(random)] = randomValue(random, depth-1)
		}
		return object
	}
	return randomText(random)
}

// FuzzMap feeds any payload to every preset: none may panic, and what they
// refuse they refuse with a reason.
func FuzzMap(f *testing.F) {
	var mappers []*claims.Mapper
	for _, name := range claims.Presets() {
		var vars map[string]string
		if name == "keycloak" {
			vars = map[string]string{"client": "mcp-server"}
		}
		mapper, err := withVars(name, vars).Mapper()
		if err != nil {
			f.Fatal(err)
		}
		mappers = append(mappers, mapper)
	}
	for _, fixture := range fixtures {
		f.Add(readFixture(f, fixture.file))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := claims.ParsePayload(raw)
		if err != nil {
			return
		}
		for _, m := range mappers {
			c, err := m.Map(t.Context(), p)
			if reason, _ := reasonOf(err); err != nil && reason != claims.ClaimMalformed && reason != claims.ClaimMissing && reason != claims.TokenKindNotAllowed {
				t.Errorf("reason %q: %v", reason, err)
			}
			if err == nil && (c.Issuer == "" || c.Subject == "" || len(c.Token.Audience) == 0 || c.Token.ExpiresAt.IsZero()) {
				t.Errorf("a principal of %q lacks what every token must have: %+v", raw, *c)
			}
		}
	})
}
