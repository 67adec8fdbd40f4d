package idjag

import (
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/challenge"
	"github.com/emamw/mcp-ema/internal/discovery"
	"github.com/emamw/mcp-ema/internal/jose"
)

// defaultAlgorithms are accepted where the configuration names none. RS256 is
// mandatory to implement (RFC 7523 section 5).
var defaultAlgorithms = []string{"RS256", "PS256", "ES256", "EdDSA"}

const minPseudonymKey = 32

// complete judges what can be judged field by field, fills in the defaults, and
// copies what the caller could change later.
func (cfg *Config) complete() mistakes {
	var m mistakes
	cfg.completeIssuer(&m)
	cfg.completeResources(&m)
	if len(cfg.IdentityProviders) == 0 {
		m.add("IdentityProviders", "", "is empty: name the issuer whose ID-JAGs this server redeems")
	}
	if len(cfg.Clients) == 0 && len(cfg.ClientDocuments.Origins) == 0 {
		m.add("Clients", "", "is empty: register the clients that may redeem, or admit documents with ClientDocuments")
	}
	switch {
	case cfg.GroupScopes != nil && len(cfg.GroupScopes) == 0:
		m.add("GroupScopes", "", "is empty, which would leave every user what the ID-JAG states: name the groups that may have scopes, or leave it out")
	case cfg.Policy != nil && cfg.GroupScopes != nil:
		m.add("GroupScopes", "", "cannot stand beside Policy: put its groups into rules")
	}
	for field, origins := range map[string][]string{"AllowedOrigins": cfg.AllowedOrigins, "ClientDocuments.Origins": cfg.ClientDocuments.Origins} {
		for i, origin := range origins {
			cfg.checkOrigin(&m, fmt.Sprintf("%s[%d]", field, i), origin)
		}
	}
	cfg.IdentityProviders = slices.Clone(cfg.IdentityProviders)
	cfg.AllowedOrigins = slices.Clone(cfg.AllowedOrigins)
	if len(cfg.ClientDocuments.Origins) == 0 && cfg.ClientDocuments.DangerouslyPublic {
		m.add("ClientDocuments.DangerouslyPublic", "true", "has no effect without Origins")
	}
	limit(&m, "TokenLifetime", &cfg.TokenLifetime, defaultTokenLifetime, maxTokenLifetime)
	if cfg.TokenLifetime > 0 && cfg.TokenLifetime < time.Second {
		m.add("TokenLifetime", cfg.TokenLifetime.String(), "is shorter than a second: a token would have expired before it is read")
	}
	limit(&m, "ClockSkew", &cfg.ClockSkew, defaultClockSkew, maxClockSkew)
	limit(&m, "MaxRevocationDelay", &cfg.MaxRevocationDelay, 30*time.Second, time.Hour)
	if cfg.PseudonymKey != nil && len(cfg.PseudonymKey) < minPseudonymKey {
		m.add("PseudonymKey", "", "is shorter than 32 bytes: generate it with crypto/rand")
	}
	cfg.completeDefaults()
	return m
}

func (cfg *Config) completeDefaults() {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Replay == nil {
		cfg.Replay = NewReplayStore(0, cfg.Now)
	}
}

func (cfg *Config) completeIssuer(m *mistakes) {
	switch {
	case cfg.Issuer == "":
		m.add("Issuer", "", "is empty: give the URL of this server, such as https://auth.example.com")
	case discovery.CheckURL(cfg.Issuer, cfg.network()) != nil:
		m.addURL("Issuer", cfg.Issuer, cfg.network())
	case strings.Contains(cfg.Issuer, "?"):
		m.add("Issuer", cfg.Issuer, "leave out the query (RFC 8414 section 2)")
	}
}

func (cfg *Config) completeResources(m *mistakes) {
	if len(cfg.Resources) == 0 {
		m.add("Resources", "", "is empty: name the MCP servers that tokens are for")
	}
	cfg.Resources = slices.Clone(cfg.Resources)
	seen := make(map[string]bool)
	for i := range cfg.Resources {
		r, at := &cfg.Resources[i], fmt.Sprintf("Resources[%d]", i)
		switch {
		case r.ID == "":
			m.add(at+".ID", "", "is empty: give the URL that clients of this MCP server call")
		case discovery.CheckURL(r.ID, cfg.network()) != nil:
			m.addURL(at+".ID", r.ID, cfg.network())
		case seen[r.ID]:
			m.add(at+".ID", r.ID, "stands here twice")
		}
		seen[r.ID] = true
		r.Scopes = slices.Clone(r.Scopes)
		for k, scope := range r.Scopes {
			if !challenge.ValidScope(scope) {
				m.add(fmt.Sprintf("%s.Scopes[%d]", at, k), scope, "is no scope token: use printable ASCII without space, quote and backslash (RFC 6749 section 3.3)")
			}
		}
	}
}

