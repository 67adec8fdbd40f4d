package emamwtest

import "net/http"

// serveSignIn is the sign-in shortcut: a user name and a client in, an ID token
// out. It stands in for the browser flow, which a test has no use for.
func (p *IdP) serveSignIn(w http.ResponseWriter, r *http.Request) {
	form, f := readForm(w, r)
	if f != nil {
		f.write(w)
		return
	}
	idToken, err := p.signIn(form.Get("user"), form.Get("client_id"))
	if err != nil {
		bad("invalid_request", "user and client_id must name a configured user and client").write(w)
		return
	}
	noStore(w)
	writeJSON(w, http.StatusOK, map[string]any{"id_token": idToken, "expires_in": int64(idTokenLifetime.Seconds())})
}

// serveAuthorize answers whoever follows authorization_endpoint. Clients refuse
// metadata without one.
func (p *IdP) serveAuthorize(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "This is the dev identity provider of emamwtest. It has no sign-in page:\n"+
		"POST the form fields user and client_id to "+p.url("/signin")+" to get an ID token.", http.StatusNotImplemented)
}

// describe is the metadata of OpenID Connect Discovery section 3, with what the
// ID-JAG draft adds (section 7.1).
func (p *IdP) describe() map[string]any {
	return map[string]any{
		"authorization_endpoint":                            p.url("/authorize"),
		"token_endpoint":                                    p.url("/token"),
		"scopes_supported":                                  []string{"openid", "email"},
		"response_types_supported":                          []string{"code"},
		"code_challenge_methods_supported":                  []string{"S256"},
		"grant_types_supported":                             []string{grantTokenExchange},
		"subject_types_supported":                           []string{"public"},
		"id_token_signing_alg_values_supported":             p.algorithms(),
		"token_endpoint_auth_methods_supported":             []string{"client_secret_basic", "client_secret_post", "none"},
		"identity_chaining_requested_token_types_supported": []string{tokenTypeIDJAG},
	}
}
