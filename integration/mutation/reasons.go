package main

import (
	"errors"
	"fmt"
	"go/ast"
	"slices"
	"strconv"
)

// knownReasons reads the closed list: constant -> word.
func knownReasons(root string) (map[string]string, error) {
	files, err := parsePackage(root, "claims")
	if err != nil {
		return nil, err
	}
	known := map[string]string{}
	for _, f := range files {
		ast.Inspect(f.tree, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if ok && v.Type != nil && isName(v.Type, "Reason") && len(v.Values) == 1 {
				lit, _ := v.Values[0].(*ast.BasicLit)
				word, _ := strconv.Unquote(lit.Value)
				known[v.Names[0].Name] = word
			}
			return !ok
		})
	}
	if len(known) == 0 {
		return nil, errors.New("mutation: found no reasons in claims")
	}
	return known, nil
}

// everyReason demands for each reason a check that refuses with it, and a test
// that notices when that check is taken out.
func everyReason(reasons map[string]string, mutants []*mutant, table map[string]row) error {
	var wrong []error
	for name := range reasons {
		shown := slices.ContainsFunc(mutants, func(m *mutant) bool {
			return slices.Contains(m.reasons, name) && table[m.name()].killer != ""
		})
		if !shown {
			wrong = append(wrong, fmt.Errorf("mutation: no test notices when the checks behind claims.%s are taken out", name))
		}
	}
	return errors.Join(wrong...)
}
