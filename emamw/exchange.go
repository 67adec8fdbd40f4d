package emamw

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/telemetry"
	"github.com/emamw/mcp-ema/scopes"
)

// exchange is one request on its way through mcp-go: the caller, the verdict
// that the gate reaches inside, and the writer that holds the answer back until
// then. It is the request's context as well, so that the gate finds it, and one
// allocation for all of it.
type exchange struct {
	context.Context

	guard *Guard
	id    *identity
	body  limitedBody

	w         http.ResponseWriter
	holds     bool     // a POST, whose 200 waits for the verdict
	sessionID string   // as handed to mcp-go
	session   []string // the same, as a header
	origin    telemetry.Origin
	hangUp    func() // ends the request, where it opens a stream

	looked atomic.Bool // the gate looked around in the server: see glance

	mu      sync.Mutex
	verdict verdict
	denial  scopes.Decision
	seen    bool            // the gate's first hook saw the message
	message context.Context // of the message that is answered here; nil before it
	pending call            // what a filter is to decide on
	ran     mcp.MCPMethod   // of what was let through
	rules   ruleSet         // of the same
	reads   []approval      // what handlers of resources may run for
	stand   standIn

	status   int // of the answer; 0 before it
	held     bytes.Buffer
	flushed  bool // a flush was asked for while the answer was held
	events   bool // the answer is an event stream
	finished bool
}

// verdict is where an exchange stands.
type verdict uint8

const (
	open    verdict = iota // nothing was decided: a 200 waits
	allowed                // what mcp-go writes goes out
	denied                 // what mcp-go writes is dropped, and the guard answers
)

// call is a message whose rule is looked at where mcp-go hands over the item.
type call struct {
	request   any // the JSON-RPC id
	method    mcp.MCPMethod
	arguments map[string]any
	task      bool // the call is to be made as a task
}

// approval is of one URI, which was decided on as that of a resource, by the rule in
// its meta, or as one that templates match.
type approval struct {
	uri   string
	fixed bool
	meta  *mcp.Meta
}

// standIn is what a refused message names in place of what it asked for. mcp-go
// answers that it knows no such thing, and in that answer the name is put back.
type standIn struct {
	name, original []byte // as JSON text, without the quotes
}

type exchangeKey struct{}

// Value makes the exchange and its caller findable from every context below it.
// The caller stands before whatever the request's own context says.
func (x *exchange) Value(key any) any {
	if key == (exchangeKey{}) {
		return x
	}
	if somebody.Value(key) != nil {
		return x.id.who().Value(key)
	}
	return x.Context.Value(key)
}

// somebody answers to the key under which package claims looks for a principal, and
// to no other.
var somebody = claims.NewContext(context.Background(), claims.Principal{})

func exchangeFrom(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// settle lets the answer out. The first decision stands.
func (x *exchange) settle() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.letOut()
}

func (x *exchange) letOut() {
	if x.verdict == open {
		x.verdict = allowed
		x.release()
	}
}

// deny turns the answer into a refusal, unless it was let out before, or is a
// stream.
func (x *exchange) deny(d scopes.Decision) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.holds && x.verdict != allowed {
		x.verdict, x.denial = denied, d
	}
}

// see marks the message as seen by the gate.
func (x *exchange) see() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.seen = true
}

// take makes the first message that is decided on the exchange's own, and reports
// whether the one of this context is that. mcp-go makes a context for each message
// and hands it to every hook and filter. A stream has no message of its own.
func (x *exchange) take(ctx context.Context) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.message == nil {
		x.message = ctx
	}
	return x.own(ctx)
}

// answers reports whether the message of this context is the exchange's own. What
// a hook or a handler sends into the server is not: its answer is theirs to read,
// and neither what it asks for nor what comes of it counts for the request.
func (x *exchange) answers(ctx context.Context) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.own(ctx)
}

// own is answers for who holds the lock.
func (x *exchange) own(ctx context.Context) bool {
	return x.holds && (x.message == nil || same(x.message, ctx))
}

// same compares two contexts. Where their type cannot be compared, as that of a tracer
// may be, Go panics, and what they have in common is when they end. To ask that each
// time would make a channel for each message.
func same(a, b context.Context) (is bool) {
	defer func() {
		if recover() != nil {
			is = a.Done() == b.Done()
		}
	}()
	return a == b
}

// expect notes what the filter is to decide on.
func (x *exchange) expect(c call) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.pending = c
}

