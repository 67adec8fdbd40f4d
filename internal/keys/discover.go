package keys

import (
	"context"
	"errors"

	"github.com/emamw/mcp-ema/internal/discovery"
)

// discover reads the address of the key set from the issuer's metadata, and
// returns "" and the cause in a when that fails. It may lie on another origin, as
// those of large providers do.
func discover(ctx context.Context, cfg *Config, a *attempt) string {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	client := discovery.Client(cfg.Client, cfg.Issuer, cfg.Policy)
	metadata, err := discovery.Fetch(ctx, client, cfg.Issuer)
	if err == nil {
		return metadata.JWKSURI
	}
	var status *discovery.StatusError
	if errors.As(err, &status) {
		a.fetched.Status = status.Code
	}
	a.fetched.Step = StepDiscovery
	a.fail(classify(err))
	return ""
}
