package emamw

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emamw/mcp-ema/internal/challenge"
	"github.com/emamw/mcp-ema/internal/discovery"
	"github.com/emamw/mcp-ema/internal/jose"
)

const (
	defaultSkew     = 30 * time.Second
	maxSkew         = 5 * time.Minute
	defaultMaxBytes = 4 << 20
	defaultTokenAge = 24 * time.Hour
	defaultKeyAge   = 24 * time.Hour
	defaultDelay    = 30 * time.Second
	defaultEntries  = 10_000
	minKeyAge       = time.Minute
	minSessionKey   = 32
	minPseudonymKey = 32
)

var defaultAlgorithms = []string{"RS256", "PS256", "ES256", "EdDSA"}

// mistakes collects what is wrong with a Config, so that a deployment is put
// right in one round.
type mistakes []error

func (m *mistakes) add(field, value, reason string) {
	*m = append(*m, &ConfigError{Field: field, Value: value, Reason: reason})
}

// addURL is add for an address that discovery.CheckURL refuses.
func (m *mistakes) addURL(field, raw string, p discovery.Policy) {
	shown, wrong := discovery.Mistake(raw, p)
	m.add(field, shown, wrong)
}

// validate reports every mistake of cfg, and fills in its defaults.
func (cfg *Config) validate() error {
	var m mistakes
	cfg.validateResource(&m)
	cfg.validateScopes(&m)
	cfg.validateRules(&m)
	cfg.validateLimits(&m)
	cfg.validateOrigins(&m)
	if len(cfg.AuthorizationServers) == 0 {
		m.add("AuthorizationServers", "", "is empty: name the issuer whose access tokens this server accepts")
	}
	cfg.AuthorizationServers = slices.Clone(cfg.AuthorizationServers)
	for i := range cfg.AuthorizationServers {
		cfg.AuthorizationServers[i].validate(&m, "AuthorizationServers["+strconv.Itoa(i)+"]", cfg)
	}
	cfg.validateIssuersDiffer(&m)
	return errors.Join(m...)
}

func (cfg *Config) policy() discovery.Policy {
	return discovery.Policy{AllowHTTP: cfg.DangerouslyAllowHTTP, AllowPrivate: cfg.DangerouslyAllowPrivateNetwork}
}

func (cfg *Config) validateResource(m *mistakes) {
	if cfg.Resource == "" {
		m.add("Resource", "", "is empty: give the URL that clients call, such as https://mcp.example.com/mcp")
		return
	}
	if discovery.CheckURL(cfg.Resource, cfg.policy()) != nil {
		m.addURL("Resource", cfg.Resource, cfg.policy())
		return
	}
	if strings.Contains(cfg.Resource, "?") {
		m.add("Resource", cfg.Resource, "leave out the query: the metadata of a resource is found by its path (RFC 9728 section 3.1)")
	}
}

func (cfg *Config) validateScopes(m *mistakes) {
	checkScopes(m, "BaseScopes", cfg.BaseScopes)
	checkScopes(m, "ScopesSupported", cfg.ScopesSupported)
	if slices.Contains(cfg.BaseScopes, "offline_access") {
		// MCP authorization, "Refresh Tokens".
		m.add("BaseScopes", "offline_access", "is between the client and its authorization server: a resource should not ask for it")
	}
	cfg.BaseScopes = slices.Clone(cfg.BaseScopes)
	if cfg.ScopesSupported == nil {
		cfg.ScopesSupported = cfg.BaseScopes
	}
	if err := cfg.Hierarchy.Validate(); err != nil {
		m.add("Hierarchy", "", "is not sound: "+err.Error())
	}
	hierarchy := maps.Clone(cfg.Hierarchy)
	for broad, narrow := range hierarchy {
		hierarchy[broad] = slices.Clone(narrow)
	}
	cfg.Hierarchy = hierarchy
}

func checkScopes(m *mistakes, field string, tokens []string) {
	for i, token := range tokens {
		if !challenge.ValidScope(token) {
			m.add(field+"["+strconv.Itoa(i)+"]", token, "is no scope token: use printable ASCII without space, quote and backslash (RFC 6749 section 3.3)")
		}
	}
}

