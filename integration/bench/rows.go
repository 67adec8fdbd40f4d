package main

import (
	"github.com/emamw/mcp-ema/claims"
)

// rows are the table: each figure with its target, and for each base the null
// check.
func rows(f *fixture) []*row {
	raw := map[string]*op{}
	for _, alg := range algorithms {
		raw[alg] = rawCrypto(f, alg)
	}
	hash := cacheFloor(f)
	path := f.cold.MetadataPath()
	static := staticBytes(f.coldMCP, path)
	loopback := post("unguarded loopback call", f.bareServer.URL, f.tokens["ES256"])

	t := &table{nulls: map[*op]*row{}}
	for _, alg := range algorithms {
		target := map[string]float64{"RS256": 1.15, "PS256": 1.15, "ES256": 1.06, "EdDSA": 1.07}[alg]
		t.add(raw[alg], ratio(verify("Verify "+alg, f.cold, f.tokens[alg]), raw[alg]).most(target))
		t.add(raw[alg], ratio(golangJWTOp(f, alg), raw[alg]))
		t.add(raw[alg], ratio(auth0Op(f, alg), raw[alg]))
	}
	sdk := goSDK(f)
	for _, alg := range []string{"RS256", "ES256"} {
		bare := call("the unguarded call", f.bare, f.tokens[alg])
		ours := call("guarded call "+alg, f.coldMCP, f.tokens[alg])
		most := map[string]float64{"RS256": 1.30, "ES256": 1.15}[alg]
		least := map[string]float64{"RS256": 1.2, "ES256": 1.1}[alg]
		t.add(raw[alg], extra(ours, bare, raw[alg]).most(most))
		t.add(raw[alg], extras(call("go-sdk bearer + keyfunc "+alg, sdk, f.tokens[alg]), ours, bare).least(least))
		t.add(raw[alg], extras(call("auth0 middleware "+alg, auth0Middleware(f, alg), f.tokens[alg]), ours, bare))
	}
	bare := call("the unguarded call", f.bare, f.tokens["ES256"])
	t.add(hash, ratio(verify("Verify, cached", f.warm, f.tokens["ES256"]), hash).most(1.5))
	t.add(hash, extra(call("guarded call, cached", f.warmMCP, f.tokens["ES256"]), bare, hash).most(6))
	t.add(raw["ES256"], ratio(refuse("refuse an expired token", f.warm, f.stale, claims.TokenExpired), raw["ES256"]).most(0.05))
	t.add(raw["ES256"], ratio(refuse("refuse an unknown issuer", f.warm, f.alien, claims.IssuerUntrusted), raw["ES256"]).most(0.05))
	t.add(raw["ES256"], ratio(refuse("refuse another audience", f.warm, f.astray, claims.AudienceMismatch), raw["ES256"]).most(0.05))
	list := message("unguarded list of 100 tools", f.bareList, f.tokens["ES256"], listBody)
	t.add(list, ratio(message("guarded list of 100 tools", f.warmList, f.tokens["ES256"], listBody), list).most(1.02))
	t.add(static, ratio(fetch("metadata", f.cold.MetadataHandler(), path), static).most(1.05))
	t.add(static, ratio(fetch("metadata, through the guard", f.coldMCP, path), static).most(1.05))
	t.add(loopback, ratio(post("guarded loopback call, cached", f.warmServer.URL, f.tokens["ES256"]), loopback).most(1.08))
	return t.rows
}

// table collects rows, and with the first row of a base its null check.
type table struct {
	rows  []*row
	nulls map[*op]*row
}

func (t *table) add(base *op, r *row) {
	if t.nulls[base] == nil {
		null := ratio(base, base)
		null.name, null.base = "null check: "+base.name, "itself"
		t.nulls[base] = null
		t.rows = append(t.rows, null)
	}
	r.null = t.nulls[base]
	t.rows = append(t.rows, r)
}
