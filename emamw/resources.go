package emamw

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/internal/telemetry"
	"github.com/emamw/mcp-ema/scopes"
)

// nowhere is a URI that no resource has and nobody can guess: what a refused
// request asks for instead.
var nowhere = "urn:emamw:" + rand.Text()

// gateRead decides on resources/read.
func (g *Guard) gateRead(ctx context.Context, a asked, m *mcp.ReadResourceRequest) {
	set := g.resourceRules(ctx, m.Params.URI)
	if set.count == 0 {
		a.settle() // mcp-go answers that there is no such resource
		return
	}
	decision := g.decide(a.principal, map[string]any{"uri": m.Params.URI}, &set)
	g.record(ctx, a, a.resource(mcp.MethodResourcesRead, &set), decision, &set)
	if decision.Allowed {
		a.settle()
		return
	}
	asked := m.Params.URI
	m.Params.URI = nowhere
	if g.hide {
		a.conceal(nowhere, asked)
		return
	}
	a.deny(decision)
}

// gateSubscribe decides on resources/subscribe, which mcp-go grants for any URI,
// also one that does not exist.
func (g *Guard) gateSubscribe(ctx context.Context, a asked, m *mcp.SubscribeRequest) {
	decision := g.decideURI(ctx, a, mcp.MethodResourcesSubscribe, m.Params.URI)
	if decision.Allowed {
		a.settle()
		return
	}
	m.Params.URI = "" // mcp-go answers that a uri is required, and subscribes to nothing
	if g.hide {
		a.settle()
		return
	}
	a.deny(decision)
}

// gateListen decides on subscriptions/listen: on each resource that it names.
func (g *Guard) gateListen(ctx context.Context, a asked, m *mcp.SubscriptionsListenRequest) {
	if a.x != nil && a.x.hangUp == nil {
		// Not announced in the header that mcp-go compares with the body, so
		// nothing would end this stream.
		g.record(ctx, a, access{method: mcp.MethodSubscriptionsListen, request: a.request}, scopes.Decision{}, nil)
		m.Params.Notifications = mcp.SubscriptionFilter{}
		a.deny(scopes.Decision{})
		return
	}
	var kept []string
	for _, uri := range m.Params.Notifications.ResourceSubscriptions {
		decision := g.decideURI(ctx, a, mcp.MethodSubscriptionsListen, uri)
		if decision.Allowed {
			kept = append(kept, uri)
			continue
		}
		if !g.hide {
			m.Params.Notifications = mcp.SubscriptionFilter{}
			a.deny(decision)
			if a.x != nil {
				a.x.hangUp() // or mcp-go would wait for the client to leave
			}
			return
		}
	}
	m.Params.Notifications.ResourceSubscriptions = kept
	a.settle()
}

// gateComplete decides on completion/complete. mcp-go asks the server's
// providers for any name, so an unknown one is refused too.
func (g *Guard) gateComplete(ctx context.Context, a asked, m *mcp.CompleteRequest) {
	var decision scopes.Decision
	switch ref := m.Params.Ref.(type) {
	case mcp.PromptReference:
		decision = g.decidePrompt(ctx, a, ref.Name)
	case mcp.ResourceReference:
		decision = g.decideURI(ctx, a, mcp.MethodCompletionComplete, ref.URI)
	default:
		a.settle() // mcp-go refuses it
		return
	}
	if decision.Allowed {
		a.settle()
		return
	}
	m.Params.Ref = nil
	if g.hide {
		a.settle()
		return
	}
	a.deny(decision)
}

func (g *Guard) decidePrompt(ctx context.Context, a asked, name string) scopes.Decision {
	var set ruleSet
	what := access{method: mcp.MethodCompletionComplete, request: a.request, kind: telemetry.Prompt}
	if known, ok := g.server.ListPrompts()[name]; ok {
		what.name = name
		set = g.promptRules(&known.Prompt)
	}
	return g.decideNamed(ctx, a, what, nil, &set)
}

