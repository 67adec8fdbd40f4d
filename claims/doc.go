// Package claims is the typed identity of a verified caller.
//
// An authorization server says who calls in the claims of an access token, and
// every product spells them its own way. This package turns one such payload
// into a [Principal] by a declarative [Mapping], and carries it to handlers
// through the context. What a token does not say stays unknown: absent groups
// are never read as "no groups", and nothing is guessed.
//
// Nothing here verifies a signature. The guard in package emamw does that, and
// only then puts a Principal into the context.
package claims
