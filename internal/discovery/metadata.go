package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Metadata is what a resource server needs to know of an issuer (RFC 8414
// section 2). All other members of the document are ignored.
type Metadata struct {
	Issuer        string // as configured, and as the document says
	JWKSURI       string // never empty
	TokenEndpoint string // "" when the document has none
}

// Well-known names, in the order in which they are asked for.
const (
	wellKnownOAuth  = "/.well-known/oauth-authorization-server"
	wellKnownOpenID = "/.well-known/openid-configuration"
)

// Fetch asks an issuer for its metadata, with a client made by [Client]. It tries
// the path-inserted OAuth URL of RFC 8414 section 3.1, then the path-inserted
// OpenID one, then the path-appended one of OpenID Connect Discovery section 4,
// and takes the first document that is the issuer's own: its issuer member must
// equal issuer byte for byte, or a server could speak for another one on the same
// host. For an issuer with a [TenantPlaceholder] the segment "common" is asked,
// and the document must hold the template itself.
//
// jwks_uri must pass [CheckURL], may use http only if the issuer does, and may
// name this machine only if the issuer does. Failing that, the error tells what
// each URL answered, in words of ours, and wraps the error of the connection, or
// what is wrong with the answer that came nearest to a good one.
func Fetch(ctx context.Context, c *http.Client, issuer string) (Metadata, error) {
	place := issuer
	if IsTemplate(issuer) {
		place = strings.Replace(issuer, TenantPlaceholder, sharedTenant, 1)
	}
	u, err := url.Parse(place)
	if err != nil || CheckURL(place, Policy{AllowHTTP: true}) != nil || strings.Contains(place, "?") {
		return Metadata{}, errors.New("discovery: issuer is not an http or https URL without query and fragment (RFC 8414 section 2)")
	}
	var answers []string
	var nearest *fetchError
	for _, address := range addresses(u) {
		m, e := fetchOne(ctx, c, address, issuer)
		if e == nil {
			return m, nil
		}
		if e.final {
			return Metadata{}, &fetchError{text: "discovery: the issuer's host cannot be asked: " + e.text, err: e.err}
		}
		answers = append(answers, address+" "+e.text)
		if nearest == nil || e.nearness() > nearest.nearness() {
			nearest = e
		}
	}
	return Metadata{}, &fetchError{text: "discovery: no metadata of the issuer: " + strings.Join(answers, "; "), err: nearest.err}
}

// addresses lists where the metadata of u may be. A slash at the end of the
// issuer is not part of the path that is inserted or appended to, as RFC 8414
// section 3.1 and OpenID Connect Discovery section 4.1 both say.
func addresses(u *url.URL) []string {
	origin := u.Scheme + "://" + u.Host
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	list := []string{origin + wellKnownOAuth + path, origin + wellKnownOpenID + path}
	if path != "" {
		list = append(list, origin+path+wellKnownOpenID)
	}
	return list
}

func fetchOne(ctx context.Context, c *http.Client, address, issuer string) (Metadata, *fetchError) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Metadata{}, broken(err)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return Metadata{}, broken(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return Metadata{}, &fetchError{text: fmt.Sprintf("answers with status %d", resp.StatusCode), err: &StatusError{resp.StatusCode}}
	}
	// The client made by Client ends earlier with ErrTooLarge; another one may not.
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBodyBytes+1))
	if err != nil {
		return Metadata{}, broken(err)
	}
	if len(body) > MaxBodyBytes {
		return Metadata{}, broken(ErrTooLarge)
	}
	return read(body, issuer)
}

// read takes the members out of a document by their exact names. A struct would
// also take "ISSUER" for issuer, which encoding/json does.
func read(body []byte, issuer string) (Metadata, *fetchError) {
	var doc map[string]json.RawMessage
	if json.Unmarshal(body, &doc) != nil {
		return Metadata{}, &fetchError{text: "answers with something that is not a JSON object", err: ErrDocument}
	}
	m := Metadata{
		Issuer:        text(doc["issuer"]),
		JWKSURI:       text(doc["jwks_uri"]),
		TokenEndpoint: text(doc["token_endpoint"]),
	}
	switch {
	case m.Issuer == "":
		return Metadata{}, &fetchError{text: "answers without an issuer", err: ErrIssuer}
	case m.Issuer != issuer && strings.TrimSuffix(m.Issuer, "/") == strings.TrimSuffix(issuer, "/"):
		return Metadata{}, &fetchError{text: "names an issuer that differs in the slash at its end: configure it as the document has it", err: ErrIssuer}
	case m.Issuer != issuer:
		return Metadata{}, &fetchError{text: "names another issuer: configure it as the document has it, byte for byte", err: ErrIssuer}
	case m.JWKSURI == "":
		return Metadata{}, &fetchError{text: "answers without a jwks_uri", err: ErrJWKSURI}
	case !allowed(m.JWKSURI, issuer):
		return Metadata{}, &fetchError{text: "has a jwks_uri that is not a https URL, or names this machine", err: ErrJWKSURI}
	}
	if m.TokenEndpoint != "" && !allowed(m.TokenEndpoint, issuer) {
		m.TokenEndpoint = "" // nothing depends on it
	}
	return m, nil
}

func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// allowed reports whether an address out of a document may be fetched, given the
// issuer whose document it is: no downgrade to http, and no way from a public
// issuer to this machine.
func allowed(address, issuer string) bool {
	from, err := url.Parse(issuer)
	if err != nil || CheckURL(address, Policy{AllowHTTP: from.Scheme == "http"}) != nil {
		return false
	}
	to, err := url.Parse(address)
	return err == nil && (!isLoopback(to.Hostname()) || isLoopback(from.Hostname()))
}
