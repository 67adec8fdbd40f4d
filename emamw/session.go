package emamw

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"hash"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
)

// headerSessionID is the header of the MCP streamable HTTP transport, in the
// canonical form of net/http.
const headerSessionID = "Mcp-Session-Id"

// isolatedPrefix begins the ids of callers who brought none.
const isolatedPrefix = "emamw-"

// sessions ties the ids of sessions to callers. An id is no authentication (MCP
// security best practices): whoever learns one must not be able to use it. The
// guard appends a keyed hash of id and caller on the way out and checks and
// strips it on the way in, so replicas with the same key share no state.
type sessions struct {
	seals     []*sealer // the first one seals
	isolating *sealer   // with a key of its own: else an id of one sort could be read off one of the other
	cursors   cipher.AEAD

	// legacy holds the sessions of the SSE transport, whose ids the guard cannot
	// seal: id -> caller.
	legacy sync.Map
}

// boundSession is the last session that a caller was seen with, so that its
// hash is not computed for each request.
type boundSession struct {
	seen atomic.Pointer[sessionPair]

	alone    sync.Once // isolated
	isolated [1]string // for requests that bring no session
}

type sessionPair struct {
	sealed string
	id     []string
}

func newSessions(key []byte, previous [][]byte) *sessions {
	if key == nil {
		key = make([]byte, sha256.Size)
		_, _ = rand.Read(key) // never fails
	}
	s := &sessions{
		seals:     []*sealer{newSealer(derive(key, "session"))},
		isolating: newSealer(derive(key, "isolated")),
		cursors:   newCursorSealer(derive(key, "cursor")),
	}
	for _, key := range previous {
		s.seals = append(s.seals, newSealer(derive(key, "session")))
	}
	return s
}

// derive makes a key for one purpose, so that what is sealed for one is never
// accepted for another.
func derive(key []byte, purpose string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("emamw " + purpose))
	return mac.Sum(nil)
}

// sealer computes keyed hashes. What it computes them with is used again: keying an
// HMAC takes as long as hashing an id does.
type sealer struct{ pool sync.Pool }

// sealing is one HMAC and the text that goes in and comes out.
type sealing struct {
	mac  hash.Hash
	sum  [sha256.Size]byte
	text []byte
}

func newSealer(key []byte) *sealer {
	return &sealer{pool: sync.Pool{New: func() any { return &sealing{mac: hmac.New(sha256.New, key)} }}}
}

// sum is prefix and the hash, in the text that is compared: the last character of
// base64 has spare bits, and decoded bytes would let a hash be spelled in several
// ways.
func (s *sealer) sum(prefix, id, caller string) string {
	w := s.pool.Get().(*sealing)
	defer s.pool.Put(w)
	w.text = append(append(append(w.text[:0], id...), 0), caller...)
	w.mac.Reset()
	w.mac.Write(w.text)
	w.text = base64.RawURLEncoding.AppendEncode(append(w.text[:0], prefix...), w.mac.Sum(w.sum[:0]))
	return string(w.text)
}

// seal returns the id as the client is to hold it.
func (s *sessions) seal(id, caller string) string {
	return s.seals[0].sum(id+".", id, caller)
}

// open returns the id behind a sealed one, and false for an id that was sealed
// for another caller, with another key, or not at all.
func (s *sessions) open(sealed string, id *identity) (bare []string, ok bool) {
	if seen := id.session.seen.Load(); seen != nil && seen.sealed == sealed {
		return seen.id, true
	}
	dot := strings.LastIndexByte(sealed, '.')
	if dot < 0 {
		return nil, false
	}
	for _, seal := range s.seals {
		if subtle.ConstantTimeCompare([]byte(seal.sum("", sealed[:dot], id.caller)), []byte(sealed[dot+1:])) == 1 {
			pair := &sessionPair{sealed: sealed, id: []string{sealed[:dot]}}
			id.session.seen.Store(pair)
			return pair.id, true
		}
	}
	return nil, false
}

// isolated returns the session id of a caller who brought none. mcp-go would
// take "" for all of them: one session in which one caller's notifications reach
// another's stream, and one can cancel another's call.
func (s *sessions) isolated(id *identity) []string {
	own := &id.session
	own.alone.Do(func() { own.isolated[0] = s.isolating.sum(isolatedPrefix, "", id.caller) })
	return own.isolated[:]
}

// resolve returns the session id to hand to mcp-go for a request with these
// values of the session header.
func (s *sessions) resolve(values []string, id *identity) (bare []string, ok bool) {
	switch {
	case len(values) == 0 || (len(values) == 1 && values[0] == ""):
		return s.isolated(id), true
	case len(values) > 1:
		return nil, false // mcp-go reads the first, a proxy might read the last
	}
	return s.open(values[0], id)
}

// owns reports whether the caller may post to the legacy SSE session that the
// query names. An id that no such session has is left to mcp-go, which does not
// know it either.
func (s *sessions) owns(r *http.Request, id *identity) bool {
	owner, known := s.legacyOwner(r)
	return !known || owner == id.caller
}

// legacyOwner returns whose the legacy SSE session is that the query names: the
// first one, as mcp-go reads it.
func (s *sessions) legacyOwner(r *http.Request) (caller string, known bool) {
	if r.URL.RawQuery == "" {
		return "", false
	}
	owner, known := s.legacy.Load(r.URL.Query().Get("sessionId"))
	caller, _ = owner.(string)
	return caller, known
}
