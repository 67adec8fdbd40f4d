package emamw_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/scopes"
)

// A limit that docs/rough-edges.md admits: mcp-go holds x-mcp-header parameters
// against the headers of a request before it asks any hook or filter, so a request
// that lacks them tells a hidden tool from one that is not there. Whoever sends
// them learns nothing, and the tool runs for neither.
func TestHeaderParametersTellAHiddenTool(t *testing.T) {
	inHeader := func(schema map[string]any) { schema["x-mcp-header"] = "Region" }
	b := newBench(t, stateless, before(func(b *bench) {
		b.mcp.AddTool(mcp.NewTool("hidden", scopes.Require("files:write"), mcp.WithString("region", inHeader)), b.tool("hidden"))
	}), with(func(c *emamw.Config) { c.HideDenied = true }))
	send := func(tool string, options ...requestOption) answer {
		return eras[1].send(b, b.token(), "tools/call", call(tool, "region", "eu"), options...)
	}
	given := header("Mcp-Param-Region", "eu")
	if a := send("hidden"); a.Code != http.StatusBadRequest || !strings.Contains(a.body, "-32020") {
		t.Errorf("without the header: %d %s; if a filter is asked first now, docs/rough-edges.md and docs/threat-model.md have a limit too many", a.Code, a.body)
	}
	hidden, missing := send("hidden", given), send("absent", given)
	if want := strings.ReplaceAll(missing.body, "absent", "hidden"); hidden.Code != missing.Code || hidden.body != want {
		t.Errorf("with the header: %d %s, want %d %s", hidden.Code, hidden.body, missing.Code, want)
	}
	if b.runs("hidden") != 0 {
		t.Error("it ran")
	}
}
