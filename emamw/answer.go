package emamw

import (
	"net/http"
	"strconv"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/challenge"
)

// answers are the refusals that need no thought, and what the others are made
// of. None of them holds a word of the request or of the token.
type answers struct {
	metadataURL string
	missing     string // challenges
	invalid     string
	malformed   string
}

func newAnswers(base []string, metadataURL string) answers {
	return answers{
		metadataURL: metadataURL,
		// RFC 6750 section 3.1: a request without credentials is told no error
		// code, only how to come by a token.
		missing:   challenge.Challenge{Scopes: base, ResourceMetadata: metadataURL}.String(),
		invalid:   challenge.Challenge{Error: "invalid_token", Scopes: base, ResourceMetadata: metadataURL}.String(),
		malformed: challenge.Challenge{Error: "invalid_request", ResourceMetadata: metadataURL}.String(),
	}
}

// retryAfter is how long a client should wait when no decision can be made.
const retryAfter = "5"

// statusOf is the status that refuse answers with.
func statusOf(reason claims.Reason) int {
	switch {
	case reason == claims.OriginNotAllowed:
		return http.StatusForbidden
	case reason == claims.MultipleCredentials, reason == claims.SchemeUnsupported:
		return http.StatusBadRequest
	case reason == claims.SessionMismatch:
		return http.StatusNotFound
	case reason.Undecided():
		return http.StatusServiceUnavailable
	}
	return http.StatusUnauthorized
}

// refuse answers a request that was not authenticated.
func (a *answers) refuse(w http.ResponseWriter, reason claims.Reason) {
	status := statusOf(reason)
	switch {
	case reason == claims.OriginNotAllowed:
		// No challenge: it is not the token that is wrong.
		a.write(w, status, "origin_not_allowed")
	case reason == claims.TokenMissing:
		a.challenge(w, status, a.missing, "unauthorized")
	case reason == claims.MultipleCredentials, reason == claims.SchemeUnsupported:
		a.challenge(w, status, a.malformed, "invalid_request")
	case reason == claims.SessionMismatch:
		// The answer to a session that does not exist (MCP transports, "Session
		// Management"): that it is another caller's is not for this one to know.
		a.write(w, status, "session_not_found")
	case reason.Undecided():
		// Not 401: the client would throw away a good token.
		w.Header().Set("Retry-After", retryAfter)
		a.write(w, status, "temporarily_unavailable")
	default:
		a.challenge(w, status, a.invalid, "invalid_token")
	}
}

// deny answers a caller who may not do this. With scopes, a token that grants
// them would be allowed, and the challenge names them all at once. Without, a
// challenge would send the client into a loop: none is made.
func (a *answers) deny(w http.ResponseWriter, scopes []string) {
	if len(scopes) == 0 {
		a.write(w, http.StatusForbidden, "access_denied")
		return
	}
	value := challenge.Challenge{
		Error:            "insufficient_scope",
		Description:      "the access token lacks a scope that this operation needs",
		Scopes:           scopes,
		ResourceMetadata: a.metadataURL,
	}.String()
	a.challenge(w, http.StatusForbidden, value, "insufficient_scope")
}

func (a *answers) challenge(w http.ResponseWriter, status int, value, code string) {
	w.Header().Set("WWW-Authenticate", value)
	a.write(w, status, code)
}

// write sends an OAuth error body (RFC 6749 section 5.2). It is not a JSON-RPC
// error: the codes that MCP leaves free say nothing to a client, and a client
// that reads one falls back to another protocol version.
func (a *answers) write(w http.ResponseWriter, status int, code string) {
	body := `{"error":"` + code + `"}` + "\n"
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // a client that went away misses its answer
}
