package idjag

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxFormBytes bounds a request body: room for an ID-JAG and a client assertion
// at the size limit of a token each, and nothing that could fill memory.
// maxTypeBytes bounds a Content-Type, whose parameters cost more to read than to
// send.
const (
	maxFormBytes = 64 << 10
	maxTypeBytes = 256
)

// A form is the body of a request to the token or revocation endpoint, read as
// RFC 6749 section 3.2 demands. Parameters in the URL are never looked at:
// credentials there end up in logs, and two places for one parameter are two
// meanings of one request.
type form struct {
	values    map[string]string
	resources []string // the one parameter that may repeat (RFC 8707 section 2)
}

// value returns a parameter, and "" for one that is absent. RFC 6749 section
// 3.1 makes the two the same: real clients send an empty "code=" beside another
// grant's parameters.
func (f form) value(name string) string { return f.values[name] }

// readForm reads the body of r. Its error is a *refusal.
func readForm(w http.ResponseWriter, r *http.Request) (form, error) {
	wrongType := malformedRequest("Content-Type must be application/x-www-form-urlencoded.")
	types := r.Header["Content-Type"]
	if len(types) != 1 || len(types[0]) > maxTypeBytes {
		return form{}, wrongType
	}
	media, params, err := mime.ParseMediaType(types[0])
	if err != nil || media != "application/x-www-form-urlencoded" {
		return form{}, wrongType
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return form{}, malformedRequest("The body must be UTF-8.")
	}
	if r.Header.Get("Content-Encoding") != "" {
		return form{}, malformedRequest("The body must not be compressed.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFormBytes))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return form{}, malformedRequest("The body is too large.")
	}
	if err != nil {
		return form{}, malformedRequest("The body could not be read.")
	}
	return parseForm(string(body))
}

// parseForm is readForm without HTTP. A name that is given twice is refused
// even where both values agree or are empty: which of them counts would differ
// from one server to the next, and that difference is what an attacker needs.
func parseForm(body string) (form, error) {
	f := form{values: make(map[string]string)}
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := formText(rawName)
		if err != nil {
			return form{}, err
		}
		value, err := formText(rawValue)
		if err != nil {
			return form{}, err
		}
		if name == "resource" {
			if value != "" {
				f.resources = append(f.resources, value)
			}
			continue
		}
		if _, twice := f.values[name]; twice {
			return form{}, malformedRequest("A parameter is given more than once.")
		}
		f.values[name] = value
	}
	return f, nil
}

// formText undoes the form encoding. A semicolon is refused, as net/url does:
// some parsers take it for a separator, so it would hide a parameter from one
// reader that another one sees. It arrives as %3B where it is meant.
func formText(raw string) (string, error) {
	text, err := url.QueryUnescape(raw)
	if err != nil || strings.Contains(raw, ";") {
		return "", malformedRequest("The body is not valid form encoding.")
	}
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return "", malformedRequest("The body is not valid UTF-8 text.")
	}
	return text, nil
}
