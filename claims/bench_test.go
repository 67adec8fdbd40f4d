package claims_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/emamw/mcp-ema/claims"
)

// twentyGroups is an RFC 9068 payload of ordinary size.
func twentyGroups() []byte {
	groups := make([]string, 20)
	for i := range groups {
		groups[i] = fmt.Sprintf("engineering-team-%02d", i)
	}
	raw, err := json.Marshal(map[string]any{
		"iss": "https://as.example.com", "sub": "00u1exampleAlice0h7", "aud": "https://mcp.example.com/mcp",
		"client_id": "mcp-client-at-ras-1", "jti": "b4000000-0000-4000-8000-000000000001",
		"iat": 1790000000, "exp": 1790000600, "scope": "openid tools:read tools:write",
		"groups": groups, "email": "alice@example.com",
	})
	if err != nil {
		panic(err)
	}
	return raw
}

// readAll is what the guard does with the payload of a token that it has not
// seen before.
func readAll(tb testing.TB, m *claims.Mapper, raw []byte) *claims.Principal {
	p, err := claims.ParsePayload(raw)
	if err != nil {
		tb.Fatal(err)
	}
	if _, ok, err := p.Text("iss"); !ok || err != nil {
		tb.Fatal(ok, err)
	}
	if _, ok, err := p.Time("exp"); !ok || err != nil {
		tb.Fatal(ok, err)
	}
	if _, err := m.Addresses(p, []string{"https://mcp.example.com/mcp"}); err != nil {
		tb.Fatal(err)
	}
	c, err := m.Map(tb.Context(), p)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func BenchmarkParseAndMap(b *testing.B) {
	m, err := claims.RFC9068().Mapper()
	if err != nil {
		b.Fatal(err)
	}
	raw := twentyGroups()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		readAll(b, m, raw)
	}
}

func BenchmarkParse(b *testing.B) {
	raw := twentyGroups()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := claims.ParsePayload(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// TestAllocations holds the number of allocations of an ordinary token, which,
// unlike the time, is the same on every machine.
func TestAllocations(t *testing.T) {
	m, err := claims.RFC9068().Mapper()
	if err != nil {
		t.Fatal(err)
	}
	raw := twentyGroups()
	for _, c := range []struct {
		name string
		do   func()
		most float64
	}{
		{"parse", func() { _, _ = claims.ParsePayload(raw) }, 2},
		{"parse and map", func() { readAll(t, m, raw) }, 10},
	} {
		if got := testing.AllocsPerRun(100, c.do); got > c.most {
			t.Errorf("%s: %v allocations, want at most %v", c.name, got, c.most)
		}
	}
}
