package revocationtest_test

import (
	"testing"

	"github.com/emamw/mcp-ema/revocation"
	"github.com/emamw/mcp-ema/revocation/revocationtest"
)

func TestMemory(t *testing.T) {
	revocationtest.Run(t, func(*testing.T) revocation.Store { return revocation.NewMemory(0, nil) })
}
