package emamw

import (
	"context"
	"crypto/rand"
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
	uri := m.Params.URI
	set := g.resourceRules(ctx, uri)
	if set.count == 0 {
		g.readNothing(a, m)
		return
	}
	decision := g.decide(a.principal, map[string]any{"uri": uri}, &set)
	g.record(ctx, a, a.resource(mcp.MethodResourcesRead, &set), decision, &set)
	switch {
	case decision.Allowed:
		a.approve(approval{uri, set.fixed, set.meta})
		a.settle()
	case g.hide:
		g.readNothing(a, m)
	default:
		m.Params.URI = nowhere
		a.deny(decision)
	}
}

// readNothing has mcp-go answer that there is no such resource. What is hidden and
// what does not exist go the same way, so that they look the same also where the
// name cannot be put back: on legacy SSE.
func (g *Guard) readNothing(a asked, m *mcp.ReadResourceRequest) {
	if g.hide {
		a.conceal(nowhere, m.Params.URI)
		m.Params.URI = nowhere
	}
	a.settle()
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
	kept, decision := g.decideListen(ctx, a, m.Params.Notifications.ResourceSubscriptions)
	if !decision.Allowed {
		m.Params.Notifications = mcp.SubscriptionFilter{}
		a.deny(decision)
		if a.x != nil {
			a.x.hangUp() // or mcp-go would wait for the client to leave
		}
		return
	}
	m.Params.Notifications.ResourceSubscriptions = kept
	a.settle()
}

// maxExplained bounds the refused resources that one challenge speaks for. A body has
// room for hundreds of thousands, and each is looked up and recorded.
const maxExplained = 64

// decideListen decides on each resource, and on all of them as one operation: its
// challenge names what every one of them needs, or a client would step up once for
// each. Where hidden ones are left out instead, and where none is named, the base
// scopes are all that it needs.
func (g *Guard) decideListen(ctx context.Context, a asked, uris []string) (kept []string, whole scopes.Decision) {
	var all ruleSet
	all.add(scopes.Authenticated())
	for _, uri := range uris {
		args := map[string]any{"uri": uri}
		set := g.resourceRules(ctx, uri)
		decision := g.decideNamed(ctx, a, a.resource(mcp.MethodSubscriptionsListen, &set), args, &set, g.rules.central(uri)...)
		if decision.Allowed {
			kept = append(kept, uri)
		}
		if g.hide {
			continue
		}
		bound, _ := set.bind(args)
		all.add(scopes.All(bound.rule())) // in an All of its own: a rule for services is one for this resource only
		if !decision.Allowed && (len(decision.Scopes) == 0 || all.count-len(kept) > maxExplained) {
			break
		}
	}
	whole = g.decide(a.principal, nil, &all)
	if len(uris) == 0 && !whole.Allowed {
		g.record(ctx, a, access{method: mcp.MethodSubscriptionsListen, request: a.request}, whole, nil)
	}
	if !g.hide && len(kept) < len(uris) && whole.Allowed {
		return nil, scopes.Decision{} // a rule that changed its mind: its no stands
	}
	return kept, whole
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
		set = g.promptsAre.rules(g, &known.Prompt)
	}
	if central, ok := g.rules.prompts[name]; ok {
		return g.decideNamed(ctx, a, what, nil, &set, central)
	}
	return g.decideNamed(ctx, a, what, nil, &set)
}

// decideURI decides on a URI that need not exist.
func (g *Guard) decideURI(ctx context.Context, a asked, method mcp.MCPMethod, uri string) scopes.Decision {
	set := g.resourceRules(ctx, uri)
	return g.decideNamed(ctx, a, a.resource(method, &set), map[string]any{"uri": uri}, &set, g.rules.central(uri)...)
}

// decideNamed decides on a name that need not exist: there the central rules for
// it have their say, or Unruled, unless hidden and unknown must look the same.
func (g *Guard) decideNamed(ctx context.Context, a asked, what access, args map[string]any, set *ruleSet, central ...scopes.Rule) scopes.Decision {
	decision := scopes.Decision{Reason: claims.Unruled}
	if set.count == 0 && !g.hide {
		set.item(g, nil, central...)
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
	if meta, ok := g.fixedResource(ctx, uri); ok {
		set.name, set.fixed, set.meta = uri, true, meta
		set.item(g, meta, g.rules.central(uri)...)
		return set
	}
	templates, complete := g.templates(ctx)
	if !complete {
		set.add(scopes.Rule{}) // one that nobody knows may match, and have any rule
	}
	for _, template := range templates {
		if template.URITemplate == nil {
			continue
		}
		// A completion names the template by its text.
		if template.URITemplate.Raw() == uri || template.URITemplate.Regexp().MatchString(uri) {
			set.name = template.URITemplate.Raw()
			var own ruleSet
			own.item(g, template.Meta, g.rules.central(uri, set.name)...)
			set.add(scopes.All(own.rule())) // for itself: what one opens to services, another does not
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

var errNotApproved = errors.New("emamw: this read was not approved")

// guardResource is the last line in front of a resource's handler: it runs only
// for the very URI that was approved. That holds where a template matches even
// the stand-in of a refused request, where a hook of the server changes the
// request after the decision, and where the hooks were replaced.
func (g *Guard) guardResource(next server.ResourceHandlerFunc) server.ResourceHandlerFunc {
	return func(ctx context.Context, request mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
		a, ok := g.asks(ctx, nil)
		if ok && !g.approved(ctx, &a, request.Params.URI) {
			g.recordNotApproved(ctx, a, request.Params.URI)
			return nil, errNotApproved
		}
		return next(ctx, request)
	}
}

// approved reports whether gateRead let this URI through. Without an exchange
// nothing could note that, and it is decided once more.
//
// What serves the URI may have changed since, from a template to a resource of its
// own or back, or to another resource: whoever replaces all resources of a server takes
// them out first, and an attacker would read on until one request falls between. It is
// decided once more then, too.
func (g *Guard) approved(ctx context.Context, a *asked, uri string) bool {
	if a.x != nil {
		meta, fixed := g.fixedResource(ctx, uri)
		if known, same := a.x.approved(approval{uri, fixed, meta}); !known || same {
			return known
		}
	}
	set := g.resourceRules(ctx, uri)
	return g.decide(a.principal, map[string]any{"uri": uri}, &set).Allowed
}

// recordNotApproved tells of a read that the gate was not asked for. One of the
// stand-in was refused, and told of, by the gate.
func (g *Guard) recordNotApproved(ctx context.Context, a asked, uri string) {
	if uri == nowhere || g.telemetry == nil {
		return
	}
	set := g.resourceRules(ctx, uri)
	g.record(ctx, a, a.resource(mcp.MethodResourcesRead, &set), scopes.Decision{Reason: claims.Ungated}, nil)
}
