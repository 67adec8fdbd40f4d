package discovery_test

import (
	"testing"

	"github.com/emamw/mcp-ema/internal/discovery"
)

const entra = "https://login.microsoftonline.com/{tenantid}/v2.0"

func TestIsTemplate(t *testing.T) {
	for issuer, want := range map[string]bool{
		entra:                                   true,
		"https://sts.windows.net/{tenantid}/":   true,
		"https://as.example.com/{tenantid}":     true,
		"https://as.example.com/a/{tenantid}/b": true,
		"https://as.example.com":                false,
		"https://as.example.com/tenantid":       false,
		"https://as.example.com/{tenant}":       false,
		"https://as.example.com/{TENANTID}":     false,
		"https://as.example.com/t-{tenantid}/x": false,
		"https://as.example.com/{tenantid}x/y":  false,
		"https://{tenantid}/x":                  false, // a tenant must not choose the host
		"https://{tenantid}.example.com/x":      false,
		"https://h/{tenantid}/{tenantid}":       false,
		"https://as.example.com/a/":             false, // without a placeholder
		"{tenantid}":                            false,
		"":                                      false,
	} {
		if got := discovery.IsTemplate(issuer); got != want {
			t.Errorf("IsTemplate(%q) = %v, want %v", issuer, got, want)
		}
	}
}

func TestMatchTemplate(t *testing.T) {
	for _, tt := range []struct{ template, iss, tenant string }{ // tenant "" is no match
		{entra, "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0", "11111111-2222-3333-4444-555555555555"},
		{entra, "https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0", "contoso.onmicrosoft.com"},
		{entra, "https://login.microsoftonline.com/a_b/v2.0", "a_b"},
		{entra, "https://login.microsoftonline.com/Contoso/v2.0", "Contoso"},
		{"https://sts.windows.net/{tenantid}/", "https://sts.windows.net/1111/", "1111"},
		{"https://h.example/{tenantid}", "https://h.example/1111", "1111"},
		{entra, entra, ""},
		{entra, "https://login.microsoftonline.com//v2.0", ""},
		{entra, "https://login.microsoftonline.com/v2.0", ""},
		{entra, "https://login.microsoftonline.com/./v2.0", ""},
		{entra, "https://login.microsoftonline.com/../v2.0", ""},
		{entra, "https://login.microsoftonline.com/a/b/v2.0", ""},
		{entra, "https://login.microsoftonline.com/a%2fb/v2.0", ""},
		{entra, "https://login.microsoftonline.com/a b/v2.0", ""},
		{entra, "https://login.microsoftonline.com/a?/v2.0", ""},
		{entra, "https://login.microsoftonline.com/a#/v2.0", ""},
		{entra, "https://login.microsoftonline.com/ä/v2.0", ""},
		{entra, "https://login.microsoftonline.com/1111/v2.0/", ""},
		{entra, "https://login.microsoftonline.com/1111/V2.0", ""},
		{entra, "https://login.microsoftonline.com/1111/v1.0", ""},
		{entra, "https://login.microsoftonline.com.evil.example/1111/v2.0", ""},
		{entra, "https://LOGIN.microsoftonline.com/1111/v2.0", ""},
		{entra, "http://login.microsoftonline.com/1111/v2.0", ""},
		{entra, "https://evil.example/https://login.microsoftonline.com/1111/v2.0", ""},
		{entra, "", ""},
		{"https://{tenantid}.example.com/x", "https://evil.example.com/x", ""},
		{"https://h.example/t-{tenantid}", "https://h.example/t-1111", ""},
		{"https://h.example/1111", "https://h.example/1111", ""}, // no template: compared as a whole elsewhere
	} {
		tenant, ok := discovery.MatchTemplate(tt.template, tt.iss)
		if tenant != tt.tenant || ok != (tt.tenant != "") {
			t.Errorf("MatchTemplate(%q, %q) = %q, %v; want %q", tt.template, tt.iss, tenant, ok, tt.tenant)
		}
	}
}
