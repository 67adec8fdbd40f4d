package discovery

import "strings"

// TenantPlaceholder stands for the tenant in the issuer of a multi-tenant
// product. Entra ID serves all of its tenants from one set of metadata and keys,
// whose issuer is https://login.microsoftonline.com/{tenantid}/v2.0 in these very
// letters; the iss of a token has the tenant's id instead.
const TenantPlaceholder = "{tenantid}"

// sharedTenant is the path segment under which Entra ID serves the metadata of
// the template.
const sharedTenant = "common"

// IsTemplate reports whether issuer has the placeholder as exactly one of its path
// segments.
func IsTemplate(issuer string) bool {
	before, after, found := strings.Cut(issuer, TenantPlaceholder)
	return found && !strings.Contains(after, TenantPlaceholder) &&
		strings.Count(before, "/") >= 3 && strings.HasSuffix(before, "/") &&
		(after == "" || after[0] == '/')
}

// MatchTemplate reports whether iss is template with a tenant in place of the
// placeholder, and returns that tenant. Everything else must be equal byte for
// byte, and the tenant is one segment of letters, digits, dots, hyphens and
// underscores, so no iss can reach into another part of the path. Whether the
// tenant is a welcome one is for the caller to decide.
func MatchTemplate(template, iss string) (tenant string, ok bool) {
	if !IsTemplate(template) {
		return "", false
	}
	before, after, _ := strings.Cut(template, TenantPlaceholder)
	rest, ok := strings.CutPrefix(iss, before)
	if !ok {
		return "", false
	}
	tenant, ok = strings.CutSuffix(rest, after)
	if !ok || strings.Trim(tenant, ".") == "" || strings.ContainsFunc(tenant, notTenant) {
		return "", false
	}
	return tenant, true
}

func notTenant(r rune) bool {
	letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	digit := '0' <= r && r <= '9'
	return !letter && !digit && r != '.' && r != '_' && r != '-'
}
