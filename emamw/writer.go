package emamw

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/emamw/mcp-ema/claims"
)

// Header, WriteHeader and Write make the exchange the http.ResponseWriter that
// mcp-go writes to. A 200 to a POST is held until the verdict is reached: with a
// notification that a handler of another request left behind, mcp-go begins an
// event stream before the gate was asked, and the status of a 403 would be gone.
// Everything else goes out as it comes.

// streamWriter is an exchange over a writer that can flush. mcp-go asks by a
// type assertion whether it may stream.
type streamWriter struct{ *exchange }

// Flush sends what was written, once it may go out.
func (w streamWriter) Flush() { _ = w.FlushError() }

// FlushError is Flush for http.ResponseController, which would else look behind
// the exchange for a writer that can flush, and send a status before the verdict.
func (x *exchange) FlushError() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.finished {
		return errFinished
	}
	if x.status == 0 {
		x.writeHeader(http.StatusOK)
	}
	switch {
	case x.verdict == denied:
	case x.holding():
		x.flushed = true
	default:
		return http.NewResponseController(x.w).Flush()
	}
	return nil
}

// Unwrap is for http.ResponseController: deadlines belong to the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.w }

// Header returns the header map of the answer.
func (x *exchange) Header() http.Header { return x.w.Header() }

// WriteHeader notes the status, and sends it unless it must wait.
func (x *exchange) WriteHeader(status int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.writeHeader(status)
}

func (x *exchange) writeHeader(status int) {
	switch {
	case x.finished, x.status != 0:
		return
	case status < http.StatusOK: // informational: the answer is still to come
		if x.verdict != denied {
			x.w.WriteHeader(status)
		}
		return
	}
	if x.body.exceeded && status == http.StatusBadRequest {
		status = http.StatusRequestEntityTooLarge
		x.guard.recordTurnedAway(x, "", claims.RequestTooLarge)
	}
	x.status = status
	x.events = strings.HasPrefix(x.w.Header().Get("Content-Type"), "text/event-stream")
	if x.verdict == denied && status != http.StatusAccepted || x.holding() {
		return
	}
	x.sendHeader()
}

// holding reports whether the answer waits for the verdict.
func (x *exchange) holding() bool {
	return x.verdict == open && x.holds && x.status == http.StatusOK
}

// sendHeader seals the session id that mcp-go made, and sends the status.
func (x *exchange) sendHeader() {
	if made := x.w.Header()[headerSessionID]; len(made) > 0 {
		x.w.Header().Set(headerSessionID, x.guard.sessions.seal(made[0], x.id.caller))
	}
	x.w.WriteHeader(x.status)
}

// Write sends bytes of the answer, or keeps them until they may go out.
func (x *exchange) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.finished {
		return 0, errFinished // mcp-go writes on after it returned
	}
	if x.status == 0 {
		x.writeHeader(http.StatusOK)
	}
	switch {
	case x.verdict == denied, x.events && x.foreignTask(p): // of one event, before it is held with others
		return len(p), nil
	case x.holding():
		return x.held.Write(p)
	}
	return x.send(p)
}

var errFinished = errors.New("emamw: the answer is complete")

// release sends what was held.
func (x *exchange) release() {
	if x.status != http.StatusOK || !x.holds || x.finished {
		return
	}
	x.sendHeader()
	if x.held.Len() > 0 {
		_, _ = x.send(x.held.Bytes()) // a client that went away misses its answer
		x.held.Reset()
	}
	if x.flushed {
		_ = http.NewResponseController(x.w).Flush()
	}
}

// send writes to the client. It claims that all of p was written, also where the
// stand-in made it another length: that is what mcp-go counts.
func (x *exchange) send(p []byte) (int, error) {
	out := p
	if len(x.stand.name) > 0 {
		out = bytes.ReplaceAll(p, x.stand.name, x.stand.original)
	}
	if _, err := x.w.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

var (
	taskStatus = []byte(`notifications/tasks/status`)
	eventData  = []byte("data:")
)

// foreignTask recognizes the event that tells of another caller's task. mcp-go
// sends it, with the text of the task's error, to every open stream, and writes
// each event with one Write. A task that nobody owns yet is nobody's news.
func (x *exchange) foreignTask(event []byte) bool {
	if !bytes.Contains(event, taskStatus) {
		return false
	}
	for line := range bytes.Lines(event) {
		data, ok := bytes.CutPrefix(line, eventData)
		if !ok {
			continue
		}
		var message struct {
			Method string `json:"method"`
			Params struct {
				TaskID string `json:"taskId"`
			} `json:"params"`
		}
		if json.Unmarshal(data, &message) == nil && message.Method == string(taskStatus) {
			return !x.guard.tasks.owns(message.Params.TaskID, x.id.caller)
		}
	}
	return false
}
