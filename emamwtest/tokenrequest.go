package emamwtest

import (
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// readForm returns the parameters of a token request. Only resource may be
// there twice (RFC 6749 section 3.2, RFC 8707 section 2), and a parameter
// without a value is as good as absent.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, *refusal) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, &refusal{status: http.StatusMethodNotAllowed, code: "invalid_request", description: "use POST"}
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return nil, bad("invalid_request", "the body must be application/x-www-form-urlencoded")
	}
	form := url.Values{}
	for name, values := range r.PostForm {
		values = slices.DeleteFunc(values, func(v string) bool { return v == "" })
		if len(values) > 1 && name != "resource" {
			return nil, bad("invalid_request", "a parameter is there twice")
		}
		if len(values) > 0 {
			form[name] = values
		}
	}
	return form, nil
}

// authenticate finds the client by client_secret_basic or client_secret_post
// (RFC 6749 section 2.3.1), or by client_id alone if it is a public one.
func authenticate(cfg IdPConfig, r *http.Request, form url.Values) (Client, *refusal) {
	id, secret, basic := form.Get("client_id"), form.Get("client_secret"), false
	if header := r.Header.Get("Authorization"); header != "" {
		if secret != "" {
			return Client{}, bad("invalid_request", "more than one client authentication method")
		}
		var user string
		if user, secret, basic = basicAuth(header); !basic || id != "" && id != user {
			return Client{}, &refusal{status: http.StatusUnauthorized, code: "invalid_client", description: "client authentication failed", basic: true}
		}
		id = user
	}
	client, ok := cfg.client(id)
	if !ok || subtle.ConstantTimeCompare([]byte(secret), []byte(client.Secret)) != 1 {
		f := bad("invalid_client", "client authentication failed")
		if basic {
			f.status, f.basic = http.StatusUnauthorized, true
		}
		return Client{}, f
	}
	return client, nil
}

// basicAuth reads the credentials, which RFC 6749 section 2.3.1 wants
// form-encoded before they are joined by a colon.
func basicAuth(header string) (id, secret string, ok bool) {
	scheme, credentials, _ := strings.Cut(header, " ")
	raw, err := base64.StdEncoding.DecodeString(credentials)
	if err != nil || !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	id, secret, ok = strings.Cut(string(raw), ":")
	if !ok {
		return "", "", false
	}
	if id, err = url.QueryUnescape(id); err != nil {
		return "", "", false
	}
	if secret, err = url.QueryUnescape(secret); err != nil {
		return "", "", false
	}
	return id, secret, true
}

// A refusal is an error response of RFC 6749 section 5.2.
type refusal struct {
	status      int
	code        string
	description string
	maxAge      time.Duration // of insufficient_user_authentication
	basic       bool          // the client tried HTTP Basic
}

func bad(code, description string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: code, description: description}
}

func (f *refusal) write(w http.ResponseWriter) {
	body := map[string]any{"error": f.code, "error_description": f.description}
	if f.maxAge > 0 {
		body["max_age"] = int64(f.maxAge.Seconds())
	}
	if f.basic {
		w.Header().Set("WWW-Authenticate", `Basic realm="emamwtest"`)
	}
	noStore(w)
	writeJSON(w, f.status, body)
}

func noStore(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
}
