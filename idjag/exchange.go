package idjag

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/emamw/mcp-ema/claims"
)

const grantType = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// tokenResponse is the body of RFC 6749 section 5.1. scope and resource are
// always there, so that a client never has to guess what it got; resource as a
// member is that of the ID-JAG draft. There is no refresh token: the ID-JAG is
// what gets renewed, at the identity provider, which can then say no.
type tokenResponse struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	Scope       string `json:"scope,omitempty"`
	Resource    string `json:"resource"`
}

// serveToken is the token endpoint.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	if !s.shareWithOrigin(w, r) {
		return
	}
	if r.Method != http.MethodPost {
		methodNotAllowed(w, http.MethodPost)
		return
	}
	o := &outcome{}
	ctx, measured := s.telemetry.StartExchange(r.Context(), r.Header)
	response, err := s.exchange(w, r.WithContext(ctx), o)
	if err != nil {
		o.refusal = asRefusal(err)
	}
	s.report(ctx, &measured, o)
	if o.refusal != nil {
		writeRefusal(w, o.refusal)
		return
	}
	writeJSON(w, http.StatusOK, response)
}

// exchange redeems one ID-JAG. Everything that can say no comes before the
// assertion is used up, and the token is made after it. An early use would let
// whoever gets hold of an assertion burn it before its owner can redeem it; a
// late one would hand out two tokens to two requests at the same moment.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request, o *outcome) (*tokenResponse, error) {
	ctx := r.Context()
	f, err := readForm(w, r)
	if err != nil {
		return nil, err
	}
	c, err := s.admit(ctx, r, f)
	if err != nil {
		return nil, err
	}
	o.caller = c
	if c.grantRefused {
		return nil, refuse(claims.ClientUnauthorized)
	}
	if len(r.Header["Dpop"]) > 0 {
		return nil, refuse(claims.ProofUnsupported)
	}
	a, err := s.verify(ctx, f.value("assertion"), c, o)
	if err != nil {
		return nil, err
	}
	g, err := s.grant(ctx, a, c, f, o)
	if err != nil {
		return nil, err
	}
	if err := s.revoked.check(ctx, s.issuer, g); err != nil {
		return nil, err
	}
	if _, err := s.lifetime(g.decision); err != nil {
		return nil, err
	}
	if err := s.consume(ctx, a, c); err != nil {
		return nil, err
	}
	// Fetching keys, resolving the subject and asking a store take time, and
	// the caller decides how much of it: the clock is read again.
	if s.expired(a.expires) {
		return nil, refuse(claims.TokenExpired)
	}
	return s.issue(ctx, g, o)
}

// admit reads what kind of request this is, and who sent it. The order of the
// two tells a client that has the wrong server before it has wrong credentials.
func (s *Server) admit(ctx context.Context, r *http.Request, f form) (*caller, error) {
	switch f.value("grant_type") {
	case grantType:
	case "":
		return nil, malformedRequest("grant_type is missing.")
	default:
		return nil, refuse(claims.GrantUnsupported)
	}
	c, err := s.authenticate(ctx, r, f)
	if err != nil {
		return nil, err
	}
	if f.value("assertion") == "" {
		return nil, malformedRequest("assertion is missing.")
	}
	return c, nil
}

// A grant is what a token is made of.
type grant struct {
	*assertion
	caller   *caller
	resource *Resource
	subject  string
	decision Decision
}

// grant decides what the user gets.
func (s *Server) grant(ctx context.Context, a *assertion, c *caller, f form, o *outcome) (*grant, error) {
	asked := askedScopes(f)
	resource, err := s.target(a, c, f.resources)
	if err != nil {
		return nil, err
	}
	o.resource = resource.ID
	offered, err := offer(a, resource, asked)
	if err != nil {
		return nil, err
	}
	decision, err := s.decide(ctx, Request{
		User: *a.user, ClientID: c.id, Resource: resource.ID,
		Offered: offered, Unstated: a.unstated, Asked: asked, Now: s.now(),
	}, o)
	if err != nil {
		return nil, err
	}
	subject, err := s.subject(ctx, a, c)
	if err != nil {
		return nil, err
	}
	return &grant{assertion: a, caller: c, resource: resource, subject: subject, decision: decision}, nil
}

