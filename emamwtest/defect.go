package emamwtest

import (
	"encoding/json"
	"maps"

	"github.com/emamw/mcp-ema/claims"
)

// A Defect is a token with one thing wrong, and why a verifier must refuse it.
type Defect struct {
	Name   string // unique in its corpus, such as "exp is a string"
	Token  string
	Reason claims.Reason
}

// Defects returns hostile access tokens. All else about each of them is as in
// as.Mint(Token{}), which must be accepted, so a verifier that refuses one for
// another reason than the stated one has overlooked the defect and was lucky.
//
// The verifier must trust as alone, with its resource as the audience, RFC 9068
// claims, the algorithms RS256, PS256, ES256 and EdDSA, at most five minutes of
// clock skew and a longest lifetime between one hour and a year, and it must
// share the clock of as. The tokens are minted anew with each call, with the
// keys of that moment; those about algorithms and signatures exist for every
// algorithm that as was configured with.
func Defects(as *AuthorizationServer) []Defect {
	f := &forge{issuer: as.issuer, typ: typeAccessToken, mint: func() map[string]any {
		t := as.complete(Token{Scopes: []string{"files:read", "files:write"}})
		return t.claims(as.id, as.now())
	}}
	f.every()
	f.octets()
	f.accessTokenClaims(as.resource)
	return f.defects
}

// AssertionDefects returns hostile ID-JAGs. All else about each of them is as in
// idp.Mint(good), which must be accepted: good states what the authorization
// server under test expects, and its Resource and Scopes should not be empty.
// Each ID-JAG has a jti of its own.
//
// The verifier must trust idp without a tenant, redeem for the client that good
// names, and share the clock of idp; otherwise as for [Defects], with a longest
// lifetime between five minutes and a year.
func AssertionDefects(idp *IdP, good Token) []Defect {
	f := &forge{issuer: idp.issuer, typ: typeIDJAG, mint: func() map[string]any {
		return idp.assertion(good)
	}}
	f.every()
	f.assertionClaims()
	return f.defects
}

// forge makes bad tokens out of good ones.
type forge struct {
	issuer  *issuer
	typ     string                // of a good token
	mint    func() map[string]any // the claims of a good token, with a new jti each time
	key     key                   // what good tokens are signed with
	defects []Defect
}

// every adds the defects that any kind of token can have.
func (f *forge) every() {
	for _, alg := range f.issuer.algorithms() {
		f.key = f.issuer.signer(alg)
		f.algorithms()
		f.signatures()
	}
	f.key = f.issuer.signer("")
	f.forms()
	f.headers()
	f.types()
	f.keys()
	f.payloads()
	f.claims()
}

func (f *forge) add(reason claims.Reason, name, token string) {
	f.defects = append(f.defects, Defect{Name: name, Token: token, Reason: reason})
}

// good returns the parts of a good token.
func (f *forge) good() (header, payload map[string]any) {
	return map[string]any{"alg": f.key.alg, "kid": f.key.id, "typ": f.typ}, f.mint()
}

// change mints a token that is properly signed, with these changes to a good
// one. A nil value removes a member.
func (f *forge) change(header, payload map[string]any) string {
	h, p := f.good()
	override(h, header)
	override(p, payload)
	return compact(marshal(h), marshal(p), f.key.sign)
}

// A variant is one of several wrong values.
type variant struct {
	how   string // completes the name: "is a string"
	value any    // nil removes the member
}

// null is the JSON null, where nil would remove the member.
var null = json.RawMessage("null")

// headerIs adds a defect per wrong value of a header parameter.
func (f *forge) headerIs(reason claims.Reason, parameter string, variants ...variant) {
	for _, v := range variants {
		f.add(reason, "header "+parameter+" "+v.how, f.change(map[string]any{parameter: v.value}, nil))
	}
}

// claimIs adds a defect per wrong value of a claim.
func (f *forge) claimIs(reason claims.Reason, claim string, variants ...variant) {
	for _, v := range variants {
		f.add(reason, claim+" "+v.how, f.change(nil, map[string]any{claim: v.value}))
	}
}

// rawHeader adds a defect whose header is this text, properly signed.
func (f *forge) rawHeader(reason claims.Reason, name, header string) {
	f.add(reason, "header "+name, compact([]byte(header), marshal(f.mint()), f.key.sign))
}

// rawPayload adds a defect whose payload is this malformed text, properly signed.
func (f *forge) rawPayload(name, payload string) {
	h, _ := f.good()
	f.add(claims.ClaimMalformed, "payload "+name, compact(marshal(h), []byte(payload), f.key.sign))
}

// signedBy adds a defect with this header, good claims, and a signature that
// sign makes.
func (f *forge) signedBy(reason claims.Reason, name string, header map[string]any, sign func(input []byte) []byte) {
	h, p := f.good()
	maps.Copy(h, header)
	f.add(reason, name, compact(marshal(h), marshal(p), sign))
}

// with returns the JSON object m and a further member at its end, as it is
// written.
func with(m map[string]any, member string) string {
	text := string(marshal(m))
	return text[:len(text)-1] + "," + member + "}"
}

// wrongTypes are values that are no string.
func wrongTypes() []variant {
	return []variant{
		{"is null", null},
		{"is a number", 7},
		{"is a boolean", true},
		{"is an array", []string{"value"}},
		{"is an object", map[string]any{"value": "value"}},
	}
}
