package challenge

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Values of Challenge.Error.
const (
	InvalidRequest                 = "invalid_request"                  // RFC 6750 section 3.1, with status 400
	InvalidToken                   = "invalid_token"                    // RFC 6750 section 3.1, with status 401
	InsufficientScope              = "insufficient_scope"               // RFC 6750 section 3.1, with status 403
	InsufficientUserAuthentication = "insufficient_user_authentication" // RFC 9470 section 3, with status 401
)

// A Challenge says what a caller has to bring. Fields that are empty are left
// out. A request without any credentials is answered without Error and
// Description (RFC 6750 section 3.1).
type Challenge struct {
	Error            string
	Description      string   // for developers; only beside an Error
	Scopes           []string // all that the operation needs, in one challenge
	ResourceMetadata string   // URL of the protected resource metadata

	ACRValues []string      // acceptable authentication contexts, best first (RFC 9470)
	MaxAge    time.Duration // of the sign-in, in whole seconds; zero demands nothing, since a sign-in of age zero never arrives
}

// Valid reports every field that [Challenge.String] would leave out, and a
// challenge that says nothing. It is meant for the time of configuration.
func (c Challenge) Valid() error {
	var errs []error
	report := func(broken bool, field, cure string) {
		if broken {
			errs = append(errs, fmt.Errorf("challenge: %s: %s", field, cure))
		}
	}
	const charset = "use printable ASCII without quote and backslash"
	report(c.Error != "" && !validText(c.Error), "Error", charset)
	report(c.Description != "" && !validText(c.Description), "Description", charset)
	report(c.Description != "" && c.Error == "", "Description", "set Error too, which it describes")
	report(!valid(c.Scopes), "Scopes", charset+" and space, one scope in each element")
	report(c.ResourceMetadata != "" && !ValidScope(c.ResourceMetadata), "ResourceMetadata", "write a percent-encoded URL")
	report(!valid(c.ACRValues), "ACRValues", charset+" and space, one value in each element")
	report(c.MaxAge < 0 || c.MaxAge%time.Second != 0, "MaxAge", "use whole seconds, and no negative ones")
	report(c.String() == scheme, "Challenge", "set one field at least (RFC 6750 section 3)")
	return errors.Join(errs...)
}

func valid(tokens []string) bool {
	return !slices.ContainsFunc(tokens, func(t string) bool { return !ValidScope(t) })
}

const scheme = "Bearer"

// String returns the header's value. Whatever is in c, it is one challenge in
// printable ASCII with every parameter at most once, in quotes, and none of them
// empty: clients read scope="" as a demand for nothing, and loop.
func (c Challenge) String() string {
	w := writer{separator: " "}
	w.b.WriteString(scheme)
	if validText(c.Error) {
		w.param("error", c.Error)
		if validText(c.Description) {
			w.param("error_description", c.Description)
		}
	}
	w.list("scope", c.Scopes)
	if ValidScope(c.ResourceMetadata) {
		w.param("resource_metadata", c.ResourceMetadata)
	}
	w.list("acr_values", c.ACRValues)
	if c.MaxAge >= time.Second {
		w.param("max_age", strconv.FormatInt(int64(c.MaxAge/time.Second), 10))
	}
	return w.b.String()
}

// A writer puts parameters behind each other.
type writer struct {
	b         strings.Builder
	separator string // before the next parameter
}

// param writes a value that the caller has checked.
func (w *writer) param(name, value string) {
	w.open(name)
	w.b.WriteString(value)
	w.b.WriteByte('"')
}

func (w *writer) open(name string) {
	w.b.WriteString(w.separator)
	w.b.WriteString(name)
	w.b.WriteString(`="`)
	w.separator = ", "
}

// list writes the valid ones of tokens, each once and with one space between
// two.
func (w *writer) list(name string, tokens []string) {
	opened := false
	for i, token := range tokens {
		if !ValidScope(token) || slices.Contains(tokens[:i], token) {
			continue
		}
		if opened {
			w.b.WriteByte(' ')
		} else {
			w.open(name)
			opened = true
		}
		w.b.WriteString(token)
	}
	if opened {
		w.b.WriteByte('"')
	}
}
