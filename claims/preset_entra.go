package claims

// Entra reads the access tokens of Microsoft Entra ID, versions 1.0 and 2.0, of
// one tenant or of many.
//
// Subject oid, tenant tid, client azp (2.0) or appid (1.0), scopes scp, roles
// roles, groups groups (object ids), id uti.
//
// Traps. sub is another one for every application, so it is not read; oid needs
// the scope profile in tokens of people. tid must be the tenant in iss, and who
// accepts several tenants must list them. The audience is a client id, never a
// URL, in 2.0. Beyond 200 groups there is no list but a marker: the groups are
// then unknown, see [GroupsLookup], and the URL beside the marker must not be
// called. App roles and roles of people share one claim, and a token without scp
// is a service's. wids are ids of directory roles and are left out, as are upn,
// email and preferred_username, which can change hands. ID tokens are kept out
// because they name no client.
func Entra() Mapping {
	return standard(Mapping{
		Name:       "entra",
		TokenTypes: []string{"JWT", "at+jwt"},
		Require: append(has("/tid", "/oid", "/ver"),
			Condition{Pointer: "/iss", Contains: "/{=tid}/"}),
		Audience: at("/aud"),
		Subject:  at("/oid"),
		Tenant:   at("/tid"),
		Client:   at("/azp", "/appid"),
		TokenID:  at("/uti"),
		Service: []Condition{
			{Pointer: "/idtyp", Equals: []string{"app"}}, // only where the optional claim is configured
			{Pointer: "/scp", Absent: true},
		},
		Scopes: split("/scp"),
		Roles:  at("/roles"),
		Groups: at("/groups"),
		Overage: []Condition{
			{Pointer: "/_claim_names/groups"},
			{Pointer: "/hasgroups", Equals: []string{"true"}},
		},
	})
}
