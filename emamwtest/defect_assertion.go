package emamwtest

import (
	"strings"

	"github.com/emamw/mcp-ema/claims"
)

// assertionClaims are wrong for an ID-JAG alone (section 4.4.1 of the draft).
func (f *forge) assertionClaims() {
	good := f.mint()
	server, _ := good["aud"].(string)
	f.claimIs(claims.AudienceMismatch, "aud", append(almost(server),
		variant{"is an empty array", []string{}},
		variant{"is the token endpoint", strings.TrimSuffix(server, "/") + "/token"},
		variant{"is the identity provider", f.issuer.id},
		variant{"is the client", good["client_id"]},
		variant{"is another server", "https://other.example.com"},
		variant{"is the right one and another", []string{server, "https://other.example.com"}},
		variant{"is the right one twice", []string{server, server}},
	)...)
	f.claimIs(claims.ClientMismatch, "client_id",
		variant{"is another client", "other-client"},
		variant{"is the right one in another case", swapCase(good["client_id"].(string))},
		variant{"is the right one with a space", good["client_id"].(string) + " "},
	)
	f.claimIs(claims.ClaimMalformed, "resource",
		variant{"is null", null},
		variant{"is a number", 7},
		variant{"is an object", map[string]any{"id": good["resource"]}},
		variant{"is an empty array", []string{}},
		variant{"is an array with a number", []any{"https://mcp.example.com/mcp", 7}},
	)
	f.claimIs(claims.ResourceMismatch, "resource",
		variant{"is empty", ""},
		variant{"is another server's", "https://other.example.com/mcp"},
		variant{"is no URI", "mcp"},
		variant{"is the authorization server", server},
		variant{"is an array with another server's", []any{good["resource"], "https://other.example.com/mcp"}},
	)
	if resource, ok := good["resource"].(string); ok {
		f.claimIs(claims.ResourceMismatch, "resource",
			variant{"has a slash more or less", toggleSlash(resource)},
			variant{"goes on behind the right value", resource + "-evil"},
		)
	}
	f.claimIs(claims.TenantNotAllowed, "tenant", variant{"is one that nobody configured", "stranger"})
	f.claimIs(claims.ClaimMalformed, "tenant", variant{"is a number", 7}, variant{"is empty", ""})
	f.claimIs(claims.TenantNotAllowed, "aud_tenant", variant{"is one that nobody configured", "stranger"})
}
