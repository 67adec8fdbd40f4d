package main

import (
	"bufio"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
)

// A profile is what was run, by package relative to the module, and by place: the
// file and the range of a block.
type profile map[string]map[string]block

type block struct {
	statements int
	ran        bool
}

// read adds a file that "go test -coverprofile" wrote. Several test programs may
// have run one block, and it then stands there several times.
func (p profile) read(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("cover: %w", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		if n == 1 && strings.HasPrefix(lines.Text(), "mode: ") {
			continue
		}
		if err := p.add(lines.Text()); err != nil {
			return fmt.Errorf("cover: %s:%d: %w", name, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("cover: %s: %w", name, err)
	}
	return nil
}

// add takes one line: module/dir/file.go:12.34,15.2 3 1.
func (p profile) add(line string) error {
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return fmt.Errorf("want a block, its statements and its count, not %q", line)
	}
	statements, err := strconv.Atoi(fields[1])
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(fields[2])
	if err != nil {
		return err
	}
	at, ours := strings.CutPrefix(fields[0], module+"/")
	if !ours {
		return fmt.Errorf("%q is not of %s", fields[0], module)
	}
	dir := path.Dir(at)
	if p[dir] == nil {
		p[dir] = map[string]block{}
	}
	p[dir][at] = block{statements, p[dir][at].ran || count > 0}
	return nil
}
