package emamw

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/scopes"
)

// Lists of tools and prompts are filtered before mcp-go cuts them into pages.
// Resources, templates and tasks have no filter: what is hidden is taken out
// when the page is made, so a page may come short.

func (g *Guard) onAfterListTools(_ context.Context, _ any, _ *mcp.ListToolsRequest, result *mcp.ListToolsResult) {
	keepPrivate(&result.CacheableResult)
}

func (g *Guard) onAfterListPrompts(_ context.Context, _ any, _ *mcp.ListPromptsRequest, result *mcp.ListPromptsResult) {
	keepPrivate(&result.CacheableResult)
}

func (g *Guard) onAfterReadResource(_ context.Context, _ any, _ *mcp.ReadResourceRequest, result *mcp.ReadResourceResult) {
	keepPrivate(&result.CacheableResult)
}

// keepPrivate keeps a result out of shared caches, whatever the server's own
// hints say: one that is marked public may be served to callers with other
// tokens, and to those with none (MCP 2026-07-28, caching). A time to live that
// the handler gave stays.
func keepPrivate(result *mcp.CacheableResult) {
	ttl, _ := result.TTL()
	result.SetCacheHints(ttl, mcp.CacheScopePrivate)
}

func (g *Guard) onAfterListResources(ctx context.Context, id any, _ *mcp.ListResourcesRequest, result *mcp.ListResourcesResult) {
	a, ok := g.asks(ctx, id)
	if !ok {
		return
	}
	result.Resources = visible(g, a, result.Resources, func(r *mcp.Resource) (set ruleSet) {
		set.item(g, r.Meta, g.rules.central(r.URI)...)
		return set
	}, func(r *mcp.Resource) {
		for _, rule := range g.rules.central(r.URI) {
			scopes.ForResource(rule)(r)
		}
	})
	keepPrivate(&result.CacheableResult)
	if g.hide {
		result.NextCursor = g.sealCursor(a, mcp.MethodResourcesList, result.NextCursor)
	}
}

func (g *Guard) onAfterListTemplates(ctx context.Context, id any, _ *mcp.ListResourceTemplatesRequest, result *mcp.ListResourceTemplatesResult) {
	a, ok := g.asks(ctx, id)
	if !ok {
		return
	}
	text := func(t *mcp.ResourceTemplate) string {
		if t.URITemplate == nil {
			return ""
		}
		return t.URITemplate.Raw()
	}
	result.ResourceTemplates = visible(g, a, result.ResourceTemplates, func(t *mcp.ResourceTemplate) (set ruleSet) {
		set.item(g, t.Meta, g.rules.central(text(t))...)
		return set
	}, func(t *mcp.ResourceTemplate) {
		for _, rule := range g.rules.central(text(t)) {
			scopes.ForTemplate(rule)(t)
		}
	})
	keepPrivate(&result.CacheableResult)
	if g.hide {
		result.NextCursor = g.sealCursor(a, mcp.MethodResourcesTemplatesList, result.NextCursor)
	}
}

// visible returns what this caller is to see of a list. The list itself is not
// changed: a hook of the server's own may have kept it.
func visible[T any](g *Guard, a asked, items []T, rules func(*T) ruleSet, show func(*T)) []T {
	if !g.hide && a.principal != nil && len(g.rules.resources) == 0 {
		return items
	}
	shown := make([]T, 0, len(items))
	for _, item := range items {
		if g.hide || a.principal == nil {
			if set := rules(&item); !g.decide(a.principal, nil, &set).Allowed {
				continue
			}
		}
		show(&item)
		shown = append(shown, item)
	}
	return shown
}

func (g *Guard) onAfterListTasks(ctx context.Context, id any, _ *mcp.ListTasksRequest, result *mcp.ListTasksResult) {
	a, ok := g.asks(ctx, id)
	if !ok {
		return
	}
	result.Tasks = slices.DeleteFunc(slices.Clone(result.Tasks), func(task mcp.Task) bool {
		return !g.tasks.owns(task.TaskId, a.caller)
	})
	if result.Tasks == nil {
		result.Tasks = []mcp.Task{}
	}
	result.NextCursor = g.sealCursor(a, mcp.MethodTasksList, result.NextCursor)
}

// cursorBlock is what the length of a cursor is rounded up to.
const cursorBlock = 256

// badCursor is one that mcp-go refuses as it refuses any that it did not make.
const badCursor mcp.Cursor = "!"

// sealCursor encrypts a cursor of mcp-go, which is the name of the last item of
// a page: perhaps a hidden one, or the id of another caller's task. It is good
// for this caller and this list only.
func (g *Guard) sealCursor(a asked, method mcp.MCPMethod, cursor mcp.Cursor) mcp.Cursor {
	if cursor == "" {
		return ""
	}
	sealer := g.sessions.cursors
	nonce := make([]byte, sealer.NonceSize(), sealer.NonceSize()+len(cursor)+cursorBlock+sealer.Overhead())
	_, _ = rand.Read(nonce) // never fails
	// Padded, or its length would be that of a name. The padding is no base64, so
	// it comes off again.
	text := string(cursor) + strings.Repeat(" ", cursorBlock-len(cursor)%cursorBlock)
	sealed := sealer.Seal(nonce, nonce, []byte(text), []byte(string(method)+a.caller))
	return mcp.Cursor(base64.RawURLEncoding.EncodeToString(sealed))
}

// openCursor puts the cursor of mcp-go back into a message, and settles what
// needs no other decision.
func (g *Guard) openCursor(ctx context.Context, a asked, method mcp.MCPMethod, cursor *mcp.Cursor) {
	defer a.settle()
	if *cursor == "" || (!g.hide && method != mcp.MethodTasksList) {
		return
	}
	opened, ok := g.unsealCursor(a, method, *cursor)
	if !ok {
		g.record(ctx, a, access{method: method, request: a.request}, scopes.Decision{Reason: claims.OwnerMismatch}, nil)
		opened = badCursor
	}
	*cursor = opened
}

func (g *Guard) unsealCursor(a asked, method mcp.MCPMethod, cursor mcp.Cursor) (mcp.Cursor, bool) {
	sealer := g.sessions.cursors
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(string(cursor))
	if err != nil || len(sealed) < sealer.NonceSize() {
		return "", false
	}
	nonce, text := sealed[:sealer.NonceSize()], sealed[sealer.NonceSize():]
	opened, err := sealer.Open(nil, nonce, text, []byte(string(method)+a.caller))
	if err != nil {
		return "", false
	}
	return mcp.Cursor(strings.TrimRight(string(opened), " ")), true
}

// newCursorSealer makes the cipher for cursors out of a derived key.
func newCursorSealer(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("emamw: a derived key has the size of an AES-256 key: " + err.Error())
	}
	sealer, err := cipher.NewGCM(block)
	if err != nil {
		panic("emamw: AES has the block size of GCM: " + err.Error())
	}
	return sealer
}
