package soak_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A request is one message to an MCP server, with what it deserves.
type request struct {
	kind    string
	token   *bearer // nil: nothing that any key of the issuer has signed
	denial  int     // what a good token gets; 0: it is let in
	strange bool    // names a key that the issuer may have to be asked for
	want    string  // in the answer of one that is let in
	reply   reply
}

// A reply is what came back, and when.
type reply struct {
	sent, answered time.Time
	status         int
	header         http.Header
	body           string
	err            error
}

// A ledger holds the count of what was answered, and every answer that was wrong.
type ledger struct {
	store *trouble // Redis

	allowed, refused, undecided    atomic.Int64
	wrongAllows, refusedGood, odds atomic.Int64

	mu     sync.Mutex
	kinds  map[string]int64
	noted  map[string]int // of what is in wrongs
	wrongs []string
}

func newLedger(store *trouble) *ledger {
	return &ledger{store: store, kinds: map[string]int64{}, noted: map[string]int{}}
}

// judge compares a reply with what the request deserves.
func (l *ledger) judge(q *request) {
	r := &q.reply
	hopeless := q.token == nil || q.token.bad(r.sent)
	good := q.token != nil && q.token.good(r.answered)
	switch {
	case r.err != nil:
		l.wrong(&l.odds, q, "broke off: "+r.err.Error())
	case r.status == http.StatusOK && (hopeless || q.denial != 0):
		l.wrong(&l.wrongAllows, q, "was let in")
	case r.status == http.StatusOK && l.store.throughout(r.sent, r.answered, maxDelay+slack):
		l.wrong(&l.wrongAllows, q, "was let in while nobody could know who was revoked")
	case r.status == http.StatusOK && !strings.Contains(r.body, q.want):
		l.wrong(&l.odds, q, "was answered with something else: "+r.body)
	case r.status == http.StatusOK:
		l.count(&l.allowed, q, "allowed")
	case r.status == http.StatusServiceUnavailable:
		l.judgeUndecided(q, good)
	case good && r.status != q.denial:
		l.wrong(&l.refusedGood, q, "was refused")
	case r.status == http.StatusUnauthorized && strings.Contains(r.header.Get("WWW-Authenticate"), `error="invalid_token"`),
		r.status == q.denial:
		l.count(&l.refused, q, "refused")
	default:
		l.wrong(&l.odds, q, "was answered in no way that is documented")
	}
}

// judgeUndecided is judge for a 503, which takes a reason: a store that has been
// silent for too long, or a key that the issuer cannot be asked for.
func (l *ledger) judgeUndecided(q *request, good bool) {
	r := &q.reply
	silent := l.store.during(r.sent, r.answered, maxDelay-pollDelay-storeTimeout)
	switch {
	case r.header.Get("Retry-After") == "":
		l.wrong(&l.odds, q, "was answered 503 without Retry-After")
	case silent, q.strange, q.token != nil && !good:
		l.count(&l.undecided, q, "undecided")
	case good:
		l.wrong(&l.refusedGood, q, "was put off")
	default:
		l.wrong(&l.odds, q, "was put off, though it is bad by itself")
	}
}

func (l *ledger) count(n *atomic.Int64, q *request, outcome string) {
	n.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kinds[q.kind+", "+outcome]++
}

func (l *ledger) wrong(n *atomic.Int64, q *request, what string) {
	r := &q.reply
	l.noteOne(n, q.kind+what, fmt.Sprintf("%s %s: %d after %v at %s", q.kind, what, r.status, r.answered.Sub(r.sent).Round(time.Millisecond), r.answered.Format("15:04:05.000")))
}

// fault is for what went wrong in another way than by an answer.
func (l *ledger) fault(format string, args ...any) {
	l.note(&l.odds, fmt.Sprintf(format, args...)+" at "+time.Now().Format("15:04:05.000"))
}

func (l *ledger) note(n *atomic.Int64, text string) { l.noteOne(n, "", text) }

// noteOne keeps the text, but not of each of the many that are of one sort.
func (l *ledger) noteOne(n *atomic.Int64, sort, text string) {
	const most, mostOfASort = 40, 3
	n.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.noted[sort]++; len(l.wrongs) < most && (sort == "" || l.noted[sort] <= mostOfASort) {
		l.wrongs = append(l.wrongs, text)
	}
}

func (l *ledger) total() int64 {
	return l.allowed.Load() + l.refused.Load() + l.undecided.Load() + l.wrongAllows.Load() + l.refusedGood.Load() + l.odds.Load()
}

// close reports the outcome of the whole.
func (l *ledger) close(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, kind := range slices.Sorted(maps.Keys(l.kinds)) {
		t.Logf("%9d %s", l.kinds[kind], kind)
	}
	if a, g, o := l.wrongAllows.Load(), l.refusedGood.Load(), l.odds.Load(); a+g+o > 0 {
		t.Errorf("%d wrong allows, %d good tokens refused, %d other faults; the first are\n%s", a, g, o, strings.Join(l.wrongs, "\n"))
	}
}
