package keys_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/keys"
)

// 100,000 invented kids come over 100 seconds. The issuer sees one fetch per
// interval, and a key that is rotated in the middle waits one interval at most.
func TestFloodOfUnknownKeys(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		const interval = keys.DefaultMinInterval
		r.serve(key("old", "", keyA))
		s := loaded(t, r, nil)
		time.Sleep(time.Minute)

		var wg sync.WaitGroup
		for i := range 100_000 {
			if i%1000 == 0 {
				time.Sleep(time.Second)
				mustFind(t, s, "old", "ES256", keyA)
			}
			wg.Go(func() { s.Key(t.Context(), fmt.Sprint("forged-", i), "ES256") })
			if i == 43_500 {
				r.serve(key("old", "", keyA), key("new", "", keyB))
				wg.Go(func() {
					rotated := time.Now()
					for {
						if _, err := s.Key(t.Context(), "new", "ES256"); err == nil {
							break
						}
						time.Sleep(100 * time.Millisecond)
					}
					if took := time.Since(rotated); took > interval {
						t.Errorf("the rotated key was refused for %v", took)
					}
				})
			}
		}
		wg.Wait()
		times := r.times()
		for i := 1; i < len(times); i++ {
			if gap := times[i].Sub(times[i-1]); gap < interval {
				t.Errorf("fetches %d and %d are %v apart", i-1, i, gap)
			}
		}
		if n := len(times); n < 10 || n > 13 {
			t.Errorf("%d fetches in 160 s", n)
		}
	})
}

func TestOneForgedKeyCostsOneFetch(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		r.serve(key("a", "", keyA))
		s := loaded(t, r, nil)
		time.Sleep(time.Minute)
		for range 5 {
			mustRefuse(t, s, "forged", "ES256", claims.KeyUnknown)
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		if r.calls() != 2 {
			t.Errorf("%d fetches, want the first and one more", r.calls())
		}
	})
}

// Somebody sends the kid of the next key before it exists. The rotation must not
// wait for a memory of that.
func TestForetoldKeyIsNotBarred(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		r.serve(key("key-1", "", keyA))
		s := loaded(t, r, nil)
		for range 300 {
			s.Key(t.Context(), "key-2", "ES256")
			time.Sleep(time.Second)
		}
		r.serve(key("key-1", "", keyA), key("key-2", "", keyB))
		rotated := time.Now()
		for {
			if _, err := s.Key(t.Context(), "key-2", "ES256"); err == nil {
				break
			}
			time.Sleep(time.Second)
		}
		if took := time.Since(rotated); took > keys.DefaultMinInterval {
			t.Errorf("the rotated key was refused for %v", took)
		}
	})
}

// A forged kid has just taken the permit. The rotated one is not served at once,
// but the fetch it needs happens without another request.
func TestSpentPermitBooksTheNext(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		r.serve(key("old", "", keyA))
		s := loaded(t, r, nil)
		time.Sleep(time.Minute)
		mustRefuse(t, s, "forged", "ES256", claims.KeyUnknown)
		r.serve(key("new", "", keyB))
		start := time.Now()
		mustRefuse(t, s, "new", "ES256", claims.KeyUnknown)
		if waited := time.Since(start); waited != 0 {
			t.Errorf("waited %v for a fetch that is not allowed yet", waited)
		}
		time.Sleep(keys.DefaultMinInterval)
		synctest.Wait()
		if r.calls() != 3 {
			t.Fatalf("%d fetches, want 3", r.calls())
		}
		mustFind(t, s, "new", "ES256", keyB)
	})
}

// A kid that comes while a fetch is under way may have been rotated in after the
// issuer wrote that answer. It gets a fetch of its own, later.
func TestKeyThatComesDuringAFetch(t *testing.T) {
	bubble(t, func(t *testing.T, r *remote) {
		r.serve(key("old", "", keyA))
		s := loaded(t, r, nil)
		time.Sleep(time.Minute)
		r.script(func(req *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return body(200, jwks(key("old", "", keyA)))(req)
		})
		go s.Key(t.Context(), "forged", "ES256")
		time.Sleep(500 * time.Millisecond)
		mustRefuse(t, s, "new", "ES256", claims.KeyUnknown)
		r.serve(key("new", "", keyB))
		time.Sleep(keys.DefaultMinInterval)
		mustFind(t, s, "new", "ES256", keyB)
	})
}

func TestWaitingIsBounded(t *testing.T) {
	for _, tc := range []struct {
		name   string
		ctx    func(context.Context) (context.Context, context.CancelFunc)
		want   claims.Reason
		within time.Duration
	}{
		{"by two seconds", context.WithCancel, claims.KeysUnavailable, 2 * time.Second},
		{"by the request's deadline", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 300*time.Millisecond)
		}, claims.KeysUnavailable, 300 * time.Millisecond},
		{"by the request's end", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(100*time.Millisecond, cancel)
			return ctx, cancel
		}, claims.Canceled, 100 * time.Millisecond},
	} {
		for _, start := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, first load %v", tc.name, start), func(t *testing.T) {
				bubble(t, func(t *testing.T, r *remote) {
					var s *keys.Set
					if start {
						r.script(hang)
						s = keys.New(t.Context(), config(r))
					} else {
						r.serve(key("a", "", keyA))
						s = loaded(t, r, nil)
						r.script(hang)
						time.Sleep(time.Minute)
					}
					ctx, cancel := tc.ctx(t.Context())
					defer cancel()
					began := time.Now()
					_, err := s.Key(ctx, "b", "ES256")
					if got := reason(err); got != tc.want {
						t.Errorf("%v, want %v", err, tc.want)
					}
					if took := time.Since(began); took != tc.within {
						t.Errorf("took %v, want %v", took, tc.within)
					}
				})
			})
		}
	}
}

// The request that made the fetch goes away; the fetch is for everybody.
func TestFetchOutlivesItsRequest(t *testing.T) {
	type traceKey struct{}
	bubble(t, func(t *testing.T, r *remote) {
		r.serve(key("a", "", keyA))
		var seen any
		s := loaded(t, r, func(c *keys.Config) {
			c.OnFetch = func(ctx context.Context, trigger keys.Trigger) (context.Context, func(keys.Fetched)) {
				if trigger == keys.UnknownKeyID {
					seen = ctx.Value(traceKey{})
				}
				return context.WithValue(ctx, traceKey{}, "span"), nil
			}
		})
		time.Sleep(time.Minute)
		var inside any
		r.script(func(req *http.Request) (*http.Response, error) {
			inside = req.Context().Value(traceKey{})
			time.Sleep(time.Second)
			if err := req.Context().Err(); err != nil {
				return nil, err
			}
			return body(200, jwks(key("b", "", keyB)))(req)
		})
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), traceKey{}, "request"))
		time.AfterFunc(100*time.Millisecond, cancel)
		if _, err := s.Key(ctx, "b", "ES256"); reason(err) != claims.Canceled {
			t.Errorf("%v", err)
		}
		time.Sleep(time.Second)
		mustFind(t, s, "b", "ES256", keyB)
		if seen != "request" || inside != "span" {
			t.Errorf("the observer saw the values of %v, the fetch those of %v", seen, inside)
		}
		if r.calls() != 2 {
			t.Errorf("%d fetches", r.calls())
		}
	})
}