func (cfg *Config) validateOrigins(m *mistakes) {
	for i, origin := range cfg.AllowedOrigins {
		if origin == "*" || discovery.IsOrigin(origin) {
			continue
		}
		shown, _ := discovery.Mistake(origin, cfg.policy())
		m.add("AllowedOrigins["+strconv.Itoa(i)+"]", shown, `use scheme://host[:port] in lower case and without a path, as browsers send it, or "*"`)
	}
	cfg.AllowedOrigins = slices.Clone(cfg.AllowedOrigins)
	if u, err := url.Parse(cfg.Resource); err == nil {
		cfg.AllowedOrigins = append(cfg.AllowedOrigins, strings.ToLower(u.Scheme+"://"+u.Host))
	}
}

func (cfg *Config) validateLimits(m *mistakes) {
	limit(m, "ClockSkew", &cfg.ClockSkew, defaultSkew, maxSkew)
	limit(m, "MaxKeyAge", &cfg.MaxKeyAge, defaultKeyAge, 30*24*time.Hour)
	if cfg.MaxKeyAge < minKeyAge && cfg.MaxKeyAge >= 0 {
		m.add("MaxKeyAge", cfg.MaxKeyAge.String(), "is shorter than a minute: keys would die between two fetches")
	}
	limit(m, "MaxRevocationDelay", &cfg.MaxRevocationDelay, defaultDelay, time.Hour)
	if cfg.MaxRequestBytes < 0 {
		m.add("MaxRequestBytes", strconv.FormatInt(cfg.MaxRequestBytes, 10), "is negative: give a number of bytes, or 0 for 4 MiB")
	}
	if cfg.MaxRequestBytes == 0 {
		cfg.MaxRequestBytes = defaultMaxBytes
	}
	if cfg.TokenCacheEntries == 0 {
		cfg.TokenCacheEntries = defaultEntries
	}
	if cfg.SessionKey != nil && len(cfg.SessionKey) < minSessionKey {
		m.add("SessionKey", "", "is shorter than 32 bytes: generate it with crypto/rand")
	}
	if cfg.PseudonymKey != nil && len(cfg.PseudonymKey) < minPseudonymKey {
		m.add("PseudonymKey", "", "is shorter than 32 bytes: generate it with crypto/rand")
	}
	for i, key := range cfg.PreviousSessionKeys {
		if len(key) < minSessionKey {
			m.add("PreviousSessionKeys["+strconv.Itoa(i)+"]", "", "is shorter than 32 bytes: give the earlier SessionKey as it was")
		}
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

func (cfg *Config) validateRules(m *mistakes) {
	if err := cfg.Unruled.Validate(); err != nil && !reflect.ValueOf(cfg.Unruled).IsZero() {
		m.add("Unruled", "", "is not sound: "+err.Error())
	}
	cfg.Rules.Tools = maps.Clone(cfg.Rules.Tools)
	cfg.Rules.Prompts = maps.Clone(cfg.Rules.Prompts)
	cfg.Rules.Resources = maps.Clone(cfg.Rules.Resources)
	for _, name := range slices.Sorted(maps.Keys(cfg.Rules.Tools)) {
		checkRule(m, "Rules.Tools", name, cfg.Rules.Tools[name].Validate())
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Rules.Prompts)) {
		checkRule(m, "Rules.Prompts", name, cfg.Rules.Prompts[name].Validate())
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Rules.Resources)) {
		checkRule(m, "Rules.Resources", name, cfg.Rules.Resources[name].Validate())
	}
}

func checkRule(m *mistakes, field, name string, err error) {
	if name == "" {
		m.add(field, "", "has a rule without a name")
	}
	if err != nil {
		m.add(field+"["+strconv.Quote(name)+"]", "", "is not sound: "+err.Error())
	}
}

