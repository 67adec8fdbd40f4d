package claims

// RFC9068 reads the access tokens that RFC 9068 describes, and is the default.
// The authorization server of package idjag issues them.
//
// Subject sub, tenant tenant (or the issuer alone), client client_id (azp must
// agree where it stands), scopes scope, groups, roles and entitlements as
// strings or SCIM objects (section 2.2.3.1); entitlements become permissions.
// idp, idp_sub and assertion_iat are iss, sub and iat of the ID-JAG behind the
// token, and assertion is the hash of its jti; these are names of idjag. act is
// the actor (RFC 8693 section 4.1), and sub_profile tells an agent that is the
// subject itself, as in an ID-JAG.
//
// The type must be at+jwt, and client_id, iat and jti must be there (section
// 2.2): this is what keeps ID tokens of the same issuer out. A server that
// cannot send them needs a preset of its own, not a looser one of this.
func RFC9068() Mapping {
	return standard(Mapping{
		Name:              "rfc9068",
		TokenTypes:        []string{"at+jwt"},
		Require:           has("/client_id", "/iat", "/jti"),
		Audience:          at("/aud"),
		Subject:           at("/sub"),
		Tenant:            at("/tenant"),
		Client:            at("/client_id", "/azp"),
		TokenID:           at("/jti"),
		Service:           subjectIsClient(),
		Agent:             agentProfile(),
		Actor:             at("/act"),
		Scopes:            []Source{{Pointer: "/scope", As: AsSpace}, {Pointer: "/scp", As: AsEither}},
		Permissions:       scim("/entitlements"),
		Roles:             scim("/roles"),
		Groups:            scim("/groups"),
		Email:             at("/email"),
		EmailVerified:     at("/email_verified"),
		IdentityProvider:  at("/idp"),
		ProviderSubject:   at("/idp_sub"),
		Assertion:         at("/assertion"),
		AssertionIssuedAt: at("/assertion_iat"),
	})
}

// IDJAG reads ID-JAGs, the assertions of an identity provider that package
// idjag redeems (draft-ietf-oauth-identity-assertion-authz-grant-04). No server
// of resources may accept one as an access token, so this preset is not for
// emamw.
//
// Subject sub, tenant tenant, client client_id only: it is the client at the
// authorization server that redeems. Type oauth-id-jag+jwt; aud, client_id, iat
// and jti are required. The draft has no groups and roles; those that a
// provider sends anyway are read, as strings or SCIM objects, and are for the
// redeemer's policy. Okta's sub_profile tells an agent; a service never is the
// subject.
func IDJAG() Mapping {
	return standard(Mapping{
		Name:          "id-jag",
		TokenTypes:    []string{"oauth-id-jag+jwt"},
		Require:       has("/client_id", "/iat", "/jti"),
		Audience:      at("/aud"),
		Subject:       at("/sub"),
		Tenant:        at("/tenant"),
		Client:        at("/client_id"),
		TokenID:       at("/jti"),
		Agent:         agentProfile(),
		Actor:         at("/act"),
		Scopes:        split("/scope"),
		Roles:         scim("/roles"),
		Groups:        scim("/groups"),
		Email:         at("/email"),
		EmailVerified: at("/email_verified"),
	})
}

// agentProfile is how Okta says of a subject that it is no person.
func agentProfile() []Condition {
	return []Condition{{Pointer: "/sub_profile", Equals: []string{"ai_agent"}}}
}
