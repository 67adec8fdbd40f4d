// Package telemetry says in traces, metrics and audit records who called what,
// as whom, and why it was refused. It is the only package of the module that
// calls the OpenTelemetry API; everything that it may say stands in
// vocabulary.go, and docs/telemetry.md is checked against that file.
//
// The rules:
//
//   - What was not configured costs nothing. A nil provider is no provider, and
//     never the global one; with none at all [New] returns a nil [Recorder],
//     whose methods return at once and allocate nothing.
//   - A denial is no failure of the server: its span keeps the status Unset.
//     Only where nothing could be decided is the status Error, and only there is
//     error.type set.
//   - No value comes from a token or a request unless it was compared with a
//     closed list, with the configuration or with what the server registered.
//     People, clients, tokens and sessions are named by digests. [Identity] lists
//     what an operator may ask for in plain text.
//   - Nothing is put into baggage, and nothing is injected into requests to
//     identity providers.
//   - The contexts that come back from Start methods are for the work that the
//     span measures. What comes after it belongs to the context that was given.
package telemetry
