package keys

import "github.com/emamw/mcp-ema/claims"

// An Error says why there is no key for a token. Its text is one of the
// constants of this file, or names what was configured, so it may stand in a log.
type Error struct {
	Reason claims.Reason // KeyUnknown, AlgorithmNotAllowed, KeysUnavailable or Canceled
	text   string
}

func (e *Error) Error() string { return "keys: " + e.text }

// The refusals are made once, not per request: a flood of junk must not pay for
// memory.
var (
	errUnknown     = &Error{claims.KeyUnknown, "kid: the issuer's key set, read a moment ago, has no such key: get a new token from the issuer"}
	errAmbiguous   = &Error{claims.KeyUnknown, "kid: absent, while several keys of the issuer fit the algorithm: have the issuer name the key in each token"}
	errAlgorithm   = &Error{claims.AlgorithmNotAllowed, "alg: does not fit the key that kid names: have the issuer sign with the key's own algorithm"}
	errUnavailable = &Error{claims.KeysUnavailable, "the issuer's key set could not be read: see the log for the cause, and try again"}
	errCanceled    = &Error{claims.Canceled, "the request ended while the issuer's key set was being read"}
)
