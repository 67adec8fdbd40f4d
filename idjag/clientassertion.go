package idjag

import (
	"context"
	"crypto"
	"slices"
	"strings"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/jose"
	"github.com/emamw/mcp-ema/internal/keys"
)

// maxClientAssertionLifetime bounds how far ahead the exp of a client assertion
// may lie, since its jti has to be remembered for that long.
const maxClientAssertionLifetime = time.Hour

// assertedClient is private_key_jwt (RFC 7523 section 3, OpenID Connect Core
// section 9). Every defect of the assertion is one and the same refusal.
func (s *Server) assertedClient(ctx context.Context, f form) (*caller, error) {
	if f.value("client_assertion_type") != clientAssertionType || f.value("client_assertion") == "" {
		return nil, malformedRequest("private_key_jwt needs client_assertion, and client_assertion_type " + clientAssertionType + ".")
	}
	c, p, err := s.verifyClientAssertion(ctx, f)
	if err == nil {
		return &caller{client: c, method: methodJWT, proof: p}, nil
	}
	if r := asRefusal(err); r.reason.Undecided() || r.code == invalidClient {
		return nil, r
	}
	return nil, &refusal{reason: claims.ClientUnauthenticated, code: invalidClient, cause: err}
}

func (s *Server) verifyClientAssertion(ctx context.Context, f form) (*client, proof, error) {
	token, err := jose.Parse(f.value("client_assertion"))
	if err != nil {
		return nil, proof{}, err
	}
	// An ID-JAG, which is a JWT with iss, sub and aud as well, is not a client
	// assertion; only its typ says so for certain (RFC 8725 section 3.11).
	// Clients that set none are too many to refuse.
	if typ := token.Header.Type; typ != "" && typ != "jwt" && typ != "client-authentication+jwt" {
		return nil, proof{}, unproven("client assertion: typ is that of another kind of token: use client-authentication+jwt, JWT or none")
	}
	if !slices.Contains(defaultAlgorithms, token.Header.Algorithm) {
		return nil, proof{}, unproven("client assertion: alg is not accepted: use one of " + strings.Join(defaultAlgorithms, ", "))
	}
	p, err := claims.ParsePayload(token.Payload)
	if err != nil {
		return nil, proof{}, err
	}
	c, err := s.assertingClient(ctx, p, f.value("client_id"))
	if err != nil {
		return nil, proof{}, err
	}
	used, err := s.checkClientAssertion(c, p)
	if err != nil {
		return nil, proof{}, err
	}
	key, err := c.keys.Key(ctx, token.Header.KeyID, token.Header.Algorithm)
	if err != nil {
		return nil, proof{}, err
	}
	return c, used, token.Verify(key)
}

// assertingClient returns the client that an assertion says it is from: iss and
// sub both name it, and so does client_id if it was sent (RFC 7521 section 4.2).
func (s *Server) assertingClient(ctx context.Context, p *claims.Payload, clientID string) (*client, error) {
	iss, _, err := p.Text("iss")
	if err != nil {
		return nil, err
	}
	sub, _, err := p.Text("sub")
	if err != nil {
		return nil, err
	}
	if iss == "" || iss != sub || clientID != "" && clientID != iss {
		return nil, unproven("client assertion: iss and sub must both be the client_id (RFC 7523 section 3)")
	}
	c, err := s.lookup(ctx, iss)
	if err != nil {
		return nil, err
	}
	if c == nil || c.keys == nil {
		return nil, unproven("client assertion: no client of this id has keys: set its JWKS or JWKSURL")
	}
	return c, nil
}

// checkClientAssertion judges aud, the times and jti. The audience must be this
// server's issuer alone (draft-ietf-oauth-rfc7523bis): an assertion that is good
// for two servers can be taken from one to the other.
func (s *Server) checkClientAssertion(c *client, p *claims.Payload) (proof, error) {
	aud, _, err := p.Texts("aud")
	if err != nil {
		return proof{}, err
	}
	if len(aud) != 1 || aud[0] != s.issuer && !(c.tokenEndpointAudience && aud[0] == s.tokenEndpoint) {
		return proof{}, unproven("client assertion: aud must be this server's issuer alone; for older clients see DangerouslyAllowTokenEndpointAudience")
	}
	now := s.now()
	exp, present, err := p.Time("exp")
	if err != nil {
		return proof{}, err
	}
	if !present || !now.Before(exp.Add(s.skew)) || exp.Sub(now) > maxClientAssertionLifetime+s.skew {
		return proof{}, unproven("client assertion: exp is absent, past or more than an hour ahead: compare clocks, and let the client make it for minutes")
	}
	if err := s.begun(p, now); err != nil {
		return proof{}, err
	}
	id, present, err := p.Text("jti")
	if err != nil {
		return proof{}, err
	}
	if !present {
		return proof{}, nil
	}
	return proof{key: replayKey("client-assertion", c.id, id), expires: exp}, nil
}

// A keySource has the public keys of one issuer or client.
type keySource interface {
	Key(ctx context.Context, kid, alg string) (crypto.PublicKey, error)
}

// fixedKeys is the keySource of a client that is registered with its keys.
type fixedKeys []jose.PublicKey

func (k fixedKeys) Key(_ context.Context, kid, alg string) (crypto.PublicKey, error) {
	var found []crypto.PublicKey
	for _, key := range k {
		if (kid == "" || kid == key.ID) && (key.Algorithm == "" || key.Algorithm == alg) && jose.Fits(alg, key.Key) {
			found = append(found, key.Key)
		}
	}
	if len(found) != 1 {
		return nil, &keys.Error{Reason: claims.KeyUnknown}
	}
	return found[0], nil
}
