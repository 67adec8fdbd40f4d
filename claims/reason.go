package claims

// A Reason says why a token or a request was refused. It is one word out of a
// closed list, and the same word stands in the error, the span, the metric and
// the audit record of that refusal, and in the log of the authorization server, so
// that an operator who sees one of them finds the others. Clients are never shown
// it.
type Reason string

// Why a request was not looked at any further.
const (
	OriginNotAllowed Reason = "origin_not_allowed" // from a web page whose origin is not listed
	RequestTooLarge  Reason = "request_too_large"  // a body over MaxRequestBytes
	RequestMalformed Reason = "request_malformed"  // not what RFC 6749 or MCP allow
)

// Why a request was not authenticated.
const (
	TokenMissing         Reason = "token_missing"          // no credentials at all
	TokenMalformed       Reason = "token_malformed"        // not a compact JWS, not token68, or too long
	TokenEncrypted       Reason = "token_encrypted"        // a JWE: five parts, which only its issuer's own services can read
	SchemeUnsupported    Reason = "scheme_unsupported"     // an Authorization scheme other than Bearer
	MultipleCredentials  Reason = "multiple_credentials"   // more than one Authorization header
	AlgorithmNotAllowed  Reason = "alg_not_allowed"        // alg is not on the issuer's list, or does not fit the key
	TypeNotAllowed       Reason = "typ_not_allowed"        // another kind of token: an ID token, an ID-JAG, a logout token
	HeaderMalformed      Reason = "header_malformed"       // a JOSE header that is not what RFC 7515 allows, or names a crit extension
	KeyUnknown           Reason = "key_unknown"            // no key of the issuer has this kid
	SignatureInvalid     Reason = "signature_invalid"      // the signature is not the key's over these bytes
	IssuerUntrusted      Reason = "issuer_untrusted"       // iss is not a configured authorization server
	AudienceMismatch     Reason = "audience_mismatch"      // aud does not name this server
	TokenExpired         Reason = "token_expired"          // exp has passed
	TokenNotYetValid     Reason = "token_not_yet_valid"    // nbf or iat lies ahead
	TokenLivesTooLong    Reason = "token_lives_too_long"   // exp - iat is more than MaxAge
	ClaimMissing         Reason = "claim_missing"          // a claim that the mapping requires is absent
	ClaimMalformed       Reason = "claim_malformed"        // a claim of the wrong type or shape, or given twice
	TokenKindNotAllowed  Reason = "token_kind_not_allowed" // a payload claim says that this is no access token (Keycloak typ, Cognito token_use)
	TenantNotAllowed     Reason = "tenant_not_allowed"     // the tenant is not on the issuer's list
	TokenRevoked         Reason = "token_revoked"          // its subject, client or id was revoked
	ConfirmationRequired Reason = "confirmation_required"  // cnf binds the token to a key that nobody here can check
	SessionMismatch      Reason = "session_mismatch"       // the session belongs to another principal
)

// Why an authenticated request was not authorized.
const (
	ScopeMissing           Reason = "scope_missing"
	GroupMissing           Reason = "group_missing"
	GroupsUnknown          Reason = "groups_unknown" // the rule needs a group, and the token does not say which groups there are
	RoleMissing            Reason = "role_missing"
	PermissionMissing      Reason = "permission_missing"
	TenantDenied           Reason = "tenant_denied"
	IssuerDenied           Reason = "issuer_denied"
	ClientDenied           Reason = "client_denied"
	IdentityProviderDenied Reason = "identity_provider_denied" // not born from an ID-JAG of the demanded identity provider
	PrincipalKindDenied    Reason = "principal_kind_denied"    // a service token at a rule meant for users, or the reverse
	Unruled                Reason = "unruled"                  // nobody gave this item a rule, and Config.Unruled denies
	Unguarded              Reason = "unguarded"                // the request came through a transport without the guard
	OwnerMismatch          Reason = "owner_mismatch"           // a task, or the cursor of a list, of another principal
	PolicyError            Reason = "policy_error"             // a rule's own code panicked
	Ungated                Reason = "ungated"                  // mcp-go answered, and the gate inside it was not asked
)

// Why an ID-JAG was not redeemed, beside the reasons above.
const (
	GrantUnsupported      Reason = "grant_unsupported"       // another grant_type
	ClientUnauthenticated Reason = "client_unauthenticated"  // the client did not prove who it is
	ClientUnauthorized    Reason = "client_unauthorized"     // the client may not use this grant
	ClientMismatch        Reason = "client_mismatch"         // client_id of the ID-JAG is another client
	SubjectUnresolved     Reason = "subject_unresolved"      // no such user here, or policy refuses it
	ResourceMismatch      Reason = "resource_mismatch"       // the resource is not one this server governs
	ScopeExceedsGrant     Reason = "scope_exceeds_grant"     // more scope asked for than the ID-JAG grants
	ScopeNotGranted       Reason = "scope_not_granted"       // policy leaves no scope at all
	AssertionReplayed     Reason = "assertion_replayed"      // jti was redeemed before
	ProofUnsupported      Reason = "proof_unsupported"       // a DPoP proof, which is not supported yet
	AuthenticationTooWeak Reason = "authentication_too_weak" // policy wants a fresher or stronger sign-in
)

// Why no decision could be made. The answer is then a refusal too, but one that
// says "try again", never "you may not".
const (
	KeysUnavailable    Reason = "keys_unavailable"
	StoreUnavailable   Reason = "store_unavailable"
	GroupsLookupFailed Reason = "groups_lookup_failed"
	ClientLookupFailed Reason = "client_lookup_failed" // the client's metadata document could not be fetched
	Canceled           Reason = "canceled"
	Internal           Reason = "internal"
)

// Undecided reports whether r means that no decision could be made, as opposed
// to one against the caller.
func (r Reason) Undecided() bool {
	switch r {
	case KeysUnavailable, StoreUnavailable, GroupsLookupFailed, ClientLookupFailed, Canceled, Internal:
		return true
	}
	return false
}
