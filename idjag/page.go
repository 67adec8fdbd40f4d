package idjag

import (
	"net/http"
)

// authorizePage stands at the authorization endpoint. It repeats nothing of the
// request, links nowhere and loads nothing.
const authorizePage = `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>No sign-in here</title>
<h1>No sign-in here</h1>
<p>This authorization server has no sign-in page of its own. Your organization's
identity provider signs you in, and your client brings what it issues, an ID-JAG,
to the token endpoint of this server (grant type
<code>urn:ietf:params:oauth:grant-type:jwt-bearer</code>).</p>
<p>If a client sent you here, it does not support Enterprise-Managed
Authorization, or it is not set up for it. Nothing was authorized.</p>
</html>
`

// serveAuthorize answers at the authorization endpoint, which is published
// because clients refuse metadata without one. A request for a code is an
// error that must be shown and never sent back to redirect_uri, since no
// redirect URI is known here (RFC 6749 section 4.1.2.1).
func (s *Server) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		methodNotAllowed(w, "GET, HEAD")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.URL.RawQuery != "" {
		w.WriteHeader(http.StatusBadRequest)
	}
	_, _ = w.Write([]byte(authorizePage)) // a failed write means that nobody reads
}
