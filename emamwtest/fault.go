package emamwtest

import (
	"net/http"
	"slices"
)

// A Fault is a way in which an issuer fails or lies; see the Fail method of
// [IdP] and [AuthorizationServer].
type Fault string

// Faults of every endpoint, and of the metadata.
const (
	Down        Fault = "down"         // everything is answered with 503
	Unreachable Fault = "unreachable"  // the connection ends without an answer
	Slow        Fault = "slow"         // no answer until the caller gives up, or Fail or Close is called
	WrongIssuer Fault = "wrong_issuer" // the metadata names another issuer, which RFC 8414 section 3.3 forbids to use
)

// Faults of the key set alone. Where the comment says "beside the good ones", a
// verifier must keep those (RFC 7517 section 5); with the others it must keep
// the keys it had.
const (
	KeysDown        Fault = "keys_down"        // 503
	KeysUnreachable Fault = "keys_unreachable" // the connection ends without an answer
	KeysSlow        Fault = "keys_slow"        // no answer until the caller gives up, or Fail or Close is called
	KeysGarbage     Fault = "keys_garbage"     // 200 with an HTML page, as of a captive portal
	KeysObject      Fault = "keys_object"      // {}: an object without the member keys
	KeysEmpty       Fault = "keys_empty"       // {"keys":[]}
	KeysHuge        Fault = "keys_huge"        // the good keys behind 8 MiB of padding
	KeysRedirect    Fault = "keys_redirect"    // a redirect to another origin, where the good keys are
	KeysDuplicate   Fault = "keys_duplicate"   // each kid twice, once with a stranger's key
	KeysPrivate     Fault = "keys_private"     // also a private key, beside the good ones
	KeysSymmetric   Fault = "keys_symmetric"   // also a symmetric key, beside the good ones
	KeysEncryption  Fault = "keys_encryption"  // also a key with use "enc", beside the good ones
	KeysWeak        Fault = "keys_weak"        // also a 1024 bit RSA key, beside the good ones
	KeysMalformed   Fault = "keys_malformed"   // also members that are no keys, beside the good ones
)

// Fail puts these faults in force, and no others: without arguments the issuer
// is healthy again. What hangs because of [Slow] or [KeysSlow] goes on.
func (i *issuer) Fail(faults ...Fault) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.faults = slices.Clone(faults)
	close(i.healed)
	i.healed = make(chan struct{})
}

func (i *issuer) failing(f Fault) bool {
	failing, _ := i.fault(f)
	return failing
}

// fault reports whether f is in force, and what is closed when that changes.
func (i *issuer) fault(f Fault) (inForce bool, healed <-chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Contains(i.faults, f), i.healed
}

// fail applies the faults that give no answer of their own: slow, unreachable,
// down, under the names they have for this endpoint. It reports whether the
// request is done with.
func (i *issuer) fail(w http.ResponseWriter, r *http.Request, slow, unreachable, down Fault) bool {
	for inForce, healed := i.fault(slow); inForce; inForce, healed = i.fault(slow) {
		select {
		case <-healed:
		case <-r.Context().Done():
			return true
		}
	}
	switch {
	case i.failing(unreachable):
		panic(http.ErrAbortHandler)
	case i.failing(down):
		http.Error(w, "down", http.StatusServiceUnavailable)
		return true
	}
	return false
}
