package keys

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// What a flood leaves behind has a bound that no other test can see.
func TestMemoryOfAFloodIsBounded(t *testing.T) {
	d := newDemand(DefaultMinInterval)
	now := time.Now()
	for round := range 3 {
		for i := range 100_000 {
			d.ask(context.Background(), fmt.Sprint(round, "-", i), now)
		}
		if len(d.booked) != maxBooked {
			t.Errorf("%d kids are remembered, want %d", len(d.booked), maxBooked)
		}
		d.begin(now)
		d.end(true)
		if len(d.absent) != maxBooked || len(d.checking) != 0 || len(d.booked) != 0 {
			t.Errorf("after a fetch %d absent, %d checking, %d booked", len(d.absent), len(d.checking), len(d.booked))
		}
	}
}