func (as *AuthorizationServer) validate(m *mistakes, field string, cfg *Config) {
	template := strings.Contains(as.Issuer, discovery.TenantPlaceholder)
	probe := strings.Replace(as.Issuer, discovery.TenantPlaceholder, "tenant", 1)
	switch {
	case as.Issuer == "":
		m.add(field+".Issuer", "", "is empty: give the issuer as its tokens and its metadata state it")
	case discovery.CheckURL(probe, cfg.policy()) != nil:
		m.addURL(field+".Issuer", as.Issuer, cfg.policy())
	case strings.Contains(as.Issuer, "?"):
		m.add(field+".Issuer", as.Issuer, "holds a query: leave it out (RFC 8414 section 2)")
	case template && !discovery.IsTemplate(as.Issuer):
		m.add(field+".Issuer", as.Issuer, "has the placeholder for the tenant elsewhere than as one whole path segment")
	case template && len(as.Tenants) == 0:
		m.add(field+".Tenants", "", "is empty, and the issuer serves many tenants: list those whose users may come in")
	case as.Tenants != nil && len(as.Tenants) == 0:
		// Emptied, by a hand or a program that took the last name away, it was
		// meant to be nobody.
		m.add(field+".Tenants", "", "is an empty list, which would limit nothing: leave it out for every tenant, or name those whose users may come in")
	case template:
		as.validateTenants(m, field)
	}
	if as.JWKSURL != "" && discovery.CheckURL(as.JWKSURL, cfg.policy()) != nil {
		m.addURL(field+".JWKSURL", as.JWKSURL, cfg.policy())
	}
	limit(m, field+".MaxAge", &as.MaxAge, defaultTokenAge, 30*24*time.Hour)
	if as.Algorithms == nil {
		as.Algorithms = defaultAlgorithms
	}
	for i, algorithm := range as.Algorithms {
		if !jose.Supported(algorithm) {
			m.add(fmt.Sprintf("%s.Algorithms[%d]", field, i), algorithm, "is not supported: use "+strings.Join(jose.Algorithms(), ", "))
		}
	}
	checkNotEmpty(m, field+".Audiences", as.Audiences)
	checkNotEmpty(m, field+".Tenants", as.Tenants)
	as.validateClaims(m, field)
}

// validateTenants finds tenants that no iss can name. Nobody of theirs could come in,
// and the metadata would show clients an issuer that is none.
func (as *AuthorizationServer) validateTenants(m *mistakes, field string) {
	for i, name := range as.names() {
		if _, ok := discovery.MatchTemplate(as.Issuer, name); !ok && as.Tenants[i] != "" {
			m.add(fmt.Sprintf("%s.Tenants[%d]", field, i), as.Tenants[i], "cannot stand in the issuer's path: use letters, digits, dots, hyphens and underscores, as the tokens do")
		}
	}
}

func checkNotEmpty(m *mistakes, field string, values []string) {
	if slices.Contains(values, "") {
		m.add(field, "", "holds an empty string, which names nothing: leave it out")
	}
}

func (as *AuthorizationServer) validateClaims(m *mistakes, field string) {
	mapper, err := as.Claims.Mapper()
	if err != nil {
		m.add(field+".Claims", "", "is not sound: "+err.Error())
		return
	}
	if as.TokenTypes == nil {
		as.TokenTypes = mapper.TokenTypes()
	}
	types := make([]string, len(as.TokenTypes))
	for i, typ := range as.TokenTypes {
		types[i] = jose.ShortType(typ)
		if slices.Contains(foreignTypes, types[i]) {
			m.add(fmt.Sprintf("%s.TokenTypes[%d]", field, i), typ, "is the type of a token that is no access token: never accept it as one (RFC 8725 section 3.11)")
		}
	}
	if len(types) == 0 {
		m.add(field+".TokenTypes", "", `is empty: name the typ of the issuer's access tokens, such as at+jwt, or "" for none`)
	}
	as.TokenTypes = types
}

// foreignTypes are the types of tokens that an issuer signs with the same keys
// and for other purposes. Accepting one as an access token is the confusion
// that RFC 8725 section 3.11 warns of.
var foreignTypes = []string{"oauth-id-jag+jwt", "dpop+jwt", "client-authentication+jwt", "secevent+jwt", "logout+jwt", "jwk-set+jwt", "oauth-authz-req+jwt", "token-introspection+jwt"}

func (cfg *Config) validateIssuersDiffer(m *mistakes) {
	seen := map[string]bool{}
	for i, as := range cfg.AuthorizationServers {
		if as.Issuer != "" && seen[as.Issuer] {
			m.add("AuthorizationServers["+strconv.Itoa(i)+"].Issuer", as.Issuer, "is listed twice: one entry per issuer")
		}
		seen[as.Issuer] = true
	}
}
