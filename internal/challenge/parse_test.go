package challenge_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/internal/challenge"
)

func TestParse(t *testing.T) {
	scheme, params, err := challenge.Parse(`Bearer error="insufficient_scope", scope="a b", resource_metadata="https://h/x?y=z", Max_Age="5"`)
	want := map[string]string{"error": "insufficient_scope", "scope": "a b", "resource_metadata": "https://h/x?y=z", "max_age": "5"}
	if err != nil || scheme != "Bearer" || !maps.Equal(params, want) {
		t.Errorf("Parse = %q, %v, %v", scheme, params, err)
	}
	for name, header := range map[string]string{
		"empty":               ``,
		"scheme alone":        `Bearer`,
		"scheme and space":    `Bearer `,
		"no scheme":           ` error="x"`,
		"two spaces":          `Bearer  error="x"`,
		"tab":                 "Bearer\terror=\"x\"",
		"scheme is no token":  `Bea"rer error="x"`,
		"token68":             `Bearer abc==`,
		"no quotes":           `Bearer error=x`,
		"no name":             `Bearer ="x"`,
		"space before =":      `Bearer error ="x"`,
		"space after =":       `Bearer error= "x"`,
		"not closed":          `Bearer error="x`,
		"empty value":         `Bearer scope=""`,
		"escaped quote":       `Bearer error="a\"b"`,
		"escape":              `Bearer error="a\b"`,
		"line break":          "Bearer error=\"a\r\nb\"",
		"NUL":                 "Bearer error=\"a\x00b\"",
		"tab in value":        "Bearer error=\"a\tb\"",
		"non-ASCII":           `Bearer error="ä"`,
		"twice":               `Bearer error="x", error="y"`,
		"twice, in capitals":  `Bearer error="x", ERROR="y"`,
		"no separator":        `Bearer error="x" scope="a"`,
		"no space":            `Bearer error="x",scope="a"`,
		"space before comma":  `Bearer error="x" , scope="a"`,
		"two commas":          `Bearer error="x", , scope="a"`,
		"trailing comma":      `Bearer error="x",`,
		"trailing separator":  `Bearer error="x", `,
		"trailing space":      `Bearer error="x" `,
		"second challenge":    `Bearer error="x", Basic realm="y"`,
		"two spaces in scope": `Bearer scope="a  b"`,
		"scope ends in space": `Bearer scope="a "`,
		"scope of a space":    `Bearer scope=" "`,
		"two spaces in acr":   `Bearer acr_values="a  b"`,
	} {
		if scheme, params, err := challenge.Parse(header); err == nil || scheme != "" || params != nil || !strings.HasPrefix(err.Error(), "challenge: ") {
			t.Errorf("%s: %q, %v, %v", name, scheme, params, err)
		}
	}
}

// FuzzRoundTrip: whatever is put into a challenge, the strict parser reads it
// and finds in it exactly what is valid, and nothing that was smuggled in.
func FuzzRoundTrip(f *testing.F) {
	f.Add("invalid_token", "expired", "files:read files:write", "https://h/x", "gold", int64(300))
	f.Add("", "", "", "", "", int64(0))
	f.Add("x\r\nSet-Cookie: a=b", `a", scope="admin`, "a  b\t\"c\" \\", "https://h/\n", "\xff", int64(-1))
	f.Fuzz(func(t *testing.T, code, description, scopes, metadata, acr string, age int64) {
		c := challenge.Challenge{
			Error: code, Description: description, Scopes: strings.Split(scopes, "|"), ResourceMetadata: metadata,
			ACRValues: strings.Split(acr, "|"), MaxAge: time.Duration(age),
		}
		header := c.String()
		if strings.ContainsFunc(header, func(r rune) bool { return r < ' ' || r > '~' || r == '\\' }) {
			t.Fatalf("header = %q", header)
		}
		if header == "Bearer" {
			if c.Valid() == nil {
				t.Fatal("a challenge that says nothing is valid")
			}
			return
		}
		scheme, params, err := challenge.Parse(header)
		if err != nil || scheme != "Bearer" {
			t.Fatalf("%q is not read: %v", header, err)
		}
		agree := func(name, value string, whole bool) {
			got, found := params[name]
			if found && got != value || whole && value != "" && !found {
				t.Fatalf("%s = %q, %v; given %q", name, got, found, value)
			}
			delete(params, name)
		}
		list := func(name string, given []string) {
			var written []string
			if params[name] != "" {
				written = strings.Split(params[name], " ")
			}
			var valid []string
			for _, token := range given {
				if challenge.ValidScope(token) && !slices.Contains(valid, token) {
					valid = append(valid, token)
				}
			}
			if !slices.Equal(written, valid) {
				t.Fatalf("%s = %q, want %q", name, written, valid)
			}
			delete(params, name)
		}
		valid := c.Valid() == nil
		agree("error", code, valid)
		agree("error_description", description, valid)
		agree("resource_metadata", metadata, valid)
		list("scope", c.Scopes)
		list("acr_values", c.ACRValues)
		if seconds, found := params["max_age"]; found && strings.Trim(seconds, "0123456789") != "" {
			t.Fatalf("max_age = %q", seconds)
		}
		delete(params, "max_age")
		if len(params) != 0 {
			t.Fatalf("smuggled in: %v", params)
		}
	})
}
