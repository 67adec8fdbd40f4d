package discovery

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
)

// What is wrong with a document, to be found with errors.Is.
var (
	ErrDocument = errors.New("discovery: the answer is not a JSON object")
	ErrIssuer   = errors.New("discovery: the document is another issuer's, or nobody's: configure the issuer as it stands there, byte for byte")
	ErrJWKSURI  = errors.New("discovery: the document has no jwks_uri, or one that must not be asked")
)

// A StatusError is an answer that is no document, to be found with errors.As.
type StatusError struct{ Code int }

func (e *StatusError) Error() string { return fmt.Sprintf("discovery: status %d", e.Code) }

// A fetchError is an error in words of our own. What it wraps can be asked for its
// type, and is kept out of the text: it may hold what a peer wrote, such as the
// target of a redirect or the names in a certificate.
type fetchError struct {
	text  string
	err   error
	final bool // the host does not answer, so its other URLs need not be asked
}

func (e *fetchError) Error() string { return e.text }
func (e *fetchError) Unwrap() error { return e.err }

// nearness tells which of several answers is the one to report: the nearest to a
// good document. An issuer has its document at one of the URLs, and says 404, or
// shows its start page, at the others.
func (e *fetchError) nearness() int {
	var status *StatusError
	switch {
	case errors.Is(e.err, ErrIssuer), errors.Is(e.err, ErrJWKSURI):
		return 4
	case errors.Is(e.err, ErrDocument):
		return 3
	case errors.As(e.err, &status) && status.Code == http.StatusNotFound:
		return 0
	case status != nil:
		return 1
	}
	return 2
}

// broken describes an error of the client.
func broken(err error) *fetchError {
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, ErrRedirect):
		return &fetchError{text: "redirects to another origin, or more than three times", err: err}
	case errors.Is(err, ErrTooLarge):
		return &fetchError{text: "answers with more than 1 MiB", err: err}
	case errors.Is(err, ErrAddress):
		return &fetchError{text: "it is at a private, loopback or otherwise local address, which has to be allowed on purpose", err: err, final: true}
	case errors.Is(err, context.Canceled):
		return &fetchError{text: "canceled", err: err, final: true}
	case errors.As(err, &timeout) && timeout.Timeout():
		return &fetchError{text: "no answer in time", err: err, final: true}
	case errors.As(err, &name):
		return &fetchError{text: "its name was not found", err: err, final: true}
	case errors.As(err, &certificate):
		return &fetchError{text: "its certificate is not trusted here", err: err, final: true}
	}
	return &fetchError{text: "the connection failed", err: err, final: true}
}
