package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/scopes"
)

const note = "Water the plants."

func (w *walk) initialize(ctx context.Context) (string, error) {
	result, err := w.connect(ctx)
	if err != nil {
		return "", err
	}
	extensions := make([]string, 0, len(result.Capabilities.Extensions))
	for name := range result.Capabilities.Extensions {
		extensions = append(extensions, name)
	}
	const ema = "io.modelcontextprotocol/enterprise-managed-authorization"
	if !slices.Contains(extensions, ema) {
		return "", fmt.Errorf("the server declares the extensions %q, and %s is not among them", extensions, ema)
	}
	return fmt.Sprintf("In. The server speaks MCP %s, and declares %s.", result.ProtocolVersion, ema), nil
}

// listTools shows that a client can know what it needs before it is refused.
func (w *walk) listTools(ctx context.Context) (string, error) {
	result, err := w.mcp.ListTools(ctx, mcp.ListToolsRequest{})
	if err != nil {
		return "", err
	}
	var tools []string
	for _, tool := range result.Tools {
		tools = append(tools, tool.Name+" needs "+strings.Join(needs(tool), " "))
	}
	want := []string{"greet needs " + readScope, "write_note needs " + writeScope}
	if slices.Sort(tools); !slices.Equal(tools, want) {
		return "", fmt.Errorf("the tools are listed as %q, want %q", tools, want)
	}
	return "Listed with what they need: " + strings.Join(tools, ", ") + ".", nil
}

// needs reads the scopes that a listed tool needs from its _meta.
func needs(tool mcp.Tool) []string {
	if tool.Meta == nil {
		return nil
	}
	rule, ok := tool.Meta.AdditionalFields[scopes.MetaKey].(map[string]any)
	if !ok {
		return nil
	}
	listed, ok := rule["scopes"].([]any)
	if !ok {
		return nil
	}
	var tokens []string
	for _, scope := range listed {
		tokens = append(tokens, fmt.Sprint(scope))
	}
	return tokens
}

func (w *walk) greet(ctx context.Context) (string, error) {
	text, err := w.call(ctx, "greet", nil)
	if err != nil {
		return "", err
	}
	want := greeting(alice.Subject, claims.Groups{Names: alice.Groups, State: claims.GroupsComplete})
	if text != want {
		return "", fmt.Errorf("greet says %q, want %q", text, want)
	}
	return fmt.Sprintf("greet says: %q", text), nil
}

func (w *walk) callDenied(ctx context.Context) (string, error) {
	if _, err := w.writeNote(ctx); err == nil {
		return "", fmt.Errorf("write_note ran without the scope %s", writeScope)
	}
	params, err := w.challenged(http.StatusForbidden)
	if err != nil {
		return "", err
	}
	asked := strings.Fields(params["scope"])
	if params["error"] != "insufficient_scope" || !slices.Contains(asked, writeScope) {
		return "", fmt.Errorf("the challenge says error=%q and scope=%q, want insufficient_scope and %s", params["error"], params["scope"], writeScope)
	}
	if written := w.world.notes.lines(); len(written) > 0 {
		return "", fmt.Errorf("write_note ran, although its answer was withheld: %q", written)
	}
	w.asked = union(w.asked, asked)
	return "Denied before the tool ran, and told what would help.", nil
}

// stepUp takes the two steps to a token again, for what the client had and what
// it was told that it needs: a token for the new scope alone would lose the old
// one.
func (w *walk) stepUp(ctx context.Context) (string, error) {
	if _, err := w.exchange(ctx); err != nil {
		return "", err
	}
	p, err := w.obtain(ctx)
	if err != nil {
		return "", err
	}
	w.second = p
	before, now := strings.Fields(w.first.Scope), strings.Fields(w.second.Scope)
	if len(now) <= len(before) || len(union(now, before)) != len(now) {
		return "", fmt.Errorf("the scopes %q are not a strict superset of %q", now, before)
	}
	return "From " + w.first.Scope + " to " + w.second.Scope + ". Nobody had to click anything.", nil
}

func (w *walk) callAllowed(ctx context.Context) (string, error) {
	text, err := w.writeNote(ctx)
	if err != nil {
		return "", err
	}
	if status := w.wire.last().status; status != http.StatusOK {
		return "", fmt.Errorf("the call was answered with %d, want 200", status)
	}
	if want := alice.Subject + " noted: " + note; text != want || !slices.Equal(w.world.notes.lines(), []string{note}) {
		return "", fmt.Errorf("write_note says %q, want %q", text, want)
	}
	return fmt.Sprintf("write_note says: %q", text), nil
}

func (w *walk) writeNote(ctx context.Context) (string, error) {
	return w.call(ctx, "write_note", map[string]any{"text": note})
}

func (w *walk) tamper(ctx context.Context) (string, error) {
	forged, err := forge(w.current, "notes:admin")
	if err != nil {
		return "", err
	}
	w.wire.use(forged)
	defer w.wire.use(w.current)
	if _, err := w.call(ctx, "greet", nil); err == nil {
		return "", errors.New("greet ran with a token that was tampered with")
	}
	params, err := w.challenged(http.StatusUnauthorized)
	if err != nil {
		return "", err
	}
	if params["error"] != "invalid_token" {
		return "", fmt.Errorf("the challenge says error=%q, want invalid_token", params["error"])
	}
	return "The signature is not over these claims. A stranger is not told what was wrong, only that no such token is taken.", nil
}

// union returns the scopes of a, and those of b that a has not.
func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, scope := range b {
		if !slices.Contains(all, scope) {
			all = append(all, scope)
		}
	}
	return all
}
