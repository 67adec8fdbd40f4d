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

// CheckURL says what is wrong with an address, or nil: it must be an absolute
// https URL with a host, without user information and without a fragment. http is
// accepted for a loopback host, where no network lies between, and elsewhere when
// the policy allows it. The text of the error does not repeat raw, which may hold
// a password.
func CheckURL(raw string, p Policy) error {
	if wrong := mistake(raw, p); wrong != "" {
		return errors.New("discovery: the URL " + wrong)
	}
	return nil
}

// Mistake is what an operator should read of an address that [CheckURL] refuses:
// the address, unless it may hold a password, and what is wrong with it. Without
// the very mistake named, whoever wrote an https URL with a space in it is told to
// write an https URL.
func Mistake(raw string, p Policy) (shown, wrong string) {
	if !strings.Contains(raw, "@") {
		shown = raw
	}
	return shown, mistake(raw, p)
}

func mistake(raw string, p Policy) string {
	if len(raw) > maxURLBytes {
		return "is longer than 2048 bytes"
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "cannot be read: write it as https://host/path"
	}
	switch {
	case u.Hostname() == "":
		return "is not absolute: write it as https://host/path"
	case u.User != nil:
		return "holds user information: take it out"
	case strings.Contains(raw, "#"):
		return "holds a fragment: take it out"
	case strings.ContainsFunc(raw, unprintable):
		return "holds a space or a character outside ASCII: write it percent-encoded, and the host in Punycode"
	case !validPort(u):
		return "holds an invalid port"
	}
	return schemeMistake(u, p)
}

func schemeMistake(u *url.URL, p Policy) string {
	switch {
	case u.Scheme == "https":
		return ""
	case u.Scheme != "http":
		return "has another scheme than https"
	case p.AllowHTTP || isLoopback(u.Hostname()):
		return ""
	}
	return "uses http, which is for loopback only: use https, since whoever sits on the way could replace what is sent"
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
