package idjag_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
)

// TestRequestShapes are the bodies of RFC 6749 section 3.2, and those that it
// does not allow.
func TestRequestShapes(t *testing.T) {
	const formType = "application/x-www-form-urlencoded"
	w := newWorld(t, nil)
	grant := "grant_type=" + url.QueryEscape(grantType)
	good := func() string { return grant + "&assertion=" + w.mint(nil) }
	tests := []struct {
		name        string
		contentType string
		body        func() string
		code        string // "" is a token
		reason      string
	}{
		{"plain", formType, good, "", ""},
		{"with a charset", formType + "; charset=UTF-8", good, "", ""},
		{"type in upper case", strings.ToUpper(formType), good, "", ""},
		{"empty parameters of another grant", formType, func() string { return good() + "&code=&redirect_uri=&refresh_token=" }, "", ""},
		{"unknown parameters", formType, func() string { return good() + "&audience=x&foo=bar" }, "", ""},
		{"empty pairs", formType, func() string { return "&&" + good() + "&" }, "", ""},
		{"resource and scope", formType, func() string {
			return good() + "&resource=" + url.QueryEscape(resourceID) + "&scope=files%3Aread"
		}, "", ""},
		{"the same resource twice", formType, func() string {
			return good() + "&resource=" + url.QueryEscape(resourceID) + "&resource=" + url.QueryEscape(resourceID)
		}, "", ""},

		{"JSON", "application/json", func() string { return `{"grant_type":"x"}` }, "invalid_request", "request_malformed"},
		{"a type of the longest sort", formType + "; x=" + strings.Repeat("a", 256-len(formType)-4), good, "", ""},
		{"a longer one", formType + "; x=" + strings.Repeat("a", 257-len(formType)-4), good, "invalid_request", "request_malformed"},
		{"no type", "", good, "invalid_request", "request_malformed"},
		{"multipart", "multipart/form-data; boundary=x", good, "invalid_request", "request_malformed"},
		{"another charset", formType + "; charset=iso-8859-1", good, "invalid_request", "request_malformed"},
		{"grant_type twice", formType, func() string { return good() + "&" + grant }, "invalid_request", "request_malformed"},
		{"assertion twice", formType, func() string { return good() + "&assertion=x" }, "invalid_request", "request_malformed"},
		{"assertion twice, once empty", formType, func() string { return good() + "&assertion=" }, "invalid_request", "request_malformed"},
		{"scope twice", formType, func() string { return good() + "&scope=a&scope=b" }, "invalid_request", "request_malformed"},
		{"a name twice by encoding", formType, func() string { return good() + "&%61ssertion=x" }, "invalid_request", "request_malformed"},
		{"bad encoding of a name", formType, func() string { return good() + "&%zz=x" }, "invalid_request", "request_malformed"},
		{"bad encoding", formType, func() string { return good() + "&x=%zz" }, "invalid_request", "request_malformed"},
		{"bad encoding of a name", formType, func() string { return good() + "&%zz=x" }, "invalid_request", "request_malformed"},
		{"semicolon", formType, func() string { return good() + ";x=y" }, "invalid_request", "request_malformed"},
		{"not UTF-8", formType, func() string { return good() + "&x=%ff" }, "invalid_request", "request_malformed"},
		{"a zero byte", formType, func() string { return good() + "&x=%00" }, "invalid_request", "request_malformed"},
		{"too large", formType, func() string { return good() + "&x=" + strings.Repeat("a", 64<<10) }, "invalid_request", "request_malformed"},
		{"empty", formType, func() string { return "" }, "invalid_request", "request_malformed"},
		{"no grant_type", formType, func() string { return "assertion=" + w.mint(nil) }, "invalid_request", "request_malformed"},
		{"no assertion", formType, func() string { return grant }, "invalid_request", "request_malformed"},
		{"empty assertion", formType, func() string { return grant + "&assertion=" }, "invalid_request", "request_malformed"},
		{"another grant", formType, func() string { return "grant_type=authorization_code&code=x" }, "unsupported_grant_type", "grant_unsupported"},
		{"the grant in upper case", formType, func() string { return strings.ToUpper(grant[:20]) + grant[20:] + "&assertion=x" }, "invalid_request", "request_malformed"},
		{"token exchange", formType, func() string {
			return "grant_type=" + url.QueryEscape("urn:ietf:params:oauth:grant-type:token-exchange")
		}, "unsupported_grant_type", "grant_unsupported"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			r := httptest.NewRequest(http.MethodPost, ownIssuer+"/token", strings.NewReader(tt.body()))
			if tt.contentType != "" {
				r.Header.Set("Content-Type", tt.contentType)
			}
			r.SetBasicAuth(clientID, secret)
			a := w.send(r)
			if tt.code == "" {
				w.granted(a)
				return
			}
			w.refused(a, http.StatusBadRequest, tt.code, tt.reason)
		})
	}
}

// TestParametersInTheURL are not parameters: they end up in logs.
func TestParametersInTheURL(t *testing.T) {
	w := newWorld(t, nil)
	r := httptest.NewRequest(http.MethodPost, ownIssuer+"/token?"+form(w.mint(nil)).Encode(), strings.NewReader(""))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(clientID, secret)
	w.refused(w.send(r), http.StatusBadRequest, "invalid_request", "request_malformed")
}

func TestTokenEndpointMethods(t *testing.T) {
	w := newWorld(t, nil)
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		a := w.send(httptest.NewRequest(method, ownIssuer+"/token", nil))
		if a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow %q; want 405 and POST", method, a.status, a.header.Get("Allow"))
		}
	}
}

// Two content types are two readings of one body.
func TestTwoContentTypes(t *testing.T) {
	w := newWorld(t, nil)
	r := tokenRequest(form(w.mint(nil)))
	r.Header.Add("Content-Type", "application/json")
	r.SetBasicAuth(clientID, secret)
	w.refused(w.send(r), http.StatusBadRequest, "invalid_request", "request_malformed")
}

func TestCompressedBody(t *testing.T) {
	w := newWorld(t, nil)
	r := tokenRequest(form(w.mint(nil)))
	r.Header.Set("Content-Encoding", "gzip")
	r.SetBasicAuth(clientID, secret)
	w.refused(w.send(r), http.StatusBadRequest, "invalid_request", "request_malformed")
}

func TestProofOfPossessionIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	r := tokenRequest(form(w.mint(nil)))
	r.SetBasicAuth(clientID, secret)
	r.Header.Set("DPoP", "x.y.z")
	w.refused(w.send(r), http.StatusBadRequest, "invalid_dpop_proof", "proof_unsupported")
}

func TestBodyBreaksOff(t *testing.T) {
	w := newWorld(t, nil)
	r := httptest.NewRequest(http.MethodPost, ownIssuer+"/token", iotest.ErrReader(errors.New("connection reset")))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w.refused(w.send(r), http.StatusBadRequest, "invalid_request", "request_malformed")
}
