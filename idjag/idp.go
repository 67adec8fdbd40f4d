package idjag

import (
	"time"

	"github.com/emamw/mcp-ema/claims"
)

// An IdentityProvider is an issuer of ID-JAGs, and how far it is trusted. It is
// trusted for nothing else: an ID token or access token of the same issuer
// opens nothing here.
type IdentityProvider struct {
	Issuer     string   // compared byte for byte with iss; another slash is another issuer
	JWKSURL    string   // its keys; discovered from Issuer when empty
	Algorithms []string // accepted alg; default RS256, PS256, ES256, EdDSA

	// Tenants are the tenants it may speak for, where it serves several: the
	// ID-JAG must then name one of them. With none, an ID-JAG that names a
	// tenant is refused, because every customer of such a product could sign
	// in otherwise; an empty list is refused. DangerouslyAnyTenant accepts all of
	// them; subjects stay apart, but any customer of the product is let in as far
	// as the policy goes.
	Tenants              []string
	DangerouslyAnyTenant bool

	// Clients and Resources limit whom and what its ID-JAGs may be for. Nil: every
	// client and every resource of this server; an empty list is refused.
	Clients   []string
	Resources []string

	// AudienceTenant is this server's own tenant as the provider names it in
	// aud_tenant. An ID-JAG that says otherwise is refused.
	AudienceTenant string

	// SAMLIssuer is the issuer that may stand in sub_id of the provider's
	// ID-JAGs (format saml-nameid). Subjects are not resolved by sub_id
	// unless ResolveSubject does it, and it should do so only with SAMLIssuer
	// set: a name id means nothing without the issuer it comes from.
	SAMLIssuer string

	// MaxLifetime is the longest accepted exp - iat. The default is 10 minutes
	// and the most an hour; identity providers use 5 minutes.
	MaxLifetime time.Duration

	// AllowResubmission lets a client redeem one ID-JAG again until it
	// expires, as the draft permits. Whoever steals it, and the client's
	// credentials, can do so too.
	AllowResubmission bool

	// Claims says how its ID-JAGs read, claims.IDJAG() when zero. The claims
	// that the checks depend on (iss, aud, client_id, exp, iat, nbf, jti, cnf,
	// resource) are always read under their own names.
	// One that the mapping calls a service is refused.
	Claims claims.Mapping

	// Subject says what becomes the sub of access tokens; see [HashedSubject].
	Subject SubjectForm

	// EmailDomains are the domains it is authoritative for. An address of any
	// other domain, or one it calls unverified, is dropped before a policy or
	// ResolveSubject can see it, so that it cannot be linked to an account.
	EmailDomains []string
}

// A SubjectForm says how the sub of an access token is made from the issuer,
// tenant and sub of an ID-JAG.
type SubjectForm string

const (
	// HashedSubject, the zero value, is a digest over issuer, tenant and sub.
	// No two users of any identity providers share one (RFC 9068 section 5
	// asks for that), and it stays the same when another provider is added.
	HashedSubject SubjectForm = ""

	// VerbatimSubject is the sub of the ID-JAG as it is. It is refused at
	// start where two users could become one: with a second identity provider,
	// or with more than one tenant. A user whose sub is the id of a client is
	// refused: to a resource server the token would be the client's own.
	VerbatimSubject SubjectForm = "verbatim"
)

// subject returns the sub of an access token for user.
func (f SubjectForm) subject(user *claims.Principal) string {
	if f == VerbatimSubject {
		return user.Subject
	}
	return digest(user.Issuer, user.Tenant, user.Subject)
}
