package idjag

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/jose"
	"github.com/emamw/mcp-ema/internal/telemetry"
)

// typeIDJAG is the typ of an ID-JAG, without "application/". It is what keeps
// every other JWT of the identity provider from being redeemed here.
const typeIDJAG = "oauth-id-jag+jwt"

// maxIDBytes bounds jti and sub. OpenID Connect Core section 2 has 255 for sub.
const maxIDBytes = 255

// A provider is an IdentityProvider, ready to decide.
type provider struct {
	IdentityProvider
	mapper *claims.Mapper
	keys   keySource
	told   *telemetry.Issuer
}

// An assertion is an ID-JAG that passed every check which depends on it alone.
type assertion struct {
	provider *provider
	payload  *claims.Payload
	user     *claims.Principal

	id      string // jti
	issued  time.Time
	expires time.Time

	resources []string // the resource claim; nil when absent
	scopes    []string
	unstated  bool // no scope claim
}

// verify checks an ID-JAG (RFC 7521 section 5.2, RFC 7523 section 3, and section
// 4.4.1 of the ID-JAG draft). The order is part of the contract: whom the token
// claims to be from is settled before a key is looked for, so that no stranger
// can make this server fetch anything, and what costs nothing comes before the
// signature.
func (s *Server) verify(ctx context.Context, compact string, c *caller, o *outcome) (*assertion, error) {
	token, err := jose.Parse(compact)
	if err != nil {
		return nil, err
	}
	if token.Header.Type != typeIDJAG {
		return nil, refuse(claims.TypeNotAllowed)
	}
	a := &assertion{}
	if a.payload, err = claims.ParsePayload(token.Payload); err != nil {
		return nil, err
	}
	if a.provider, err = s.trusted(a.payload); err != nil {
		return nil, err
	}
	o.provider = a.provider
	if !slices.Contains(a.provider.Algorithms, token.Header.Algorithm) {
		return nil, refuse(claims.AlgorithmNotAllowed)
	}
	if err := s.checkBinding(a, c); err != nil {
		return nil, err
	}
	if err := s.checkTimes(a); err != nil {
		return nil, err
	}
	key, err := a.provider.keys.Key(ctx, token.Header.KeyID, token.Header.Algorithm)
	if err != nil {
		return nil, err
	}
	if err := token.Verify(key); err != nil {
		return nil, err
	}
	if a.user, err = guarded(func() (*claims.Principal, error) { return a.provider.mapper.Map(ctx, a.payload) }); err != nil {
		return nil, err
	}
	o.verified = a
	return a, a.check()
}

// trusted returns the provider that iss names. The comparison is exact: RFC 3986
// section 6.2.1, as RFC 7523 section 3 asks.
func (s *Server) trusted(p *claims.Payload) (*provider, error) {
	iss, present, err := p.Text("iss")
	if err != nil {
		return nil, err
	}
	if !present {
		return nil, faulty("iss", claims.ClaimMissing)
	}
	if found := s.providers[iss]; found != nil {
		return found, nil
	}
	return nil, refuse(claims.IssuerUntrusted)
}

// checkBinding holds the ID-JAG against this server and this client.
func (s *Server) checkBinding(a *assertion, c *caller) error {
	// One audience, and ours: not the token endpoint, and not two, because the
	// other one could redeem it as well (draft section 4.4.1).
	aud, present, err := a.payload.Texts("aud")
	if err != nil {
		return err
	}
	if !present {
		return faulty("aud", claims.ClaimMissing)
	}
	if len(aud) != 1 || aud[0] != s.issuer {
		return refuse(claims.AudienceMismatch)
	}
	client, err := required(a.payload, "client_id")
	if err != nil {
		return err
	}
	if client != c.id {
		return refuse(claims.ClientMismatch)
	}
	if len(a.provider.Clients) > 0 && !slices.Contains(a.provider.Clients, c.id) {
		return refuse(claims.ClientDenied)
	}
	if _, err := required(a.payload, "sub"); err != nil {
		return err
	}
	a.id, err = required(a.payload, "jti")
	return err
}

// required returns a text claim that must be there, not be empty and not be
// long: both jti and sub become part of what is stored.
func required(p *claims.Payload, name string) (string, error) {
	value, present, err := p.Text(name)
	switch {
	case err != nil:
		return "", err
	case !present:
		return "", faulty(name, claims.ClaimMissing)
	case value == "", name != "client_id" && len(value) > maxIDBytes:
		return "", faulty(name, claims.ClaimMalformed)
	}
	return value, nil
}

