package main

import (
	"fmt"
	"strconv"
	"strings"
)

// A change is the way in which a mutant takes a check out.
type change string

const (
	skip change = "skip" // a condition that never holds: what it refuses, or does, no longer happens
	pass change = "pass" // a condition that always holds: what it lets through is let through always
	drop change = "drop" // one operand of && or || is not asked
	omit change = "omit" // a call whose result nobody reads is not made
)

// A mutant is the library with one check taken out. Its name is made of what a
// reader sees in the code and of nothing that an edit elsewhere would move: no
// line, and no file, as a function may move to another.
type mutant struct {
	pkg      string // folder in the repository
	function string
	change   change
	text     string
	ordinal  int // among equals in the function, from 1

	id      int
	place   string   // file and line, for the reader of a report
	reasons []string // constants of claims that the check refuses with
}

// name is how the table calls the mutant: five cells of a row.
func (m *mutant) name() string {
	ordinal := ""
	if m.ordinal > 1 {
		ordinal = strconv.Itoa(m.ordinal)
	}
	return strings.Join([]string{m.pkg, m.function, string(m.change), m.text, ordinal}, "\t")
}

func (m *mutant) String() string {
	return fmt.Sprintf("%s: %s: %s %s", m.place, m.function, m.change, m.text)
}
