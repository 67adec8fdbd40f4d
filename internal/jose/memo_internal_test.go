package jose

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func (m *memo) size() int {
	known := m.known.Load()
	if known == nil {
		return 0
	}
	return len(*known)
}

func TestMemoIsBounded(t *testing.T) {
	var m memo
	if _, ok := m.lookup("a"); ok {
		t.Error("an empty memo knows a header")
	}
	for i := range 10 * maxMemoHeaders {
		text := fmt.Sprint(i)
		m.add(text, Header{KeyID: text})
		if h, ok := m.lookup(text); !ok || h.KeyID != text {
			t.Fatalf("header %d was not kept: %+v", i, h)
		}
		if m.size() > maxMemoHeaders {
			t.Fatalf("%d headers kept", m.size())
		}
	}
	before := m.size()
	m.add(strings.Repeat("x", maxMemoTextBytes+1), Header{})
	if m.size() != before {
		t.Error("a header of unusual length was kept")
	}
}

// A map that a reader holds must never change under it: run with -race.
func TestMemoUnderConcurrentUse(t *testing.T) {
	var m memo
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 200 {
				text := fmt.Sprint(i*j%90, ".")
				m.add(text, Header{KeyID: text})
				if h, ok := m.lookup(text); ok && h.KeyID != text {
					t.Errorf("%q read as %q", text, h.KeyID)
				}
			}
		})
	}
	wg.Wait()
}

// Junk must not fill the memo: only what a trusted key has signed enters it.
func TestOnlyVerifiedHeadersAreKept(t *testing.T) {
	before := verifiedHeaders.size()
	for i := range 10 {
		token, err := Parse(strictBase64.EncodeToString(fmt.Appendf(nil, `{"alg":"EdDSA","kid":"junk %d"}`, i)) + ".e30.AA")
		if err != nil {
			t.Fatal(err)
		}
		if token.Verify(nil) == nil {
			t.Fatal("accepted")
		}
	}
	if after := verifiedHeaders.size(); after != before {
		t.Errorf("the memo went from %d to %d headers", before, after)
	}
}
