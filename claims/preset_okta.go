package claims

// Okta reads the access tokens of an Okta custom authorization server.
//
// Subject uid, or sub for a service; tenant the issuer; client cid; scopes scp,
// an array; groups groups, if the server is configured to send them; id jti.
//
// Traps. In a person's token sub is the login name, which can change hands; uid
// is the id. A token without uid is a service's. Issuers without "/oauth2/" are
// org authorization servers: Okta says of their access tokens that nobody else
// may read them, so they are refused, although the same issuer signs ID-JAGs.
// Tokens have no type of their own: that cid must be there keeps ID tokens out.
// The filter of the groups claim decides how many groups come. Beyond 100 Okta
// fails the token request, so a list that came is whole.
func Okta() Mapping {
	return standard(Mapping{
		Name:       "okta",
		TokenTypes: anyType(),
		Require:    []Condition{{Pointer: "/iss", Contains: "/oauth2/"}},
		Audience:   at("/aud"),
		Subject:    at("/uid", "/sub"),
		Client:     at("/cid"),
		TokenID:    at("/jti"),
		Service:    []Condition{{Pointer: "/uid", Absent: true}},
		Actor:      at("/act"),
		Scopes:     at("/scp"),
		Groups:     at("/groups"),
	})
}

// Auth0 reads the access tokens of Auth0, in its own profile and in that of RFC
// 9068. namespace begins the names of custom claims exactly as the Action that
// sets them spells it: "https://example.com/" for "https://example.com/groups".
// Without one, there are no groups, roles and e-mail addresses.
//
// Subject sub; tenant org_id; client azp or client_id, which must agree; scopes
// scope; permissions permissions; groups, roles and email under the namespace;
// id jti, only in the RFC 9068 profile.
//
// Traps. The issuer ends in a slash. permissions is what the person may do, and
// scope what the client was granted: the effective right is in both. An API that
// is not named in the request gives an opaque token. gty tells a service, whose
// subject ends in "@clients".
func Auth0(namespace string) Mapping {
	m := standard(Mapping{
		Name:        "auth0",
		TokenTypes:  anyType(),
		Audience:    at("/aud"),
		Subject:     at("/sub"),
		Tenant:      at("/org_id"),
		Client:      at("/azp", "/client_id"),
		TokenID:     at("/jti"),
		Service:     []Condition{{Pointer: "/gty", Equals: []string{"client-credentials"}}},
		Scopes:      split("/scope"),
		Permissions: at("/permissions"),
	})
	if namespace != "" {
		m.Vars = map[string]string{"ns": namespace}
		m.Groups = at("/{ns}groups")
		m.Roles = at("/{ns}roles")
		m.Email = at("/{ns}email")
	}
	return m
}
