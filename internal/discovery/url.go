package discovery

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// A Policy loosens where we may fetch from. The zero Policy is the strict one.
type Policy struct {
	AllowHTTP    bool // plain http to any host: whoever sits on the way can replace the keys
	AllowPrivate bool // private, loopback and link-local addresses: a hostile issuer can make us call the neighbours
}

// maxURLBytes is more than any real issuer needs, and bounds what is compared
// and logged.
const maxURLBytes = 2048

// URLRule tells an operator what [CheckURL] asks of an address.
const URLRule = "use an absolute https URL without user information and fragment (http only on loopback)"

// CheckURL says what is wrong with an address, or nil: it must be an absolute
// https URL with a host, without user information and without a fragment. http is
// accepted for a loopback host, where no network lies between, and elsewhere when
// the policy allows it. The text of the error does not repeat raw, which may hold
// a password.
func CheckURL(raw string, p Policy) error {
	if len(raw) > maxURLBytes {
		return errors.New("discovery: URL is longer than 2048 bytes")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("discovery: not a URL: write it as https://host/path")
	}
	switch {
	case u.Hostname() == "":
		return errors.New("discovery: not an absolute URL with a host: write it as https://host/path")
	case u.User != nil:
		return errors.New("discovery: URL holds user information: take it out")
	case strings.Contains(raw, "#"):
		return errors.New("discovery: URL holds a fragment: take it out")
	case strings.ContainsFunc(raw, unprintable):
		return errors.New("discovery: URL holds a space or a character outside ASCII: write it percent-encoded, and the host in Punycode")
	case !validPort(u):
		return errors.New("discovery: URL holds an invalid port")
	}
	return checkScheme(u, p)
}

// IsOrigin reports whether s is a web origin in the form in which browsers send
// it: scheme://host[:port], in lower case and with nothing after it.
func IsOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && u.Host != "" && s == u.Scheme+"://"+u.Host && s == strings.ToLower(s)
}

func unprintable(r rune) bool { return r <= ' ' || r > '~' }

func validPort(u *url.URL) bool {
	if strings.HasSuffix(u.Host, ":") {
		return false
	}
	if u.Port() == "" {
		return true
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port != 0
}

func checkScheme(u *url.URL, p Policy) error {
	switch {
	case u.Scheme == "https":
		return nil
	case u.Scheme != "http":
		return errors.New("discovery: scheme is not https")
	case p.AllowHTTP || isLoopback(u.Hostname()):
		return nil
	}
	return errors.New("discovery: scheme is http: use https, since whoever sits on the way could replace the keys")
}

// isLoopback reports whether host is this machine by its text alone. A name that
// resolves to a loopback address is not: it can resolve to another one tomorrow.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// sameOrigin compares scheme, host and port (RFC 6454 section 5).
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b)
}

func portOf(u *url.URL) string {
	if port := u.Port(); port != "" {
		return port
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}
