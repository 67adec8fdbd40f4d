package redisstore

import (
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/emamw/mcp-ema/revocation"
)

// Defaults of [Config].
const (
	defaultPrefix  = "mcp-ema:"
	defaultTimeout = 2 * time.Second
	defaultPoll    = time.Second
)

// Config says which Redis is used, and how. Addr or Client is needed, so the
// zero Config is refused.
type Config struct {
	// Addr is host:port of one Redis. Username and Password are for its access
	// control. TLS turns TLS on; ServerName is the host of Addr unless it is set.
	Addr     string
	Username string
	Password string
	TLS      *tls.Config

	// Client is in place of the four above: for a cluster, for Sentinel, or to
	// share connections. It needs ContextTimeoutEnabled, must talk to the
	// primary, and is not closed by [Store.Close]. A redis.Ring is refused: it
	// moves keys to another server when theirs is away, where what was redeemed
	// is not known.
	Client redis.UniversalClient

	// Prefix begins every key. The default is "mcp-ema:". Deployments that share
	// a Redis and nothing else need one each.
	Prefix string

	// Timeout bounds every call, retries included. The default is 2 seconds.
	Timeout time.Duration

	// Poll is how often a follower asks for new revocations. The default is one
	// second. A revocation reaches every follower within Poll and Timeout, and
	// the sum of both is at most [revocation.Heartbeat].
	Poll time.Duration

	// Limit is how many revocations are kept: [revocation.DefaultLimit] when
	// zero. It is the same for all who share them.
	Limit int

	// Now is the clock of the server that uses the store, time.Now when nil. Redis is
	// told how long to keep something and never until when, so its own clock
	// may be off.
	Now func() time.Time

	// DangerouslyPlaintext lets Addr be another host without TLS. Whoever sits
	// on the path can then read who was revoked, take revocations away, and
	// make a redeemed assertion look new.
	DangerouslyPlaintext bool

	_ struct{} // keyed literals only: fields will be added
}

// A ConfigError is one mistake in a [Config]. [New] reports every mistake at
// once, joined.
type ConfigError struct {
	Field  string
	Value  string // "" where it is missing or secret
	Reason string // what is wrong, and the cure
}

func (e *ConfigError) Error() string {
	if e.Value == "" {
		return "redisstore: Config." + e.Field + " " + e.Reason
	}
	return "redisstore: Config." + e.Field + " is " + strconv.Quote(e.Value) + ": " + e.Reason
}

type mistakes []error

func (m *mistakes) add(field, value, reason string) {
	*m = append(*m, &ConfigError{Field: field, Value: value, Reason: reason})
}

// complete fills in the defaults and returns every mistake.
func (c *Config) complete() error {
	var m mistakes
	if c.Client != nil {
		c.checkClient(&m)
	} else {
		c.checkAddr(&m)
	}
	if c.Prefix == "" {
		c.Prefix = defaultPrefix
	}
	if len(c.Prefix) > 128 || strings.ContainsFunc(c.Prefix, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '{' || r == '}'
	}) {
		m.add("Prefix", c.Prefix, "use at most 128 visible ASCII characters without braces, which mean something in the keys of a cluster")
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Poll == 0 {
		c.Poll = defaultPoll
	}
	if c.Timeout < 10*time.Millisecond {
		m.add("Timeout", c.Timeout.String(), "is shorter than Redis can be expected to answer: use 10ms or more")
	}
	if c.Poll < 10*time.Millisecond {
		m.add("Poll", c.Poll.String(), "is a flood of requests: use 10ms or more")
	}
	if c.Timeout > revocation.Heartbeat || c.Poll > revocation.Heartbeat-c.Timeout {
		m.add("Poll", c.Poll.String(), "is too long: with Timeout, "+c.Timeout.String()+", it may come to "+revocation.Heartbeat.String()+", within which followers must hear something")
	}
	if c.Limit == 0 {
		c.Limit = revocation.DefaultLimit
	}
	if c.Limit < 0 {
		m.add("Limit", strconv.Itoa(c.Limit), "is negative: use 0 for the default")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return errors.Join(m...)
}

func (c *Config) checkAddr(m *mistakes) {
	if c.Addr == "" {
		m.add("Addr", "", "is empty, and so is Client: give the host:port of a Redis, or a client")
		return
	}
	host, port, err := net.SplitHostPort(c.Addr)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || host == "" || bad != nil || n == 0 {
		// The value is not shown: what is no host:port may be a URL with a password.
		m.add("Addr", "", "is not host:port: give no scheme, and the credentials in Username and Password")
		return
	}
	if c.TLS == nil && !c.DangerouslyPlaintext && !loopback(host) {
		m.add("TLS", "", "is nil, and Addr is another host: set TLS, as what is redeemed and revoked must not be changed on the way")
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// checkClient looks at what a client would do with our calls. An implementation
// that is not go-redis's own is taken as it is.
func (c *Config) checkClient(m *mistakes) {
	if c.Addr != "" || c.Username != "" || c.Password != "" || c.TLS != nil {
		m.add("Client", "", "is set beside Addr, Username, Password or TLS: the client has its own")
	}
	bounded := true
	switch client := c.Client.(type) {
	case *redis.Client:
		bounded = client.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		bounded = client.Options().ContextTimeoutEnabled
		if client.Options().ReadOnly {
			m.add("Client", "", "reads from replicas, which do not know what was redeemed a moment ago: turn ReadOnly, RouteByLatency and RouteRandomly off")
		}
	case *redis.Ring:
		m.add("Client", "", "is a redis.Ring, which forgets what was redeemed when a server is away: use one server, Sentinel or a cluster")
	}
	if !bounded {
		m.add("Client", "", "ignores the deadlines of calls, so a Redis that hangs would hang requests: set ContextTimeoutEnabled")
	}
}
