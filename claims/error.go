package claims

// An Error says why a payload was not turned into a [Principal].
type Error struct {
	Reason Reason
	// Claim names the claim, in the words of the mapping that was configured.
	// It is empty when the payload itself is at fault. No text of a token is
	// ever in it, so it is safe to log, and audit records have it: a
	// [Mapping.Func] that returns an Error must keep to that.
	Claim string

	detail string // what is wrong and how to cure it; a constant of this package
}

// Error returns one line that holds no text of the token: "claims: exp: …".
func (e *Error) Error() string {
	s := "claims: "
	if e.Claim != "" {
		s += e.Claim + ": "
	}
	if e.detail == "" {
		return s + string(e.Reason)
	}
	return s + e.detail
}

func malformed(claim, detail string) error {
	return &Error{Reason: ClaimMalformed, Claim: claim, detail: detail}
}

func missing(claim, detail string) error {
	return &Error{Reason: ClaimMissing, Claim: claim, detail: detail}
}
