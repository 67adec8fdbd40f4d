package revocation_test

import (
	"testing"
	"time"

	"github.com/emamw/mcp-ema/revocation"
)

// matches is a second reading of the documentation, field by field, with no
// key anywhere.
func matches(r revocation.Revocation, t token, issuedAt time.Time) bool {
	if r.Issuer != t.issuer || (r.Tenant != "" && r.Tenant != t.tenant) {
		return false
	}
	switch {
	case r.TokenID != "":
		return r.TokenID == t.id
	case r.Subject != "":
		return r.Subject == t.subject && issuedAt.Unix() <= r.Before.Unix()
	case r.ClientID != "":
		return r.ClientID == t.client && issuedAt.Unix() <= r.Before.Unix()
	}
	return false
}

// FuzzRevoked looks for two identities that a View takes for one, or one that it
// takes for two.
func FuzzRevoked(f *testing.F) {
	f.Add("a|b", "", "c", "", "", "a", "", "b|c", "", "", int64(0))
	f.Add("as", "t", "u", "", "", "as", "t", "u", "c", "j", int64(0))
	f.Add("as", "t", "", "c", "", "as", "t", "u", "c", "j", int64(1))
	f.Add("as", "", "", "", "j", "as", "t", "u", "c", "j", int64(99))
	f.Add("as", "", "u", "", "", "as", "t", "u", "u", "u", int64(-1))
	f.Add("as", "t1", "u", "", "", "as", "t", "1u", "", "", int64(0))
	f.Fuzz(func(t *testing.T, ri, rt, rs, rc, rj, ti, tt, ts, tc, tj string, offset int64) {
		r := revocation.Revocation{Issuer: ri, Tenant: rt, Subject: rs, ClientID: rc, TokenID: rj, Until: epoch.Add(time.Hour)}
		if rj == "" {
			r.Before = epoch
		}
		issuedAt := epoch.Add(time.Duration(offset%3600) * time.Second)
		asked := token{ti, tt, ts, tc, tj}

		now := epoch
		v := revocation.NewView(at(&now))
		v.Apply([]revocation.Revocation{r})
		if r.Validate() != nil {
			if v.Len() != 0 {
				t.Fatal("an illegal revocation was applied")
			}
			return
		}
		if got, want := revoked(v, asked, issuedAt), matches(r, asked, issuedAt); got != want {
			t.Fatalf("Revoked = %v, want %v, for %q and %q", got, want, r, asked)
		}
		own := token{ri, rt, rs, rc, rj}
		if !revoked(v, own, epoch) {
			t.Fatalf("a token of the very fields of %q is let in", r)
		}
	})
}
