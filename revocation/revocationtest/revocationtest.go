// Package revocationtest holds an implementation of [revocation.Store] to its
// contract. It imports testing, so import it from tests only.
package revocationtest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/revocation"
)

// patience is how long a promise of "within a heartbeat" may take before the
// test fails. The second heartbeat is slack for a busy machine.
const patience = 2 * revocation.Heartbeat

// Run tests a Store. open returns an empty store and arranges by t.Cleanup for
// its end; it is called once per subtest, and subtests run in parallel. A run
// takes about two heartbeats.
func Run(t *testing.T, open func(t *testing.T) revocation.Store) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, revocation.Store){
		"the first call comes from an empty store":   firstCallOfEmptyStore,
		"the first call carries everything":          firstCallIsComplete,
		"every shape and field survives":             fieldsSurvive,
		"a running follower is told":                 runningFollowerIsTold,
		"every follower is told":                     everyFollowerIsTold,
		"heartbeats come with nothing new":           heartbeats,
		"recording twice or late loosens nothing":    marksOnlyGrow,
		"an illegal revocation is refused":           illegalIsRefused,
		"calls come one at a time, and none is lost": oneCallAtATime,
		"following ends with its context":            followEnds,
		"following again starts from everything":     followAgain,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// A follower runs Follow and collects what it is handed.
type follower struct {
	cancel context.CancelFunc
	done   chan struct{} // closed once Follow has returned err
	err    error

	calls  atomic.Int64
	inside atomic.Int64 // calls of apply that have not returned
	after  atomic.Bool  // Follow has returned

	mu    sync.Mutex
	first []revocation.Revocation
	all   []revocation.Revocation
	view  *revocation.View
	news  chan struct{} // closed and replaced at each call
}

func follow(t *testing.T, s revocation.Store) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{cancel: cancel, done: make(chan struct{}), view: revocation.NewView(nil), news: make(chan struct{})}
	go func() {
		defer close(f.done)
		f.err = s.Follow(ctx, func(rs []revocation.Revocation) { f.apply(t, rs) })
		f.after.Store(true)
	}()
	t.Cleanup(func() { _ = f.end(t) })
	return f
}

// end cancels Follow and returns what it returned.
func (f *follower) end(t *testing.T) error {
	t.Helper()
	f.cancel()
	select {
	case <-f.done:
		return f.err
	case <-time.After(patience):
		t.Fatalf("Follow did not return within %v of the end of its context", patience)
		return nil
	}
}

func (f *follower) apply(t *testing.T, rs []revocation.Revocation) {
	if f.after.Load() {
		t.Error("apply was called after Follow returned")
	}
	if f.inside.Add(1) != 1 {
		t.Error("apply was called while an earlier call was still running")
	}
	defer f.inside.Add(-1)

	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls.Add(1) == 1 {
		f.first = append(f.first, rs...)
	}
	f.all = append(f.all, rs...)
	f.view.Apply(rs)
	clear(rs) // the slice is ours: a store that still reads it now hands out nothing
	close(f.news)
	f.news = make(chan struct{})
}

// wait blocks until cond holds, looking at it after every call of apply.
func (f *follower) wait(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		f.mu.Lock()
		news, ok := f.news, cond()
		f.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-news:
		case <-f.done:
			t.Fatalf("Follow returned early: %v", f.err)
		case <-deadline.C:
			t.Fatalf("%s did not happen within %v", what, patience)
		}
	}
}

func (f *follower) ready(t *testing.T) {
	t.Helper()
	f.wait(t, "the first call of apply", func() bool { return f.calls.Load() > 0 })
}

// knows waits until the follower would refuse a token that r ends.
func (f *follower) knows(t *testing.T, r revocation.Revocation) {
	t.Helper()
	f.wait(t, "the revocation", func() bool { return ends(f.view, r) })
}

