package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A source is one file of the library with switches for its mutants.
type source struct {
	path     string // in the repository
	switched []byte
}

// find reads the packages and returns their mutants, numbered from 1, and the
// files in which each can be switched on.
func find(root string, packages []string) (mutants []*mutant, sources []source, err error) {
	for _, pkg := range packages {
		files, err := parsePackage(root, pkg)
		if err != nil {
			return nil, nil, err
		}
		says := reasonsOfNames(files)
		seen := map[string]int{}
		for _, f := range files {
			w := &walker{file: f, pkg: pkg, says: says, seen: seen, first: len(mutants) + 1}
			w.walkFile()
			mutants = append(mutants, w.mutants...)
			if len(w.mutants) > 0 {
				sources = append(sources, source{path: f.path, switched: w.apply()})
			}
		}
	}
	return mutants, sources, nil
}

// A file is one parsed source file.
type file struct {
	path string // in the repository, with slashes
	text []byte
	tree *ast.File
	set  *token.FileSet
}

func (f *file) offset(p token.Pos) int { return f.set.Position(p).Offset }

// source is a node as it is written, on one line.
func (f *file) source(n ast.Node) string {
	var b bytes.Buffer
	if err := printer.Fprint(&b, f.set, n); err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func parsePackage(root, pkg string) ([]*file, error) {
	names, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pkg), "*.go"))
	if err != nil {
		return nil, err
	}
	var files []*file
	for _, name := range names {
		path := pkg + "/" + filepath.Base(name)
		if strings.HasSuffix(name, "_test.go") || slices.Contains(exempt, path) {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, &file{path: path, text: text, tree: tree, set: set})
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("mutation: no Go files in %s: run it in the folder integration, or give -root", pkg)
	}
	return files, nil
}

// walker finds the mutants of one file.
type walker struct {
	file  *file
	pkg   string
	says  map[string][]string // reasons of the package's variables
	seen  map[string]int      // names so far, of the whole package
	first int                 // number of the file's first mutant

	function string
	mutants  []*mutant
	edits    []edit
}

// add notes a mutant of the text between two places.
func (w *walker) add(c change, text string, at ast.Node, reasons []string) *mutant {
	if reason := elsewhere[w.pkg+" "+w.function]; reason != "" {
		reasons = append(slices.Clone(reasons), reason)
	}
	m := &mutant{pkg: w.pkg, function: w.function, change: c, text: shorten(text), reasons: reasons}
	m.id = w.first + len(w.mutants)
	m.place = w.file.set.Position(at.Pos()).String()
	m.place = m.place[:strings.LastIndexByte(m.place, ':')]
	w.seen[m.name()]++
	m.ordinal = 1
	if n := w.seen[m.name()]; n > 1 {
		m.ordinal = n
	}
	w.mutants = append(w.mutants, m)
	return m
}

// shorten keeps a name on a line that can be read: a condition may hold a whole
// function.
func shorten(text string) string {
	const most = 200
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most]) + "…"
}

func (w *walker) walkFile() {
	for _, decl := range w.file.tree.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Body != nil {
				w.function = w.nameOf(d)
				w.walkFunction(d.Type, d.Body)
			}
		case *ast.GenDecl:
			w.function = "var"
			w.walkLiterals(d)
		}
	}
}

func (w *walker) nameOf(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return d.Name.Name
	}
	receiver := strings.TrimPrefix(w.file.source(d.Recv.List[0].Type), "*")
	if i := strings.IndexByte(receiver, '['); i >= 0 {
		receiver = receiver[:i]
	}
	return receiver + "." + d.Name.Name
}

// walkLiterals walks the functions that are written inside a node. Each has
// results of its own, which say what its returns mean.
func (w *walker) walkLiterals(n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		literal, ok := n.(*ast.FuncLit)
		if ok {
			w.walkFunction(literal.Type, literal.Body)
		}
		return !ok
	})
}

func (w *walker) walkFunction(typ *ast.FuncType, body *ast.BlockStmt) {
	b := &block{walker: w, result: lastResult(w.file, typ)}
	b.list(body.List)
}

// lastResult is the type of a function's last result, by which it refuses, or ""
// when it has none.
func lastResult(f *file, typ *ast.FuncType) string {
	if typ.Results == nil || len(typ.Results.List) == 0 {
		return ""
	}
	return f.source(typ.Results.List[len(typ.Results.List)-1].Type)
}
