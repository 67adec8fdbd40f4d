package mcpema_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/doc"
	"go/format"
	"go/token"
	"os"
	"strings"
	"testing"
)

const surfaceFile = "testdata/surface.txt"

var update = flag.Bool("update", false, "write "+surfaceFile+" anew")

// public are the packages whose exported names are promises.
var public = []string{
	"claims", "emamw", "emamwtest", "idjag", "idjag/replaytest",
	"redisstore", "redisstore/redistest", "revocation", "revocation/revocationtest", "scopes",
}

// What the packages export is kept in a file, so that whoever changes it sees it,
// and so does whoever reviews the change.
func TestSurface(t *testing.T) {
	var now strings.Builder
	for _, dir := range public {
		writeSurface(t, &now, dir)
	}
	if *update {
		if err := os.WriteFile(surfaceFile, []byte(now.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	was, is := strings.Split(read(t, surfaceFile), "\n"), strings.Split(now.String(), "\n")
	for i := range max(len(was), len(is)) {
		if i < len(was) && i < len(is) && was[i] == is[i] {
			continue
		}
		t.Fatalf("%s:%d: the exported surface differs from here on.\nrecorded: %s\nnow:      %s\nIf it is meant, run: go test -run TestSurface . -update",
			surfaceFile, i+1, lineOr(was, i), lineOr(is, i))
	}
}

func lineOr(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(nothing)"
}

// writeSurface writes the exported declarations of one package as godoc shows
// them, methods of embedded types too, without comments and bodies.
func writeSurface(t *testing.T, out *strings.Builder, dir string) {
	t.Helper()
	fset := token.NewFileSet()
	p := document(t, fset, dir)
	fmt.Fprintf(out, "== %s\n", dir)
	eachDeclaration(p, func(decl ast.Decl, _ string) {
		if f, ok := decl.(*ast.FuncDecl); ok {
			f.Body = nil
		}
		uncomment(decl)
		out.WriteString(source(t, fset, decl))
	})
	out.WriteString("\n")
}

// document reads a package as godoc does.
func document(t *testing.T, fset *token.FileSet, dir string) *doc.Package {
	t.Helper()
	p, err := doc.NewFromFiles(fset, parse(t, fset, dir), module+"/"+dir)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// eachDeclaration visits what a package exports, in godoc's order, with its doc
// comment.
func eachDeclaration(p *doc.Package, visit func(decl ast.Decl, text string)) {
	values := func(list []*doc.Value) {
		for _, v := range list {
			visit(v.Decl, v.Doc)
		}
	}
	functions := func(list []*doc.Func) {
		for _, f := range list {
			visit(f.Decl, f.Doc)
		}
	}
	values(p.Consts)
	values(p.Vars)
	functions(p.Funcs)
	for _, kind := range p.Types {
		visit(kind.Decl, kind.Doc)
		values(kind.Consts)
		values(kind.Vars)
		functions(kind.Funcs)
		functions(kind.Methods)
	}
}

func uncomment(decl ast.Decl) {
	ast.Inspect(decl, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			n.Doc = nil
		case *ast.GenDecl:
			n.Doc = nil
		case *ast.TypeSpec:
			n.Doc, n.Comment = nil, nil
		case *ast.ValueSpec:
			n.Doc, n.Comment = nil, nil
		case *ast.Field:
			n.Doc, n.Comment = nil, nil
		}
		return true
	})
}

// source is a declaration in one form, however its lines were broken and aligned.
func source(t *testing.T, fset *token.FileSet, decl ast.Decl) string {
	t.Helper()
	var text bytes.Buffer
	if err := format.Node(&text, fset, decl); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(text.String()) {
		words := strings.Join(strings.Fields(line), " ")
		if words == "" {
			continue
		}
		if strings.HasPrefix(line, "\t") {
			words = "\t" + words
		}
		out.WriteString(words + "\n")
	}
	return out.String()
}
