package jose

import (
	"strings"

	"github.com/emamw/mcp-ema/claims"
)

// Bounds on a header. Key ids and types are labels; a header that carries its
// certificate chain needs about 6 KiB.
const (
	maxHeaderBytes = 8 << 10
	maxKeyIDBytes  = 256
	maxTypeBytes   = 128
)

// A Header holds the parameters of a JOSE header that a decision may rest on.
//
// crit and b64 are refused, since no extension is understood here. All others
// are ignored, and that includes jwk, jku, x5u and x5c: RFC 8725 section 3.10
// warns against using them, and refusing them would add nothing, since a token
// counts only when a key out of the issuer's own set verifies it. It would lock
// out issuers that send jku or x5c in every token.
type Header struct {
	Algorithm string
	KeyID     string // untrusted text to look a key up by; "" when absent
	Type      string // typ in lower case and without "application/"; "" when absent
}

// headerOf reads the header's text, or remembers it. unseen is text when the
// memo did not have it.
func headerOf(text string) (h Header, unseen string, err error) {
	if h, ok := verifiedHeaders.lookup(text); ok {
		return h, "", nil
	}
	if decodedLen(text) > maxHeaderBytes {
		return Header{}, "", errHeaderText
	}
	raw, ok := decoded(text)
	if !ok {
		return Header{}, "", errHeaderText
	}
	if h, err = readHeader(raw); err != nil {
		return Header{}, "", err
	}
	return h, text, nil
}

// readHeader shares the strict reader of the claims set: a member given twice,
// or twice in different case, could read as one thing here and as another in a
// proxy or in the issuer's own code. Names are compared exactly, so ALG alone is
// an unknown parameter.
func readHeader(raw []byte) (Header, error) {
	p, err := claims.ParsePayload(raw)
	if err != nil {
		return Header{}, errHeaderJSON
	}
	if _, ok := p.Lookup("crit"); ok {
		return Header{}, errHeaderCrit
	}
	if _, ok := p.Lookup("b64"); ok {
		return Header{}, errHeaderBase64
	}
	alg, _, err := p.Text("alg")
	if err != nil || alg == "" {
		return Header{}, errHeaderAlg
	}
	a, ok := algorithms[alg]
	if !ok {
		return Header{}, errAlgorithm
	}
	kid, _, err := p.Text("kid")
	if err != nil || len(kid) > maxKeyIDBytes {
		return Header{}, errHeaderKeyID
	}
	typ, present, err := p.Text("typ")
	if err != nil || present && typ == "" || len(typ) > maxTypeBytes {
		return Header{}, errHeaderType
	}
	return Header{Algorithm: a.name, KeyID: kid, Type: ShortType(typ)}, nil
}

// ShortType brings a typ into the form of Header.Type, so that configured ones
// compare with it. RFC 7515 section 4.1.9 recommends to omit "application/" when
// no other slash follows, and RFC 2045 makes media types case-insensitive. Only
// ASCII letters are folded: Unicode folds the Kelvin sign to a k.
func ShortType(typ string) string {
	lower := []byte(typ)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + 'a' - 'A'
		}
	}
	short, found := strings.CutPrefix(string(lower), "application/")
	if !found || short == "" || strings.Contains(short, "/") {
		return string(lower)
	}
	return short
}