func (cfg *Config) checkOrigin(m *mistakes, field, origin string) {
	if !discovery.IsOrigin(origin) || discovery.CheckURL(origin, cfg.network()) != nil {
		shown, _ := discovery.Mistake(origin, cfg.network())
		m.add(field, shown, "use scheme://host[:port] in lower case and without a path; https unless the host is loopback")
	}
}

// limit fills in a duration's default and reports one out of bounds.
func limit(m *mistakes, field string, d *time.Duration, standard, most time.Duration) {
	switch {
	case *d == 0:
		*d = standard
	case *d < 0:
		m.add(field, d.String(), fmt.Sprintf("is negative: give a duration up to %v, or 0 for %v", most, standard))
	case *d > most:
		m.add(field, d.String(), fmt.Sprintf("is too long: at most %v", most))
	}
}

// newProvider completes IdentityProviders[i].
func newProvider(cfg *Config, i int) (*provider, mistakes) {
	var m mistakes
	idp, at := cfg.IdentityProviders[i], fmt.Sprintf("IdentityProviders[%d]", i)
	p := &provider{IdentityProvider: idp}
	switch {
	case idp.Issuer == "":
		m.add(at+".Issuer", "", "is empty: give the iss of its ID-JAGs, byte for byte")
	case idp.Issuer == cfg.Issuer:
		// Whoever holds an access token of ours could otherwise look for a way
		// to have it redeemed for another one, for ever (draft section 9.3).
		m.add(at+".Issuer", idp.Issuer, "is this server itself, which must not redeem what it issued")
	case slices.ContainsFunc(cfg.IdentityProviders[:i], func(o IdentityProvider) bool { return o.Issuer == idp.Issuer }):
		m.add(at+".Issuer", idp.Issuer, "stands here twice: one issuer is trusted on one set of terms")
	case discovery.CheckURL(idp.Issuer, cfg.network()) != nil:
		m.addURL(at+".Issuer", idp.Issuer, cfg.network())
	}
	if idp.JWKSURL != "" && discovery.CheckURL(idp.JWKSURL, cfg.network()) != nil {
		m.addURL(at+".JWKSURL", idp.JWKSURL, cfg.network())
	}
	for _, list := range []*[]string{&p.Tenants, &p.Clients, &p.Resources, &p.EmailDomains} {
		*list = slices.Clone(*list)
	}
	notEmptied(&m, at+".Clients", idp.Clients)
	notEmptied(&m, at+".Resources", idp.Resources)
	p.completeAlgorithms(&m, at)
	limit(&m, at+".MaxLifetime", &p.MaxLifetime, defaultAssertionLifetime, maxAssertionLifetime)
	if idp.Tenants != nil && len(idp.Tenants) == 0 {
		m.add(at+".Tenants", "", "is an empty list: leave it out for an issuer that serves one customer, or name the tenants that are meant")
	}
	if slices.Contains(idp.Tenants, "") {
		m.add(at+".Tenants", "", "has an empty tenant: leave the list out for an issuer that serves one customer")
	}
	if idp.DangerouslyAnyTenant && len(idp.Tenants) > 0 {
		m.add(at+".DangerouslyAnyTenant", "true", "stands beside Tenants: keep one of the two")
	}
	p.checkSubjectForm(&m, at, len(cfg.IdentityProviders))
	for k, domain := range idp.EmailDomains {
		if domain == "" || strings.ContainsAny(domain, "@ ") {
			m.add(fmt.Sprintf("%s.EmailDomains[%d]", at, k), domain, "use a domain, such as example.com")
		}
	}
	mapping := idp.Claims
	if reflect.ValueOf(mapping).IsZero() {
		mapping = claims.IDJAG()
	}
	var err error
	if p.mapper, err = mapping.Mapper(); err != nil {
		m.add(at+".Claims", mapping.Name, "does not compile: "+err.Error())
	}
	return p, m
}

// notEmptied refuses a list that limits, is there, and holds nothing. Left out it
// means everybody; emptied, by a hand or a program that took the last name away,
// it was meant to be nobody.
func notEmptied(m *mistakes, field string, list []string) {
	if list != nil && len(list) == 0 {
		m.add(field, "", "is an empty list, which would limit nothing: leave it out for all of them, or name those that are meant")
	}
}

