package idjag

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/jose"
	"github.com/emamw/mcp-ema/internal/keys"
)

// The error codes of a token response: RFC 6749 section 5.2, RFC 8707 section 2
// (invalid_target), RFC 9449 section 5 (invalid_dpop_proof), RFC 9470 section 3
// (insufficient_user_authentication). temporarily_unavailable and server_error
// are those of RFC 6749 section 4.1.2.1, which is the only place that names
// them; no RFC has a code for a token endpoint that cannot decide.
const (
	invalidRequest       = "invalid_request"
	invalidClient        = "invalid_client"
	invalidGrant         = "invalid_grant"
	unauthorizedClient   = "unauthorized_client"
	unsupportedGrantType = "unsupported_grant_type"
	invalidScope         = "invalid_scope"
	invalidTarget        = "invalid_target"
	invalidProof         = "invalid_dpop_proof"
	needsAuthentication  = "insufficient_user_authentication"
	unavailable          = "temporarily_unavailable"
	serverError          = "server_error"
)

// A refusal is why a request got no token. The client sees the code and the
// description; the reason and the cause stay on our side. Several reasons share
// one code and one description on purpose: an answer that told an untrusted
// issuer from a bad signature would list, guess by guess, whom this server
// trusts.
type refusal struct {
	reason      claims.Reason
	code        string
	description string // a sentence of ours; "" means the one of the code
	cause       error  // for the log; holds no text of the request
	scheme      bool   // the client used the Authorization header, so 401 must name its scheme
	maxAge      time.Duration
	acrValues   []string
}

func (r *refusal) Error() string { return "idjag: request refused: " + string(r.reason) }

func (r *refusal) Unwrap() error { return r.cause }

// refuse returns the refusal that reason leads to.
func refuse(reason claims.Reason) *refusal {
	return &refusal{reason: reason, code: codeOf(reason)}
}

// faulty is the refusal over one claim. The cause names it, for the log and the
// audit record.
func faulty(claim string, reason claims.Reason) *refusal {
	return &refusal{reason: reason, code: codeOf(reason), cause: &claims.Error{Reason: reason, Claim: claim}}
}

// unproven is the refusal of a client that did not prove who it is. The cause is
// for the log: one word for a dozen defects would leave its operator to guess.
func unproven(why string) *refusal {
	r := refuse(claims.ClientUnauthenticated)
	r.cause = errors.New("idjag: " + why)
	return r
}

func malformedRequest(description string) *refusal {
	return &refusal{reason: claims.RequestMalformed, code: invalidRequest, description: description}
}

// outage refuses for a store or a directory that failed. One that gave up because
// the client had left did not fail: whoever hangs up could else have the operator
// told of an outage that there is not.
func outage(ctx context.Context, field string, err error) *refusal {
	if ended := ctx.Err(); ended != nil && !errors.Is(err, errPanic) {
		return &refusal{reason: claims.Canceled, code: unavailable, cause: ended}
	}
	return &refusal{reason: claims.StoreUnavailable, code: unavailable, cause: foreign(field, err)}
}

// asRefusal finds the reason in an error of one of the packages that read
// tokens, and keeps the error as the cause. Anything else is our own failure.
func asRefusal(err error) *refusal {
	var (
		own   *refusal
		token *jose.Error
		key   *keys.Error
		claim *claims.Error
	)
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &token):
		return &refusal{reason: token.Reason, code: codeOf(token.Reason), cause: err}
	case errors.As(err, &key):
		return &refusal{reason: key.Reason, code: codeOf(key.Reason), cause: err}
	case errors.As(err, &claim):
		return &refusal{reason: claim.Reason, code: codeOf(claim.Reason), cause: err}
	}
	return &refusal{reason: claims.Internal, code: serverError, cause: err}
}

// codeOf is the table of what a client is told. Whatever is not listed is a
// defect of the assertion.
func codeOf(reason claims.Reason) string {
	switch reason {
	case claims.RequestMalformed, claims.MultipleCredentials:
		return invalidRequest
	case claims.GrantUnsupported:
		return unsupportedGrantType
	case claims.ClientUnauthenticated:
		return invalidClient
	case claims.ClientUnauthorized:
		return unauthorizedClient
	case claims.ScopeExceedsGrant, claims.ScopeNotGranted, claims.GroupsUnknown:
		return invalidScope
	case claims.ProofUnsupported:
		return invalidProof
	case claims.AuthenticationTooWeak:
		return needsAuthentication
	case claims.KeysUnavailable, claims.StoreUnavailable, claims.ClientLookupFailed, claims.GroupsLookupFailed, claims.Canceled:
		return unavailable
	case claims.Internal, claims.PolicyError:
		return serverError
	}
	return invalidGrant
}

// descriptions are for the developer of a client. They say what to do, never
// which of our checks failed.
var descriptions = map[string]string{
	invalidRequest:       "The request is malformed.",
	invalidClient:        "Client authentication failed.",
	invalidGrant:         "The assertion was not accepted. Request a new one from the identity provider.",
	unauthorizedClient:   "This client may not use this grant.",
	unsupportedGrantType: "Only urn:ietf:params:oauth:grant-type:jwt-bearer is supported.",
	invalidScope:         "No such scope can be granted. Request it from the identity provider first.",
	invalidTarget:        "The resource is unknown, or none could be chosen. Name exactly one.",
	invalidProof:         "DPoP is not supported. Send the request without a proof.",
	needsAuthentication:  "The user must sign in again at the identity provider.",
	unavailable:          "The request could not be decided. Try again later.",
	serverError:          "The server failed.",
}

func (r *refusal) text() string {
	if r.description != "" {
		return r.description
	}
	return descriptions[r.code]
}

// status is 400 unless a document says otherwise. A client that failed to
// authenticate in its form gets 400 and not 401, because a 401 must carry a
// challenge (RFC 9110 section 15.5.2) for a scheme it never used.
func (r *refusal) status() int {
	switch {
	case r.code == invalidClient && r.scheme:
		return http.StatusUnauthorized
	case r.code == unavailable:
		return http.StatusServiceUnavailable
	case r.code == serverError:
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}
