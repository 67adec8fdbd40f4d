package emamw

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/scopes"
)

// Handler puts the guard in front of a transport of the MCP server: streamable
// HTTP, or legacy SSE, whose two handlers may also be wrapped one by one. It
// answers the metadata path itself, so mount it at "/" or mount
// [Guard.MetadataHandler] beside it:
//
//	mux.Handle("/mcp", guard.Handler(transport))
//	mux.Handle(guard.MetadataPath(), guard.MetadataHandler())
//
// The handler of the transport sees the request without its Authorization
// header: a token is not passed on (MCP authorization, "Token Handling").
//
// When it is called, the names of all tools, prompts and resources that have no
// rule are logged once, as they fall under Config.Unruled, and those of the tools
// and prompts in Config.Rules that are not registered.
func (g *Guard) Handler(transport http.Handler) http.Handler {
	g.reportCoverage()
	return &handler{guard: g, transport: transport}
}

type handler struct {
	guard     *Guard
	transport http.Handler
}

// ServeHTTP takes the steps in this order, each before anything that a later one
// protects: the metadata that a client without a token needs, the origin, the
// token, the session, and then mcp-go with the gate inside.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g := h.guard
	if g.metadata.at(r.URL.Path) {
		g.metadata.ServeHTTP(w, r)
		return
	}
	if !g.origins.allow(w, r.Header["Origin"]) {
		g.concludeUnread(r, claims.OriginNotAllowed)
		g.answers.refuse(w, claims.OriginNotAllowed)
		return
	}
	if isPreflight(r) {
		answerPreflight(w, r)
		return
	}
	x, reason := g.authenticate(r)
	if reason != "" {
		g.answers.refuse(w, reason)
		return
	}
	if g.server.GetHooks() != g.hooks {
		// server.WithHooks was called after New, and the gate is gone with the
		// hooks that it was in.
		g.raise(unseenAlarm)
		g.recordTurnedAway(x, "", claims.Ungated)
		g.answers.write(w, http.StatusInternalServerError, "server_error")
		return
	}
	if r.ContentLength > g.maxBytes {
		g.recordTurnedAway(x, "", claims.RequestTooLarge)
		g.answers.write(w, http.StatusRequestEntityTooLarge, "request_too_large")
		return
	}
	h.handOver(w, r, x)
}

// authenticate begins an exchange with the caller and the session of a request.
// The context of the measurement is for this alone: the exchange has that of the
// request.
func (g *Guard) authenticate(r *http.Request) (*exchange, claims.Reason) {
	ctx, measured := g.telemetry.StartAuthentication(r.Context(), r.Header)
	var t trail
	id, session, reason := g.admit(ctx, r, &t)
	origin := g.conclude(&measured, id, reason, &t, session)
	if reason != "" {
		return nil, reason
	}
	return &exchange{Context: r.Context(), guard: g, id: id, session: session, sessionID: session[0], origin: origin}, ""
}

func (g *Guard) admit(ctx context.Context, r *http.Request, t *trail) (*identity, []string, claims.Reason) {
	token, reason := bearer(r.Header)
	if reason != "" {
		return nil, nil, reason
	}
	id, reason := g.identify(ctx, token, t)
	switch {
	case id != nil:
		id.derive(g.telemetry)
	case !isToken68(token):
		reason = claims.TokenMalformed
	}
	if reason != "" {
		return id, nil, reason
	}
	session, ok := g.sessions.resolve(r.Header[headerSessionID], id)
	if !ok || !g.sessions.owns(r, id) {
		return id, nil, claims.SessionMismatch
	}
	return id, session, ""
}

// handOver gives the request to mcp-go with the exchange as its context.
func (h *handler) handOver(w http.ResponseWriter, r *http.Request, x *exchange) {
	g := h.guard
	x.w, x.holds = w, r.Method == http.MethodPost
	x.body = limitedBody{ReadCloser: r.Body, left: g.maxBytes}
	if base := g.baseRule.Evaluate(scopes.Request{Principal: x.id.principal, Hierarchy: g.hierarchy}); !base.Allowed {
		x.verdict, x.denial = denied, base
	}
	if opensStream(r) {
		x.Context, x.hangUp = g.streams.begin(x.Context, x.id)
		defer x.hangUp()
	}

	inner := r.WithContext(x)
	inner.Body = &x.body
	inner.Header = maps.Clone(r.Header)
	delete(inner.Header, "Authorization")
	inner.Header[headerSessionID] = x.session
	if !g.mayEnter(x, inner) {
		return
	}
	defer x.close()

	if _, ok := w.(http.Flusher); ok {
		h.transport.ServeHTTP(streamWriter{x}, inner)
	} else {
		h.transport.ServeHTTP(x, inner)
	}
	x.finish()
}

