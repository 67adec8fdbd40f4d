package command_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"strings"
	"testing"

	"github.com/emamw/mcp-ema/internal/command"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		args   string
		found  bool
		status int
		says   string // on the standard error; one line, but for help
	}{
		{"", false, -1, ""},
		{"-find", true, -1, ""},
		{"find", false, 2, `program: unexpected argument "find": every option is a flag` + "\n"},
		{"-find more", true, 2, `program: unexpected argument "more": every option is a flag` + "\n"},
		{"-lose", false, 2, "program: flag provided but not defined: -lose\n"},
		{"-find=perhaps", false, 2, "program: invalid boolean value \"perhaps\" for -find: parse error\n"},
		{"-h", false, 0, "  -find\n    \twhat to do\n"},
		{"-help", false, 0, "  -find\n    \twhat to do\n"},
	} {
		var stderr bytes.Buffer
		flags := flag.NewFlagSet("program", flag.ContinueOnError)
		found := flags.Bool("find", false, "what to do")
		status := -1
		if err := command.Parse(flags, strings.Fields(tt.args), &stderr); err != nil {
			status = command.Fail(&stderr, "program", 2, err)
		}
		if *found != tt.found || status != tt.status || stderr.String() != tt.says {
			t.Errorf("%q: found %t, status %d, %q", tt.args, *found, status, stderr.String())
		}
	}
}

func TestFailSaysItInOneLine(t *testing.T) {
	var stderr bytes.Buffer
	status := command.Fail(&stderr, "program", 1, errors.Join(io.EOF, io.ErrShortWrite))
	if status != 1 || stderr.String() != "program: EOF; short write\n" {
		t.Errorf("status %d, %q", status, stderr.String())
	}
}
