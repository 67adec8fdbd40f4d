package revocation

import (
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"
)

// A Revocation names tokens that end early. Three shapes are legal; [Revocation.Validate]
// refuses the rest.
//
//	subject  Issuer, Subject, optional Tenant, Before, Until
//	client   Issuer, ClientID, optional Tenant, Before, Until
//	token    Issuer, TokenID, Until
//
// The first two are watermarks: they end every token that was issued in the
// second of Before or earlier. A subject who signs in again after that gets
// tokens that work. Two watermarks for the same subject or client add up to the
// later one; nothing takes a revocation back.
//
// A Revocation of a subject and a client at once is refused: it could be
// read as "this subject's tokens of this client" or as "either", and the
// difference is a person who keeps access. The zero Revocation is not legal.
type Revocation struct {
	// Issuer is the exact iss of the tokens, or of the ID-JAGs that they were
	// redeemed for: an identity provider's own event names its user as it does.
	Issuer string

	// Tenant narrows a subject or a client to one tenant of the issuer. Empty
	// means every tenant, and not "tokens without a tenant": whoever forgets it
	// revokes too much, which shows at once, and never too little.
	Tenant string

	Subject  string // sub, or what the issuer's mapping takes for it
	ClientID string // the OAuth client the tokens were issued to
	TokenID  string // jti, or of an ID-JAG its hash, ema.assertion.id_hash in audit records

	// Before is the watermark. It is compared with iat, which has whole seconds,
	// so it covers the whole second that it lies in: a token of that second may
	// be older than the revocation, and is refused. A Before that lies ahead also
	// ends tokens that are yet to be issued. It must be zero beside TokenID.
	Before time.Time

	// Until is when every token this names has expired, clock skew included, and so
	// has every ID-JAG that could still be redeemed for one: from then on it has no
	// effect and is forgotten. The time of revocation plus the longest lifetimes of
	// both, what clocks may be off and what a follower may be late is always late
	// enough.
	Until time.Time
}

// maxField bounds each text of a Revocation, so that a bounded number of
// entries is a bounded amount of memory. The longest legitimate one is an
// issuer or a client id that is a URL.
const maxField = 2048

// Validate returns nil for one of the three legal shapes, and otherwise every
// mistake at once. The errors name fields, never their values.
func (r Revocation) Validate() error {
	var errs []error
	mistake := func(field, text string) {
		errs = append(errs, fmt.Errorf("revocation: %s: %s", field, text))
	}
	if r.Issuer == "" {
		mistake("Issuer", "is empty; every revocation belongs to one issuer, give its exact iss")
	}
	switch named := count(r.Subject, r.ClientID, r.TokenID); {
	case named == 0:
		mistake("Subject, ClientID, TokenID", "all are empty; name exactly one")
	case named > 1:
		mistake("Subject, ClientID, TokenID", "more than one is set; name exactly one and revoke the others by calls of their own")
	}
	if r.TokenID != "" {
		if r.Tenant != "" {
			mistake("Tenant", "is set beside TokenID; a token id is unique within its issuer, leave Tenant empty")
		}
		if !r.Before.IsZero() {
			mistake("Before", "is set beside TokenID; a single token ends whenever it was issued, leave Before zero")
		}
	} else if r.Before.IsZero() {
		mistake("Before", "is zero; give the time up to which issued tokens end, usually now")
	}
	switch {
	case r.Until.IsZero():
		mistake("Until", "is zero; give the time when the last affected token has expired")
	case r.Until.Before(r.Before):
		mistake("Until", "is earlier than Before; tokens issued up to Before would outlive the revocation")
	}
	for _, f := range []struct{ name, value string }{
		{"Issuer", r.Issuer}, {"Tenant", r.Tenant}, {"Subject", r.Subject}, {"ClientID", r.ClientID}, {"TokenID", r.TokenID},
	} {
		if len(f.value) > maxField {
			mistake(f.name, fmt.Sprintf("is longer than %d bytes; no identifier is", maxField))
		}
		if !utf8.ValidString(f.value) {
			mistake(f.name, "is not UTF-8; a claim always is, so it names no token")
		}
	}
	return errors.Join(errs...)
}

func count(texts ...string) (n int) {
	for _, t := range texts {
		if t != "" {
			n++
		}
	}
	return n
}

// A kind is what a Revocation goes by. Each has a map of its own in a table, so
// that a lookup costs nothing for the kinds of which there are none.
type kind uint8

const (
	bySubject kind = iota
	bySubjectInTenant
	byClient
	byClientInTenant
	byToken
	kinds
)

// A key is a struct and not a joined string: with a separator, issuer "a|b"
// and subject "c" would be the key of issuer "a" and subject "b|c", and one
// tenant's administrator could revoke another's users.
type key struct {
	issuer, tenant, id string
}

// A mark ends the tokens of its key that were issued at or before the second
// before. It counts until the end of the second until. Both are Unix times.
type mark struct {
	before, until int64
}

// entry reads a legal Revocation as a table entry.
func (r Revocation) entry() (kind, key, mark) {
	m := mark{before: r.Before.Unix(), until: r.Until.Unix()}
	switch {
	case r.Subject != "" && r.Tenant == "":
		return bySubject, key{r.Issuer, "", r.Subject}, m
	case r.Subject != "":
		return bySubjectInTenant, key{r.Issuer, r.Tenant, r.Subject}, m
	case r.ClientID != "" && r.Tenant == "":
		return byClient, key{r.Issuer, "", r.ClientID}, m
	case r.ClientID != "":
		return byClientInTenant, key{r.Issuer, r.Tenant, r.ClientID}, m
	}
	// No iat is later than this: the token ends whenever it was issued.
	m.before = math.MaxInt64
	return byToken, key{r.Issuer, "", r.TokenID}, m
}

// revocation is the inverse of entry, to the second.
func (k kind) revocation(of key, m mark) Revocation {
	r := Revocation{Issuer: of.issuer, Tenant: of.tenant, Until: time.Unix(m.until, 0)}
	switch k {
	case bySubject, bySubjectInTenant:
		r.Subject, r.Before = of.id, time.Unix(m.before, 0)
	case byClient, byClientInTenant:
		r.ClientID, r.Before = of.id, time.Unix(m.before, 0)
	case byToken:
		r.TokenID = of.id
	}
	return r
}
