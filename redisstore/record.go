package redisstore

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/emamw/mcp-ema/revocation"
)

// names is what a revocation goes by. Two that name the same are one entry.
type names struct {
	Issuer   string `json:"iss"`
	Tenant   string `json:"tenant,omitempty"`
	Subject  string `json:"sub,omitempty"`
	ClientID string `json:"client_id,omitempty"`
	TokenID  string `json:"jti,omitempty"`
}

// An entry is a revocation as revoke.lua takes it.
type entry struct {
	id            string // digest of names
	names         string // JSON, which keeps apart whatever a separator would join
	before, until int64  // Unix times; before is 0 for a token
}

// entryOf is the inverse of parse, to the second. What parse would not read is
// not written: it would stop every follower.
func entryOf(r revocation.Revocation) (entry, error) {
	raw, err := json.Marshal(names{Issuer: r.Issuer, Tenant: r.Tenant, Subject: r.Subject, ClientID: r.ClientID, TokenID: r.TokenID})
	if err != nil {
		return entry{}, errUnwritable
	}
	e := entry{id: digest(raw), names: string(raw), until: r.Until.Unix()}
	if r.TokenID == "" {
		e.before = r.Before.Unix()
	}
	if _, err := parse(fmt.Sprintf("%d %d %s", e.before, e.until, e.names)); err != nil {
		return entry{}, errUnwritable
	}
	return e, nil
}

// parse reads what revoke.lua wrote. It is strict: to skip what it does not
// understand would be to let a revoked token in.
func parse(record string) (revocation.Revocation, error) {
	first, rest, _ := strings.Cut(record, " ")
	second, text, _ := strings.Cut(rest, " ")
	before, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return revocation.Revocation{}, errUnreadable
	}
	until, err := strconv.ParseInt(second, 10, 64)
	if err != nil {
		return revocation.Revocation{}, errUnreadable
	}
	var n names
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields() // a member more may make it name less, or somebody else
	if err := d.Decode(&n); err != nil || d.More() {
		return revocation.Revocation{}, errUnreadable
	}
	r := revocation.Revocation{
		Issuer: n.Issuer, Tenant: n.Tenant, Subject: n.Subject, ClientID: n.ClientID, TokenID: n.TokenID,
		Until: time.Unix(until, 0),
	}
	if r.TokenID == "" {
		r.Before = time.Unix(before, 0)
	}
	if r.Validate() != nil {
		return revocation.Revocation{}, errUnreadable
	}
	return r, nil
}
