package main

import (
	"go/ast"
	"go/token"
	"strings"
)

// block walks the statements of one function.
type block struct {
	*walker
	result string // type of the function's last result
}

// guarded walks what a condition guards. A single call there is taken out
// together with the condition.
func (b *block) guarded(statements []ast.Stmt) {
	if len(statements) == 1 {
		if s, ok := statements[0].(*ast.ExprStmt); ok {
			b.walkLiterals(s)
			return
		}
	}
	b.list(statements)
}

func (b *block) list(statements []ast.Stmt) {
	var before ast.Stmt
	for i, s := range statements {
		b.statement(s, before, statements[i+1:])
		before = s
	}
}

// statement looks for checks in s. The statement before it often says what an
// err or ok is about, and those after it what is gone past.
func (b *block) statement(s, before ast.Stmt, after []ast.Stmt) {
	switch s := s.(type) {
	case *ast.IfStmt:
		b.branch(s, before, after)
	case *ast.SwitchStmt:
		b.selection(s, len(after) == 0)
	case *ast.ReturnStmt:
		b.answer(s)
	case *ast.ExprStmt:
		b.call(s)
	case *ast.AssignStmt:
		b.outcome(s)
	case *ast.BlockStmt:
		b.list(s.List)
	case *ast.LabeledStmt:
		b.statement(s.Stmt, before, after)
	case *ast.ForStmt:
		b.list(s.Body.List)
	case *ast.RangeStmt:
		b.walkLiterals(s.X)
		b.list(s.Body.List)
	case *ast.TypeSwitchStmt:
		b.clauses(s.Body)
	case *ast.SelectStmt:
		b.clauses(s.Body)
	default:
		b.walkLiterals(s)
	}
}

func (b *block) branch(s *ast.IfStmt, before ast.Stmt, after []ast.Stmt) {
	if s.Init != nil {
		b.walkLiterals(s.Init)
	}
	b.walkLiterals(s.Cond)
	b.weigh(condition{
		expr:    s.Cond,
		text:    "if " + b.about(s, before),
		verdict: meaning(b.result, s.Body.List),
		within:  b.reasonsIn(s.Body.List),
		beyond:  b.reasonsIn(after),
	})
	b.guarded(s.Body.List)
	if s.Else != nil {
		b.statement(s.Else, nil, after)
	}
}

// about is the condition of an if, with the statement that gave its variables
// their values: "err != nil" alone would be every second check of the library.
func (b *block) about(s *ast.IfStmt, before ast.Stmt) string {
	text := b.file.source(s.Cond)
	if s.Init != nil {
		return b.file.source(s.Init) + "; " + text
	}
	if assign, ok := before.(*ast.AssignStmt); ok && gives(assign, s.Cond) {
		return b.file.source(assign) + "; " + text
	}
	return text
}

// gives reports whether an assignment gives e, which is of variables only, one
// of its values.
func gives(assign *ast.AssignStmt, e ast.Expr) bool {
	names := map[string]bool{}
	for _, left := range assign.Lhs {
		if id, ok := left.(*ast.Ident); ok {
			names[id.Name] = true
		}
	}
	given, plain := false, true
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr, *ast.SelectorExpr, *ast.IndexExpr:
			plain = false
		case *ast.Ident:
			given = given || names[n.Name]
		}
		return plain
	})
	return given && plain
}

// selection looks at a switch. One without a tag is a chain of conditions. ends
// says that it is the last statement of its block, where a clause that no longer
// returns would leave a function without its result.
func (b *block) selection(s *ast.SwitchStmt, ends bool) {
	if s.Init != nil {
		b.walkLiterals(s.Init)
	}
	for _, clause := range s.Body.List {
		c := clause.(*ast.CaseClause)
		for _, e := range c.List {
			b.walkLiterals(e)
		}
		switch {
		case s.Tag == nil && c.List != nil:
			b.cases(c)
			continue
		case !ends && meaning(b.result, c.Body) == refuses:
			b.clause(s, c)
		}
		b.list(c.Body)
	}
}

func (b *block) cases(c *ast.CaseClause) {
	for _, e := range c.List {
		b.weigh(condition{
			expr:    e,
			text:    "case " + b.file.source(e),
			verdict: meaning(b.result, c.Body),
			within:  b.reasonsIn(c.Body),
		})
	}
	b.guarded(c.Body)
}

// clause takes out a clause that refuses certain values.
func (b *block) clause(s *ast.SwitchStmt, c *ast.CaseClause) {
	text := "default"
	if c.List != nil {
		values := make([]string, len(c.List))
		for i, e := range c.List {
			values[i] = b.file.source(e)
		}
		text = "case " + strings.Join(values, ", ")
	}
	if s.Tag != nil {
		text += " of " + b.file.source(s.Tag)
	}
	m := b.add(skip, text, c, b.reasonsIn(c.Body))
	b.wrap(span{c.Body[0].Pos(), c.Body[len(c.Body)-1].End()}, "if !"+on(m)+" { ", " }")
}

// span is a run of statements.
type span struct{ from, to token.Pos }

func (s span) Pos() token.Pos { return s.from }
func (s span) End() token.Pos { return s.to }

func (b *block) clauses(body *ast.BlockStmt) {
	for _, clause := range body.List {
		switch c := clause.(type) {
		case *ast.CaseClause:
			b.list(c.Body)
		case *ast.CommClause:
			b.list(c.Body)
		}
	}
}

