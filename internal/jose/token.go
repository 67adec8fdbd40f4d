package jose

import (
	"crypto"
	"encoding/base64"
	"strings"
	"unsafe"
)

// MaxTokenBytes is the length of the longest compact token that [Parse] reads.
// A real one with a few hundred groups stays below it, and it bounds what an
// anonymous sender can make us decode.
const MaxTokenBytes = 16 << 10

// A Token is a parsed compact JWS. Nothing in it is proven before [Token.Verify]
// returns nil. It may be used by several goroutines as long as none changes it.
type Token struct {
	Header  Header
	Payload string // decoded

	parsed    Header // what was sent, whatever the caller does to Header
	unseen    string // the header's text, when the memo does not have it yet
	input     []byte // the signed bytes: header and payload as sent
	signature []byte
}

// Parse takes a compact JWS apart (RFC 7515 section 7.1) and reads its header.
// It refuses, with an [*Error], whatever is not exactly one spelling of one
// token, and every alg that is not [Supported]. It does no cryptography: that,
// and the typ that the caller expects, come after.
func Parse(compact string) (Token, error) {
	if len(compact) > MaxTokenBytes {
		return Token{}, errSize
	}
	first := strings.IndexByte(compact, '.')
	last := first + 1 + strings.IndexByte(compact[first+1:], '.') // first again where there is no other, also when there is none at all
	if last == first || strings.IndexByte(compact[last+1:], '.') >= 0 {
		if strings.Count(compact, ".") == 4 {
			return Token{}, errEncrypted // RFC 7516 section 7.1
		}
		return Token{}, errParts
	}
	header, unseen, err := headerOf(compact[:first])
	if err != nil {
		return Token{}, err
	}

	// The payload has memory of its own. A cache may keep it for hours, and must
	// not keep the signature with it: together they are the bearer's token.
	payload, ok := decoded(compact[first+1 : last])
	if !ok {
		return Token{}, errPayload
	}
	signature, ok := decoded(compact[last+1:])
	if !ok {
		return Token{}, errSignature
	}
	return Token{
		Header: header,
		// These bytes are nobody else's, and nobody writes to them any more.
		Payload: unsafe.String(unsafe.SliceData(payload), len(payload)),
		parsed:  header,
		unseen:  unseen,
		// The bytes of the string itself, which are only read. To copy a kilobyte
		// for each token would be the largest cost of parsing one.
		input:     unsafe.Slice(unsafe.StringData(compact), last),
		signature: signature,
	}, nil
}

// Verify checks the signature with key, which must fit the header's alg: see
// [Fits]. Its errors are an [*Error] with AlgorithmNotAllowed, which costs
// nothing, or SignatureInvalid. A signature has one length: every other is refused,
// for ECDSA by verifiesECDSA, and ASN.1 with it, and else by crypto/rsa and
// crypto/ed25519. Which key may sign for which issuer is the caller's question.
func (t *Token) Verify(key crypto.PublicKey) error {
	a, ok := algorithms[t.parsed.Algorithm]
	if !ok || !a.fits(key) {
		return errAlgorithmKey
	}
	if !a.verifies(t.input, t.signature, key) {
		return errVerify
	}
	if t.unseen != "" {
		verifiedHeaders.add(t.unseen, t.parsed)
	}
	return nil
}

// strictBase64 refuses spare bits that are not zero. Without it the last
// character of a signature has up to sixteen spellings, and one token could take
// sixteen places in a cache or pass a replay check sixteen times.
var strictBase64 = base64.RawURLEncoding.Strict()

func decodedLen(text string) int { return strictBase64.DecodedLen(len(text)) }

// decoded returns the bytes that text stands for. The decoder of encoding/base64
// skips line breaks, even a strict one, but then the bytes are fewer than the length
// promises: no two lengths that base64 can have promise the same number.
func decoded(text string) ([]byte, bool) {
	raw, err := strictBase64.DecodeString(text)
	return raw, err == nil && len(text)%4 != 1 && len(raw) == decodedLen(text)
}
