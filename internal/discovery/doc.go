// Package discovery fetches what an issuer publishes about itself, and holds the
// limits under which this module asks anybody for anything.
//
// An address that we fetch is configured, or stands in a document that a
// configured issuer serves. Either may be turned against us: a key set that lives
// at http://169.254.169.254, a name that resolves to 10.0.0.7, a redirect to the
// admin port next door, an answer without end. So addresses are checked as text
// by [CheckURL], and once more after the name was resolved by the dialer of
// [Client]; answers are cut at [MaxBodyBytes]; and a document counts only when it
// names its issuer byte for byte (RFC 8414 section 3.3).
package discovery