// expected returns what the filter is to decide on.
func (x *exchange) expected() call {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.pending
}

// letThrough notes the item that may run, and by which rules, and lets the answer
// out.
func (x *exchange) letThrough(method mcp.MCPMethod, rules ruleSet) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ran, x.rules = method, rules
	x.letOut()
}

// rulesOf returns the rules of the tool that this exchange let through, and false
// for another: one that a handler called in the server itself.
func (x *exchange) rulesOf(tool string) (ruleSet, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.rules, x.ran == mcp.MethodToolsCall && x.rules.name == tool
}

// approve lets the handler of a resource run, also for a message that a handler
// sends into the server.
func (x *exchange) approve(read approval) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !slices.Contains(x.reads, read) {
		x.reads = append(x.reads, read)
	}
}

// approved reports whether a URI was approved, and whether that was by the rule of
// what serves it now.
func (x *exchange) approved(read approval) (known, same bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range x.reads {
		known, same = known || r.uri == read.uri, same || r == read
	}
	return known, same
}

// conceal replaces a name in mcp-go's answer by the one that was asked for.
func (x *exchange) conceal(name, original string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.stand = standIn{name: jsonText(name), original: jsonText(original)}
}

func jsonText(s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		return nil
	}
	return text[1 : len(text)-1]
}

// close ends the writing, also where the transport panicked: its goroutines may
// write on, into a connection that is another request's by then.
func (x *exchange) close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.finished = true
}

// finish completes the answer after the transport returned.
func (x *exchange) finish() {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.verdict == denied && x.status != http.StatusAccepted:
		x.answerDenied()
	case x.verdict == open && x.holds && x.status == http.StatusOK && !x.refused():
		x.answerUnseen()
	case x.verdict == open && x.status != http.StatusAccepted:
		// Nothing was asked of the gate. After a 202 it may still be: legacy SSE
		// accepts a message first and handles it then.
		x.letOut()
	}
}

// refused reports whether mcp-go refused a message before the gate was asked for a
// decision: an unknown method, or one that a hook of the server's own did not like.
// Whatever has a result was decided on, or the hook that decides is gone.
func (x *exchange) refused() bool { return x.seen && !hasResult(x.held.Bytes()) }

// answerDenied writes the guard's refusal in place of mcp-go's answer.
func (x *exchange) answerDenied() {
	x.forget()
	x.guard.answers.deny(x.w, x.denial.Scopes)
}

// forget takes out the headers of the answer that is not sent.
func (x *exchange) forget() {
	for _, name := range [...]string{"Content-Type", "Content-Encoding", "Etag", "Last-Modified", "Cache-Control", "Connection", headerSessionID} {
		x.w.Header().Del(name)
	}
}

// answerUnseen keeps in an answer whose message the gate never saw, or never decided
// on: the transport belongs to another server, or its hooks were replaced. The handler
// has run, but what it says stays here. mcp-go's own refusal of a message that
// it could not read is let out, as the 400 that it is.
func (x *exchange) answerUnseen() {
	if !x.events && isUnreadable(x.held.Bytes()) {
		x.guard.recordTurnedAway(x, "", claims.RequestMalformed)
		x.w.Header().Del(headerSessionID) // mcp-go opened one all the same, and its id is not sealed
		x.w.WriteHeader(http.StatusBadRequest)
		_, _ = x.w.Write(x.held.Bytes())
		return
	}
	x.guard.raise(unseenAlarm)
	x.guard.recordTurnedAway(x, "", claims.Ungated)
	x.forget()
	x.guard.answers.write(x.w, http.StatusInternalServerError, "server_error")
}

// hasResult recognizes an answer that is no error, in an event stream too.
func hasResult(answer []byte) bool {
	for line := range bytes.Lines(answer) {
		var message struct {
			Result json.RawMessage `json:"result"`
		}
		if json.Unmarshal(bytes.TrimPrefix(line, eventData), &message) == nil && message.Result != nil {
			return true
		}
	}
	return false
}

// isUnreadable recognizes mcp-go's answer to a message that is no JSON-RPC
// request: an error and no result.
func isUnreadable(answer []byte) bool {
	var message struct {
		Result json.RawMessage `json:"result"`
		Error  struct {
			Code int `json:"code"`
		} `json:"error"`
	}
	if json.Unmarshal(answer, &message) != nil || message.Result != nil {
		return false
	}
	return message.Error.Code == mcp.INVALID_REQUEST || message.Error.Code == mcp.PARSE_ERROR
}
