package idjag

import (
	"slices"
	"strings"

	"github.com/emamw/mcp-ema/claims"
)

// target chooses the resource that a token is for: one, because each further
// audience is a server that can replay the token against the others.
//
// The claim wins. The request's parameter can only choose among what the claim
// allows (RFC 8707 section 2). Where neither says anything, the only configured
// resource is meant; with several of them there is nothing to guess by.
func (s *Server) target(a *assertion, c *caller, asked []string) (*Resource, error) {
	unknown := &refusal{reason: claims.ResourceMismatch, code: invalidTarget}
	for _, id := range a.resources {
		if !s.governs(a, c, id) {
			return nil, refuse(claims.ResourceMismatch)
		}
	}
	for _, id := range asked {
		if !s.governs(a, c, id) || a.resources != nil && !slices.Contains(a.resources, id) {
			return nil, unknown
		}
	}
	candidates := asked
	if len(candidates) == 0 {
		candidates = a.resources
	}
	if len(candidates) == 0 {
		for _, r := range s.resources {
			candidates = append(candidates, r.ID)
		}
	}
	candidates = ordered(candidates)
	if len(candidates) != 1 || !s.governs(a, c, candidates[0]) {
		return nil, unknown
	}
	return s.resource(candidates[0]), nil
}

// governs reports whether id is a resource of this server that both the
// identity provider and the client may use.
func (s *Server) governs(a *assertion, c *caller, id string) bool {
	return s.resource(id) != nil && allows(a.provider.Resources, id) && allows(c.resources, id)
}

func (s *Server) resource(id string) *Resource {
	for i := range s.resources {
		if s.resources[i].ID == id {
			return &s.resources[i]
		}
	}
	return nil
}

// askedScopes reads the scope parameter (RFC 6749 section 3.3). What is no scope
// token is in no ID-JAG either, and refused with what is not granted.
func askedScopes(f form) []string {
	return ordered(strings.FieldsFunc(f.value("scope"), func(r rune) bool { return r == ' ' }))
}

// offer returns what can be granted for resource at all: nothing only where the
// resource has no scopes, since a token without any is good for nothing
// elsewhere. A client that asks for
// more than the ID-JAG grants is refused and not served in part (RFC 7521
// section 4.1): it would otherwise run into a denial that it cannot explain.
func offer(a *assertion, resource *Resource, asked []string) ([]string, error) {
	granted := a.scopes
	if a.unstated {
		granted = resource.Scopes
	}
	for _, scope := range asked {
		if !slices.Contains(granted, scope) {
			return nil, refuse(claims.ScopeExceedsGrant)
		}
	}
	var offered []string
	for _, scope := range granted {
		if slices.Contains(resource.Scopes, scope) {
			offered = append(offered, scope)
		}
	}
	if len(offered) == 0 && len(resource.Scopes) > 0 {
		return nil, refuse(claims.ScopeNotGranted)
	}
	return ordered(offered), nil
}
