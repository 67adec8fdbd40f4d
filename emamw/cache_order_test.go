package emamw_test

import (
	"sync/atomic"
	"testing"
)

// A full memory forgets what came first, and not what came last: when it is full
// of the tokens of yesterday, those of today still find room, and what made room
// for them counts no more.
func TestMemoryKeepsWhatIsUsed(t *testing.T) {
	var verified atomic.Int64
	as := newIssuer(issuer)
	g := newGuard(t, counted(&verified, 10*shards, nil), as)
	for day := range 20 {
		today := mint(as, 2*shards, 1000)
		for range 2 {
			remembered(t, g, &verified, today)
		}
		if got := remembered(t, g, &verified, today); got < len(today)*3/4 {
			t.Errorf("day %d: of %d tokens in use, with room for %d, %d are remembered", day, len(today), 10*shards, got)
		}
	}
}
