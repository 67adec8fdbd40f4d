package keys

import (
	"context"
	"crypto/rand"
	"math"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"golang.org/x/time/rate"

	"github.com/emamw/mcp-ema/internal/discovery"
)

// A source is one key set at one address, fetched, read and stored by keyfunc.
type source struct {
	keys  keyfunc.Keyfunc
	probe string // a kid that no set has
	close context.CancelFunc
}

// open makes a source without fetching anything. It lives until ctx ends or it
// is closed.
//
// What keyfunc offers by itself does not fit a server: New would fetch before it
// returns, the refresh has a fixed period that knows neither jitter nor
// Cache-Control nor backoff, and a refresh for an unknown kid is rationed by a
// limiter that one forged token empties for five minutes. So its period is set
// beyond the life of any process, the first fetch is turned away by the vet, the
// limiter never says no, and fetch below, called by the keeper alone, is the
// one thing that makes keyfunc fetch. RateLimitWaitMax is then what bounds it in
// time, since keyfunc applies HTTPTimeout to the other two only.
func open(ctx context.Context, url string, cfg *Config) (*source, error) {
	client := discovery.Client(cfg.Client, url, cfg.Policy)
	client.Transport = &vet{next: client.Transport, issuer: cfg.Issuer}

	ctx, cancel := context.WithCancel(ctx)
	lenient := true
	keys, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{url}, keyfunc.Override{
		Client:                    client,
		HTTPTimeout:               stepTimeout,
		NoErrorReturnFirstHTTPReq: &lenient,
		PrioritizeHTTP:            true,
		RateLimitWaitMax:          stepTimeout,
		RefreshErrorHandlerFunc:   func(string) func(context.Context, error) { return failed },
		RefreshInterval:           math.MaxInt64,
		RefreshUnknownKID:         rate.NewLimiter(rate.Inf, 1),
	})
	if err != nil {
		cancel()
		return nil, err
	}
	return &source{keys: keys, probe: rand.Text(), close: cancel}, nil
}

// failed is keyfunc's only way to say that a fetch failed.
func failed(ctx context.Context, err error) {
	if a := attemptOf(ctx); a != nil {
		a.fail(classify(err))
	}
}

// fetch reads the set again, by asking keyfunc for a kid that is not in it, and
// returns what keyfunc then has in store. It returns nil, and the cause in a,
// when that failed: keyfunc's store is then as it was.
func (s *source) fetch(ctx context.Context, a *attempt) []*entry {
	// That there is no such key is the answer to a good fetch and to most bad ones.
	// What counts is that the vet let keys through, on this very attempt: else old
	// keys would pass for confirmed ones.
	_, err := s.keys.Storage().KeyRead(withAttempt(ctx, a), s.probe)
	if a.fetched.Cause == "" && a.fetched.Keys == 0 {
		a.fail(classify(err))
	}
	if a.fetched.Cause != "" {
		return nil
	}
	stored, err := s.keys.Storage().KeyReadAll(ctx)
	if err != nil || len(stored) == 0 {
		a.fail(CauseOther)
		return nil
	}
	a.fetched.Keys = len(stored)
	return entries(stored)
}

func entries(stored []jwkset.JWK) []*entry {
	all := make([]*entry, 0, len(stored))
	for _, k := range stored {
		m := k.Marshal()
		all = append(all, newEntry(m.KID, m.ALG.String(), k.Key()))
	}
	return all
}
