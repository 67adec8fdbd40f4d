package idjag

import (
	"net/http"
	"slices"
)

// shareWithAll lets scripts of any origin read what is public anyway: a client
// in a browser needs the metadata before it can know anything of this server.
func shareWithAll(w http.ResponseWriter) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
}

// shareWithOrigin lets scripts of the allowed origins use an endpoint (Fetch
// standard, CORS protocol). It answers a preflight and then returns false.
// Credentials of the browser itself are never allowed: no cookie means anything
// here. A request of another origin is served like one of any client, because
// nothing but the browser looks at Origin, and it will not show the answer.
func (s *Server) shareWithOrigin(w http.ResponseWriter, r *http.Request) bool {
	h := w.Header()
	h.Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); origin != "" && slices.Contains(s.origins, origin) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After")
		if r.Method == http.MethodOptions {
			h.Set("Access-Control-Allow-Methods", http.MethodPost)
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
			h.Set("Access-Control-Max-Age", "600")
		}
	}
	if r.Method != http.MethodOptions {
		return true
	}
	h.Set("Allow", "POST, OPTIONS")
	w.WriteHeader(http.StatusNoContent)
	return false
}
