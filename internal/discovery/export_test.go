package discovery

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"testing"
)

// Refuses gives the truth table of addresses to the tests.
func Refuses(addr netip.Addr, loopback bool) bool { return refuses(addr, loopback) }

// UseProxy stands in for the environment, which net/http reads once.
func UseProxy(t *testing.T, proxy *url.URL) { UseProxyFunc(t, http.ProxyURL(proxy)) }

// UseProxyFunc stands in for an environment that makes no sense too.
func UseProxyFunc(t *testing.T, proxy func(*http.Request) (*url.URL, error)) {
	proxyFromEnvironment = proxy
	t.Cleanup(func() { proxyFromEnvironment = http.ProxyFromEnvironment })
}

// Dial connects as the client's own transport does, past the check of the URL.
func Dial(ctx context.Context, c *http.Client, address string) (net.Conn, error) {
	return c.Transport.(*transport).direct.(*http.Transport).DialContext(ctx, "tcp", address)
}
