package jose

import "github.com/emamw/mcp-ema/claims"

// An Error is a refused token. Its text is one of the constants of this file:
// it never holds a piece of the token, so it may stand in a log.
type Error struct {
	Reason claims.Reason
	text   string
}

func (e *Error) Error() string { return "jose: " + e.text }

// The refusals are made once, not per request: a flood of junk must not pay for
// memory.
var (
	errSize      = &Error{claims.TokenMalformed, "token is longer than 16 KiB: ask the issuer to leave groups or certificates out of it"}
	errParts     = &Error{claims.TokenMalformed, "token does not have the three parts of a compact JWS (RFC 7515 section 7.1): send the access token as the issuer returned it"}
	errEncrypted = &Error{claims.TokenEncrypted, "token is encrypted (five parts): have the issuer send signed, unencrypted access tokens to this resource"}
	errPayload   = &Error{claims.TokenMalformed, "payload is not base64url without padding (RFC 7515 section 2): send the access token as the issuer returned it"}
	errSignature = &Error{claims.TokenMalformed, "signature is not base64url without padding (RFC 7515 section 2): send the access token as the issuer returned it"}

	errHeaderText   = &Error{claims.HeaderMalformed, "header is not base64url without padding, or longer than 8 KiB"}
	errHeaderJSON   = &Error{claims.HeaderMalformed, "header is not one JSON object in UTF-8 that names each parameter once, in whatever case, and nests at most 32 levels (RFC 7515 section 4)"}
	errHeaderAlg    = &Error{claims.HeaderMalformed, "header parameter alg is absent or not a string (RFC 7515 section 4.1.1)"}
	errHeaderKeyID  = &Error{claims.HeaderMalformed, "header parameter kid is not a string of at most 256 bytes (RFC 7515 section 4.1.4)"}
	errHeaderType   = &Error{claims.HeaderMalformed, "header parameter typ is not a media type of at most 128 bytes (RFC 7515 section 4.1.9)"}
	errHeaderCrit   = &Error{claims.HeaderMalformed, "header parameter crit names an extension, and none is understood here (RFC 7515 section 4.1.11)"}
	errHeaderBase64 = &Error{claims.HeaderMalformed, "header parameter b64 is not understood here: the payload must be base64url (RFC 7797 section 7)"}

	errAlgorithm    = &Error{claims.AlgorithmNotAllowed, "header parameter alg is not a supported signature algorithm: RS, PS or ES with 256, 384 or 512, or EdDSA"}
	errAlgorithmKey = &Error{claims.AlgorithmNotAllowed, "header parameter alg does not fit the key: type, curve and size must match"}
	errVerify       = &Error{claims.SignatureInvalid, "signature does not match the key and the signed bytes"}
)
