package discovery

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// Limits on one request.
const (
	MaxBodyBytes = 1 << 20 // of an answer, after decompression

	timeout        = 10 * time.Second // from the first byte sent to the last one read
	connectTimeout = 5 * time.Second
	maxRedirects   = 3
	maxHeaderBytes = 64 << 10
)

// What [Client] refuses, to be found with errors.Is.
var (
	ErrRedirect = errors.New("discovery: redirect to another origin, or more than three: configure the address that answers")
	ErrAddress  = errors.New("discovery: the host is a private, loopback or otherwise local address: use a public one, or allow private addresses")
	ErrTooLarge = errors.New("discovery: answer is longer than 1 MiB")
)

// Client returns a client for fetching metadata and keys. origin is the address
// it is meant for, such as the issuer; it matters only in that a loopback origin
// may be answered from loopback addresses.
//
// The client gives up after 10 seconds, ends an answer at [MaxBodyBytes] with
// [ErrTooLarge], follows at most three redirects and only within one origin
// ([ErrRedirect]), and speaks TLS 1.2 or newer. Unless the policy allows private
// addresses, it refuses them with [ErrAddress]: in a URL, and after a name was
// resolved, which is the only moment at which an answer of DNS can be judged.
//
// A base with a Transport keeps it, for its proxy, its certificates or its
// tracing, and a shorter timeout than ours. Nobody can look into its dialer: an
// address is then judged as it stands in the URL, not what a name resolves to.
// Without one, a proxy named in the environment is used. It resolves names by
// itself, and where it may connect is for its own rules: it is then the guard.
func Client(base *http.Client, origin string, p Policy) *http.Client {
	t := &transport{policy: p}
	if u, err := url.Parse(origin); err == nil {
		t.loopback = isLoopback(u.Hostname())
	}
	c := &http.Client{Transport: t, CheckRedirect: checkRedirect, Timeout: timeout}
	if base != nil && base.Timeout > 0 {
		c.Timeout = min(timeout, base.Timeout)
	}
	if base != nil && base.Transport != nil {
		t.direct = base.Transport
		return c
	}
	t.direct = newTransport(t.checkDial)
	t.proxied = newTransport(nil)
	t.proxied.Proxy = proxyFromEnvironment
	return c
}

// proxyFromEnvironment is a variable because net/http reads the environment only
// once in a process.
var proxyFromEnvironment = http.ProxyFromEnvironment

// newTransport keeps no connection: minutes lie between two requests, and every
// one shall see where the name points by then.
func newTransport(control func(network, address string, c syscall.RawConn) error) *http.Transport {
	dialer := &net.Dialer{Timeout: connectTimeout, Control: control}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    connectTimeout,
		ForceAttemptHTTP2:      true,
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
}

// checkRedirect is asked before each redirect. An open redirect at the issuer
// would otherwise choose the keys. One origin also means that https never becomes
// http.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects || !sameOrigin(req.URL, via[0].URL) {
		return ErrRedirect
	}
	return nil
}

// transport applies the rules to every request, redirected ones too.
type transport struct {
	policy   Policy
	loopback bool // loopback addresses are what is meant

	direct  http.RoundTripper
	proxied *http.Transport // nil when the caller brought a transport
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.checkRequest(req.URL); err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // the contract of http.RoundTripper
		}
		return nil, err
	}
	next := t.direct
	if t.proxied != nil {
		if proxy, err := t.proxied.Proxy(req); proxy != nil || err != nil {
			next = t.proxied
		}
	}
	resp, err := next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: MaxBodyBytes}
	return resp, nil
}

// checkRequest judges what can be judged without DNS, so that it holds under a
// transport or a proxy that is not ours.
func (t *transport) checkRequest(u *url.URL) error {
	if wrong := schemeMistake(u, t.policy); wrong != "" {
		return errors.New("discovery: the URL " + wrong)
	}
	if t.policy.AllowPrivate {
		return nil
	}
	addr, err := netip.ParseAddr(u.Hostname())
	switch {
	case err == nil && refuses(addr, t.loopback):
		return ErrAddress
	case err != nil && isLoopback(u.Hostname()) && !t.loopback:
		return ErrAddress
	}
	return nil
}

// checkDial is called with the address that a connection is about to be made to.
// A check of the name beforehand could be answered with another address than the
// connection (DNS rebinding).
func (t *transport) checkDial(_, address string, _ syscall.RawConn) error {
	if t.policy.AllowPrivate {
		return nil
	}
	target, err := netip.ParseAddrPort(address)
	if err != nil || refuses(target.Addr(), t.loopback) {
		return ErrAddress
	}
	return nil
}

// boundedBody fails where http.MaxBytesReader is made for servers, and
// io.LimitReader would end as if the answer were complete.
type boundedBody struct {
	io.ReadCloser
	left int64 // -1 once the answer was found too long
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrTooLarge
	}
	// One byte more than allowed tells a long answer from one that fits exactly.
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if int64(n) > b.left {
		n, err = int(b.left), ErrTooLarge
		b.left = -1
		return n, err
	}
	b.left -= int64(n)
	return n, err
}
