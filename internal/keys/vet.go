package keys

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/emamw/mcp-ema/internal/discovery"
	"github.com/emamw/mcp-ema/internal/jose"
)

// An attempt is one fetch of a key set, and what is learned on the way. It
// travels in the context of the request, through keyfunc and the HTTP client.
type attempt struct {
	fetched Fetched
	why     []jose.Rejected
	life    time.Duration // max-age of the answer; negative: none
}

func (a *attempt) fail(c Cause) {
	if a.fetched.Cause != "" {
		return
	}
	a.fetched.Cause = c
	if a.fetched.Step == "" {
		a.fetched.Step = StepKeys
	}
}

type attemptKey struct{}

func withAttempt(ctx context.Context, a *attempt) context.Context {
	return context.WithValue(ctx, attemptKey{}, a)
}

func attemptOf(ctx context.Context) *attempt {
	a, _ := ctx.Value(attemptKey{}).(*attempt)
	return a
}

// A vet is the transport beneath keyfunc. It lets through only what may be
// stored, since jwkset by itself would take symmetric and private keys, keys for
// encryption and bodies of any size, refuses a whole set for one malformed
// member, and empties its storage for a 200 without keys, as a broken proxy
// sends.
//
// It also refuses a request that carries no attempt. keyfunc sends those by
// itself, when it is made and by its own clock, and then the keeper would not
// be the one who decides.
type vet struct {
	next   http.RoundTripper
	issuer string
}

// RoundTrip implements [http.RoundTripper]. It passes on any answer but 200 as it
// is: the client follows redirects, and keyfunc refuses the rest.
func (v *vet) RoundTrip(r *http.Request) (*http.Response, error) {
	a := attemptOf(r.Context())
	if a == nil {
		return nil, &fault{CauseOther}
	}
	a.fetched.Status = 0
	r = r.Clone(r.Context())
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := v.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	a.fetched.Status = resp.StatusCode
	if resp.StatusCode != http.StatusOK {
		return resp, nil
	}
	body, err := read(r.Context(), resp)
	if err != nil {
		return nil, err
	}
	vetted, err := v.vet(body, a)
	if err != nil {
		return nil, err
	}
	a.life = maxAge(resp.Header)
	resp.Body = io.NopCloser(bytes.NewReader(vetted))
	resp.ContentLength = int64(len(vetted))
	return resp, nil
}

// vet returns the usable keys of a key set as a set of their own.
func (v *vet) vet(body []byte, a *attempt) ([]byte, error) {
	keys, rejected, err := jose.ParseKeys(body)
	if err != nil {
		return nil, &fault{CauseMalformed}
	}
	own := keys[:0]
	for _, k := range keys {
		if !signsFor(k.Issuer, v.issuer) {
			rejected = append(rejected, jose.Rejected{Why: "it may sign for another issuer only"})
			continue
		}
		// jwkset would forget whom the key belongs to.
		k.Issuer = ""
		own = append(own, k)
	}
	a.fetched.Keys, a.fetched.Rejected, a.why = len(own), len(rejected), rejected
	if len(own) == 0 {
		return nil, &fault{CauseNoUsableKey}
	}
	return jose.PublicJWKS(own...)
}

// signsFor judges the member "issuer" that Entra ID puts in the sets that its
// tenants share: a tenant's issuer, or a template that stands for all of them.
// Without this check a key of Microsoft's consumer accounts would sign for a
// company.
func signsFor(owner, issuer string) bool {
	if owner == "" || owner == issuer {
		return true
	}
	_, ok := discovery.MatchTemplate(owner, issuer)
	return ok
}

// read returns the body, whose size the client bounds. It ends with ctx even if
// the transport beneath forgets to watch it.
func read(ctx context.Context, resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	stop := context.AfterFunc(ctx, func() { resp.Body.Close() })
	defer stop()
	body, err := io.ReadAll(resp.Body)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return body, err
}

// maxAge reads Cache-Control (RFC 9111 section 5.2.2.1) as far as it matters
// here. It is negative when there is no max-age, or one that is no number.
func maxAge(h http.Header) time.Duration {
	for _, line := range h.Values("Cache-Control") {
		for directive := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
			if !strings.EqualFold(name, "max-age") {
				continue
			}
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err != nil {
				return -1
			}
			return time.Duration(seconds) * time.Second
		}
	}
	return -1
}
