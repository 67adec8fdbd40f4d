package emamwtest

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emamw/mcp-ema/claims"
)

// claims are claims that every kind of token needs, missing or of the wrong
// shape (RFC 7519 section 4.1). All are properly signed.
func (f *forge) claims() {
	f.issuers()
	f.times()
	for _, claim := range []string{"sub", "client_id", "jti"} {
		f.claimIs(claims.ClaimMissing, claim, variant{"is missing", nil})
		f.claimIs(claims.ClaimMalformed, claim, append(wrongTypes(), variant{"is empty", ""})...)
	}
	f.claimIs(claims.ClaimMalformed, "sub", variant{"has a line feed", "alice\nadmin=true"}, variant{"has a zero byte", "alice\x00"})
	f.claimIs(claims.ClaimMalformed, "aud",
		variant{"is null", null},
		variant{"is a number", 7},
		variant{"is an object", map[string]any{"aud": f.mint()["aud"]}},
		variant{"is an array of arrays", []any{[]any{f.mint()["aud"]}}},
		variant{"is an array with a number beside the right value", []any{f.mint()["aud"], 7}},
		variant{"is an array with null beside the right value", []any{f.mint()["aud"], null}},
	)
	f.claimIs(claims.ClaimMissing, "aud", variant{"is missing", nil})
	f.scopes()
	f.confirmations()
}

// issuers are other issuers by RFC 3986 section 6.2.1, however alike.
func (f *forge) issuers() {
	id := f.issuer.id
	u := must1(url.Parse(id))
	f.claimIs(claims.ClaimMissing, "iss", variant{"is missing", nil})
	f.claimIs(claims.ClaimMalformed, "iss", wrongTypes()...)
	f.claimIs(claims.IssuerUntrusted, "iss",
		variant{"is empty", ""},
		variant{"is another issuer", "https://attacker.example"},
		variant{"has a slash more or less", toggleSlash(id)},
		variant{"has an upper-case scheme", strings.ToUpper(u.Scheme) + id[len(u.Scheme):]},
		variant{"is of the other scheme", otherScheme(id)},
		variant{"goes on in the host", u.Scheme + "://" + u.Hostname() + ".attacker.example" + u.Path},
		variant{"has the host as user information", u.Scheme + "://" + u.Host + "@attacker.example" + u.Path},
		variant{"has a dot behind the host name", u.Scheme + "://" + u.Hostname() + "." + strings.TrimPrefix(u.Host, u.Hostname()) + u.Path},
		variant{"has a path more", strings.TrimSuffix(id, "/") + "/other"},
		variant{"has a path that goes up", strings.TrimSuffix(id, "/") + "/x/.."},
		variant{"has a query", id + "?x"},
		variant{"has a fragment", id + "#x"},
		variant{"has a space behind it", id + " "},
		variant{"has a space before it", " " + id},
		variant{"has a zero byte behind it", id + "\x00"},
		variant{"is escaped", url.QueryEscape(id)},
		variant{"is in full-width letters", strings.Replace(id, "h", "\uFF48", 1)},
	)
}

func toggleSlash(s string) string {
	if trimmed, ok := strings.CutSuffix(s, "/"); ok {
		return trimmed
	}
	return s + "/"
}

func otherScheme(s string) string {
	if rest, ok := strings.CutPrefix(s, "https:"); ok {
		return "http:" + rest
	}
	return "https:" + strings.TrimPrefix(s, "http:")
}

// times are NumericDates (RFC 7519 section 2) of the wrong type or value.
func (f *forge) times() {
	now := f.issuer.now()
	wrong := append(wrongTypes()[2:],
		variant{"is null", null},
		variant{"is a string", "4102444800"},
		variant{"is a date", now.Add(time.Minute).UTC().Format(time.RFC3339)},
		variant{"is negative", -1},
		variant{"is in milliseconds", now.UnixMilli()},
		variant{"is beyond every float", json.RawMessage("1e400")},
		variant{"is beyond int64", json.RawMessage("9223372036854775808")},
	)
	for _, claim := range []string{"exp", "iat", "nbf"} {
		f.claimIs(claims.ClaimMalformed, claim, wrong...)
	}
	f.claimIs(claims.ClaimMissing, "exp", variant{"is missing", nil})
	f.claimIs(claims.ClaimMissing, "iat", variant{"is missing", nil})
	f.claimIs(claims.TokenExpired, "exp",
		variant{"is zero", 0},
		variant{"is an hour ago", now.Add(-time.Hour).Unix()},
		variant{"is beyond the skew", now.Add(-5*time.Minute - 2*time.Second).Unix()},
		variant{"is a fraction", json.RawMessage("1.5")},
		variant{"has a negative exponent", json.RawMessage("4102444800e-5")},
	)
	later := now.Add(5*time.Minute + 2*time.Second).Unix()
	f.add(claims.TokenNotYetValid, "iat is beyond the skew", f.change(nil, map[string]any{"iat": later, "exp": later + 60}))
	f.add(claims.TokenNotYetValid, "iat is in a year", f.change(nil, map[string]any{"iat": now.AddDate(1, 0, 0).Unix(), "exp": now.AddDate(1, 0, 0).Unix() + 60}))
	f.add(claims.TokenNotYetValid, "nbf is beyond the skew", f.change(nil, map[string]any{"nbf": later, "exp": later + 60}))
	f.claimIs(claims.TokenNotYetValid, "nbf", variant{"is in a year", now.AddDate(1, 0, 0).Unix()})
	f.claimIs(claims.TokenLivesTooLong, "exp",
		variant{"is in ten years", now.AddDate(10, 0, 0).Unix()},
		variant{"is in the year 9999", 253402300799},
		variant{"is in ten years, with an exponent", json.RawMessage(strconv.FormatInt(now.AddDate(10, 0, 0).Unix()/100, 10) + "e2")},
	)
	f.claimIs(claims.TokenLivesTooLong, "iat", variant{"is ten years ago", now.AddDate(-10, 0, 0).Unix()}, variant{"is zero", 0})
}

