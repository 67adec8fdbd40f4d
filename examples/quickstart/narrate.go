package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// narrator tells the walk. It is handed no secrets: a token reaches it as what
// peek makes of it.
type narrator struct {
	out   io.Writer
	names *strings.Replacer // turns origins into names that a person can follow
	steps int
}

func newNarrator(out io.Writer, w *world) *narrator {
	server := strings.TrimSuffix(w.resource, "/mcp")
	n := &narrator{out: out, names: strings.NewReplacer(w.idp.Issuer(), "idp", w.issuer, "auth", server, "notes")}
	n.line("Enterprise-Managed Authorization, step by step. On the stage:")
	n.line("  idp    %s  the company's identity provider, where people sign in", w.idp.Issuer())
	n.line("  auth   %s  the authorization server, which trusts the idp", w.issuer)
	n.line("  notes  %s  the MCP server %s, which trusts auth alone", server, w.resource)
	return n
}

// step announces what is tried next.
func (n *narrator) step(title string) {
	n.steps++
	n.line("\n%2d. %s", n.steps, title)
}

// exchanges tells what went over the wire, a challenge on a line of its own.
func (n *narrator) exchanges(all []exchange) {
	for _, x := range all {
		what := x.method + " " + n.names.Replace(x.url)
		if x.message != "" {
			what += "  " + x.message
		}
		n.line("    %s -> %d %s", what, x.status, http.StatusText(x.status))
		if x.challenge != "" {
			n.line("      %s", n.names.Replace(x.challenge))
		}
	}
}

// token tells a token by its claims.
func (n *narrator) token(p peeked) { n.line("    [%s]", n.names.Replace(p.String())) }

// remark says what the step meant.
func (n *narrator) remark(text string) { n.line("    %s", n.names.Replace(text)) }

// line writes one line. A reader who went away misses the rest, and the exit
// status still tells how the walk ended.
func (n *narrator) line(format string, args ...any) { fmt.Fprintf(n.out, format+"\n", args...) }
