package revocation_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/revocation"
)

// token is what a View is asked about.
type token struct{ issuer, tenant, subject, client, id string }

func revoked(v *revocation.View, t token, issuedAt time.Time) bool {
	return v.Revoked(t.issuer, t.tenant, t.subject, t.client, t.id, issuedAt)
}

func at(now *time.Time) func() time.Time { return func() time.Time { return *now } }

func TestRevoked(t *testing.T) {
	var (
		later   = epoch.Add(time.Hour)
		subject = revocation.Revocation{Issuer: "as", Subject: "ada", Before: epoch, Until: later}
		member  = revocation.Revocation{Issuer: "as", Tenant: "acme", Subject: "ada", Before: epoch, Until: later}
		client  = revocation.Revocation{Issuer: "as", ClientID: "cli", Before: epoch, Until: later}
		branch  = revocation.Revocation{Issuer: "as", Tenant: "acme", ClientID: "cli", Before: epoch, Until: later}
		single  = revocation.Revocation{Issuer: "as", TokenID: "t1", Until: later}
		full    = token{"as", "acme", "ada", "cli", "t1"}
		second  = epoch.Truncate(time.Second)
	)
	for _, tc := range []struct {
		name  string
		r     revocation.Revocation
		token token
		iat   time.Time
		want  bool
	}{
		{"subject, token issued long before", subject, full, epoch.Add(-time.Hour), true},
		{"subject, issued in the same second, earlier", subject, full, second, true},
		{"subject, issued in the same second, later", subject, full, second.Add(999 * time.Millisecond), true},
		{"subject, issued in the next second", subject, full, second.Add(time.Second), false},
		{"subject, no iat", subject, full, time.Time{}, true},
		{"subject, another one", subject, token{"as", "acme", "ben", "cli", "t1"}, second, false},
		{"subject, another issuer's", subject, token{"sa", "acme", "ada", "cli", "t1"}, second, false},
		{"subject, other case", subject, token{"as", "acme", "Ada", "cli", "t1"}, second, false},
		{"subject, token without a tenant", subject, token{"as", "", "ada", "cli", "t1"}, second, true},
		{"subject, its name as a client", subject, token{"as", "acme", "ben", "ada", "t1"}, second, false},
		{"subject, its name as a token id", subject, token{"as", "acme", "ben", "cli", "ada"}, second, false},
		{"subject, token without a subject", subject, token{"as", "acme", "", "cli", "t1"}, second, false},

		{"member of a tenant", member, full, second, true},
		{"member, same name in another tenant", member, token{"as", "other", "ada", "cli", "t1"}, second, false},
		{"member, token without a tenant", member, token{"as", "", "ada", "cli", "t1"}, second, false},

		{"client", client, full, second, true},
		{"client, issued in the next second", client, full, second.Add(time.Second), false},
		{"client, token without a tenant", client, token{"as", "", "ada", "cli", "t1"}, second, true},
		{"client, another one", client, token{"as", "acme", "ada", "other", "t1"}, second, false},
		{"client, token without a client", client, token{"as", "acme", "ada", "", "t1"}, second, false},
		{"client of a tenant", branch, full, second, true},
		{"client of a tenant, in another tenant", branch, token{"as", "other", "ada", "cli", "t1"}, second, false},

		{"token id", single, full, second, true},
		{"token id, issued long after", single, full, later, true},
		{"token id, token without iat", single, full, time.Time{}, true},
		{"token id, token without a tenant", single, token{"as", "", "ada", "cli", "t1"}, second, true},
		{"token id, another one", single, token{"as", "acme", "ada", "cli", "t2"}, second, false},
		{"token id, another issuer's", single, token{"sa", "acme", "ada", "cli", "t1"}, second, false},
		{"token id, token without an id", single, token{"as", "acme", "ada", "cli", ""}, second, false},
		{"token id, its text as a subject", single, token{"as", "acme", "t1", "cli", ""}, second, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			now := epoch
			v := revocation.NewView(at(&now))
			if revoked(v, tc.token, tc.iat) {
				t.Fatal("an empty view refuses")
			}
			v.Apply([]revocation.Revocation{tc.r})
			if got := revoked(v, tc.token, tc.iat); got != tc.want {
				t.Errorf("Revoked = %v, want %v", got, tc.want)
			}
		})
	}
}

func TestWatermarksOnlyGrow(t *testing.T) {
	now := epoch
	weak := revocation.Revocation{Issuer: "as", Subject: "ada", Before: epoch, Until: epoch.Add(time.Hour)}
	strong := weak
	strong.Before = strong.Before.Add(time.Minute)
	strong.Until = strong.Until.Add(time.Minute)
	issued := epoch.Add(30 * time.Second) // between the two
	for name, order := range map[string][]revocation.Revocation{
		"weak first":   {weak, strong},
		"strong first": {strong, weak},
		"repeated":     {strong, weak, strong, weak},
	} {
		t.Run(name, func(t *testing.T) {
			v := revocation.NewView(at(&now))
			for _, r := range order {
				v.Apply([]revocation.Revocation{r})
			}
			if !v.Revoked("as", "", "ada", "", "", issued) {
				t.Error("the earlier watermark let the token back in")
			}
			if v.Len() != 1 {
				t.Errorf("Len = %d, want 1", v.Len())
			}
			now = weak.Until.Add(30 * time.Second)
			if !v.Revoked("as", "", "ada", "", "", issued) {
				t.Error("the earlier Until ended the revocation too soon")
			}
			now = epoch
		})
	}
}

