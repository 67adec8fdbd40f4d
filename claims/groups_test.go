package claims_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emamw/mcp-ema/claims"
)

// directory is a stand-in for Microsoft Graph.
type directory struct {
	calls atomic.Int32
	delay time.Duration
	deaf  bool // does not end with its context
	err   error
	names []string
	panic bool
	saw   atomic.Pointer[claims.Principal]
}

func (d *directory) lookup(ctx context.Context, p claims.Principal) ([]string, error) {
	d.calls.Add(1)
	d.saw.Store(&p)
	if d.panic {
		panic("directory")
	}
	if d.deaf {
		time.Sleep(d.delay)
		return d.names, d.err
	}
	select {
	case <-time.After(d.delay):
		return d.names, d.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// lookupMapper is Entra's mapping with a lookup.
func lookupMapper(t *testing.T, g claims.GroupsLookup) *claims.Mapper {
	t.Helper()
	m := claims.Entra()
	m.GroupsLookup = &g
	mapper, err := m.Mapper()
	if err != nil {
		t.Fatal(err)
	}
	return mapper
}

// TestGroupsLookupWhen: asked for people whose groups are unknown, and for
// nobody else.
func TestGroupsLookupWhen(t *testing.T) {
	for _, c := range []struct {
		file   string
		absent bool
		calls  int32
		want   string
	}{
		{"entra-overage.json", false, 1, "complete:g1|g2"},
		{"entra-overage.json", true, 1, "complete:g1|g2"},
		{"entra-v1.json", false, 0, ":"}, // no group claim
		{"entra-v1.json", true, 1, "complete:g1|g2"},
		{"entra-v2.json", true, 0, "complete:8a1d0000-0000-4000-8000-00000000000a|8a1d0000-0000-4000-8000-00000000000b"},
		{"entra-app-only.json", true, 0, ":"}, // a service
	} {
		d := &directory{names: []string{"g1", "g2"}}
		m := lookupMapper(t, claims.GroupsLookup{Lookup: d.lookup, Absent: c.absent})
		p, err := m.Map(t.Context(), parse(t, string(readFixture(t, c.file))))
		if err != nil {
			t.Fatal(err)
		}
		if got := groups(p); got != c.want || d.calls.Load() != c.calls {
			t.Errorf("%s, absent=%v: %q after %d calls, want %q after %d", c.file, c.absent, got, d.calls.Load(), c.want, c.calls)
		}
		if saw := d.saw.Load(); saw != nil && saw.Key() != p.Key() {
			t.Errorf("%s: the lookup was asked for another: %q", c.file, saw.Key())
		}
	}
}

func TestGroupsLookupFailures(t *testing.T) {
	for _, c := range []struct {
		name   string
		dir    *directory
		ctx    time.Duration // when the request ends; 0 is never
		want   claims.Reason
		detail string
	}{
		{"error", &directory{err: errors.New("canary")}, 0, claims.GroupsLookupFailed, "failed"},
		{"panic", &directory{panic: true}, 0, claims.GroupsLookupFailed, "panicked"},
		{"too many groups", &directory{names: []string{"1", "2", "3", "4"}}, 0, claims.GroupsLookupFailed, "MaxGroups"},
		{"slow", &directory{delay: time.Minute}, 0, claims.GroupsLookupFailed, "longer than Timeout"},
		{"slow, and deaf to its context", &directory{delay: time.Minute, deaf: true}, 0, claims.GroupsLookupFailed, "longer than Timeout"},
		{"the request ends", &directory{delay: 2 * time.Second}, time.Second, claims.Canceled, "ended"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := lookupMapper(t, claims.GroupsLookup{Lookup: c.dir.lookup, MaxGroups: 3})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.ctx > 0 {
					ctx, cancel = context.WithTimeout(ctx, c.ctx)
					defer cancel()
				}
				begun := time.Now()
				p, err := m.Map(ctx, parse(t, string(readFixture(t, "entra-overage.json"))))
				reason, claim := reasonOf(err)
				if p != nil || reason != c.want || claim != "groups" || !reason.Undecided() {
					t.Errorf("got %v, %v, want %s", p, err, c.want)
				}
				if !strings.Contains(err.Error(), c.detail) || strings.Contains(err.Error(), "canary") {
					t.Errorf("error %q", err)
				}
				if waited := time.Since(begun); waited > 5*time.Second {
					t.Errorf("waited %v", waited)
				}
				synctest.Wait()
				// Who asks next is told the same, by the answer that is remembered.
				if _, err := m.Map(ctx, parse(t, string(readFixture(t, "entra-overage.json")))); err == nil || !strings.Contains(err.Error(), c.detail) {
					t.Errorf("then error %v", err)
				}
				time.Sleep(time.Hour) // lets a deaf lookup end
			})
		})
	}
}