func (p *provider) completeAlgorithms(m *mistakes, at string) {
	p.Algorithms = slices.Clone(p.Algorithms)
	if p.Algorithms == nil {
		p.Algorithms = defaultAlgorithms
	}
	if len(p.Algorithms) == 0 {
		m.add(at+".Algorithms", "", "is empty: name one, or leave it nil for RS256, PS256, ES256 and EdDSA")
	}
	for k, alg := range p.Algorithms {
		if !jose.Supported(alg) {
			m.add(fmt.Sprintf("%s.Algorithms[%d]", at, k), alg, "is not supported: use RS, PS or ES with 256, 384 or 512, or EdDSA; a symmetric key would let this server sign as the issuer")
		}
	}
}

func (p *provider) checkSubjectForm(m *mistakes, at string, providers int) {
	switch {
	case p.Subject != HashedSubject && p.Subject != VerbatimSubject:
		m.add(at+".Subject", string(p.Subject), "use HashedSubject or VerbatimSubject")
	case p.Subject == VerbatimSubject && (providers > 1 || len(p.Tenants) > 1 || p.DangerouslyAnyTenant):
		m.add(at+".Subject", string(p.Subject), "would make one user of two who share a sub: use HashedSubject with several identity providers or tenants")
	}
}

// newClient completes Clients[i].
func newClient(cfg *Config, i int) (*client, mistakes) {
	var m mistakes
	c, at := cfg.Clients[i], fmt.Sprintf("Clients[%d]", i)
	made := &client{id: c.ID, public: c.DangerouslyPublic, tokenEndpointAudience: c.DangerouslyAllowTokenEndpointAudience, resources: slices.Clone(c.Resources)}
	if c.ID == "" {
		m.add(at+".ID", "", "is empty: give the client_id that the identity provider writes into ID-JAGs for this server")
	}
	if slices.ContainsFunc(cfg.Clients[:i], func(o Client) bool { return o.ID == c.ID }) {
		m.add(at+".ID", c.ID, "stands here twice")
	}
	notEmptied(&m, at+".Resources", c.Resources)
	for k, text := range c.SecretHashes {
		hash, ok := parseSecretHash(text)
		if !ok {
			m.add(fmt.Sprintf("%s.SecretHashes[%d]", at, k), "", "is not what HashSecret returns; if it is the secret itself, replace it with its hash")
		}
		if text == HashSecret("") {
			m.add(fmt.Sprintf("%s.SecretHashes[%d]", at, k), "", "is the hash of an empty secret")
		}
		made.secrets = append(made.secrets, hash)
	}
	switch {
	case len(c.JWKS) > 0 && c.JWKSURL != "":
		m.add(at+".JWKS", "", "stands beside JWKSURL: keep one of the two")
	case len(c.JWKS) > 0:
		if made.keys = parseKeySet(c.JWKS); made.keys == nil {
			m.add(at+".JWKS", "", "holds no usable public key")
		}
	case c.JWKSURL != "" && discovery.CheckURL(c.JWKSURL, cfg.network()) != nil:
		m.addURL(at+".JWKSURL", c.JWKSURL, cfg.network())
	}
	proves := len(c.SecretHashes) > 0 || len(c.JWKS) > 0 || c.JWKSURL != ""
	switch {
	case !proves && !c.DangerouslyPublic:
		m.add(at, c.ID, "has no way to authenticate: set SecretHashes, JWKS or JWKSURL")
	case proves && c.DangerouslyPublic:
		m.add(at+".DangerouslyPublic", "true", "stands beside credentials, which nobody would need then: keep one of the two")
	}
	return made, m
}

// checkProviderNames judges what an identity provider may speak for.
func (s *Server) checkProviderNames(at string, p IdentityProvider) mistakes {
	m := s.checkResourceNames(at+".Resources", p.Resources)
	for i, id := range p.Clients {
		if s.clients[id] == nil && !s.documents.admits(id) {
			m.add(fmt.Sprintf("%s.Clients[%d]", at, i), id, "is no client of this server: add it to Clients, or correct it")
		}
	}
	return m
}

func (s *Server) checkResourceNames(field string, ids []string) (m mistakes) {
	for i, id := range ids {
		if s.resource(id) == nil {
			m.add(fmt.Sprintf("%s[%d]", field, i), id, "is no resource of this server: add it to Resources, or correct it")
		}
	}
	return m
}
