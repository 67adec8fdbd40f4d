package mcpema_test

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// foreign are packages of others, by the name that the pages give them; "" is
// one that no module of the root's requirements has.
var foreign = map[string]string{
	"server":   "github.com/mark3labs/mcp-go/server",
	"jwt":      "github.com/lestrrat-go/jwx/v2/jwt",
	"context":  "context",
	"slog":     "log/slog",
	"otelslog": "",
}

// words are names that the pages take from elsewhere: from standards, and from the
// programs and libraries of others.
var words = []string{
	"Authorization", "Bearer", "JWT", // HTTP and JOSE
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256",
	"Cache-Control",
	"Dangerously",          // what names begin with
	"Username", "drn: DSR", // claims of PingFederate and Descope
	"AccessTokenIssuer",    // of fosite's configuration
	"DisableStandaloneSSE", // of go-sdk's client
	"BeforeAny",            // of mcp-go's hooks
}

// A surface is what a package exports: its names, and the fields and methods of
// those that are types.
type surface map[string]map[string]bool

// What the pages say in code of this module's packages, and of those of others,
// is there. The changelog is left out: it may speak of what was.
func TestSymbols(t *testing.T) {
	checker := newSymbolChecker(t)
	unused := slices.Clone(words)
	for _, page := range pages(t) {
		if page == "CHANGELOG.md" {
			continue
		}
		for _, span := range codeSpans(read(t, page)) {
			if testName.MatchString(span) {
				continue // TestNamedTests
			}
			unused = slices.DeleteFunc(unused, func(word string) bool { return span == word })
			for _, missing := range checker.missing(span) {
				t.Errorf("%s: %s of %q is not there", page, missing, span)
			}
		}
	}
	if len(unused) > 0 {
		t.Errorf("no page has the words %q", unused)
	}
}

// The check notices what is not there.
func TestSymbolsAreMissed(t *testing.T) {
	checker := newSymbolChecker(t)
	for span, missing := range map[string]string{
		"emamw.New":                          "",
		"emamw.Renewed":                      "emamw.Renewed",
		"emamw.Config.BaseScopes":            "",
		"emamw.Config.BasicScopes":           "emamw.Config.BasicScopes",
		"Guard.Ready":                        "",
		"Guard.Steady":                       "Guard.Steady",
		"Config.ResolveSubject":              "",
		"Principal.Key()":                    "",
		"claims.As[T](ctx)":                  "",
		"claims.Is[T](ctx)":                  "claims.Is",
		"BaseScopes":                         "",
		"BasicScopes":                        "BasicScopes",
		"Auth0(ns)":                          "",
		"Auth1(ns)":                          "Auth1",
		`claims.Mapping{Preset: "okta"}`:     "",
		`claims.Mapping{Presets: "okta"}`:    "claims.Mapping.Presets",
		`TokenTypes: []string{"JWT"}`:        "",
		`TokenKinds: []string{"JWT"}`:        "TokenKinds",
		"server.WithHooks":                   "",
		"server.WithHoax":                    "server.WithHoax",
		"unheard.Of":                         "unheard.Of",
		"notifications/cancelled":            "",
		"ema.id_jag.exchange":                "",
		"iss exp aud sub client_id iat jti":  "",
		"claims.Source{{Pointer: \"/azp\"}}": "",
	} {
		if got := strings.Join(checker.missing(span), " "); got != missing {
			t.Errorf("%q misses %q, want %q", span, got, missing)
		}
	}
}

type symbolChecker struct {
	packages map[string]surface // by their name on the pages
	names    map[string]bool    // whatever a public package exports
}

func newSymbolChecker(t *testing.T) *symbolChecker {
	t.Helper()
	c := &symbolChecker{packages: map[string]surface{}, names: map[string]bool{}}
	for _, dir := range slices.Concat(packages(t), public) {
		name := path.Base(dir)
		if dir == "." || strings.HasPrefix(dir, "examples/") || c.packages[name] != nil {
			continue
		}
		c.packages[name] = surfaceOf(t, dir)
		if slices.Contains(public, dir) {
			for symbol, members := range c.packages[name] {
				c.names[symbol] = true
				maps.Copy(c.names, members)
			}
		}
	}
	for name, imported := range foreign {
		if imported == "" {
			continue
		}
		pkg, err := build.Import(imported, ".", build.FindOnly)
		if err != nil {
			t.Fatal(err)
		}
		c.packages[name] = surfaceOf(t, pkg.Dir)
	}
	return c
}