func ends(v *revocation.View, r revocation.Revocation) bool {
	return v.Revoked(r.Issuer, r.Tenant, r.Subject, r.ClientID, r.TokenID, r.Before)
}

func subject(name string) revocation.Revocation {
	now := time.Now()
	return revocation.Revocation{Issuer: "https://as.example", Subject: name, Before: now, Until: now.Add(time.Hour)}
}

func revoke(t *testing.T, s revocation.Store, r revocation.Revocation) {
	t.Helper()
	if err := s.Revoke(t.Context(), r); err != nil {
		t.Fatalf("Revoke: %v", err)
	}
}

func firstCallOfEmptyStore(t *testing.T, s revocation.Store) {
	f := follow(t, s)
	f.ready(t)
	if len(f.first) != 0 {
		t.Errorf("an empty store handed over %d revocations", len(f.first))
	}
}

func firstCallIsComplete(t *testing.T, s revocation.Store) {
	names := []string{"ada", "ben", "cho"}
	for _, n := range names {
		revoke(t, s, subject(n))
	}
	f := follow(t, s)
	f.ready(t)
	v := revocation.NewView(nil)
	v.Apply(f.first)
	for _, n := range names {
		r := subject(n)
		r.Before = r.Before.Add(-time.Minute) // a token from well before the revocation
		if !ends(v, r) {
			t.Errorf("the first call did not carry the revocation of %s", n)
		}
	}
}

func fieldsSurvive(t *testing.T, s revocation.Store) {
	now := time.Now()
	until := now.Add(time.Hour)
	// Pairs that become one and the same when a store joins fields by a separator,
	// folds case, trims, or reads a field as a pattern.
	shapes := []revocation.Revocation{
		{Issuer: "https://as.example", Subject: "ada", Before: now, Until: until},
		{Issuer: "https://as.example", Tenant: "acme", Subject: "ben", Before: now, Until: until},
		{Issuer: "https://as.example", ClientID: "ada", Before: now.Add(-time.Second), Until: until},
		{Issuer: "https://as.example", Tenant: "acme", ClientID: "cli", Before: now.Add(time.Minute), Until: until},
		{Issuer: "https://as.example", TokenID: "ada", Until: until},
		{Issuer: "https://AS.example", Subject: "Ada ", Before: now, Until: until},
		{Issuer: "a|b", Subject: "c", Before: now.Add(-2 * time.Second), Until: until},
		{Issuer: "a", Subject: "b|c", Before: now.Add(-3 * time.Second), Until: until},
		{Issuer: "a", Tenant: "b:c", Subject: "d", Before: now.Add(-4 * time.Second), Until: until},
		{Issuer: "a:b", Tenant: "c", Subject: "d", Before: now.Add(-5 * time.Second), Until: until},
		{Issuer: "a\x00b", ClientID: "c\nd", Before: now, Until: until},
		{Issuer: "ключ", Tenant: "鍵", Subject: "{\"é\":\"\\\"}", Before: now, Until: until},
		{Issuer: "*", Subject: "%s ?[a-z]", Before: now, Until: until},
	}
	for _, r := range shapes {
		revoke(t, s, r)
	}
	f := follow(t, s)
	f.ready(t)
	got := make(map[revocation.Revocation]bool)
	for _, r := range f.first {
		got[seconds(r)] = true
	}
	if len(got) != len(shapes) {
		t.Errorf("%d different revocations were recorded, %d handed over", len(shapes), len(got))
	}
	for _, r := range shapes {
		if !got[seconds(r)] {
			t.Errorf("a revocation did not survive as it was recorded: %q", r)
		}
	}
}

// seconds makes revocations comparable: stores need keep no more than seconds,
// and no location.
func seconds(r revocation.Revocation) revocation.Revocation {
	if !r.Before.IsZero() {
		r.Before = time.Unix(r.Before.Unix(), 0).UTC()
	}
	r.Until = time.Unix(r.Until.Unix(), 0).UTC()
	return r
}

