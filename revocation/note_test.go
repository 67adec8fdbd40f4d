package revocation_test

import (
	"testing"
	"time"

	"github.com/emamw/mcp-ema/revocation"
)

// What this process revoked itself is in effect at once, and is no word of the
// store: a store that is cut off must not look alive because of it.
func TestNoteIsNotHearing(t *testing.T) {
	now := epoch
	v := revocation.NewView(at(&now))
	r := revocation.Revocation{Issuer: "as", Subject: "ada", Before: epoch, Until: epoch.Add(time.Hour)}
	news := v.Watch()
	v.Note(r)
	if !v.Revoked("as", "", "ada", "", "", epoch.Add(-time.Minute)) || v.Len() != 1 {
		t.Error("it has no effect")
	}
	select {
	case <-news:
	default:
		t.Error("who waits for news is not told")
	}
	if v.Fresh(time.Hour) {
		t.Error("a store that never spoke counts as heard")
	}

	v.Apply(nil)
	now = now.Add(time.Minute)
	v.Note(r)
	if v.Fresh(time.Minute-time.Second) || !v.Fresh(time.Minute) {
		t.Error("the store was heard a minute ago, and a note changed that")
	}
	v.Note(revocation.Revocation{Issuer: "as"})
	if v.Len() != 1 {
		t.Error("one that names nobody was kept")
	}
}
