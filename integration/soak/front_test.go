package soak_test

import (
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/redisstore/redistest"
)

// A front stands before a server on a loopback port of its own, and dies, dawdles
// and lies in its place.
type front struct {
	address string
	handler http.Handler
	ledger  *ledger
	trouble trouble

	mu     sync.Mutex
	server *http.Server // nil while it is dead
	awake  chan struct{}
	lies   []lie
	told   int
}

// A lie answers for a key set. honest is what it should have been.
type lie func(w http.ResponseWriter, r *http.Request, honest []byte)

func newFront(t *testing.T, l *ledger) *front {
	f := &front{address: redistest.FreeAddress(t), ledger: l, awake: make(chan struct{})}
	close(f.awake)
	return f
}

func (f *front) url() string { return "http://" + f.address }

// start serves, again after kill.
func (f *front) start() {
	f.mu.Lock()
	defer f.mu.Unlock()
	listener, err := net.Listen("tcp", f.address)
	if err != nil {
		f.ledger.fault("%s cannot listen: %v", f.address, err)
		return
	}
	server := &http.Server{Handler: f, ReadHeaderTimeout: time.Minute}
	f.server = server
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			f.ledger.fault("%s ended: %v", f.address, err)
		}
	}()
}

// kill ends the server as a crash does: every connection breaks, and none is
// taken any more.
func (f *front) kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.server != nil {
		_ = f.server.Close()
		f.server = nil
	}
}

// doze makes every request wait until wake.
func (f *front) doze() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.awake = make(chan struct{})
}

func (f *front) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.awake)
}

// lie makes each request for the key set get another of these, in turn; none is
// the truth again.
func (f *front) lie(lies ...lie) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lies = lies
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	awake, next := f.awake, lie(nil)
	if r.URL.Path == "/jwks" && len(f.lies) > 0 {
		next = f.lies[f.told%len(f.lies)]
		f.told++
	}
	f.mu.Unlock()
	select {
	case <-awake:
	case <-r.Context().Done():
		return
	}
	if next == nil {
		f.handler.ServeHTTP(w, r)
		return
	}
	next(w, r, answer(f.handler, r))
}

// liesTold is how often it lied.
func (f *front) liesTold() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.told
}
