package claims

import (
	"context"
	"errors"
)

type contextKey struct{}

// ErrNoPrincipal is returned by [As] when the context holds no caller.
var ErrNoPrincipal = errors.New("claims: no principal in this context: the request did not pass a guard, and nobody called claims.NewContext")

// NewContext returns a context that holds p as the caller. The guard does this
// for HTTP; call it to give a stdio or in-process transport an identity, or in
// a test of a handler. p's slices are kept, so do not change them afterwards.
func NewContext(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, &p)
}

// FromContext returns the caller of the request, and false when there is none.
// The copy is the handler's own: changing it reaches neither another handler
// nor a decision.
func FromContext(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(contextKey{}).(*Principal)
	if !ok {
		return Principal{}, false
	}
	return p.copied(), true
}

// As decodes the verified payload of the caller's token into T, for claims that
// [Principal] has no field for. Its errors are [ErrNoPrincipal],
// [ErrNoPayload] and those of encoding/json. Decoding is safe against a payload
// that spells one claim twice in different case: such a token was refused.
func As[T any](ctx context.Context) (T, error) {
	var v T
	p, ok := ctx.Value(contextKey{}).(*Principal)
	if !ok {
		return v, ErrNoPrincipal
	}
	err := p.Decode(&v)
	return v, err
}
