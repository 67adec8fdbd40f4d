package keys

import (
	"context"

	"github.com/emamw/mcp-ema/internal/discovery"
)

// discover reads the address of the key set from the issuer's metadata. It may
// lie on another origin, as those of large providers do.
func discover(ctx context.Context, cfg *Config) (string, Cause) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	client := discovery.Client(cfg.Client, cfg.Issuer, cfg.Policy)
	metadata, err := discovery.Fetch(ctx, client, cfg.Issuer)
	if err == nil {
		return metadata.JWKSURI, ""
	}
	if c := classify(err); c != CauseOther {
		return "", c
	}
	return "", CauseMetadata
}
