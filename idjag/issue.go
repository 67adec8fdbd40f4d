package idjag

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/jose"
	"github.com/emamw/mcp-ema/internal/telemetry"
)

// maxIssuedBytes is the longest access token that fits everywhere: many servers
// and proxies refuse headers of more than 8 KiB altogether.
const maxIssuedBytes = 7 << 10

// accessToken is the payload of RFC 9068 section 2.2. The claims from
// idp on are ours: they tie the token to the ID-JAG that it was redeemed for, so
// that an event at the identity provider, which knows the user by its own name,
// finds the token. The event counts from assertion_iat and not from iat: a token
// that is redeemed in the moments before this server hears of the event is
// younger than it, and must end all the same.
type accessToken struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	Audience  string `json:"aud"`
	ClientID  string `json:"client_id"`
	ID        string `json:"jti"`
	IssuedAt  int64  `json:"iat"`
	ExpiresAt int64  `json:"exp"`
	Scope     string `json:"scope,omitempty"`

	// Groups is absent when the groups are unknown, and empty when there are
	// none: a resource server treats the two differently.
	Groups       *[]string `json:"groups,omitempty"`
	Roles        []string  `json:"roles,omitempty"`
	Entitlements []string  `json:"entitlements,omitempty"`
	Tenant       string    `json:"tenant,omitempty"`

	// How and when the user signed in, as the identity provider said it. A
	// value of ours, such as the present time, would answer max_age with a
	// sign-in that never happened.
	AuthTime int64    `json:"auth_time,omitempty"`
	ACR      string   `json:"acr,omitempty"`
	AMR      []string `json:"amr,omitempty"`
	Actor    *actor   `json:"act,omitempty"`

	// Profile says that the subject is an agent and no person, where the ID-JAG
	// said so: a resource server would else take it for one.
	Profile string `json:"sub_profile,omitempty"`

	IdentityProvider  string `json:"idp"`
	ProviderSubject   string `json:"idp_sub"`
	Assertion         string `json:"assertion"`
	AssertionIssuedAt int64  `json:"assertion_iat"`
}

// agentProfile is the sub_profile of an agent: what claims.RFC9068 looks for.
const agentProfile = "ai_agent"

// actor is the act claim of RFC 8693 section 4.1.
type actor struct {
	Issuer  string `json:"iss,omitempty"`
	Subject string `json:"sub,omitempty"`
	Profile string `json:"sub_profile,omitempty"`
	Actor   *actor `json:"act,omitempty"`
}

func actorOf(a *claims.Actor) *actor {
	if a == nil {
		return nil
	}
	return &actor{Issuer: a.Issuer, Subject: a.Subject, Profile: a.Profile, Actor: actorOf(a.Actor)}
}

// issue signs the token. The assertion is used up by now, and stays so when
// this fails: the client comes back with a new one.
func (s *Server) issue(ctx context.Context, g *grant, o *outcome) (*tokenResponse, error) {
	life, err := s.lifetime(g.decision)
	if err != nil {
		return nil, err
	}
	user := g.user
	token := &accessToken{
		Issuer: s.issuer, Subject: g.subject, Audience: g.resource.ID, ClientID: g.caller.id,
		ID: rand.Text(), IssuedAt: life.begins.Unix(), ExpiresAt: life.ends.Unix(),
		Scope: strings.Join(g.decision.Scopes, " "),
		Roles: user.Roles, Entitlements: user.Permissions, Tenant: user.Tenant,
		ACR: user.Authentication.Context, AMR: user.Authentication.Methods, Actor: actorOf(user.Actor),
		IdentityProvider: user.Issuer, ProviderSubject: user.Subject, Assertion: telemetry.IDHash(g.id), AssertionIssuedAt: g.issued.Unix(),
	}
	if user.Groups.Known() {
		groups := append([]string{}, user.Groups.Names...)
		token.Groups = &groups
	}
	if !user.Authentication.Time.IsZero() {
		token.AuthTime = user.Authentication.Time.Unix()
	}
	if user.Kind == claims.Agent {
		token.Profile = agentProfile
	}
	compact, err := s.sign(ctx, token)
	if err != nil {
		return nil, &refusal{reason: claims.Internal, code: serverError, cause: err}
	}
	o.scopes, o.tokenID = g.decision.Scopes, token.ID
	return &tokenResponse{
		AccessToken: compact, TokenType: "Bearer", ExpiresIn: token.ExpiresAt - token.IssuedAt,
		Scope: token.Scope, Resource: token.Audience,
	}, nil
}

// errTooLong is about a token that no server could be sent.
var errTooLong = errors.New("idjag: the access token would not fit into a header without its groups either: have the identity provider send fewer roles, scopes or actors")

// sign makes the compact token. One that is too long for a header loses its
// groups, which a resource server then takes for unknown and never for none.
// Nothing else can be taken away without saying something wrong.
func (s *Server) sign(ctx context.Context, token *accessToken) (string, error) {
	compact, err := s.signWithCurrent(token)
	if err == nil && len(compact) > maxIssuedBytes && token.Groups != nil {
		s.logger.WarnContext(ctx, "idjag: groups left out of an access token that would not fit into a header: have the identity provider send fewer",
			"groups", len(*token.Groups), "bytes", len(compact))
		token.Groups = nil
		compact, err = s.signWithCurrent(token)
	}
	if err == nil && len(compact) > maxIssuedBytes {
		err = errTooLong
	}
	return compact, err
}

func (s *Server) signWithCurrent(token *accessToken) (string, error) {
	key := s.ring.Load().current
	return jose.Sign(key.Signer, jose.Header{Algorithm: key.Algorithm, KeyID: key.ID, Type: "at+jwt"}, token)
}