// decideURI decides on a URI that need not exist.
func (g *Guard) decideURI(ctx context.Context, a asked, method mcp.MCPMethod, uri string) scopes.Decision {
	set := g.resourceRules(ctx, uri)
	return g.decideNamed(ctx, a, a.resource(method, &set), map[string]any{"uri": uri}, &set)
}

// decideNamed decides on a name that need not exist: there Unruled has its say,
// unless hidden and unknown must look the same.
func (g *Guard) decideNamed(ctx context.Context, a asked, what access, args map[string]any, set *ruleSet) scopes.Decision {
	decision := scopes.Decision{Reason: claims.Unruled}
	if set.count == 0 && !g.hide {
		set.add(g.unruled)
	}
	if set.count > 0 {
		decision = g.decide(a.principal, args, set)
	}
	g.record(ctx, a, what, decision, set)
	return decision
}

func (a *asked) resource(method mcp.MCPMethod, set *ruleSet) access {
	return access{method: method, request: a.request, kind: telemetry.Resource, name: set.name}
}

// resourceRules returns all that must hold to use uri, and nothing when no
// resource has it and no template matches. The order is mcp-go's: a resource of
// the session, one of the server, then templates. Which of several matching
// templates it picks is chance, so the rules of all of them must hold.
func (g *Guard) resourceRules(ctx context.Context, uri string) (set ruleSet) {
	central := g.rules.central(uri)
	if meta, ok := g.fixedResource(ctx, uri); ok {
		set.name = uri
		set.item(g, meta, central...)
		return set
	}
	for _, template := range g.templates(ctx) {
		if template.URITemplate == nil {
			continue
		}
		// A completion names the template by its text.
		if template.URITemplate.Raw() == uri || template.URITemplate.Regexp().MatchString(uri) {
			set.name = template.URITemplate.Raw()
			set.item(g, template.Meta, central...)
		}
	}
	return set
}

func (g *Guard) fixedResource(ctx context.Context, uri string) (*mcp.Meta, bool) {
	if session, ok := server.ClientSessionFromContext(ctx).(server.SessionWithResources); ok {
		if own, ok := session.GetSessionResources()[uri]; ok {
			return own.Resource.Meta, true
		}
	}
	if known, ok := g.server.ListResources()[uri]; ok {
		return known.Resource.Meta, true
	}
	return nil, false
}

// templates asks the server for its templates, those of the session included.
// mcp-go has no getter for them.
func (g *Guard) templates(ctx context.Context) []mcp.ResourceTemplate {
	var found []mcp.ResourceTemplate
	g.list(ctx, mcp.MethodResourcesTemplatesList, func(result any) mcp.Cursor {
		page, ok := result.(mcp.ListResourceTemplatesResult)
		if !ok {
			return ""
		}
		found = append(found, page.ResourceTemplates...)
		return page.NextCursor
	})
	return found
}

// list reads a list of the server, page by page, by a message of the gate's own.
// The server's own hooks see that message.
func (g *Guard) list(ctx context.Context, method mcp.MCPMethod, page func(result any) mcp.Cursor) {
	ctx = context.WithValue(ctx, lookingAround{}, true)
	for cursor := mcp.Cursor(""); ; {
		message, err := json.Marshal(map[string]any{
			"jsonrpc": mcp.JSONRPC_VERSION,
			"id":      nowhere,
			"method":  method,
			"params":  map[string]any{"cursor": cursor},
		})
		if err != nil {
			return
		}
		response, ok := g.server.HandleMessage(ctx, message).(mcp.JSONRPCResponse)
		if !ok {
			return
		}
		if cursor = page(response.Result); cursor == "" {
			return
		}
	}
}

var errNowhere = errors.New("emamw: this request was refused")

// guardResource is the last line: should a template match anything at all, also
// the name of a refused request, its handler still does not run.
func (g *Guard) guardResource(next server.ResourceHandlerFunc) server.ResourceHandlerFunc {
	return func(ctx context.Context, request mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
		if request.Params.URI == nowhere {
			return nil, errNowhere
		}
		return next(ctx, request)
	}
}
