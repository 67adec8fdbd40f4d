package emamwtest

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
)

// HTTPClient returns a client for which the network consists of these
// handlers. The keys are URLs, of which only scheme and host count:
//
//	emamwtest.HTTPClient(map[string]http.Handler{
//		as.Issuer():               as,
//		"https://mcp.example.com": guarded,
//	})
//
// A request to any other origin fails. Nothing leaves the process and no port
// is opened, so https names need no certificate, and inside a testing/synctest
// bubble time advances while everybody waits. Responses are streamed.
// HTTPClient panics if a key is not an absolute URL.
func HTTPClient(servers map[string]http.Handler) *http.Client {
	n := network{}
	for raw, handler := range servers {
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" {
			panic("emamwtest: " + strconv.Quote(raw) + " must be an absolute URL, such as https://mcp.example.com")
		}
		n[origin(u)] = handler
	}
	return &http.Client{Transport: n}
}

// network is an http.RoundTripper over handlers by origin.
type network map[string]http.Handler

func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

func (n network) RoundTrip(r *http.Request) (*http.Response, error) {
	handler, ok := n[origin(r.URL)]
	if !ok {
		closeBody(r)
		return nil, errors.New("emamwtest: no server for " + origin(r.URL) + ": give HTTPClient a handler for it")
	}
	ctx, cancel := context.WithCancel(r.Context())
	c := &call{ctx: ctx, cancel: cancel, head: make(chan struct{}), header: http.Header{}}
	c.ready.L = &c.mu
	stop := context.AfterFunc(ctx, func() { c.end(context.Cause(ctx)) })
	go func() {
		defer cancel()
		defer stop()
		defer closeBody(r)
		defer c.finish()
		handler.ServeHTTP(c, arrived(ctx, r))
	}()
	<-c.head
	return c.response(r)
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// arrived is r as a server sees it.
func arrived(ctx context.Context, r *http.Request) *http.Request {
	s := r.Clone(ctx)
	s.RequestURI = r.URL.RequestURI()
	s.URL = &url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	s.Proto, s.ProtoMajor, s.ProtoMinor = "HTTP/1.1", 1, 1
	s.RemoteAddr = "192.0.2.1:1234" // an address for documentation, RFC 5737
	if s.Host == "" {
		s.Host = r.URL.Host
	}
	if s.Body == nil {
		s.Body = http.NoBody
	}
	if r.URL.Scheme == "https" {
		s.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true, ServerName: r.URL.Hostname()}
	}
	return s
}

// call is one request in the middle of being answered: the handler's
// ResponseWriter, and the client's response body. What was written waits in
// memory, as it would in the buffers of a connection.
type call struct {
	ctx    context.Context // the handler's
	cancel context.CancelFunc
	header http.Header   // the handler's
	head   chan struct{} // closed when the status is known, or there will be none

	mu     sync.Mutex
	ready  sync.Cond // something was written, or the end has come
	status int
	sent   http.Header // header as it was when the status was written
	unread bytes.Buffer
	err    error // why there will be nothing more to read; io.EOF at the end
}

func (c *call) Header() http.Header { return c.header }

func (c *call) WriteHeader(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writeHeader(status)
}

// writeHeader is WriteHeader with mu held. An informational status is not the
// answer yet.
func (c *call) writeHeader(status int) {
	if c.status != 0 || c.err != nil || status < http.StatusOK && status != http.StatusSwitchingProtocols {
		return
	}
	c.status, c.sent = status, c.header.Clone()
	close(c.head)
}

func (c *call) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, errors.New("emamwtest: the client has gone")
	}
	c.writeHeader(http.StatusOK)
	c.ready.Broadcast()
	return c.unread.Write(p)
}

func (c *call) Flush() { c.WriteHeader(http.StatusOK) }

// finish runs when the handler has returned or panicked. A panic is the
// client's error, as it is over a connection, but with its text.
func (c *call) finish() {
	switch v := recover(); v {
	case nil:
		if c.ctx.Err() != nil {
			c.end(context.Cause(c.ctx)) // the client gave up first, and must not see an answer by chance
		}
		c.WriteHeader(http.StatusOK)
		c.end(io.EOF)
	case http.ErrAbortHandler:
		c.end(io.ErrUnexpectedEOF)
	default:
		c.end(fmt.Errorf("emamwtest: the handler panicked: %v", v))
	}
}

// end lets the reader come to an end. The first reason counts.
func (c *call) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	if c.status == 0 {
		close(c.head)
	}
	c.ready.Broadcast()
}

func (c *call) response(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status == 0 {
		return nil, c.err
	}
	resp := &http.Response{
		Status:     strconv.Itoa(c.status) + " " + http.StatusText(c.status),
		StatusCode: c.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        c.sent,
		Body:          c,
		ContentLength: -1,
		Request:       r,
	}
	if r.Method == http.MethodHead {
		resp.Body = http.NoBody
	}
	return resp, nil
}

// Read is that of the response body.
func (c *call) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.unread.Len() == 0 && c.err == nil {
		c.ready.Wait()
	}
	if c.unread.Len() > 0 {
		return c.unread.Read(p)
	}
	return 0, c.err
}

// Close is that of the response body. The handler sees its context end.
func (c *call) Close() error {
	c.end(http.ErrBodyReadAfterClose)
	c.cancel()
	return nil
}