// opensStream reports whether the request opens something that outlives its answer.
// For a listen request it believes the header, which mcp-go compares with the
// body, and which the gate asks for again.
func opensStream(r *http.Request) bool {
	return r.Method == http.MethodGet || first(r.Header[headerMethod]) == string(mcp.MethodSubscriptionsListen)
}

// headerMethod and headerVersion are the names as net/http has them in its map,
// where looking one up costs a third of Get.
var (
	headerMethod  = http.CanonicalHeaderKey(mcp.HeaderMethod)
	headerVersion = http.CanonicalHeaderKey(mcp.HeaderProtocolVersion)
)

// first is what mcp-go reads of a header.
func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// mayEnter answers, without mcp-go, the few requests that no hook of it could
// stop. It reports whether the request is to go on.
func (g *Guard) mayEnter(x *exchange, r *http.Request) bool {
	barred := x.verdict == denied
	if !x.holds {
		if barred {
			g.recordBarred(x)
			g.answers.deny(x.w, x.denial.Scopes)
		}
		return !barred
	}
	modern := mcp.IsModernProtocol(first(r.Header[headerVersion]))
	_, legacy := g.sessions.legacyOwner(r)
	if !barred && !modern && !legacy {
		return true
	}
	body, err := io.ReadAll(&x.body)
	if err != nil {
		if x.body.exceeded {
			g.recordTurnedAway(x, "", claims.RequestTooLarge)
			g.answers.write(x.w, http.StatusRequestEntityTooLarge, "request_too_large")
			return false
		}
		g.recordTurnedAway(x, "", claims.RequestMalformed)
		g.answers.write(x.w, http.StatusBadRequest, "invalid_request")
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	switch {
	case barred && !isGated(body, x.hangUp != nil):
		g.recordBarred(x)
		g.answers.deny(x.w, x.denial.Scopes)
		return false
	case legacy && methodOf(body) == mcp.MethodSubscriptionsListen:
		// mcp-go would serve it until the process ends: on legacy SSE nothing
		// cancels the context of a message.
		g.recordTurnedAway(x, mcp.MethodSubscriptionsListen, claims.RequestMalformed)
		g.answers.write(x.w, http.StatusBadRequest, "invalid_request")
		return false
	case modern && isCancellation(body):
		// Modern requests have no session, and mcp-go finds the request to
		// cancel by its id alone: one caller could cancel another's. A modern
		// client cancels by closing the stream.
		g.recordTurnedAway(x, mcp.MethodNotificationCancelled, claims.RequestMalformed)
		x.w.WriteHeader(http.StatusAccepted)
		return false
	}
	return true
}

// envelope is what mcp-go's dispatcher reads first of a message, with the same
// decoder and the same tags, so that both read the same.
type envelope struct {
	Method mcp.MCPMethod `json:"method"`
	ID     any           `json:"id,omitempty"`
	Result any           `json:"result,omitempty"`
}

// isGated reports whether a message is one whose own rule adds to the scopes of
// a challenge, and which the gate can refuse inside. All others are refused
// before mcp-go when the base scopes are missing: it would run a notification's
// handler, or open a session, without asking anybody. stream says that the request
// was announced as one that listens; of another nothing would end the stream.
func isGated(body []byte, stream bool) bool {
	var message envelope
	if json.Unmarshal(body, &message) != nil || message.ID == nil || message.Result != nil {
		return false
	}
	switch message.Method {
	case mcp.MethodToolsCall, mcp.MethodPromptsGet, mcp.MethodResourcesRead, mcp.MethodResourcesSubscribe,
		mcp.MethodCompletionComplete, mcp.MethodTasksGet, mcp.MethodTasksResult, mcp.MethodTasksCancel:
		return true
	case mcp.MethodSubscriptionsListen:
		return stream
	}
	return false
}

// methodOf returns the method of a message on legacy SSE. There mcp-go reads the
// first JSON value of a body, and does not look whether something follows it.
func methodOf(body []byte) mcp.MCPMethod {
	var message envelope
	_ = json.NewDecoder(bytes.NewReader(body)).Decode(&message) // what cannot be read has no method here, and none for mcp-go
	return message.Method
}

// isCancellation reports whether a message is a notifications/cancelled. Only a
// message that could spell the word is decoded.
func isCancellation(body []byte) bool {
	if !bytes.Contains(body, []byte("cancelled")) && !bytes.Contains(body, []byte(`\u`)) {
		return false
	}
	var message envelope
	return json.Unmarshal(body, &message) == nil && message.ID == nil && message.Method == mcp.MethodNotificationCancelled
}