// missing returns the exported names in a code span that nothing has. What is no
// Go expression says nothing of Go.
func (c *symbolChecker) missing(span string) (found []string) {
	if slices.Contains(words, span) {
		return nil
	}
	expr, err := parser.ParseExpr(span)
	if err != nil {
		// Fields with their values, out of a literal.
		if expr, err = parser.ParseExpr("_{" + span + "}"); err != nil {
			return nil
		}
	}
	ast.Inspect(expr, func(n ast.Node) bool {
		switch e := n.(type) {
		case *ast.CompositeLit:
			found = append(found, c.missingFields(e)...)
		case *ast.SelectorExpr:
			chain := chainOf(e)
			if chain != nil && ast.IsExported(chain[len(chain)-1]) && !c.has(chain) {
				found = append(found, strings.Join(chain, "."))
			}
			return chain == nil
		case *ast.Ident:
			if one := len(e.Name) == 1; e.IsExported() && !one && !c.names[e.Name] {
				found = append(found, e.Name)
			}
		}
		return true
	})
	return found
}

// missingFields returns the fields of a literal that its type has not, where that
// is a type of a known package.
func (c *symbolChecker) missingFields(literal *ast.CompositeLit) (found []string) {
	kind, ok := literal.Type.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	chain := chainOf(kind)
	if len(chain) != 2 || c.packages[chain[0]] == nil {
		return nil
	}
	for _, element := range literal.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			if field, ok := pair.Key.(*ast.Ident); ok && !c.packages[chain[0]][chain[1]][field.Name] {
				found = append(found, strings.Join(chain, ".")+"."+field.Name)
			}
		}
	}
	return found
}

// chainOf returns the names of a.b.c, or nil where it is no such chain.
func chainOf(e *ast.SelectorExpr) []string {
	switch x := e.X.(type) {
	case *ast.Ident:
		return []string{x.Name, e.Sel.Name}
	case *ast.SelectorExpr:
		if before := chainOf(x); before != nil {
			return append(before, e.Sel.Name)
		}
	}
	return nil
}

// has looks for package.Name, package.Type.Member and Type.Member, the last in
// any package whose names are promises: there the pages leave the package out.
func (c *symbolChecker) has(chain []string) bool {
	if imported, known := foreign[chain[0]]; known && imported == "" {
		return true
	}
	if pkg, known := c.packages[chain[0]]; known {
		members, found := pkg[chain[1]]
		return found && (len(chain) == 2 || members[chain[2]])
	}
	return slices.ContainsFunc(public, func(pkg string) bool { return c.packages[path.Base(pkg)][chain[0]][chain[1]] })
}

// surfaceOf parses a package.
func surfaceOf(t *testing.T, dir string) surface {
	t.Helper()
	s := surface{}
	for _, file := range parse(t, token.NewFileSet(), dir) {
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				s.add(strings.TrimSuffix(receiver(d), "."), d.Name.Name)
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					s.addSpec(spec)
				}
			}
		}
	}
	return s
}

func (s surface) addSpec(spec ast.Spec) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		for _, name := range spec.Names {
			s.add("", name.Name)
		}
	case *ast.TypeSpec:
		s.add("", spec.Name.Name)
		var members *ast.FieldList
		switch kind := spec.Type.(type) {
		case *ast.StructType:
			members = kind.Fields
		case *ast.InterfaceType:
			members = kind.Methods
		default:
			return
		}
		for _, member := range members.List {
			for _, name := range member.Names {
				s.add(spec.Name.Name, name.Name)
			}
		}
	}
}

// add adds a name, or a member of the type on.
func (s surface) add(on, name string) {
	if !ast.IsExported(name) || on != "" && !ast.IsExported(on) {
		return
	}
	top := name
	if on != "" {
		top = on
	}
	if s[top] == nil {
		s[top] = map[string]bool{}
	}
	if on != "" {
		s[on][name] = true
	}
}