// scopes are no list of scope tokens (RFC 6749 section 3.3). Such text would
// reach the challenge of another response.
func (f *forge) scopes() {
	wrong := wrongTypes()
	wrong = append(wrong,
		variant{"has a quotation mark", `files:read" error="none`},
		variant{"has a backslash", `files:read\`},
		variant{"has a line feed", "files:read\r\nSet-Cookie: a=b"},
		variant{"has a tab", "files:read\tadmin"},
		variant{"has two spaces in a row", "files:read  admin"},
		variant{"begins with a space", " files:read"},
		variant{"ends with a space", "files:read "},
		variant{"is a space", " "},
		variant{"is not ASCII", "dateien:öffnen"},
		variant{"has a no-break space", "files:read\u00A0admin"},
	)
	f.claimIs(claims.ClaimMalformed, "scope", wrong...)
}

// confirmations bind the token to a key, which a server that cannot check the
// proof must not overlook (RFC 7800 section 3.1).
func (f *forge) confirmations() {
	thumbprint := base64url(make([]byte, 32))
	f.claimIs(claims.ConfirmationRequired, "cnf",
		variant{"binds to a DPoP key", map[string]any{"jkt": thumbprint}},
		variant{"binds to a certificate", map[string]any{"x5t#S256": thumbprint}},
		variant{"binds to a key", map[string]any{"jwk": f.key.jwk()}},
		variant{"binds to a key id", map[string]any{"kid": f.key.id}},
		variant{"is an empty object", map[string]any{}},
		variant{"is a string", thumbprint},
		variant{"is null", null},
	)
}

// accessTokenClaims are wrong for an access token alone (RFC 9068 sections 2.2
// and 4).
func (f *forge) accessTokenClaims(resource string) {
	f.claimIs(claims.AudienceMismatch, "aud", append(almost(resource),
		variant{"is the issuer", f.issuer.id},
		variant{"is the client", f.mint()["client_id"]},
		variant{"is another resource", "https://other.example.com/mcp"},
		variant{"is an array of other resources", []string{"https://other.example.com/mcp", "https://third.example.com/mcp"}},
	)...)
	f.claimIs(claims.ClaimMissing, "aud", variant{"is an empty array", []string{}})
	for _, claim := range []string{"groups", "roles"} {
		f.claimIs(claims.ClaimMalformed, claim,
			variant{"is null", null},
			variant{"is a number", 7},
			variant{"is a boolean", true},
			variant{"is an array with a number", []any{"engineering", 7}},
			variant{"is an array of arrays", []any{[]any{"engineering"}}},
		)
	}
}

// almost are strings that a careless comparison takes for the right one.
func almost(right string) []variant {
	u := must1(url.Parse(right))
	all := []variant{
		{"is empty", ""},
		{"is a star", "*"},
		{"has a slash more or less", toggleSlash(right)},
		{"is the origin alone", u.Scheme + "://" + u.Host},
		{"goes on behind the right value", right + "-evil"},
		{"has a path more", strings.TrimSuffix(right, "/") + "/other"},
		{"has something before the right value", "https://attacker.example/?" + right},
		{"goes on in the host", u.Scheme + "://" + u.Hostname() + ".attacker.example" + u.Path},
		{"is of the other scheme", otherScheme(right)},
		{"has an upper-case scheme", strings.ToUpper(u.Scheme) + right[len(u.Scheme):]},
		{"has a query", right + "?x"},
		{"has a fragment", right + "#x"},
		{"has a space behind it", right + " "},
		{"is a list in a string, with a space", right + " https://other.example.com/mcp"},
		{"is a list in a string, with a comma", right + ",https://other.example.com/mcp"},
		{"is escaped", url.QueryEscape(right)},
	}
	return slices.DeleteFunc(all, func(v variant) bool { return v.value == right })
}
