// Package challenge writes and reads the WWW-Authenticate header of a protected
// resource: RFC 6750 section 3 for its parameters, RFC 9110 section 11 for its
// grammar, RFC 9728 section 5.1 for resource_metadata, RFC 9470 section 3 for
// step-up authentication.
//
// A challenge is read by programs that nobody here controls, and it sits in a
// header, where a line break starts the next one. So what is written comes from
// constants and configuration only, is checked once when it is configured
// ([Challenge.Valid]), and what slips through nevertheless is left out rather
// than escaped: the standards allow neither a quote nor a backslash in any of
// these values.
package challenge
