package idjag

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// A nowhere is a network that fails once it is closed.
type nowhere chan struct{}

func (n nowhere) RoundTrip(*http.Request) (*http.Response, error) {
	<-n
	return nil, errors.New("no route to host")
}

// A fetch gives its slot back before it answers: whoever was answered may ask for
// the next document at once, and must not find the slot taken. The test takes the
// slot itself, so that the fetch cannot give it back, and must not answer.
func TestFetchAnswersWithoutItsSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const origin = "https://client.example.com"
		net := make(nowhere)
		d := &documents{
			clients: map[string]*http.Client{origin: {Transport: net}}, now: time.Now,
			fetches: make(chan struct{}, 1), entries: map[string]*document{},
		}
		e, _ := d.entry(t.Context(), origin+"/c.json")
		<-d.fetches
		close(net)
		synctest.Wait()
		if e.settled() {
			t.Error("it answered, and held its slot still")
		}
		d.fetches <- struct{}{}
		synctest.Wait()
		if !e.settled() || len(d.fetches) != 0 {
			t.Error("it did not end")
		}
	})
}
