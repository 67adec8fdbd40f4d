package idjag

import (
	"context"
	"net/http"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/jose"
	"github.com/emamw/mcp-ema/internal/telemetry"
	"github.com/emamw/mcp-ema/revocation"
)

// serveRevoke is the revocation endpoint (RFC 7009). A token that is not ours,
// malformed or long expired is answered with 200 like any other: it is as dead
// as the client wants it to be (section 2.2).
func (s *Server) serveRevoke(w http.ResponseWriter, r *http.Request) {
	if !s.shareWithOrigin(w, r) {
		return
	}
	if r.Method != http.MethodPost {
		methodNotAllowed(w, http.MethodPost)
		return
	}
	end := &telemetry.Revoked{}
	if err := s.revoke(w, r, end); err != nil {
		refused := asRefusal(err)
		end.Reason = refused.reason
		s.logRefusal(r.Context(), "ema.token.revocation", refused)
		s.telemetry.Revocation(r.Context(), r.Header, end)
		writeRefusal(w, refused)
		return
	}
	s.telemetry.Revocation(r.Context(), r.Header, end)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}

// revoke notes in end what it learns.
func (s *Server) revoke(w http.ResponseWriter, r *http.Request, end *telemetry.Revoked) error {
	ctx := r.Context()
	f, err := readForm(w, r)
	if err != nil {
		return err
	}
	c, err := s.authenticate(ctx, r, f)
	if err != nil {
		return err
	}
	end.ClientID, end.AuthMethod = c.id, c.method
	if f.value("token") == "" {
		return malformedRequest("token is missing.")
	}
	// token_type_hint is only a hint, and there is one kind of token.
	target, err := s.revocationOf(f.value("token"), c)
	if err != nil || target == nil {
		return err
	}
	end.TokenID = target.TokenID
	if err := s.consumeProof(ctx, c.proof); err != nil {
		return err
	}
	return s.revokeNow(ctx, *target)
}

func (s *Server) revokeNow(ctx context.Context, target revocation.Revocation) error {
	if err := s.revoked.store.Revoke(ctx, target); err != nil {
		return outage(ctx, "Revocations", err)
	}
	return nil
}

// revocationOf reads a token that this server signed, with any key that it
// still publishes. It returns nil for whatever else is presented. A client may
// end its own tokens only (RFC 7009 section 2.1): with those of others it could
// cut users off.
func (s *Server) revocationOf(compact string, c *caller) (*revocation.Revocation, error) {
	p := s.own(compact)
	if p == nil {
		return nil, nil
	}
	client, _, _ := p.Text("client_id")
	id, _, _ := p.Text("jti")
	expires, present, _ := p.Time("exp")
	if !present || id == "" {
		return nil, nil // we signed it, so it is no access token of ours
	}
	if client != c.id {
		return nil, refuse(claims.ClientUnauthorized)
	}
	return &revocation.Revocation{Issuer: s.issuer, TokenID: id, Until: expires.Add(maxClockSkew + time.Minute)}, nil
}

// own returns the payload of an access token of this server, and nil for
// anything else.
func (s *Server) own(compact string) *claims.Payload {
	token, err := jose.Parse(compact)
	if err != nil || token.Header.Type != "at+jwt" {
		return nil
	}
	for _, key := range s.ring.Load().published(s.now()) {
		if key.ID != token.Header.KeyID || key.Algorithm != token.Header.Algorithm || token.Verify(key.Key) != nil {
			continue
		}
		p, err := claims.ParsePayload(token.Payload)
		if err != nil {
			return nil
		}
		return p
	}
	return nil
}
