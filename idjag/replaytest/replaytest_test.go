package replaytest_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/idjag"
	"github.com/emamw/mcp-ema/idjag/replaytest"
)

// A clock moves when it is told to, and else as time does.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

func shared(s idjag.ReplayStore) (a, b idjag.ReplayStore) { return s, s }

func TestGoodStore(t *testing.T) {
	c := &clock{}
	replaytest.Run(t, func(*testing.T) (a, b idjag.ReplayStore) { return shared(idjag.NewReplayStore(0, c.Now)) }, c.advance)
	t.Run("with no clock to move", func(t *testing.T) {
		replaytest.Run(t, func(*testing.T) (a, b idjag.ReplayStore) { return shared(idjag.NewReplayStore(0, nil)) }, nil)
	})
}

// flawed is a map with the mistakes that stores are made with.
type flawed struct {
	mu   sync.Mutex
	seen map[string]time.Time
	now  func() time.Time

	name      func(key string, until time.Time) string // what is remembered
	takesLate bool                                     // ignores that the call was canceled
	apart     bool                                     // asks and takes in two steps
	most      int                                      // evicts above this
	life      time.Duration                            // forgets after this
}

func (f *flawed) Consume(ctx context.Context, key string, until time.Time) (bool, error) {
	if err := ctx.Err(); err != nil && !f.takesLate {
		return false, err
	}
	f.mu.Lock()
	if f.name != nil {
		key = f.name(key, until)
	}
	taken, used := f.seen[key]
	if f.apart {
		f.mu.Unlock()
		for range 100 {
			runtime.Gosched() // whoever comes now reads the same
		}
		f.mu.Lock()
	}
	defer f.mu.Unlock()
	if used && !(f.life > 0 && f.now().Sub(taken) > f.life) {
		return false, ctx.Err()
	}
	if f.most > 0 && len(f.seen) >= f.most {
		f.seen = map[string]time.Time{}
	}
	f.seen[key] = f.now()
	return true, ctx.Err()
}

// flaws are the stores, and the check that must find each.
var flaws = map[string]struct {
	make  func(f *flawed)
	twice bool // each replica has its own
	found string
}{
	"forgets nothing and knows nothing": {func(f *flawed) {
		n := 0
		f.name = func(string, time.Time) string { n++; return fmt.Sprint(n) }
	}, false, "a_key_is_new_once"},
	"one for each replica": {func(*flawed) {}, true, "a_key_is_new_once"},
	"keyed by expiry, too": {func(f *flawed) {
		f.name = func(key string, until time.Time) string { return key + until.String() }
	}, false, "another_expiry_is_the_same_key"},
	"blind to case": {func(f *flawed) {
		f.name = func(key string, _ time.Time) string { return strings.ToLower(key) }
	}, false, "keys_do_not_disturb_each_other"},
	"short columns": {func(f *flawed) {
		f.name = func(key string, _ time.Time) string { return key[:min(len(key), 32)] }
	}, false, "keys_do_not_disturb_each_other"},
	"a cache":              {func(f *flawed) { f.most = 1000 }, false, "no_key_makes_room_for_others"},
	"asks and then takes":  {func(f *flawed) { f.apart = true }, false, "of_concurrent_calls_exactly_one_wins"},
	"takes what it denies": {func(f *flawed) { f.takesLate = true }, false, "a_canceled_call_takes_nothing"},
	"a short memory":       {func(f *flawed) { f.life = time.Second }, false, "a_key_is_held_until_its_time"},
}

// TestFlawedStore runs the checks over one flawed store, in a process of its own,
// since what is wanted is that they fail.
func TestFlawedStore(t *testing.T) {
	flaw, ok := flaws[os.Getenv(flawVariable)]
	if !ok {
		t.Skip("run by TestFlawsAreFound")
	}
	c := &clock{}
	replaytest.Run(t, func(*testing.T) (a, b idjag.ReplayStore) {
		open := func() idjag.ReplayStore {
			f := &flawed{seen: map[string]time.Time{}, now: c.Now}
			flaw.make(f)
			return f
		}
		if flaw.twice {
			return open(), open()
		}
		return shared(open())
	}, c.advance)
}

const flawVariable = "REPLAYTEST_FLAW"

// TestFlawsAreFound: a check that no store can fail checks nothing.
func TestFlawsAreFound(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(flaws)) {
		cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestFlawedStore$")
		cmd.Env = append(os.Environ(), flawVariable+"="+name)
		out, err := cmd.CombinedOutput()
		if want := "--- FAIL: TestFlawedStore/" + flaws[name].found; err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v, and no %q in\n%s", name, err, want, out)
		}
	}
}