// answer looks at the truth that a function returns.
func (b *block) answer(s *ast.ReturnStmt) {
	for _, e := range s.Results {
		b.walkLiterals(e)
		b.unless(e)
	}
	if b.result != "bool" || len(s.Results) == 0 {
		return
	}
	last := s.Results[len(s.Results)-1]
	if id, ok := last.(*ast.Ident); ok && (id.Name == "true" || id.Name == "false") {
		return
	}
	if _, forwards := last.(*ast.CallExpr); forwards && len(s.Results) == 1 && !judges(last) {
		return
	}
	b.weigh(condition{expr: last, text: "return " + b.file.source(last), verdict: either})
}

// unless looks at a check that is written as a call: its reason, unless it holds.
func (b *block) unless(e ast.Expr) {
	call, ok := e.(*ast.CallExpr)
	if !ok || len(call.Args) != 2 || !isName(call.Fun, "unless") {
		return
	}
	b.weigh(condition{
		expr:    call.Args[0],
		text:    b.file.source(call),
		verdict: allows,
		beyond:  reasonsIn(call.Args[1], b.says),
	})
}

// outcome looks at a comparison whose outcome is given a name.
func (b *block) outcome(s *ast.AssignStmt) {
	b.walkLiterals(s)
	if len(s.Rhs) != 1 {
		return
	}
	if e, ok := s.Rhs[0].(*ast.BinaryExpr); ok && compares[e.Op] {
		b.weigh(condition{expr: e, text: b.file.source(s), verdict: either})
	}
}

var compares = map[token.Token]bool{
	token.LAND: true, token.LOR: true, token.EQL: true, token.NEQ: true, token.LSS: true, token.LEQ: true, token.GTR: true, token.GEQ: true,
}

// judges reports whether a call is surely of one truth: it may as well forward
// all results of another function.
func judges(e ast.Expr) bool {
	call := e.(*ast.CallExpr)
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := selector.X.(*ast.Ident)
	return ok && (pkg.Name == "slices" || pkg.Name == "strings")
}

// call looks at a call for its effect.
func (b *block) call(s *ast.ExprStmt) {
	b.walkLiterals(s)
	call, ok := s.X.(*ast.CallExpr)
	if !ok {
		return // a receive
	}
	name := b.file.source(call.Fun)
	if !protects[name[strings.LastIndexByte(name, '.')+1:]] {
		return
	}
	m := b.add(omit, b.file.source(s), s, b.reasonsIn([]ast.Stmt{s}))
	b.wrap(s, "if !"+on(m)+" { ", " }")
}

// protects are the calls that refuse, forget, or bind a hash to something.
var protects = map[string]bool{
	"deny": true, "fail": true, "add": true, "mistake": true, "hangUp": true, "conceal": true, "forget": true, "delete": true, "Del": true, "Delete": true, "Write": true,
}

// A condition is a check: what it is, and what happens when it holds.
type condition struct {
	expr    ast.Expr
	text    string
	verdict verdict
	within  []string // reasons that it guards
	beyond  []string // reasons that it lets go past
}

// weigh adds the mutants that take a check out, as a whole and operand by
// operand.
//
// Where only a function's name tells whether its truth refuses or allows, both
// are tried: each operand dropped, or a single comparison forced either way.
func (b *block) weigh(c condition) {
	force := func(e ast.Expr, how change, text string, to bool) {
		reasons := c.within
		if to {
			reasons = c.beyond
		}
		b.force(e, b.add(how, text, e, reasons), to)
	}
	part := func(operand ast.Expr, to bool) {
		if isOutcome(operand) {
			return
		}
		force(operand, drop, b.file.source(operand)+" of "+c.text, to)
	}
	switch {
	case c.verdict == either && isCompound(c.expr):
		weaken(c.expr, false, part)
		weaken(c.expr, true, part)
	case c.verdict == either:
		force(c.expr, skip, c.text, false)
		force(c.expr, pass, c.text, true)
	case c.verdict == allows:
		force(c.expr, pass, c.text, true)
		weaken(c.expr, true, part)
	default:
		force(c.expr, skip, c.text, false)
		weaken(c.expr, false, part)
	}
}

// isOutcome reports whether an operand only asks how a call before it ended: err
// != nil, or ok. That is no check of its own, and what failed leaves its zero
// value, which the operands beside it are about.
func isOutcome(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "ok" || e.Name == "found" || strings.HasPrefix(e.Name, "err")
	case *ast.UnaryExpr:
		return e.Op == token.NOT && isOutcome(e.X)
	case *ast.BinaryExpr:
		return (e.Op == token.EQL || e.Op == token.NEQ) && isName(e.Y, "nil") && isOutcome(e.X)
	}
	return false
}

func isCompound(e ast.Expr) bool {
	b, ok := ast.Unparen(e).(*ast.BinaryExpr)
	return ok && (b.Op == token.LAND || b.Op == token.LOR)
}

// weaken calls part for each operand without which e is more often what to says:
// those of || for false, those of && for true.
func weaken(e ast.Expr, to bool, part func(operand ast.Expr, to bool)) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		weaken(e.X, to, part)
	case *ast.UnaryExpr:
		if e.Op == token.NOT {
			weaken(e.X, !to, part)
		}
	case *ast.BinaryExpr:
		if e.Op != token.LAND && e.Op != token.LOR {
			return
		}
		for _, operand := range chain(e, e.Op) {
			if (e.Op == token.LAND) == to {
				part(operand, to)
			}
			weaken(operand, to, part)
		}
	}
}

// chain is a && b && c as its operands.
func chain(e ast.Expr, op token.Token) []ast.Expr {
	if b, ok := e.(*ast.BinaryExpr); ok && b.Op == op {
		return append(chain(b.X, op), chain(b.Y, op)...)
	}
	return []ast.Expr{e}
}
