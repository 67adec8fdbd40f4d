package discovery

import (
	"net/netip"
	"slices"
)

// notPublic are the addresses that name a machine near us rather than one on the
// internet (the registries of RFC 6890), and a few that clouds answer on. The
// networks for documentation are not among them: nobody lives there.
var notPublic = prefixes(
	"0.0.0.0/8",        // this host on this network: Linux connects 0.0.0.0 to itself
	"10.0.0.0/8",       // private
	"100.64.0.0/10",    // shared by carriers (RFC 6598); also metadata of one cloud
	"127.0.0.0/8",      // loopback
	"168.63.129.16/32", // the host agent of Azure, on a public address
	"169.254.0.0/16",   // link-local; metadata of most clouds
	"172.16.0.0/12",    // private
	"192.0.0.0/24",     // protocol assignments; metadata of one cloud
	"192.88.99.0/24",   // 6to4 relays, withdrawn
	"192.168.0.0/16",   // private
	"198.18.0.0/15",    // benchmarks
	"224.0.0.0/4",      // multicast
	"240.0.0.0/4",      // reserved, and broadcast
	"::/96",            // unspecified, loopback, and IPv4-compatible addresses
	"64:ff9b:1::/48",   // local translation to IPv4 (RFC 8215)
	"100::/64",         // discard
	"2001::/32",        // Teredo, which carries an IPv4 address
	"2002::/16",        // 6to4, which carries an IPv4 address
	"5f00::/16",        // segment routing
	"fc00::/7",         // unique local; metadata of one cloud
	"fe80::/10",        // link-local
	"fec0::/10",        // site-local, withdrawn
	"ff00::/8",         // multicast
	"::ffff:0:0:0/96",  // IPv4-translated (RFC 2765)
)

// nat64 is how a host without IPv4 reaches all of it (RFC 6052): the last four
// bytes are the address that is meant, and they are judged.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

func prefixes(list ...string) []netip.Prefix {
	parsed := make([]netip.Prefix, len(list))
	for i, text := range list {
		parsed[i] = netip.MustParsePrefix(text)
	}
	return parsed
}

// refuses reports whether addr must not be asked. Loopback is its own question:
// an issuer on this machine may be asked when it is configured as such, and that
// opens no other private address.
func refuses(addr netip.Addr, loopback bool) bool {
	addr = addr.Unmap().WithZone("")
	if nat64.Contains(addr) {
		b := addr.As16()
		addr = netip.AddrFrom4([4]byte(b[12:]))
	}
	if addr.IsLoopback() {
		return !loopback
	}
	return slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(addr) })
}
