package discovery_test

import (
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/internal/discovery"
)

func TestCheckURL(t *testing.T) {
	strict, http := discovery.Policy{}, discovery.Policy{AllowHTTP: true}
	private := discovery.Policy{AllowPrivate: true}
	const fine, refused = true, false

	for _, tt := range []struct {
		raw                   string
		strict, http, private bool
	}{
		{"https://as.example.com", fine, fine, fine},
		{"https://as.example.com/", fine, fine, fine},
		{"https://as.example.com:8443/tenant/1?x=y", fine, fine, fine},
		{"HTTPS://as.example.com", fine, fine, fine},
		{"https://10.0.0.7", fine, fine, fine}, // the dialer's question
		{"https://[2001:db8::1]/x", fine, fine, fine},
		{"http://localhost:8080/x", fine, fine, fine},
		{"http://LOCALHOST", fine, fine, fine},
		{"http://127.0.0.1", fine, fine, fine},
		{"http://127.255.0.9:1", fine, fine, fine},
		{"http://[::1]:8080", fine, fine, fine},
		{"http://[::ffff:127.0.0.1]", fine, fine, fine},
		{"http://as.example.com", refused, fine, refused},
		{"http://10.0.0.7", refused, fine, refused},
		{"http://localhost.example.com", refused, fine, refused},
		{"http://127.0.0.1.example.com", refused, fine, refused},
		{"http://127.1", refused, fine, refused}, // inet_aton reads it as loopback, we do not
		{"http://0.0.0.0", refused, fine, refused},
		{"", refused, refused, refused},
		{"as.example.com", refused, refused, refused},
		{"//as.example.com/x", refused, refused, refused},
		{"/relative", refused, refused, refused},
		{"https:", refused, refused, refused},
		{"https://", refused, refused, refused},
		{"https:///path", refused, refused, refused},
		{"https://:8443/x", refused, refused, refused},
		{"https:as.example.com", refused, refused, refused},
		{"ftp://as.example.com", refused, refused, refused},
		{"file:///etc/passwd", refused, refused, refused},
		{"gopher://as.example.com", refused, refused, refused},
		{"javascript:alert(1)", refused, refused, refused},
		{"https://user@as.example.com", refused, refused, refused},
		{"https://user:secret@as.example.com", refused, refused, refused},
		{"https://@as.example.com", refused, refused, refused},
		{"https://as.example.com#x", refused, refused, refused},
		{"https://as.example.com/#", refused, refused, refused},
		{"https://as.example.com:", refused, refused, refused},
		{"https://as.example.com:0", refused, refused, refused},
		{"https://as.example.com:65536", refused, refused, refused},
		{"https://as.example.com:65535", fine, fine, fine},
		{"https://as.example.com:x", refused, refused, refused},
		{"https://as.example.com/a b", refused, refused, refused},
		{"https://as.example.com/a\nb", refused, refused, refused},
		{"https://as.example.com/\x7f", refused, refused, refused},
		{" https://as.example.com", refused, refused, refused},
		{"https://as.example.com ", refused, refused, refused},
		{"https://exämple.com", refused, refused, refused},
		{"https://as.example.com/ä", refused, refused, refused},
		{"https://as.example.com/%zz", refused, refused, refused},
		{"https://[::1", refused, refused, refused},
		{"https://as.example.com/" + strings.Repeat("x", 2048-23), fine, fine, fine},
		{"https://as.example.com/" + strings.Repeat("x", 2048-22), refused, refused, refused},
	} {
		for _, c := range []struct {
			name   string
			policy discovery.Policy
			want   bool
		}{{"strict", strict, tt.strict}, {"http", http, tt.http}, {"private", private, tt.private}} {
			err := discovery.CheckURL(tt.raw, c.policy)
			if (err == nil) != c.want {
				t.Errorf("CheckURL(%.60q, %s) = %v, want fine: %v", tt.raw, c.name, err, c.want)
			}
			if err != nil && (!strings.HasPrefix(err.Error(), "discovery: ") || strings.Contains(err.Error(), "secret")) {
				t.Errorf("CheckURL(%.60q) says %q", tt.raw, err)
			}
		}
	}
}

// An operator reads which mistake it is, and never a password.
func TestMistake(t *testing.T) {
	for raw, want := range map[string]string{
		"https://as.example.com":             "",
		"as.example.com":                     "not absolute",
		"ftp://as.example.com":               "another scheme",
		"http://as.example.com":              "uses http",
		"https://as.example.com#x":           "fragment",
		"https://as.example.com/a b":         "a space",
		"https://bücher.example":             "outside ASCII",
		"https://as.example.com:0":           "port",
		"https://as.example.com/%zz":         "cannot be read",
		"https://user:secret@as.example.com": "user information",
		"https://user:%zz@as.example.com":    "cannot be read", // with the password in it
	} {
		shown, wrong := discovery.Mistake(raw, discovery.Policy{})
		if (wrong == "") != (want == "") || !strings.Contains(wrong, want) {
			t.Errorf("Mistake(%q) is %q, want %q", raw, wrong, want)
		}
		if secret := strings.Contains(raw, "@"); (shown == "") != secret || !secret && shown != raw {
			t.Errorf("Mistake(%q) shows %q", raw, shown)
		}
	}
}

func TestIsOrigin(t *testing.T) {
	for raw, want := range map[string]bool{
		"https://app.example.com":      true,
		"https://app.example.com:8443": true,
		"http://127.0.0.1:3000":        true,
		"vscode-webview://abc":         true, // a scheme of a program's own
		"https://app.example.com/":     false,
		"https://app.example.com/a":    false,
		"https://app.example.com?a=b":  false,
		"https://app.example.com#a":    false,
		"https://u@app.example.com":    false,
		"https://APP.example.com":      false,
		"HTTPS://app.example.com":      false,
		"app.example.com":              false,
		"//app.example.com":            false,
		"https://":                     false,
		"://app.example.com":           false,
		"null":                         false,
		"*":                            false,
		"":                             false,
	} {
		if got := discovery.IsOrigin(raw); got != want {
			t.Errorf("IsOrigin(%q) = %v, want %v", raw, got, want)
		}
	}
}
