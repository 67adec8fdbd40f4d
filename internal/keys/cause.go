package keys

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"

	"github.com/MicahParks/jwkset"

	"github.com/emamw/mcp-ema/internal/discovery"
)

// A Cause says why a fetch failed. It is one word out of a closed list, because
// the text of the error underneath may quote what the other side sent.
type Cause string

// The closed list of causes.
const (
	CauseTimeout     Cause = "timeout"
	CauseDNS         Cause = "dns"           // the name was not resolved
	CauseConnect     Cause = "connect"       // no connection, or it broke
	CauseTLS         Cause = "tls"           // no trust in the certificate, or no common version
	CauseRedirect    Cause = "redirect"      // to another origin, or too many
	CauseAddress     Cause = "address"       // an address that must not be asked
	CauseStatus      Cause = "status"        // an answer other than 200
	CauseTooLarge    Cause = "too_large"     // an answer over 1 MiB
	CauseMalformed   Cause = "malformed"     // no JSON, or no key set
	CauseNoUsableKey Cause = "no_usable_key" // a key set without a key that can be used
	CauseIssuer      Cause = "issuer"        // metadata that is another issuer's
	CauseJWKSURI     Cause = "jwks_uri"      // metadata without the address of the key set, or with one that must not be asked
	CauseCanceled    Cause = "canceled"      // the program ends
	CauseOther       Cause = "other"
)

// A Step is how far a fetch came that failed.
type Step string

// The closed list of steps.
const (
	StepDiscovery Step = "discovery" // the issuer's metadata
	StepKeys      Step = "keys"      // the key set
)

// classify finds the cause of an error of the HTTP client, of keyfunc or of
// discovery.
func classify(err error) Cause {
	var refused *fault
	var name *net.DNSError
	var operation *net.OpError
	var timeout interface{ Timeout() bool }
	var status *discovery.StatusError
	switch {
	case errors.As(err, &refused):
		return refused.cause
	case errors.Is(err, discovery.ErrIssuer):
		return CauseIssuer
	case errors.Is(err, discovery.ErrJWKSURI):
		return CauseJWKSURI
	case errors.Is(err, discovery.ErrDocument):
		return CauseMalformed
	case errors.Is(err, discovery.ErrRedirect):
		return CauseRedirect
	case errors.Is(err, discovery.ErrAddress):
		return CauseAddress
	case errors.Is(err, discovery.ErrTooLarge):
		return CauseTooLarge
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return CauseTimeout
	case errors.As(err, &name):
		return CauseDNS
	case isTLS(err):
		return CauseTLS
	case errors.As(err, &operation), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return CauseConnect
	case errors.Is(err, jwkset.ErrInvalidHTTPStatusCode), errors.As(err, &status):
		return CauseStatus
	}
	return CauseOther
}

func isTLS(err error) bool {
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var authority x509.UnknownAuthorityError
	return errors.As(err, &certificate) || errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &authority)
}

// A fault is an error of our own that carries its cause through the HTTP client
// and keyfunc.
type fault struct{ cause Cause }

func (f *fault) Error() string { return "keys: " + string(f.cause) }
