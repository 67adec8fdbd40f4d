package mcpema_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// budgets bound what each package exports: functions, methods and types, each
// declaration counted once; constants, variables and fields do not count. A
// surface that fits one screen can be reviewed, and a name that is not needed
// is a promise too many. The bounds are what v0.1.0 exports: a name more is
// argued for here.
var budgets = map[string]int{
	"claims": 50, "emamw": 16, "emamwtest": 22, "idjag": 28, "redisstore": 10, "revocation": 20, "scopes": 29,
}

func TestExportBudgets(t *testing.T) {
	for dir, budget := range budgets {
		names := exported(t, dir)
		if len(names) > budget {
			slices.Sort(names)
			t.Errorf("%s exports %d, at most %d:\n%s", dir, len(names), budget, strings.Join(names, "\n"))
		}
	}
}

// Every exported declaration says what it is.
func TestEveryExportIsDocumented(t *testing.T) {
	for _, dir := range public {
		each(t, dir, func(name string, doc *ast.CommentGroup) {
			if doc.Text() == "" && !strings.HasSuffix(name, ".Error") {
				t.Errorf("%s.%s has no doc comment", dir, name)
			}
		})
	}
}

func exported(t *testing.T, dir string) (names []string) {
	t.Helper()
	each(t, dir, func(name string, _ *ast.CommentGroup) { names = append(names, name) })
	return names
}

// each visits the exported functions, methods and types of a package.
func each(t *testing.T, dir string, visit func(name string, doc *ast.CommentGroup)) {
	t.Helper()
	for _, file := range parse(t, token.NewFileSet(), dir) {
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if on := receiver(d); d.Name.IsExported() && (on == "" || ast.IsExported(on)) {
					visit(on+d.Name.Name, d.Doc)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if s, ok := spec.(*ast.TypeSpec); ok && s.Name.IsExported() {
						doc := s.Doc
						if doc == nil {
							doc = d.Doc
						}
						visit(s.Name.Name, doc)
					}
				}
			}
		}
	}
}

func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	kind := d.Recv.List[0].Type
	if star, ok := kind.(*ast.StarExpr); ok {
		kind = star.X
	}
	if name, ok := kind.(*ast.Ident); ok {
		return name.Name + "."
	}
	return ""
}

// parse reads the files of a package that are no tests.
func parse(t *testing.T, fset *token.FileSet, dir string) (files []*ast.File) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s has no Go files: %v", dir, err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}
