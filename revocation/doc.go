// Package revocation holds what was revoked: tokens that are not to be accepted
// any more although they are well signed and have not expired.
//
// A signed access token is good until it expires, and nobody asks the
// authorization server again (RFC 9068 section 5). When a person leaves or a
// laptop is lost, that is too long. A [Revocation] names the tokens that end
// early: all of a subject or of a client that were issued up to a moment, or one
// token by its id. It is forgotten when the last token it can affect has
// expired.
//
// Whoever revokes writes to a [Store]. Whoever verifies tokens follows that store
// into a [View] of its own and asks only the view: a request never waits for
// the store, and a view that has not heard from its store for too long says so,
// so that its owner can refuse instead of trusting old news.
//
// [Memory] is a Store for one process. A server with replicas needs a Store that
// they share; the package revocationtest holds one to the contract.
package revocation
