package main

import (
	"maps"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/token/jwt"
)

// A session is what fosite signs: it asks for the claims of an access token and
// for those of an ID token.
type session struct {
	*openid.DefaultSession
	access *jwt.JWTClaims
	header *jwt.Headers
}

func (p *provider) session(subject string) *session {
	s := &session{
		DefaultSession: openid.NewDefaultSession(),
		access:         &jwt.JWTClaims{Extra: map[string]any{}},
		header:         jwt.NewHeaders(),
	}
	s.is(subject)
	if p.config.ClientID {
		s.access.Extra["client_id"] = p.config.Client.ID
	}
	if p.config.Type != "" {
		s.header.Add("typ", p.config.Type)
	}
	return s
}

func (s *session) is(subject string) {
	s.Subject, s.Claims.Subject, s.access.Subject = subject, subject, subject
}

// GetJWTClaims and GetJWTHeader are of the access token, IDTokenClaims and
// IDTokenHeaders are DefaultSession's.
func (s *session) GetJWTClaims() jwt.JWTClaimsContainer { return s.access }
func (s *session) GetJWTHeader() *jwt.Headers           { return s.header }

// Clone implements [fosite.Session].
func (s *session) Clone() fosite.Session {
	access := *s.access
	access.Extra = maps.Clone(s.access.Extra)
	return &session{
		DefaultSession: s.DefaultSession.Clone().(*openid.DefaultSession),
		access:         &access,
		header:         &jwt.Headers{Extra: maps.Clone(s.header.Extra)},
	}
}