// checkTimes judges exp, iat and nbf. The skew is applied once, in favour of the
// token; the lifetime is compared without it.
func (s *Server) checkTimes(a *assertion) error {
	now := s.now()
	exp, present, err := a.payload.Time("exp")
	if err != nil {
		return err
	}
	if !present {
		return faulty("exp", claims.ClaimMissing) // never: it lives forever
	}
	iat, present, err := a.payload.Time("iat")
	if err != nil {
		return err
	}
	if !present {
		return faulty("iat", claims.ClaimMissing)
	}
	a.issued, a.expires = iat, exp
	if s.expired(exp) {
		return refuse(claims.TokenExpired)
	}
	if err := s.begun(a.payload, now); err != nil {
		return err
	}
	if exp.Sub(iat) > a.provider.MaxLifetime {
		return refuse(claims.TokenLivesTooLong)
	}
	return nil
}

func (s *Server) expired(exp time.Time) bool { return !s.now().Before(exp.Add(s.skew)) }

// begun refuses what was issued in the future, or is not valid yet.
func (s *Server) begun(p *claims.Payload, now time.Time) error {
	for _, name := range [...]string{"iat", "nbf"} {
		t, _, err := p.Time(name)
		if err != nil {
			return err
		}
		if t.After(now.Add(s.skew)) {
			return refuse(claims.TokenNotYetValid)
		}
	}
	return nil
}

// check judges what the signed claims say beyond who and when.
func (a *assertion) check() error {
	if err := a.checkTenant(); err != nil {
		return err
	}
	if err := a.checkSubjectID(); err != nil {
		return err
	}
	// What an access token says of a service is that sub is the client. One for
	// another service would be taken for a user's, and pass the rules for users.
	if a.user.Kind == claims.Service {
		return refuse(claims.SubjectUnresolved)
	}
	if err := a.readGrant(); err != nil {
		return err
	}
	// cnf binds the ID-JAG to a key of the client. A server that cannot check
	// the proof and redeems it all the same has undone the binding (draft
	// section 9.9.1.2).
	if _, bound := a.payload.Lookup("cnf"); bound {
		return refuse(claims.ConfirmationRequired)
	}
	a.user.Email = a.email()
	return nil
}

// checkTenant holds tenant and aud_tenant against the configuration. A tenant
// that nobody configured is refused, not ignored: the issuer is then one that
// serves many customers, and sub alone does not tell them apart.
func (a *assertion) checkTenant() error {
	p, tenant := a.provider, a.user.Tenant
	switch {
	case p.DangerouslyAnyTenant && tenant != "":
	case len(p.Tenants) == 0 && tenant == "" && !p.DangerouslyAnyTenant:
	case slices.Contains(p.Tenants, tenant):
	default:
		return refuse(claims.TenantNotAllowed)
	}
	ours, present, err := a.payload.Text("aud_tenant")
	if err != nil {
		return err
	}
	if present && ours != p.AudienceTenant {
		return refuse(claims.TenantNotAllowed)
	}
	return nil
}

// checkSubjectID refuses a SAML subject of an issuer other than the configured
// one (draft section 3.2): sub_id never creates trust by itself. Okta's pages
// spell the format with a hyphen and with an underscore.
func (a *assertion) checkSubjectID() error {
	raw, present := a.payload.Lookup("sub_id")
	if !present || a.provider.SAMLIssuer == "" {
		return nil
	}
	id, err := claims.ParsePayload(raw)
	if err != nil {
		return err
	}
	format, _, err := id.Text("format")
	if err != nil {
		return err
	}
	if format != "saml-nameid" && format != "saml_nameid" {
		return nil
	}
	issuer, err := required(id, "issuer")
	if err != nil {
		return err
	}
	if issuer != a.provider.SAMLIssuer {
		return refuse(claims.SubjectUnresolved)
	}
	_, err = required(id, "nameid")
	return err
}

// readGrant reads what the ID-JAG grants. authorization_details is dropped: a
// server without RFC 9396 may leave it out, and must not widen anything for it.
//
// No scopes is not the same as none stated, which leaves the choice to a policy:
// a claim that lists none, under whatever name the mapping reads, has chosen. The
// mapper leaves Scopes nil only where it found no claim.
func (a *assertion) readGrant() error {
	var err error
	var present bool
	if a.resources, present, err = a.payload.Texts("resource"); err != nil {
		return err
	}
	if present && len(a.resources) == 0 {
		return faulty("resource", claims.ClaimMalformed)
	}
	_, stated := a.payload.Lookup("scope")
	a.scopes = a.user.Scopes
	a.unstated = !stated && a.scopes == nil
	return nil
}

// email returns the address of the user if the provider may vouch for it, and
// nothing otherwise.
func (a *assertion) email() claims.Email {
	address := a.user.Email.Address
	local, domain, found := strings.Cut(address, "@")
	if !found || local == "" || !slices.ContainsFunc(a.provider.EmailDomains, func(own string) bool { return strings.EqualFold(own, domain) }) {
		return claims.Email{}
	}
	if verified, stated := a.payload.Lookup("email_verified"); stated && string(verified) != "true" {
		return claims.Email{}
	}
	return claims.Email{Address: address, Verified: true}
}
