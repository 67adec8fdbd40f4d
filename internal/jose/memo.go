package jose

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
)

// Bounds on the memo: at most 64 KiB of header text.
const (
	maxMemoHeaders   = 64
	maxMemoTextBytes = 1 << 10
)

// verifiedHeaders is shared by all issuers of the process, since what a header
// says depends on nothing but its text.
var verifiedHeaders memo

// A memo knows what header texts say. All tokens of one key share one text, so
// the busy path decodes no JSON for a header.
//
// Only texts whose token was verified enter it: a sender of junk, without a key
// that somebody here trusts, can neither fill it nor push anything out. A client
// that signs its own assertions can write new headers for ever; when the memo is
// full it starts anew, so all that such a client wins is that others decode a
// header again, which is a few microseconds beside each signature it had to
// make. Reading takes no lock: the map is replaced, never changed.
type memo struct {
	mu    sync.Mutex // held by writers
	known atomic.Pointer[map[string]Header]
}

func (m *memo) lookup(text string) (Header, bool) {
	known := m.known.Load()
	if known == nil {
		return Header{}, false
	}
	h, ok := (*known)[text]
	return h, ok
}

func (m *memo) add(text string, h Header) {
	if len(text) > maxMemoTextBytes {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	next := make(map[string]Header)
	if known := m.known.Load(); known != nil && len(*known) < maxMemoHeaders {
		maps.Copy(next, *known)
	}
	next[strings.Clone(text)] = h // text is a piece of the token, and would keep all of it in memory
	m.known.Store(&next)
}
