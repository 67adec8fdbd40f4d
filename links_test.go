package mcpema_test

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The links of the pages lead to files, and to headings in them.
func TestLinks(t *testing.T) {
	for _, page := range pages(t) {
		for _, part := range strings.Split(prose(read(t, page)), "](")[1:] {
			link, _, _ := strings.Cut(part, ")")
			if strings.Contains(link, "://") {
				continue // elsewhere
			}
			file, heading, _ := strings.Cut(link, "#")
			target := page
			if file != "" {
				target = path.Join(path.Dir(page), file)
			}
			if !exists(target) {
				t.Errorf("%s links to %s, which is not there", page, link)
				continue
			}
			if heading != "" && !slices.Contains(anchors(read(t, target)), heading) {
				t.Errorf("%s links to %s, which has no such heading", page, link)
			}
		}
	}
}

var (
	fileName   = regexp.MustCompile(`^[\w./-]+\.(?:go|md|lua|tsv|yaml|json)$`)
	folderName = regexp.MustCompile(`^[\w-]+(?:/[\w-]+)*/?$`)
)

// The files and folders that the pages name are there, seen from the root or from
// the page. What has no file name's ending is a folder only if it begins with one.
func TestNamedFiles(t *testing.T) {
	for _, page := range pages(t) {
		for _, span := range codeSpans(read(t, page)) {
			first, _, nested := strings.Cut(span, "/")
			folder := nested && folderName.MatchString(span) && exists(first)
			if (fileName.MatchString(span) || folder) && !exists(span) && !exists(path.Join(path.Dir(page), span)) {
				t.Errorf("%s names %s, which is not there", page, span)
			}
		}
	}
}
