package discovery_test

import (
	"net/netip"
	"testing"

	"github.com/emamw/mcp-ema/internal/discovery"
)

func TestRefusedAddresses(t *testing.T) {
	const public, local = false, true
	for text, want := range map[string]bool{
		"1.1.1.1":         public,
		"8.8.8.8":         public,
		"93.184.216.34":   public,
		"9.255.255.255":   public,
		"11.0.0.0":        public,
		"100.63.255.255":  public,
		"100.128.0.0":     public,
		"126.255.255.255": public,
		"128.0.0.0":       public,
		"169.253.255.255": public,
		"169.255.0.0":     public,
		"172.15.255.255":  public,
		"172.32.0.0":      public,
		"192.0.1.0":       public,
		"192.167.255.255": public,
		"192.169.0.0":     public,
		"198.17.255.255":  public,
		"198.20.0.0":      public,
		"223.255.255.255": public,
		"168.63.129.15":   public,
		"192.0.2.1":       public, // documentation
		"198.51.100.1":    public, // documentation
		"203.0.113.1":     public, // documentation

		"0.0.0.0":         local,
		"0.1.2.3":         local,
		"10.0.0.0":        local,
		"10.255.255.255":  local,
		"100.64.0.0":      local,
		"100.100.100.200": local,
		"100.127.255.255": local,
		"168.63.129.16":   local,
		"169.254.0.0":     local,
		"169.254.169.254": local,
		"172.16.0.0":      local,
		"172.31.255.255":  local,
		"192.0.0.192":     local,
		"192.88.99.1":     local,
		"192.168.0.1":     local,
		"192.168.255.255": local,
		"198.18.0.1":      local,
		"198.19.255.255":  local,
		"224.0.0.1":       local,
		"239.255.255.255": local,
		"240.0.0.1":       local,
		"255.255.255.255": local,

		"2606:4700::1111":    public,
		"2001:4860::8888":    public,
		"2001:db8::1":        public, // documentation
		"2003::1":            public,
		"fbff::1":            public,
		"::":                 local,
		"::2":                local,
		"::10.0.0.1":         local,
		"::8.8.8.8":          local,
		"100::1":             local,
		"2001::1":            local, // Teredo
		"2002:a00:1::":       local, // 6to4 of 10.0.0.1
		"5f00::1":            local,
		"fc00::1":            local,
		"fd00:ec2::254":      local,
		"fdff:ffff::1":       local,
		"fe80::1":            local,
		"fe80::1%eth0":       local,
		"febf::1":            local,
		"fec0::1":            local,
		"ff02::1":            local,
		"::ffff:8.8.8.8":     public,
		"::ffff:10.0.0.1":    local,
		"::ffff:169.254.1.1": local,
		"::ffff:0:10.0.0.1":  local,
		"64:ff9b::8.8.8.8":   public,
		"64:ff9b::10.0.0.1":  local,
		"64:ff9b::a9fe:a9fe": local, // 169.254.169.254
		"64:ff9b:1::1":       local,
	} {
		addr := netip.MustParseAddr(text)
		for _, loopback := range []bool{false, true} {
			if got := discovery.Refuses(addr, loopback); got != want {
				t.Errorf("%s refused: %v, want %v (loopback origin: %v)", text, got, want, loopback)
			}
		}
	}
	for _, text := range []string{"127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "64:ff9b::127.0.0.1"} {
		addr := netip.MustParseAddr(text)
		if !discovery.Refuses(addr, false) || discovery.Refuses(addr, true) {
			t.Errorf("%s must be refused, except for an origin on this machine", text)
		}
	}
}
