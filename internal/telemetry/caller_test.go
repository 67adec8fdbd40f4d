package telemetry_test

import (
	"testing"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/telemetry"
)

func TestMappingName(t *testing.T) {
	own := []claims.Source{{Pointer: "/uid"}}
	for _, tc := range []struct {
		name    string
		mapping claims.Mapping
		want    string
	}{
		{"none", claims.Mapping{}, "rfc9068"},
		{"a preset by its function", claims.Okta(), "okta"},
		{"a preset by its name", claims.Mapping{Preset: "okta"}, "okta"},
		{"a preset with changes", claims.Mapping{Preset: "okta", Subject: own}, "okta"},
		{"a name over a preset", claims.Mapping{Name: "ours", Preset: "okta"}, "ours"},
		{"the standard with a step of its own", claims.Mapping{AbsentGroupsMeanNone: true}, "rfc9068"},
		{"one's own", claims.Mapping{Name: "ours", Subject: own}, "ours"},
		{"one's own without a name", claims.Mapping{Subject: own}, ""},
	} {
		if got := telemetry.MappingName(tc.mapping, claims.RFC9068()); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}
