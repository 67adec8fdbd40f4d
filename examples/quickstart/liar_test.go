package main

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// lie is what becomes of one answer on its way to the walk.
type lie struct {
	at   string // the path of the URL
	skip int    // how many answers from there are left alone before

	status    int    // another status
	challenge string // another challenge; "-" is none
	old, new  string // a text of the body, and what replaces it
}

// liar is a transport that tells one lie.
type liar struct {
	lie
	base http.RoundTripper

	mu   sync.Mutex
	seen int
}

func (l *liar) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.base.RoundTrip(r)
	if err != nil || r.URL.Path != l.at || !l.turn() {
		return resp, err
	}
	if l.status != 0 {
		resp.StatusCode = l.status
	}
	switch l.challenge {
	case "":
	case "-":
		resp.Header.Del("WWW-Authenticate")
	default:
		resp.Header.Set("WWW-Authenticate", l.challenge)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	if l.old != "" {
		body = bytes.Replace(body, []byte(l.old), []byte(l.new), 1)
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, nil
}

// turn reports whether it is time to lie.
func (l *liar) turn() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen++
	return l.seen == l.skip+1
}
