package challenge_test

import (
	"strings"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/internal/challenge"
)

const metadata = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp"

func TestString(t *testing.T) {
	for name, tt := range map[string]struct {
		challenge challenge.Challenge
		want      string
	}{
		"no credentials": {
			challenge.Challenge{Scopes: []string{"files:read"}, ResourceMetadata: metadata},
			`Bearer scope="files:read", resource_metadata="` + metadata + `"`,
		},
		"token refused": {
			challenge.Challenge{Error: challenge.InvalidToken, ResourceMetadata: metadata},
			`Bearer error="invalid_token", resource_metadata="` + metadata + `"`,
		},
		"scope missing": {
			challenge.Challenge{Error: challenge.InsufficientScope, Description: "a scope is missing", Scopes: []string{"files:write", "files:read"}, ResourceMetadata: metadata},
			`Bearer error="insufficient_scope", error_description="a scope is missing", scope="files:write files:read", resource_metadata="` + metadata + `"`,
		},
		"step-up": {
			challenge.Challenge{Error: challenge.InsufficientUserAuthentication, ACRValues: []string{"urn:acr:gold", "urn:acr:silver"}, MaxAge: 5 * time.Minute},
			`Bearer error="insufficient_user_authentication", acr_values="urn:acr:gold urn:acr:silver", max_age="300"`,
		},
		"no scope is no parameter":     {challenge.Challenge{Error: "x", Scopes: []string{}}, `Bearer error="x"`},
		"an empty scope is none":       {challenge.Challenge{Error: "x", Scopes: []string{""}}, `Bearer error="x"`},
		"a scope once":                 {challenge.Challenge{Scopes: []string{"a", "b", "a"}}, `Bearer scope="a b"`},
		"description without error":    {challenge.Challenge{Description: "x", Scopes: []string{"a"}}, `Bearer scope="a"`},
		"less than a second":           {challenge.Challenge{Error: "x", MaxAge: time.Millisecond}, `Bearer error="x"`},
		"negative age":                 {challenge.Challenge{Error: "x", MaxAge: -time.Hour}, `Bearer error="x"`},
		"line break in error":          {challenge.Challenge{Error: "x\r\nSet-Cookie: a=b", Description: "d", Scopes: []string{"a"}}, `Bearer scope="a"`},
		"quote in description":         {challenge.Challenge{Error: "x", Description: `a", scope="admin`}, `Bearer error="x"`},
		"backslash in description":     {challenge.Challenge{Error: "x", Description: `a\`}, `Bearer error="x"`},
		"non-ASCII in description":     {challenge.Challenge{Error: "x", Description: "für"}, `Bearer error="x"`},
		"invalid UTF-8 in description": {challenge.Challenge{Error: "x", Description: "\xff"}, `Bearer error="x"`},
		"DEL in description":           {challenge.Challenge{Error: "x", Description: "\x7f"}, `Bearer error="x"`},
		"tab in description":           {challenge.Challenge{Error: "x", Description: "a\tb"}, `Bearer error="x"`},
		"two scopes in one":            {challenge.Challenge{Scopes: []string{"a b", "c"}}, `Bearer scope="c"`},
		"quote in scope":               {challenge.Challenge{Scopes: []string{`a"`, "c"}}, `Bearer scope="c"`},
		"line break in metadata":       {challenge.Challenge{Error: "x", ResourceMetadata: "https://h\r\nX: y"}, `Bearer error="x"`},
		"space in metadata":            {challenge.Challenge{Error: "x", ResourceMetadata: "https://h/a b"}, `Bearer error="x"`},
		"quote in acr":                 {challenge.Challenge{Error: "x", ACRValues: []string{`"`}}, `Bearer error="x"`},
		"nothing":                      {challenge.Challenge{}, `Bearer`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.challenge.String(); got != tt.want {
				t.Errorf("String() =\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestValid(t *testing.T) {
	good := challenge.Challenge{Error: "invalid_token", Description: "expired", Scopes: []string{"a"}, ResourceMetadata: metadata, ACRValues: []string{"1"}, MaxAge: time.Minute}
	if err := good.Valid(); err != nil {
		t.Errorf("refused: %v", err)
	}
	for name, tt := range map[string]struct {
		challenge challenge.Challenge
		fields    []string
	}{
		"nothing":             {challenge.Challenge{}, []string{"Challenge"}},
		"only empty scopes":   {challenge.Challenge{Scopes: []string{""}}, []string{"Scopes", "Challenge"}},
		"error":               {challenge.Challenge{Error: `"`, Scopes: []string{"a"}}, []string{"Error"}},
		"description":         {challenge.Challenge{Error: "x", Description: "\n"}, []string{"Description"}},
		"description alone":   {challenge.Challenge{Description: "d", Scopes: []string{"a"}}, []string{"Description"}},
		"scope with space":    {challenge.Challenge{Scopes: []string{"a", "b c"}}, []string{"Scopes"}},
		"metadata":            {challenge.Challenge{Error: "x", ResourceMetadata: "https://h/ä"}, []string{"ResourceMetadata"}},
		"acr":                 {challenge.Challenge{Error: "x", ACRValues: []string{""}}, []string{"ACRValues"}},
		"negative age":        {challenge.Challenge{Error: "x", MaxAge: -time.Second}, []string{"MaxAge"}},
		"fraction of seconds": {challenge.Challenge{Error: "x", MaxAge: 1500 * time.Millisecond}, []string{"MaxAge"}},
		"everything at once": {
			challenge.Challenge{Error: "\\", Description: "\\", Scopes: []string{" "}, ResourceMetadata: " ", ACRValues: []string{" "}, MaxAge: 1},
			[]string{"Error", "Description", "Scopes", "ResourceMetadata", "ACRValues", "MaxAge", "Challenge"},
		},
	} {
		err := tt.challenge.Valid()
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		if len(lines) != len(tt.fields) {
			t.Errorf("%s: %q, want mistakes in %v", name, lines, tt.fields)
			continue
		}
		for i, field := range tt.fields {
			if !strings.HasPrefix(lines[i], "challenge: "+field+": ") {
				t.Errorf("%s: %q, want one about %s", name, lines[i], field)
			}
		}
	}
}

// RFC 6749 section 3.3, character by character.
func TestValidScope(t *testing.T) {
	for c := range 256 {
		want := c == 0x21 || 0x23 <= c && c <= 0x5b || 0x5d <= c && c <= 0x7e
		if got := challenge.ValidScope("a" + string([]byte{byte(c)}) + "b"); got != want {
			t.Errorf("%#x: %v, want %v", c, got, want)
		}
	}
	for token, want := range map[string]bool{"": false, " ": false, "files:read": true, "https://h/.default": true, "a b": false, "ä": false} {
		if got := challenge.ValidScope(token); got != want {
			t.Errorf("%q: %v, want %v", token, got, want)
		}
	}
}
