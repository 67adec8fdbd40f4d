// Package keys holds the public keys of issuers: it fetches a key set, keeps it
// current, and finds the key that a token names.
//
// The work is shared. keyfunc fetches a set, reads it and stores it. The
// transport beneath it vets what arrives, and turns an answer without a usable
// key into an error, so that keyfunc keeps what it has. The keeper, one goroutine
// per issuer, decides when keyfunc fetches. Lookups read an immutable snapshot
// of what keyfunc stored, and touch none of this.
//
// The rules:
//
//   - One [Set] per issuer, never a pool: a key of one issuer must not verify a
//     token of another.
//   - Nothing is fetched before [New] returns, and no request starts a fetch
//     directly. It books one, which the keeper makes, at most one per
//     MinInterval, whatever the number of requests and of key ids in them.
//   - What was fetched serves through an outage until MaxAge. Then it dies, since
//     a key that was withdrawn meanwhile must die as well.
//   - No text of a token or a remote server reaches an error, a log line or an
//     observer: only words of closed lists, numbers, and the configured issuer.
package keys