func TestViewForgets(t *testing.T) {
	now := epoch
	v := revocation.NewView(at(&now))
	until := epoch.Add(90 * time.Second)
	v.Apply([]revocation.Revocation{
		{Issuer: "as", Subject: "ada", Before: epoch, Until: until},
		{Issuer: "as", Subject: "ben", Before: epoch, Until: until.Add(time.Hour)},
	})
	for _, tc := range []struct {
		after    time.Duration
		ada, ben bool
		len      int
	}{
		{0, true, true, 2},
		{90 * time.Second, true, true, 2},
		{91 * time.Second, false, true, 2}, // no effect, and the next sweep forgets it
		{3 * time.Minute, false, true, 1},
		{3 * time.Hour, false, false, 0},
	} {
		now = epoch.Add(tc.after)
		ada := v.Revoked("as", "", "ada", "", "", epoch)
		ben := v.Revoked("as", "", "ben", "", "", epoch)
		if tc.len != v.Len() {
			v.Apply(nil)
		}
		if ada != tc.ada || ben != tc.ben || v.Len() != tc.len {
			t.Errorf("after %v: ada %v, ben %v, Len %d; want %v, %v, %d", tc.after, ada, ben, v.Len(), tc.ada, tc.ben, tc.len)
		}
	}
	v.Apply([]revocation.Revocation{{Issuer: "as", TokenID: "old", Until: epoch}})
	if v.Len() != 0 {
		t.Error("a revocation that has no effect any more takes room")
	}
}

func TestViewSkipsWhatIsNotLegal(t *testing.T) {
	now := epoch
	v := revocation.NewView(at(&now))
	v.Apply([]revocation.Revocation{
		{},
		{Issuer: "as", Subject: "ada", ClientID: "cli", Before: epoch, Until: epoch.Add(time.Hour)},
		{Issuer: "as", Subject: "ben", Before: epoch, Until: epoch.Add(time.Hour)},
	})
	if v.Len() != 1 || !v.Revoked("as", "", "ben", "", "", epoch) {
		t.Errorf("Len = %d: the legal one among three must be applied, and only it", v.Len())
	}
}

func TestFresh(t *testing.T) {
	now := epoch
	v := revocation.NewView(at(&now))
	if v.Fresh(time.Hour) {
		t.Error("a view that heard from nobody calls itself fresh")
	}
	v.Apply(nil)
	now = now.Add(30 * time.Second)
	if !v.Fresh(30*time.Second) || v.Fresh(30*time.Second-1) {
		t.Error("a view heard 30 s ago is fresh within 30 s and not within less")
	}
	v.Apply(nil)
	if !v.Fresh(0) {
		t.Error("an empty Apply is a sign of life")
	}
}

func TestWatch(t *testing.T) {
	now := epoch
	v := revocation.NewView(at(&now))
	r := revocation.Revocation{Issuer: "as", Subject: "ada", Before: epoch, Until: epoch.Add(time.Hour)}
	closed := func(ch <-chan struct{}) bool {
		select {
		case <-ch:
			return true
		default:
			return false
		}
	}
	ch := v.Watch()
	v.Apply(nil)
	if closed(ch) {
		t.Error("a heartbeat woke the watchers")
	}
	v.Apply([]revocation.Revocation{r})
	if !closed(ch) {
		t.Error("a new revocation did not wake the watchers")
	}
	ch = v.Watch()
	v.Apply([]revocation.Revocation{r})
	if closed(ch) {
		t.Error("what was known already woke the watchers")
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	for _, n := range []int{0, 1000} {
		v := filled(n)
		if got := testing.AllocsPerRun(100, func() {
			if v.Revoked("https://as.example", "acme", "nobody", "cli", "t0", epoch) {
				t.Error("refused")
			}
		}); got != 0 {
			t.Errorf("%d entries: %v allocations per lookup", n, got)
		}
	}
}

func TestViewRace(t *testing.T) {
	v := revocation.NewView(nil)
	now := time.Now()
	var wg sync.WaitGroup
	var stop atomic.Bool
	for range 4 {
		wg.Go(func() {
			for !stop.Load() {
				ch := v.Watch()
				known := v.Len()
				if v.Revoked("as", "", "u0", "", "", now) && known < 0 {
					t.Error("impossible")
				}
				v.Fresh(time.Second)
				select {
				case <-ch:
				default:
				}
			}
		})
	}
	for i := range 500 {
		r := revocation.Revocation{Issuer: "as", Subject: fmt.Sprint("u", i), Before: now, Until: now.Add(time.Hour)}
		v.Apply([]revocation.Revocation{r})
		if !v.Revoked("as", "", r.Subject, "", "", now) {
			t.Fatal("an applied revocation is not in effect when Apply returns")
		}
	}
	stop.Store(true)
	wg.Wait()
}

func filled(n int) *revocation.View {
	v := revocation.NewView(nil)
	rs := make([]revocation.Revocation, n)
	for i := range rs {
		rs[i] = revocation.Revocation{Issuer: "https://as.example", Subject: fmt.Sprintf("user-%08d", i), Before: time.Now(), Until: time.Now().Add(time.Hour)}
	}
	v.Apply(rs)
	return v
}

func BenchmarkRevoked(b *testing.B) {
	for _, n := range []int{0, 1, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			v := filled(n)
			b.ReportAllocs()
			for b.Loop() {
				v.Revoked("https://as.example", "acme", "nobody", "cli", "t0", epoch)
			}
		})
	}
}
