package claims

// Keycloak reads the access tokens of a Keycloak realm. client is the client id
// that stands for this server in the realm, whose roles count.
//
// Subject sub; tenant the issuer, which is the realm; client azp; scopes scope;
// roles those of client, and those of the realm as "realm:name"; groups groups,
// without the leading slash of a full path; id jti.
//
// Traps. Access, ID, refresh and logout tokens have one key and one header: the
// claim typ tells them apart and must be Bearer. The roles of other clients are
// left out: an "admin" of the account console is none here. aud is "account"
// until an audience mapper names this server. Group paths keep their inner
// slashes. sub comes with the client scope basic, and most claims are missing
// from lightweight access tokens. Claims that Keycloak adds for service accounts
// tell a service.
func Keycloak(client string) Mapping {
	return standard(Mapping{
		Name:       "keycloak",
		Vars:       map[string]string{"client": client},
		TokenTypes: anyType(),
		Require:    []Condition{{Pointer: "/typ", Equals: []string{"Bearer"}}},
		Audience:   at("/aud"),
		Subject:    at("/sub"),
		Client:     at("/azp"),
		TokenID:    at("/jti"),
		Service:    has("/clientId", "/clientHost"),
		Scopes:     split("/scope"),
		Roles: []Source{
			{Pointer: "/resource_access/{client}/roles"},
			{Pointer: "/realm_access/roles", AddPrefix: "realm:", Also: true},
		},
		Groups:        []Source{{Pointer: "/groups", TrimPrefix: "/"}},
		Email:         at("/email"),
		EmailVerified: at("/email_verified"),
	})
}

// zitadel reads the JWT access tokens of ZITADEL. project is the id of the
// project whose roles count; without it they are those of the client's project.
//
// Subject sub; tenant the person's organisation; client client_id or azp; roles
// the keys of the object of roles; id jti.
//
// Traps. There is no scope in the token: give rules on roles. A role is held in
// organisations, and only those held in the person's own are taken: the keys
// alone would grant what somebody else's organisation granted. The audience is a
// client or project id. Access tokens are opaque unless the application says JWT.
func zitadel(project string) Mapping {
	roles := Source{
		Path:   []string{"urn:zitadel:iam:org:project:roles"},
		As:     AsKeys,
		KeyHas: "{=urn:zitadel:iam:user:resourceowner:id}",
	}
	m := standard(Mapping{
		Name:       "zitadel",
		TokenTypes: anyType(),
		Audience:   at("/aud"),
		Subject:    at("/sub"),
		Tenant:     at("/urn:zitadel:iam:user:resourceowner:id"),
		Client:     at("/client_id", "/azp"),
		TokenID:    at("/jti"),
		Service:    subjectIsClient(),
		Actor:      at("/act"),
	})
	if project != "" {
		m.Vars = map[string]string{"project": project}
		roles.Path = []string{"urn:zitadel:iam:org:project:{project}:roles"}
	}
	m.Roles = []Source{roles}
	return m
}

// ory reads the JWT access tokens of Ory Hydra and Ory Network.
//
// Subject sub; tenant the issuer; client client_id; scopes scp and scope, of
// which the server is configured to send one or both, in either shape; groups
// and email where the consent application puts them, under ext or at the top.
//
// Traps. Tokens are opaque unless the JWT strategy is on. With the wildcard
// scope strategy a granted scope can be a pattern, which rules do not expand.
func ory() Mapping {
	return standard(Mapping{
		Name:       "ory",
		TokenTypes: anyType(),
		Audience:   at("/aud"),
		Subject:    at("/sub"),
		Client:     at("/client_id"),
		TokenID:    at("/jti"),
		Service:    subjectIsClient(),
		Scopes:     []Source{{Pointer: "/scp", As: AsEither}, {Pointer: "/scope", As: AsEither}},
		Groups:     at("/ext/groups", "/groups"),
		Email:      at("/ext/email", "/email"),
	})
}

// authentik reads the access tokens of an authentik provider.
//
// Subject sub; tenant the issuer, one per application; client azp; scopes scope;
// groups groups (names, with the scope profile); roles roles and permissions
// entitlements, which carry the same values (with the scope entitlements).
//
// Traps. The issuer ends in a slash. The audience is the client id, as in an ID
// token: that scope must be there is what tells them apart. The default subject
// is a hash, by an option of the provider. email_verified is false on purpose.
func authentik() Mapping {
	return standard(Mapping{
		Name:          "authentik",
		TokenTypes:    anyType(),
		Require:       has("/scope"),
		Audience:      at("/aud"),
		Subject:       at("/sub"),
		Client:        at("/azp"),
		TokenID:       at("/jti"),
		Service:       subjectIsClient(),
		Scopes:        split("/scope"),
		Permissions:   at("/entitlements"),
		Roles:         at("/roles"),
		Groups:        at("/groups"),
		Email:         at("/email"),
		EmailVerified: at("/email_verified"),
	})
}
