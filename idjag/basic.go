package idjag

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// Bounds on a header, before anybody has proved anything: maxColons on how many
// readings it can have, and maxBasicBytes on what is hashed for each of them. A
// client_id that is a URL of the longest sort, form-encoded, and a secret fit.
const (
	maxColons     = 16
	maxBasicBytes = 16 << 10
)

// readBasic returns every way to read an Authorization header of the Basic
// scheme. RFC 6749 section 2.3.1 has id and secret form-encoded before they are
// joined, and some clients do that while others do not. For a client_id that is
// a URL the two differ: encoded it arrives as "https%3A%2F%2F…", raw it brings
// colons of its own, and the first of them is not the one that separates.
//
// Trying all readings gives an attacker nothing: each must name a client and
// hold its whole secret. ok is false when the header is not Basic, is too long, or
// cannot be read.
func readBasic(header string) (readings []credential, ok bool) {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") || len(encoded) > maxBasicBytes {
		return nil, false
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimLeft(encoded, " "))
	text := string(raw)
	if err != nil || strings.Count(text, ":") == 0 || strings.Count(text, ":") > maxColons {
		return nil, false
	}
	id, secret, _ := strings.Cut(text, ":")
	if decoded, ok := decodeBoth(id, secret); ok {
		readings = append(readings, decoded)
	}
	for i := range len(text) {
		if text[i] == ':' {
			readings = append(readings, credential{id: text[:i], secret: text[i+1:]})
		}
	}
	return readings, true
}

func decodeBoth(id, secret string) (credential, bool) {
	decodedID, err := url.QueryUnescape(id)
	if err != nil {
		return credential{}, false
	}
	decodedSecret, err := url.QueryUnescape(secret)
	if err != nil {
		return credential{}, false
	}
	return credential{id: decodedID, secret: decodedSecret}, true
}
