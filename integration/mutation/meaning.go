package main

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// A verdict is what it means that a condition holds.
type verdict int

const (
	acts    verdict = iota // something is done
	refuses                // an error, a reason, a nil
	allows                 // no error, no reason
	either                 // a truth, whose sense only the function's name tells
)

// meaning reads a verdict off the last statement of what a condition guards.
// result is the type of the function's last result.
func meaning(result string, body []ast.Stmt) verdict {
	if len(body) == 0 {
		return acts
	}
	if b, ok := body[len(body)-1].(*ast.BranchStmt); ok && b.Tok == token.CONTINUE {
		return either // it spares an item what follows, or keeps it out
	}
	ret, ok := body[len(body)-1].(*ast.ReturnStmt)
	if !ok || len(ret.Results) == 0 {
		return acts
	}
	last := ret.Results[len(ret.Results)-1]
	switch {
	case result == "bool":
		return either
	case isName(last, "nil"):
		if result == "error" {
			return allows
		}
		return refuses
	case isEmptyText(last):
		return allows
	}
	return refuses
}

func isName(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

func isEmptyText(e ast.Expr) bool {
	lit, ok := e.(*ast.BasicLit)
	return ok && lit.Kind == token.STRING && lit.Value == `""`
}

// reasonsOfNames returns the reasons that stand in the package's variables, such
// as a refusal that is made once, and in functions that do nothing but refuse:
// name -> reasons.
func reasonsOfNames(files []*file) map[string][]string {
	says := map[string][]string{}
	for _, f := range files {
		for _, decl := range f.tree.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Body != nil && len(d.Body.List) == 1 {
					says[d.Name.Name] = reasonsIn(d.Body, nil)
				}
			case *ast.GenDecl:
				reasonsOfVariables(d, says)
			}
		}
	}
	return says
}

func reasonsOfVariables(d *ast.GenDecl, says map[string][]string) {
	for _, spec := range d.Specs {
		v, ok := spec.(*ast.ValueSpec)
		if !ok || len(v.Names) != len(v.Values) {
			continue
		}
		for i, name := range v.Names {
			says[name.Name] = reasonsIn(v.Values[i], nil)
		}
	}
}

func (w *walker) reasonsIn(body []ast.Stmt) (reasons []string) {
	for _, s := range body {
		reasons = append(reasons, reasonsIn(s, w.says)...)
	}
	slices.Sort(reasons)
	return slices.Compact(reasons)
}

// reasonsIn returns the names in n that can be those of reasons: claims.X, X in
// the package claims itself, and the variables in says.
func reasonsIn(n ast.Node, says map[string][]string) (reasons []string) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if isName(n.X, "claims") {
				reasons = append(reasons, n.Sel.Name)
				return false
			}
		case *ast.Ident:
			reasons = append(reasons, says[n.Name]...)
			if strings.ToUpper(n.Name[:1]) == n.Name[:1] {
				reasons = append(reasons, n.Name)
			}
		}
		return true
	})
	return reasons
}
