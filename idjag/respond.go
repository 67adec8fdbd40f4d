package idjag

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// retryAfter is what a 503 asks a client to wait. Keys and stores come back
// within seconds or not at all, and an ID-JAG lives for minutes.
const retryAfter = 5 * time.Second

// errorResponse is the body of RFC 6749 section 5.2. The last two members are
// those of RFC 9470 section 3, which lets a client ask its identity provider
// for the sign-in that is missing.
type errorResponse struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
	MaxAge      *int64 `json:"max_age,omitempty"`
	ACRValues   string `json:"acr_values,omitempty"`
}

// writeRefusal answers a request that got no token.
func writeRefusal(w http.ResponseWriter, r *refusal) {
	body := errorResponse{Error: r.code, Description: r.text(), ACRValues: strings.Join(r.acrValues, " ")}
	if r.maxAge > 0 {
		seconds := int64(r.maxAge / time.Second)
		body.MaxAge = &seconds
	}
	status := r.status()
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="token endpoint"`)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
	}
	writeJSON(w, status, body)
}

// writeJSON answers with a body that no cache may keep: it holds a token, or
// speaks about one (RFC 6749 section 5.1).
func writeJSON(w http.ResponseWriter, status int, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		status, raw = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// A failed write means that the client is gone: there is nobody to tell.
	_, _ = w.Write(raw)
}

// methodNotAllowed answers 405 with the methods that would do.
func methodNotAllowed(w http.ResponseWriter, allowed string) {
	w.Header().Set("Allow", allowed)
	writeJSON(w, http.StatusMethodNotAllowed, errorResponse{
		Error: invalidRequest, Description: "This endpoint answers " + allowed + " only.",
	})
}
