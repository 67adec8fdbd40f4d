package idjag

import (
	"errors"
	"strconv"

	"github.com/emamw/mcp-ema/internal/discovery"
)

// mistakes collects what is wrong with a configuration, so that one start shows
// all of it.
type mistakes []error

func (m *mistakes) add(field, value, reason string) {
	*m = append(*m, &ConfigError{Field: field, Value: value, Reason: reason})
}

// addURL is add for an address that discovery.CheckURL refuses.
func (m *mistakes) addURL(field, raw string, p discovery.Policy) {
	shown, wrong := discovery.Mistake(raw, p)
	m.add(field, shown, wrong)
}

func (m mistakes) err() error { return errors.Join(m...) }

// quote shows a configured value in an error, shortened.
func quote(value string) string {
	const most = 80
	if len(value) > most {
		value = value[:most] + "..."
	}
	return strconv.Quote(value)
}
