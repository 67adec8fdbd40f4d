// Package emamwtest is a test kit for Enterprise-Managed Authorization: a dev
// identity provider, a dev authorization server, and tokens both good and
// deliberately bad.
//
//   - [AuthorizationServer] is what a protected MCP server trusts. It publishes
//     metadata and keys, and mints access tokens on demand, of any shape.
//   - [IdP] is the identity provider of the enterprise. It signs users in and
//     exchanges their ID tokens for ID-JAGs (RFC 8693).
//   - [Defects] and [AssertionDefects] are hostile tokens, each with the reason
//     that a verifier must refuse it for. [Oddities] are good ones that look
//     strange.
//   - [HTTPClient] joins handlers by origin in memory, so that a test needs no port,
//     may use https names, and works inside a testing/synctest bubble.
//
// As in net/http/httptest, misuse by the test itself panics with a message that
// says what to change; nothing here returns an error. All methods are safe for
// concurrent use.
//
// The kit signs and encodes with the standard library alone. A mistake in the
// library's own handling of tokens therefore cannot be hidden by the same
// mistake in the tokens that it is tested with.
//
// Never serve it beyond a test or a developer's machine: it signs anybody in
// without a password.
package emamwtest
