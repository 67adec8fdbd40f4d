package emamw

import (
	"context"
	"slices"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/discovery"
	"github.com/emamw/mcp-ema/internal/keys"
	"github.com/emamw/mcp-ema/internal/telemetry"
)

// issuer is an AuthorizationServer, made ready for requests.
type issuer struct {
	name       string // as configured; a template for several tenants
	keys       *keys.Set
	algorithms []string
	types      []string
	audiences  []string
	tenants    []string
	maxAge     time.Duration
	mapper     *claims.Mapper
	groupsTTL  time.Duration // of groups that are looked up; 0 where none are
	told       *telemetry.Issuer
}

// groupsTTL is how long the answer of a lookup counts.
func groupsTTL(lookup *claims.GroupsLookup) time.Duration {
	switch {
	case lookup == nil:
		return 0
	case lookup.TTL == 0:
		return defaultGroupsTTL
	}
	return lookup.TTL
}

const defaultGroupsTTL = 5 * time.Minute // that of claims.GroupsLookup

type issuers struct {
	exact     map[string]*issuer
	templates []*issuer
	all       []*issuer
}

func newIssuers(ctx context.Context, cfg *Config, recorder *telemetry.Recorder) issuers {
	set := issuers{exact: map[string]*issuer{}}
	for _, as := range cfg.AuthorizationServers {
		mapper, err := as.Claims.Mapper()
		if err != nil {
			panic("emamw: a validated mapping does not compile: " + err.Error())
		}
		told := recorder.Issuer(as.Issuer, telemetry.MappingName(as.Claims, claims.RFC9068()))
		iss := &issuer{
			told:       told,
			name:       as.Issuer,
			algorithms: slices.Clone(as.Algorithms),
			types:      as.TokenTypes,
			audiences:  append([]string{cfg.Resource}, as.Audiences...),
			tenants:    slices.Clone(as.Tenants),
			maxAge:     as.MaxAge,
			mapper:     mapper,
			groupsTTL:  groupsTTL(as.Claims.GroupsLookup),
			keys: keys.New(ctx, keys.Config{
				Issuer:  as.Issuer,
				JWKSURL: as.JWKSURL,
				Client:  discovery.Client(cfg.HTTPClient, as.Issuer, cfg.policy()),
				Policy:  cfg.policy(),
				Now:     cfg.Now, // nil where the clock is the system's, which costs less to read
				MaxAge:  cfg.MaxKeyAge,
				Logger:  cfg.Logger,
				OnFetch: onFetch(recorder, told),
				OnWait:  func(ctx context.Context) { recorder.Waited(ctx, told) },
			}),
		}
		recorder.WatchKeys(ctx, told, iss.keys)
		set.all = append(set.all, iss)
		if discovery.IsTemplate(as.Issuer) {
			set.templates = append(set.templates, iss)
			continue
		}
		set.exact[as.Issuer] = iss
	}
	return set
}

// find returns the issuer whose tokens carry iss, and the tenant that iss names
// where the issuer serves several. The comparison is of bytes: a normalised one
// would let https://AS.example stand for https://as.example (RFC 8414 section 4).
func (s *issuers) find(iss string) (found *issuer, tenant string) {
	if found = s.exact[iss]; found != nil {
		return found, ""
	}
	for _, template := range s.templates {
		if tenant, ok := discovery.MatchTemplate(template.name, iss); ok {
			return template, tenant
		}
	}
	return nil, ""
}

// longest is the longest life of any accepted token.
func (s *issuers) longest() time.Duration {
	var longest time.Duration
	for _, iss := range s.all {
		longest = max(longest, iss.maxAge)
	}
	return longest
}
