package claims

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
)

// A Mapping says how the access tokens of one product read: where in the claims
// set each part of a [Principal] stands, and which tokens are no access tokens
// of that product at all. Start from a preset ([Okta], [Entra], … or [Preset])
// and change fields, or write one from nothing, in Go or in JSON.
//
// Choose it by the configured issuer. A mapping is never guessed from a token:
// a sender who could pick the mapping could pick who he is.
//
// The zero Mapping is [RFC9068]. A Mapping with a Preset has the preset's fields
// where its own are nil; a list that is empty and not nil means "from nowhere".
// Require and Agent add to those of the preset, so a guard cannot get lost.
//
// A field of type []Source is read from the first source that is present.
// Scopes and Client are stricter: if several of their sources are present they
// must agree, because a token that names two clients, or two sets of scopes,
// means one of them to somebody. A claim of the wrong type is an error, null
// too: it is not taken for absent, and the next source is not asked.
type Mapping struct {
	Name   string            `json:"name,omitempty"`   // for error messages; default: the preset's
	Preset string            `json:"preset,omitempty"` // one of [Presets]
	Vars   map[string]string `json:"vars,omitempty"`   // values for {name} in paths, prefixes and conditions

	// TokenTypes are the accepted values of the header parameter typ, compared
	// without case and without "application/" (RFC 7515 section 4.1.9); "" is
	// the absent one.
	TokenTypes []string `json:"token_types,omitempty"`
	// Require guards against other kinds of token of the same issuer: all must
	// hold, else [TokenKindNotAllowed], or [ClaimMissing] where a value is absent.
	Require []Condition `json:"require,omitempty"`

	Audience []Source `json:"audience,omitempty"` // required in every token; default /aud
	Subject  []Source `json:"subject,omitempty"`  // required in every token
	Tenant   []Source `json:"tenant,omitempty"`
	Client   []Source `json:"client,omitempty"` // required in every token, if there is a source at all
	TokenID  []Source `json:"token_id,omitempty"`

	Service []Condition `json:"service,omitempty"` // any of them makes the caller a [Service]
	Agent   []Condition `json:"agent,omitempty"`   // else any of these makes it an [Agent]
	Kind    Kind        `json:"kind,omitempty"`    // else it is this; the default is unknown
	Actor   []Source    `json:"actor,omitempty"`   // objects in the shape of act (RFC 8693 section 4.1)

	Scopes      []Source `json:"scopes,omitempty"`
	Permissions []Source `json:"permissions,omitempty"`
	Roles       []Source `json:"roles,omitempty"`
	Groups      []Source `json:"groups,omitempty"`
	// Overage tells that the groups did not fit into the token: any of the
	// conditions makes them [GroupsOverage].
	Overage []Condition `json:"overage,omitempty"`
	// AbsentGroupsMeanNone is for products that leave the claim out when, and
	// only when, the subject is in no group. It is wrong for most of them.
	AbsentGroupsMeanNone bool `json:"absent_groups_mean_none,omitempty"`

	Email         []Source `json:"email,omitempty"`
	EmailVerified []Source `json:"email_verified,omitempty"` // JSON booleans
	AuthTime      []Source `json:"auth_time,omitempty"`      // NumericDates
	AuthContext   []Source `json:"auth_context,omitempty"`   // acr
	AuthMethods   []Source `json:"auth_methods,omitempty"`   // amr

	IdentityProvider  []Source `json:"identity_provider,omitempty"`
	ProviderSubject   []Source `json:"provider_subject,omitempty"`
	Assertion         []Source `json:"assertion,omitempty"`
	AssertionIssuedAt []Source `json:"assertion_issued_at,omitempty"` // NumericDates

	// GroupsLookup fetches groups that the token leaves unknown; nil for none.
	GroupsLookup *GroupsLookup `json:"-"`
	// Func runs after everything else, for what cannot be declared; the guard
	// remembers what it said for as long as the token. It may take away scopes,
	// permissions and roles, fill in groups that are unknown and remove known ones,
	// and set fields that are empty. It cannot change who the caller is (issuer,
	// subject, tenant, client, actor, identity provider), what the token says of
	// itself, or turn a service into a person: that ends in an error with reason
	// [Internal]. An [Error] that it returns is passed on; any other error becomes
	// one with reason Internal, without its text.
	Func func(ctx context.Context, payload *Payload, p *Principal) error `json:"-"`
}

