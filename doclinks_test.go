//go:build go1.26

// Package go/doc knows the methods of an interface from Go 1.26 on.

package mcpema_test

import (
	"go/ast"
	"go/doc"
	"go/doc/comment"
	"go/token"
	"path"
	"regexp"
	"strings"
	"testing"
)

// linkLike is a link of a doc comment (go.dev/doc/comment) as it is written.
var linkLike = regexp.MustCompile(`\[\*?(?:[a-z]\w*\.)?[A-Z]\w*(?:\.[A-Z]\w*)?\]`)

// A link in a doc comment that leads nowhere is shown as text in brackets, and
// most of them are left behind by a name that changed.
func TestDocLinks(t *testing.T) {
	documents := map[string]*doc.Package{}
	for _, dir := range public {
		documents[module+"/"+dir] = document(t, token.NewFileSet(), dir)
	}
	links := 0
	for _, dir := range public {
		p := documents[module+"/"+dir]
		parser := p.Parser()
		for _, text := range comments(p) {
			for _, block := range parser.Parse(text).Content {
				eachText(block, func(text comment.Text) {
					switch text := text.(type) {
					case comment.Plain:
						for _, link := range linkLike.FindAllString(string(text), -1) {
							t.Errorf("%s: %s leads nowhere", dir, link)
						}
					case *comment.DocLink:
						links++
						ours, ok := documents[text.ImportPath]
						if ok && text.Name != "" && !ours.Parser().LookupSym(text.Recv, text.Name) {
							t.Errorf("%s: [%s.%s] leads nowhere", dir, path.Base(text.ImportPath), strings.Trim(text.Recv+"."+text.Name, "."))
						}
					}
				})
			}
		}
	}
	if links < 100 {
		t.Errorf("%d links were seen: this test looks in the wrong place", links)
	}
}

// comments are the texts of all doc comments of a package, those of fields too.
func comments(p *doc.Package) []string {
	texts := []string{p.Doc}
	eachDeclaration(p, func(decl ast.Decl, text string) {
		texts = append(texts, text)
		ast.Inspect(decl, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				texts = append(texts, n.Doc.Text(), n.Comment.Text())
			case *ast.Field:
				texts = append(texts, n.Doc.Text(), n.Comment.Text())
			}
			return true
		})
	})
	return texts
}

// eachText visits the texts of a block, links in lists included.
func eachText(block comment.Block, visit func(comment.Text)) {
	var texts []comment.Text
	switch block := block.(type) {
	case *comment.Heading:
		texts = block.Text
	case *comment.Paragraph:
		texts = block.Text
	case *comment.List:
		for _, item := range block.Items {
			for _, inner := range item.Content {
				eachText(inner, visit)
			}
		}
	}
	for _, text := range texts {
		visit(text)
	}
}
