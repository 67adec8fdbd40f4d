package claims

// PingOne reads the access tokens of a PingOne custom resource.
//
// Subject sub; tenant env; client client_id; scopes scope; groups
// memberOfGroupNames, or groups, if an attribute of the resource maps them; id
// jti; acr is the name of the sign-on policy.
//
// Traps. The type is optional today; Ping has announced at+jwt for March 2027,
// and both are accepted.
func PingOne() Mapping {
	return standard(Mapping{
		Name:       "pingone",
		TokenTypes: anyType(),
		Audience:   at("/aud"),
		Subject:    at("/sub"),
		Tenant:     at("/env"),
		Client:     at("/client_id"),
		TokenID:    at("/jti"),
		Service:    subjectIsClient(),
		Actor:      at("/act"),
		Scopes:     split("/scope"),
		Groups:     at("/memberOfGroupNames", "/groups"),
	})
}

// pingFederate reads the access tokens of a PingFederate JWT token manager.
//
// Subject sub or Username; tenant the issuer; client client_id; scopes scope, an
// array or a string by an option of the manager; groups memberOf or groups.
//
// Traps. Everything but exp is defined by whoever runs it: iss, aud and jti must
// be switched on, and the claims of scope and client may have other names.
// memberOf holds LDAP names with commas in them, each one group.
func pingFederate() Mapping {
	return standard(Mapping{
		Name:       "pingfederate",
		TokenTypes: anyType(),
		Audience:   at("/aud"),
		Subject:    at("/sub", "/Username"),
		Client:     at("/client_id"),
		TokenID:    at("/jti"),
		Service:    subjectIsClient(),
		Actor:      at("/act"),
		Scopes:     []Source{{Pointer: "/scope", As: AsEither}},
		Groups:     at("/memberOf", "/groups"),
	})
}

// oneLogin reads the access tokens of a OneLogin API Authorization server.
//
// Subject sub; tenant the issuer; client cid or client_id, which must agree;
// scopes scope; groups groups, if the server is configured to send them.
//
// Traps. The access tokens of OneLogin's OpenID Connect applications are opaque:
// only API Authorization issues JWTs, with claims of each server's own choice.
func oneLogin() Mapping {
	return standard(Mapping{
		Name:       "onelogin",
		TokenTypes: anyType(),
		Audience:   at("/aud"),
		Subject:    at("/sub"),
		Client:     at("/cid", "/client_id"),
		TokenID:    at("/jti"),
		Service:    subjectIsClient(),
		Scopes:     split("/scope"),
		Groups:     at("/groups"),
	})
}
