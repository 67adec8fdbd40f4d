package integration_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
)

// files is a resource that tokens are for. Nothing listens there, where a test
// asks the guard alone.
const files = "https://files.example.com/mcp"

// A setting is one thing that has to be said of a program's tokens. All of them
// together must open, and each must be needed: what is accepted without being
// configured is accepted of everybody.
type setting struct {
	name    string
	set     func(*emamw.AuthorizationServer)
	without claims.Reason // for which the token is refused when only this one is left out
}

// with returns how an issuer is trusted after the settings.
func with(issuer string, settings ...setting) emamw.AuthorizationServer {
	as := emamw.AuthorizationServer{Issuer: issuer}
	for _, s := range settings {
		s.set(&as)
	}
	return as
}

// onlyWith shows that a token is accepted with all the settings, and refused with
// all but one, whichever it is. It returns whom the token stands for.
func onlyWith(t *testing.T, issuer, token string, settings ...setting) *claims.Principal {
	t.Helper()
	for i, left := range settings {
		others := slices.Delete(slices.Clone(settings), i, i+1)
		if _, reason := judge(t, with(issuer, others...), token); reason != left.without {
			t.Errorf("without %s: %q, want %q", left.name, reason, left.without)
		}
	}
	p, reason := judge(t, with(issuer, settings...), token)
	if reason != "" {
		t.Fatalf("refused: %s", reason)
	}
	return p
}

// judge asks a guard of the resource files, which trusts nobody else, who a token
// stands for and why it is refused.
func judge(t *testing.T, as emamw.AuthorizationServer, token string) (*claims.Principal, claims.Reason) {
	t.Helper()
	return judgeAt(t, as, token, nil)
}

func judgeAt(t *testing.T, as emamw.AuthorizationServer, token string, now func() time.Time) (*claims.Principal, claims.Reason) {
	t.Helper()
	g := guardOf(t, as, now)
	if err := g.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return verdict(t, g, token)
}

func guardOf(t *testing.T, as emamw.AuthorizationServer, now func() time.Time) *emamw.Guard {
	t.Helper()
	g, err := emamw.New(t.Context(), server.NewMCPServer("files", "1.0.0"), emamw.Config{
		Resource:             files,
		AuthorizationServers: []emamw.AuthorizationServer{as},
		Now:                  now,
		Logger:               quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func verdict(t *testing.T, g *emamw.Guard, token string) (*claims.Principal, claims.Reason) {
	t.Helper()
	p, err := g.Verify(t.Context(), token)
	if err == nil {
		return p, ""
	}
	var refused *emamw.TokenError
	if !errors.As(err, &refused) {
		t.Fatalf("no *TokenError: %v", err)
	}
	return nil, refused.Reason
}

// refusals are tokens that an issuer does issue, and that no setting may open.
type refusals map[string]struct {
	token string
	want  claims.Reason
}

func (all refusals) check(t *testing.T, as emamw.AuthorizationServer) {
	t.Helper()
	g := guardOf(t, as, nil)
	for name, r := range all {
		if _, got := verdict(t, g, r.token); got != r.want {
			t.Errorf("%s: %q, want %q", name, got, r.want)
		}
	}
}

// inTwoHours is after the end of every token that lives for an hour.
func inTwoHours() time.Time { return time.Now().Add(2 * time.Hour) }

func tell(p *claims.Principal) string {
	return fmt.Sprintf("%s %s of client %q with %v", cmp.Or(string(p.Kind), "unknown"), p.Subject, p.ClientID, p.Scopes)
}

// The settings that more than one program needs.
var (
	listAudience = func(name string) setting {
		return setting{"the audience " + name, func(as *emamw.AuthorizationServer) { as.Audiences = append(as.Audiences, name) }, claims.AudienceMismatch}
	}
	allowType = func(typ string) setting {
		return setting{fmt.Sprintf("the type %q", typ), func(as *emamw.AuthorizationServer) { as.TokenTypes = append(as.TokenTypes, typ) }, claims.TypeNotAllowed}
	}
	// noClient reads tokens that name no client. What then keeps ID tokens out,
	// wherever they have the type and the audience of access tokens, is that they
	// grant no scope. The kind stays unknown: nothing tells a client's own token.
	noClient = setting{"a mapping without a client", func(as *emamw.AuthorizationServer) {
		as.Claims = claims.Mapping{
			Name:       "no-client",
			TokenTypes: []string{"at+jwt"},
			Require:    []claims.Condition{{Pointer: "/scope"}},
			Subject:    []claims.Source{{Pointer: "/sub"}},
			Scopes:     []claims.Source{{Pointer: "/scope", As: claims.AsSpace}},
		}
	}, claims.ClaimMissing}
)

// unrequired takes away what a mapping demands beside its sources.
func unrequired(as emamw.AuthorizationServer) emamw.AuthorizationServer {
	as.Claims.Require = nil
	return as
}
