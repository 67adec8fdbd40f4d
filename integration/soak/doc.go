// Package soak keeps a whole deployment under steady traffic while its parts
// die, dawdle, lie and rotate their keys, and checks every single answer.
//
//	go test ./soak            # a few seconds
//	SOAK=1m go test ./soak    # what the continuous integration runs
//	SOAK=1h go test ./soak    # make soak
//
// The deployment is an identity provider, two replicas of the authorization
// server and two guarded MCP servers behind a proxy that takes turns, and one
// Redis that all four follow. The callers know what each of their requests
// deserves, because they know what was issued, revoked, withdrawn and when. Where
// the documentation leaves a window, such as the time until a revocation has
// reached the other replica, either answer is taken within it, and only one
// outside.
//
// Not one wrong answer is allowed: nothing that had to be refused is let in, and
// nothing good is refused while the keys it needs are known and the revocation
// store can be followed. At the end memory is flat and every goroutine is gone.
package soak