// A Source is one place where a value may stand, and how to read it there.
//
// In Path, Pointer, KeyHas and the prefixes, {name} stands for a variable of
// the mapping, and in Path, Pointer and KeyHas {=claim} for a top-level string
// claim of the same token. Both are put in after the pointer was split, so no
// value, and no claim, can add a step to the path.
type Source struct {
	// Pointer is a JSON Pointer (RFC 6901): "/realm_access/roles". A slash in a
	// name is written ~1, and a tilde ~0.
	Pointer string `json:"pointer,omitempty"`
	// Path is the same as single steps, for names with slashes; set one of the two.
	Path []string `json:"path,omitempty"`
	// As is the shape: "" takes a string as one value and an array of strings as
	// several; the others are [AsSpace], [AsEither] and [AsKeys].
	As string `json:"as,omitempty"`
	// Field also allows objects as elements, and takes their member of this
	// name: "value" for the objects of SCIM (RFC 7643 section 4.1.2).
	Field string `json:"field,omitempty"`
	// KeyHas, with AsKeys, takes only the keys whose value is an object that has
	// this member.
	KeyHas string `json:"key_has,omitempty"`

	KeepPrefix string `json:"keep_prefix,omitempty"` // take only values that begin so
	TrimPrefix string `json:"trim_prefix,omitempty"` // cut this off where a value begins so
	AddPrefix  string `json:"add_prefix,omitempty"`  // put this in front, after the cut: "realm:"
	// Also adds the values of this source to those found before it. Without it,
	// a source is only asked when those before it are absent.
	Also bool `json:"also,omitempty"`
}

// The shapes of a list, beside the default.
const (
	AsSpace  = "space"  // one string, split at single spaces; "" is the empty list (RFC 6749 section 3.3)
	AsEither = "either" // such a string, or an array of strings: for products that make it an option
	AsKeys   = "keys"   // an object, whose keys are the values
)

// A Condition is a test of one claim. With nothing but a path it holds when the
// claim is present, whatever its value. Path, Pointer, Equals, Unequal and
// Contains may hold variables, as in a [Source].
type Condition struct {
	Pointer string   `json:"pointer,omitempty"`
	Path    []string `json:"path,omitempty"`
	// Equals holds when the claim is one of these: a string, or true, false or a
	// number as it is written in the token.
	Equals []string `json:"equals,omitempty"`
	// Unequal holds when the claim is absent, or is none of these.
	Unequal []string `json:"unequal,omitempty"`
	// Contains holds when the claim is a string that has this in it.
	Contains string `json:"contains,omitempty"`
	// Absent holds when the claim is absent.
	Absent bool `json:"absent,omitempty"`
	// SubjectIsClient needs no path: it holds when the subject is the client. It
	// is for Service and Agent, and needs a source for the client; Require runs
	// before there is a subject.
	SubjectIsClient bool `json:"subject_is_client,omitempty"`
}

// A MappingError is one mistake in a [Mapping]. [Mapping.Mapper] joins all.
type MappingError struct {
	Field  string // in the words of the JSON form: "subject[0].pointer"
	Value  string // what stands there
	Reason string // what is wrong with it, and what would be right
}

// Error returns the mistake in one line.
func (e *MappingError) Error() string {
	return "claims: mapping: " + e.Field + " " + strconv.Quote(e.Value) + ": " + e.Reason
}

// UnmarshalJSON reads the JSON form strictly: a field that does not exist is an
// error. Without that, a misspelled "require" would be a missing guard.
func (m *Mapping) UnmarshalJSON(data []byte) error {
	type bare Mapping
	var read bare
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&read); err != nil {
		return fmt.Errorf("claims: mapping: %w", err)
	}
	*m = Mapping(read)
	return nil
}
