// Package beside tries the guard on a server whose own check still decides: what
// would be refused is told, and nothing is.
package beside

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/emamw"
)

// Watch verifies the token of each request before next gets it, and logs the
// reason of each refusal. No text of a token is in it. A first token waits until
// the issuer's keys are there.
func Watch(ctx context.Context, next http.Handler, cfg emamw.Config, log *slog.Logger) (http.Handler, error) {
	// The gate goes into a server that nobody calls: only Verify is asked.
	guard, err := emamw.New(ctx, server.NewMCPServer("trial", "0"), cfg)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		var refused *emamw.TokenError
		if _, err := guard.Verify(r.Context(), token); errors.As(err, &refused) {
			log.Warn("the guard would refuse this token", "reason", string(refused.Reason), "claim", refused.Claim)
		}
		next.ServeHTTP(w, r)
	}), nil
}