func runningFollowerIsTold(t *testing.T, s revocation.Store) {
	f := follow(t, s)
	f.ready(t)
	ada := subject("ada")
	revoke(t, s, ada)
	f.knows(t, ada)
	if ends(f.view, subject("ben")) {
		t.Error("a subject that nobody revoked is refused")
	}
}

func everyFollowerIsTold(t *testing.T, s revocation.Store) {
	followers := []*follower{follow(t, s), follow(t, s), follow(t, s)}
	for _, f := range followers {
		f.ready(t)
	}
	ada := subject("ada")
	revoke(t, s, ada)
	for _, f := range followers {
		f.knows(t, ada)
	}
}

func heartbeats(t *testing.T, s revocation.Store) {
	f := follow(t, s)
	f.ready(t)
	before := f.calls.Load()
	f.wait(t, "a heartbeat", func() bool { return f.calls.Load() > before })
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.all) != 0 {
		t.Errorf("heartbeats of an empty store carried %d revocations", len(f.all))
	}
}

func marksOnlyGrow(t *testing.T, s revocation.Store) {
	strong := subject("ada")
	weak := strong
	weak.Before = weak.Before.Add(-time.Minute)
	weak.Until = weak.Until.Add(-time.Minute)
	revoke(t, s, strong)
	revoke(t, s, weak)
	revoke(t, s, strong)
	f := follow(t, s)
	f.ready(t)
	if !ends(f.view, strong) {
		t.Error("an earlier watermark that was recorded later let tokens back in")
	}
	latest := time.Time{}
	for _, r := range f.first {
		if r.Until.After(latest) {
			latest = r.Until
		}
	}
	if latest.Unix() < strong.Until.Unix() {
		t.Error("an earlier Until that was recorded later makes the revocation end too soon")
	}
}

func illegalIsRefused(t *testing.T, s revocation.Store) {
	f := follow(t, s)
	f.ready(t)
	both := subject("ada")
	both.ClientID = "cli"
	for name, r := range map[string]revocation.Revocation{"zero": {}, "subject and client": both} {
		if err := s.Revoke(t.Context(), r); err == nil {
			t.Errorf("%s: Revoke returned nil", name)
		}
	}
	ben := subject("ben")
	revoke(t, s, ben)
	f.knows(t, ben)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.all {
		if err := r.Validate(); err != nil {
			t.Errorf("a follower was handed an illegal revocation: %v", err)
		}
	}
}

func oneCallAtATime(t *testing.T, s revocation.Store) {
	f := follow(t, s)
	f.ready(t)
	const writers, each = 8, 8
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				name := string(rune('a'+w)) + string(rune('a'+i))
				if err := s.Revoke(t.Context(), subject(name)); err != nil {
					t.Errorf("Revoke: %v", err)
				}
			}
		})
	}
	wg.Wait()
	late := follow(t, s)
	late.ready(t)
	for w := range writers {
		for i := range each {
			r := subject(string(rune('a'+w)) + string(rune('a'+i)))
			r.Before = r.Before.Add(-time.Minute) // well before the writers started
			f.knows(t, r)
			late.knows(t, r)
		}
	}
}

func followEnds(t *testing.T, s revocation.Store) {
	f := follow(t, s)
	f.ready(t)
	if err := f.end(t); !errors.Is(err, context.Canceled) {
		t.Errorf("Follow returned %v, want context.Canceled", err)
	}
	missed := subject("ada")
	revoke(t, s, missed) // apply reports a call that comes now

	other := follow(t, s)
	other.ready(t)
	other.knows(t, missed)
}

func followAgain(t *testing.T, s revocation.Store) {
	f := follow(t, s)
	f.ready(t)
	_ = f.end(t)
	missed := subject("ada")
	revoke(t, s, missed)
	again := follow(t, s)
	again.ready(t)
	if !ends(again.view, missed) {
		t.Error("what was revoked while nobody followed is missing from the first call")
	}
}
