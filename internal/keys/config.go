package keys

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/emamw/mcp-ema/internal/discovery"
)

// What a zero field of a Config means.
const (
	DefaultRefreshInterval = 10 * time.Minute
	DefaultMinInterval     = 10 * time.Second
	DefaultMaxAge          = 24 * time.Hour
)

const (
	stepTimeout = 10 * time.Second // for discovery, and again for the key set
	patience    = 2 * time.Second  // for a request that waits for a fetch

	// An issuer's Cache-Control is followed within these.
	shortestLife = time.Minute
	longestLife  = time.Hour

	// Retries start at firstRetry and double up to lastRetry.
	firstRetry = 250 * time.Millisecond
	lastRetry  = 30 * time.Second

	// hopeful is how many failed fetches in a row it takes until a request is told
	// at once that there are no keys, instead of waiting for the next try: the
	// first few come within two seconds, as when both sides start together.
	hopeful = 4

	// rediscover is how many failed fetches in a row make the keeper ask for the
	// address of the key set again.
	rediscover = 10
)

// A Config says whose keys a [Set] holds and how it keeps them current. The
// caller has validated it: Issuer and JWKSURL passed discovery.CheckURL. A
// duration of zero or less takes its default.
type Config struct {
	Issuer  string
	JWKSURL string // "" is discovered from Issuer

	Client *http.Client     // nil: a client whose dialer refuses private addresses
	Policy discovery.Policy // which addresses may be asked

	// RefreshInterval is how often the set is read. It binds when it is given: a
	// shorter max-age in the issuer's Cache-Control makes it shorter, down to a
	// minute, and a longer one changes nothing, because a withdrawn key would
	// outlive what the operator was promised. When it is zero, max-age decides
	// between a minute and an hour, and ten minutes stand for none.
	RefreshInterval time.Duration
	MinInterval     time.Duration // at least this between two fetches, once keys are loaded
	MaxAge          time.Duration // keys that were not confirmed for this long die

	// Now tells the age of the keys; nil is the system clock, and faster. Intervals
	// and timeouts run on the system clock in any case, so a frozen Now stops no
	// refresh.
	Now func() time.Time

	// OnFetch observes each fetch: it is called when one starts, with the context
	// the fetch will use unless it returns one derived from it, and the func it
	// returns (nil for none) is called with the outcome. If requests wait
	// for it, the context carries the values of the first one, but does not end
	// with it.
	OnFetch func(context.Context, Trigger) (context.Context, func(Fetched))

	// OnWait is called for each request that waits for a fetch, with the request's
	// context, while the fetch is under way or when it has just ended.
	OnWait func(context.Context)

	Logger *slog.Logger // one line per change of state; nil logs nothing
}

// A Trigger is why keys were fetched.
type Trigger string

// The closed list of triggers.
const (
	Startup      Trigger = "startup"
	Scheduled    Trigger = "scheduled"
	UnknownKeyID Trigger = "unknown_kid" // on behalf of requests
	Retry        Trigger = "retry"
)

// Fetched is the outcome of one fetch, discovery included.
type Fetched struct {
	Cause    Cause // "" when it succeeded
	Step     Step  // where it failed; "" when it did not
	Status   int   // HTTP status of the answer that it ended with; 0 when there was none
	Keys     int   // usable members
	Rejected int   // members left out
}

func (c Config) withDefaults() Config {
	if c.MinInterval <= 0 {
		c.MinInterval = DefaultMinInterval
	}
	if c.MaxAge <= 0 {
		c.MaxAge = DefaultMaxAge
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// interval is the time to the next scheduled fetch after an answer that may be
// kept for life, or that does not say when life is negative.
func (c Config) interval(life time.Duration) time.Duration {
	d := c.RefreshInterval
	switch {
	case d > 0 && life >= 0:
		d = min(d, max(life, shortestLife))
	case d <= 0 && life >= 0:
		d = min(max(life, shortestLife), longestLife)
	case d <= 0:
		d = DefaultRefreshInterval
	}
	// Two tries before the keys die, and never two fetches within MinInterval.
	d = max(min(d, c.MaxAge/2), c.MinInterval)
	// Replicas that started together must not ask together for ever. Earlier and
	// not later, so that the interval stays a promise.
	return max(d-jitter(d/10), c.MinInterval)
}

// backoff is the time to the next fetch after n failed ones in a row. Before the
// first success nothing works without keys, so it begins short.
func (c Config) backoff(n int, loaded bool) time.Duration {
	d, longest := firstRetry, lastRetry
	if loaded {
		d, longest = c.MinInterval, max(c.MinInterval, lastRetry)
	}
	for ; n > 1 && d < longest; n-- {
		d *= 2
	}
	d = min(d, longest)
	return d + jitter(d/4)
}

func jitter(most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	return rand.N(most)
}