// TestGroupsLookupMemory: one call per person and TTL, a short memory of
// failures.
func TestGroupsLookupMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &directory{names: []string{"g1"}, delay: time.Second}
		m := lookupMapper(t, claims.GroupsLookup{Lookup: d.lookup, TTL: time.Minute})
		ask := func(set object) (*claims.Principal, error) {
			return m.Map(t.Context(), parse(t, string(edited(t, "entra-overage.json", set))))
		}
		check := func(what string, calls int32) {
			t.Helper()
			if got := d.calls.Load(); got != calls {
				t.Errorf("%s: %d calls, want %d", what, got, calls)
			}
		}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if p, err := ask(nil); err != nil || !p.Groups.Has("g1") {
					t.Errorf("%v, %v", p, err)
				}
			})
		}
		wg.Wait()
		check("ten at once", 1)

		p, err := ask(nil)
		if err != nil {
			t.Fatal(err)
		}
		p.Groups.Names[0] = "admins"
		if p, err = ask(nil); err != nil || !p.Groups.Has("g1") {
			t.Errorf("what one request does to its groups reaches another: %v, %v", p, err)
		}
		time.Sleep(59 * time.Second)
		_, _ = ask(nil)
		check("before the TTL", 1)
		time.Sleep(2 * time.Second)
		_, _ = ask(nil)
		check("after the TTL", 2)
		_, _ = ask(object{"oid": "another"})
		check("another person", 3)

		d.err = errors.New("down")
		if _, err := ask(object{"oid": "third"}); err == nil {
			t.Error("a failure was accepted")
		}
		_, _ = ask(object{"oid": "third"})
		check("right after a failure", 4)
		time.Sleep(3 * time.Second)
		d.err = nil
		if _, err := ask(object{"oid": "third"}); err != nil {
			t.Error(err)
		}
		check("three seconds after a failure", 5)
	})
}

// TestGroupsLookupOutlivesRequest: who asked first may leave, who waits gets
// the answer.
func TestGroupsLookupOutlivesRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &directory{names: []string{"g1"}, delay: 2 * time.Second}
		m := lookupMapper(t, claims.GroupsLookup{Lookup: d.lookup})
		payload := parse(t, string(readFixture(t, "entra-overage.json")))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := m.Map(ctx, payload); err == nil {
			t.Fatal("answered after the request's end")
		}
		if p, err := m.Map(t.Context(), payload); err != nil || !p.Groups.Has("g1") || d.calls.Load() != 1 {
			t.Errorf("%v, %v after %d calls", p, err, d.calls.Load())
		}
	})
}

// TestGroupsLookupBound: no more people are kept than the bound, and none are
// forgotten while their lookup is under way.
func TestGroupsLookupBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &directory{names: []string{"g1"}, delay: time.Second}
		m := lookupMapper(t, claims.GroupsLookup{Lookup: d.lookup, MaxPrincipals: 2})
		results := make([]error, 3)
		var wg sync.WaitGroup
		for i := range results {
			wg.Go(func() {
				_, results[i] = m.Map(t.Context(), parse(t, string(edited(t, "entra-overage.json", object{"oid": fmt.Sprint(i)}))))
			})
		}
		wg.Wait()
		failed := slices.DeleteFunc(slices.Clone(results), func(err error) bool { return err == nil })
		if len(failed) != 1 || !strings.Contains(failed[0].Error(), "too many") {
			t.Errorf("of three at once with room for two: %v", results)
		}
		for i := range 10 {
			if _, err := m.Map(t.Context(), parse(t, string(edited(t, "entra-overage.json", object{"oid": fmt.Sprint(10 + i)})))); err != nil {
				t.Errorf("one after the other: %v", err)
			}
		}
		if got := d.calls.Load(); got != 12 {
			t.Errorf("%d calls, want 12", got)
		}
		for i := range 10 { // at most two of them are remembered
			_, _ = m.Map(t.Context(), parse(t, string(edited(t, "entra-overage.json", object{"oid": fmt.Sprint(10 + i)}))))
		}
		if got := d.calls.Load(); got < 20 {
			t.Errorf("%d calls, want 20 at least: more people are remembered than the bound", got)
		}
	})
}