// decide asks the policy, and then Config.Authorize.
func (s *Server) decide(ctx context.Context, r Request, o *outcome) (Decision, error) {
	d := withoutPolicy(r)
	if p := s.policy.Load(); p != nil {
		judged := p.Decide(r)
		if p.ReportOnly {
			o.reported = &judged
		} else {
			d = judged
		}
	}
	if s.authorize != nil {
		var err error
		theirs := r
		// Copies: what is granted must not change by an append to Offered, and
		// the token is made of the user that was verified.
		theirs.User, theirs.Offered, theirs.Asked = *r.User.Clone(), slices.Clone(r.Offered), slices.Clone(r.Asked)
		if d, err = guarded(func() (Decision, error) { return s.authorize(ctx, theirs, d) }); err != nil {
			return Decision{}, &refusal{reason: claims.PolicyError, code: serverError, cause: foreign("Authorize", err)}
		}
		// The function is the operator's, and still cannot widen what the
		// identity provider granted.
		d.Scopes = wanted(ordered(d.Scopes), &r)
		if d.Reason == "" && len(d.Scopes) == 0 && len(r.Offered) > 0 {
			d.Reason = claims.ScopeNotGranted
		}
	}
	o.rules = d.Rules
	if d.Reason != "" {
		refused := refuse(d.Reason)
		refused.maxAge, refused.acrValues = d.MaxAge, d.ACRValues
		return Decision{}, refused
	}
	return d, nil
}

// subject returns the sub of the token. It is never a client's id: a resource
// server takes such a token for the client's own, and not for a user's (RFC 9068
// section 5), so whoever may choose a name at the identity provider could become
// a service.
func (s *Server) subject(ctx context.Context, a *assertion, c *caller) (string, error) {
	subject, err := s.resolved(ctx, a)
	if err != nil {
		return "", err
	}
	if subject == c.id || s.registered(subject) != nil {
		return "", refuse(claims.SubjectUnresolved)
	}
	return subject, nil
}

// resolved asks Config.ResolveSubject, or goes by the provider's SubjectForm.
func (s *Server) resolved(ctx context.Context, a *assertion) (string, error) {
	if s.resolve == nil {
		return a.provider.Subject.subject(a.user), nil
	}
	subject, err := guarded(func() (string, error) { return s.resolve(ctx, *a.user.Clone()) })
	switch {
	case errors.Is(err, ErrNoSubject), err == nil && subject == "":
		return "", refuse(claims.SubjectUnresolved)
	case err != nil:
		return "", outage(ctx, "ResolveSubject", err)
	}
	return subject, nil
}

// errPanic stands for a panic of the operator's code. The value is not kept: it
// may quote the token that it choked on.
var errPanic = errors.New("idjag: a function of the configuration panicked")

// guarded calls a function of the configuration. A panic in it refuses this one
// request with an answer, and an audit record, like any other failure.
func guarded[T any](call func() (T, error)) (result T, err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	return call()
}

// consume uses the assertion up, and the client's own one with it.
func (s *Server) consume(ctx context.Context, a *assertion, c *caller) error {
	if err := s.consumeProof(ctx, c.proof); err != nil {
		return err
	}
	if a.provider.AllowResubmission {
		return nil
	}
	fresh, err := s.replay.Consume(ctx, replayKey("id-jag", a.provider.Issuer, a.id), s.forgetAt(a.expires))
	if err != nil {
		return outage(ctx, "Replay", err)
	}
	if !fresh {
		return refuse(claims.AssertionReplayed)
	}
	return nil
}

// forgetAt is when an assertion that expires at exp need not be remembered any
// more: after the last moment in which it would be accepted, be it by a replica
// whose clock is behind ours, by what clocks may be off and a minute more.
func (s *Server) forgetAt(exp time.Time) time.Time { return exp.Add(2*s.skew + time.Minute) }

// A lifetime is that of a token.
type lifetime struct{ begins, ends time.Time }

// lifetime bounds the life of a token that begins now by the server's setting, the
// policy's, and the time at which the policy would decide otherwise. None is left
// once that time has come, while the request was being decided.
func (s *Server) lifetime(d Decision) (lifetime, error) {
	now, longest := s.now(), s.tokenLifetime
	if d.Lifetime > 0 {
		longest = min(longest, d.Lifetime)
	}
	end := now.Add(longest)
	if !d.NotAfter.IsZero() && d.NotAfter.Before(end) {
		end = d.NotAfter
	}
	end = end.Truncate(time.Second)
	if !end.After(now) {
		return lifetime{}, refuse(claims.AuthenticationTooWeak)
	}
	return lifetime{now, end}, nil
}
