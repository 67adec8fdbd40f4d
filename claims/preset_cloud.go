package claims

// Cognito reads the access tokens of an AWS Cognito user pool.
//
// Subject sub; tenant the issuer, which is the pool; client client_id; scopes
// scope; groups cognito:groups; id jti.
//
// Traps. The access tokens have no aud, so the client id stands in for it: list
// the client ids that are meant for this server as its audiences, and give rules
// on scopes with the prefix of its resource server, because every client of the
// pool gets tokens that are alike. An aud that is there is used. token_use must
// be access, which keeps ID tokens out. The group claim is left out for people
// who are in no group, so its absence means none.
func Cognito() Mapping {
	return standard(Mapping{
		Name:                 "cognito",
		TokenTypes:           anyType(),
		Require:              []Condition{{Pointer: "/token_use", Equals: []string{"access"}}},
		Audience:             at("/aud", "/client_id"),
		Subject:              at("/sub"),
		Client:               at("/client_id"),
		TokenID:              at("/jti"),
		Service:              subjectIsClient(),
		Scopes:               split("/scope"),
		Groups:               at("/cognito:groups"),
		AbsentGroupsMeanNone: true,
	})
}

// workOS reads the access tokens that WorkOS Connect issues to MCP clients.
//
// Subject sub; tenant org_id; client client_id; scopes scope; roles roles, or
// role; permissions permissions; id jti.
//
// Traps. Connect tokens carry no roles and permissions; ask WorkOS for them in
// [Mapping.Func] if rules need them. AuthKit session tokens, which have them,
// come from another issuer without an audience and are not for MCP: they name no
// client and are refused. Their act is an administrator who impersonates, not an
// agent, so act is not read.
func workOS() Mapping {
	return standard(Mapping{
		Name:        "workos",
		TokenTypes:  anyType(),
		Audience:    at("/aud"),
		Subject:     at("/sub"),
		Tenant:      at("/org_id"),
		Client:      at("/client_id"),
		TokenID:     at("/jti"),
		Service:     subjectIsClient(),
		Scopes:      split("/scope"),
		Permissions: at("/permissions"),
		Roles:       at("/roles", "/role"),
	})
}

// descope reads the access tokens of a Descope project.
//
// Subject sub; tenant dct, the current one; client azp or client_id, which must
// agree; scopes scope; roles and permissions those held in the current tenant,
// else those of the project; id jti.
//
// Traps. The token lists all tenants of a person with the roles in each, and
// only those of the current one count. drn DSR is a refresh token, and refused.
// In older projects the issuer is the bare project id.
func descope() Mapping {
	return standard(Mapping{
		Name:        "descope",
		TokenTypes:  anyType(),
		Require:     []Condition{{Pointer: "/drn", Unequal: []string{"DSR"}}},
		Audience:    at("/aud"),
		Subject:     at("/sub"),
		Tenant:      at("/dct"),
		Client:      at("/azp", "/client_id"),
		TokenID:     at("/jti"),
		Service:     subjectIsClient(),
		Scopes:      split("/scope"),
		Permissions: at("/tenants/{=dct}/permissions", "/permissions"),
		Roles:       at("/tenants/{=dct}/roles", "/roles"),
	})
}

// stytch reads the access tokens of Stytch connected apps (B2B).
//
// Subject sub, the member; tenant the organization's id; client client_id;
// scopes scope; roles those in the session claim; id jti.
//
// Traps. The audience is the project id for every connected app: tell apps apart
// by scope and client.
func stytch() Mapping {
	return standard(Mapping{
		Name:       "stytch",
		TokenTypes: anyType(),
		Audience:   at("/aud"),
		Subject:    at("/sub"),
		Tenant:     at("/https:~1~1stytch.com~1organization/organization_id"),
		Client:     at("/client_id"),
		TokenID:    at("/jti"),
		Service:    subjectIsClient(),
		Scopes:     split("/scope"),
		Roles:      at("/https:~1~1stytch.com~1session/roles"),
	})
}

// supabase reads the access tokens of Supabase Auth as an OAuth server.
//
// Subject sub; tenant the issuer, which is the project; client client_id; groups
// and roles under app_metadata; sign-in context aal.
//
// Traps. user_metadata can be edited by the person it describes, and is never
// read. role is a role of the database. The audience is the word "authenticated"
// in every project, so the issuer has to tell them apart. The session tokens of
// the project's own application name no client and are refused, and so are
// anonymous sign-ins. amr holds objects. There are no scopes.
func supabase() Mapping {
	m := standard(Mapping{
		Name:       "supabase",
		TokenTypes: anyType(),
		Require:    []Condition{{Pointer: "/is_anonymous", Unequal: []string{"true"}}},
		Audience:   at("/aud"),
		Subject:    at("/sub"),
		Client:     at("/client_id"),
		TokenID:    at("/jti"),
		Roles:      at("/app_metadata/roles"),
		Groups:     at("/app_metadata/groups"),
		Email:      at("/email"),
	})
	m.AuthContext = at("/aal")
	m.AuthMethods = []Source{{Pointer: "/amr", Field: "method"}}
	return m
}
