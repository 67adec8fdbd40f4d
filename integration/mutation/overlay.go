package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	module   = "github.com/emamw/mcp-ema"
	switches = "internal/mutant" // a package that exists in the overlay alone
	alias    = "mutant_"
)

// on is the expression that is true while the mutant is switched on.
func on(m *mutant) string { return fmt.Sprintf("%s.On(%d)", alias, m.id) }

// edit is text to put into a file. Of two at one place, the one around more of
// the file goes outside.
type edit struct {
	offset int
	text   string
	opens  bool
	width  int
	order  int
}

func (w *walker) wrap(n ast.Node, before, after string) {
	start, end := w.file.offset(n.Pos()), w.file.offset(n.End())
	order := len(w.edits)
	w.edits = append(w.edits,
		edit{offset: start, text: before, opens: true, width: end - start, order: order},
		edit{offset: end, text: after, width: end - start, order: order})
}

// force makes the expression e be to while the mutant is switched on.
func (w *walker) force(e ast.Expr, m *mutant, to bool) {
	if to {
		w.wrap(e, "("+on(m)+" || (", "))")
		return
	}
	w.wrap(e, "(!"+on(m)+" && (", "))")
}

// apply returns the file with all switches in it. No line moves.
func (w *walker) apply() []byte {
	name := w.file.tree.Name.End()
	edits := append(w.edits, edit{offset: w.file.offset(name), text: fmt.Sprintf("; import %s %q", alias, module+"/"+switches)})
	slices.SortStableFunc(edits, func(a, b edit) int {
		if a.offset != b.offset {
			return a.offset - b.offset
		}
		return rank(a, b)
	})
	var out bytes.Buffer
	at := 0
	for _, e := range edits {
		out.Write(w.file.text[at:e.offset])
		out.WriteString(e.text)
		at = e.offset
	}
	out.Write(w.file.text[at:])
	return out.Bytes()
}

// rank orders edits at one place: what closes there first, the inner before the
// outer, then what opens, the outer before the inner.
func rank(a, b edit) int {
	switch {
	case a.opens != b.opens:
		if a.opens {
			return 1
		}
		return -1
	case a.opens && a.width != b.width:
		return b.width - a.width
	case a.opens:
		return a.order - b.order
	case a.width != b.width:
		return a.width - b.width
	}
	return b.order - a.order
}

// writeOverlay writes the switched files into dir and returns the file that
// tells the go command to read them in place of the repository's.
func writeOverlay(root, dir string, sources []source, mutants int) (string, error) {
	replace := map[string]string{}
	put := func(path string, content []byte) error {
		own := filepath.Join(dir, strings.ReplaceAll(path, "/", "_"))
		replace[filepath.Join(root, filepath.FromSlash(path))] = own
		return os.WriteFile(own, content, 0o600)
	}
	for _, s := range sources {
		if err := put(s.path, s.switched); err != nil {
			return "", err
		}
	}
	if err := put(switches+"/mutant.go", fmt.Appendf(nil, switchesSource, mutants+1)); err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}

const (
	envMutants = "EMAMW_MUTANTS" // numbers of the mutants to switch on
	envReached = "EMAMW_REACHED" // a file for the numbers of the switches that were asked
)

// switchesSource is the package that the switched files import. It allocates
// nothing per question: some tests count allocations.
const switchesSource = `package mutant

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

var (
	first, second = chosen()
	reached, trace = traced()
)

func chosen() (first, second int) {
	a, b, _ := strings.Cut(os.Getenv("` + envMutants + `"), ",")
	first, _ = strconv.Atoi(a)
	second, _ = strconv.Atoi(b)
	return first, second
}

func traced() ([]atomic.Bool, *os.File) {
	name := os.Getenv("` + envReached + `")
	if name == "" {
		return nil, nil
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	return make([]atomic.Bool, %d), f
}

func On(n int) bool {
	if reached != nil && !reached[n].Swap(true) {
		note(n)
	}
	return n == first || n == second
}

func note(n int) { _, _ = trace.WriteString(strconv.Itoa(n) + "\n") }
`
