package claims

import (
	"context"
	"sync"
	"time"
)

// A GroupsLookup fetches the groups of people whose tokens leave them unknown,
// and remembers the answers. Entra, for one, sends no groups once there are more
// than 200, and a server that needs them asks Microsoft Graph.
//
// Every failure ends in [GroupsLookupFailed]: the caller is asked to try again,
// and is not taken for somebody without groups. What the error says is passed on
// to nobody, as it may name the user: let Lookup log what may be known of it.
type GroupsLookup struct {
	// Lookup returns all groups of p, in the names or ids that rules use. It
	// must build the URL it asks from its own configuration and p.Subject and
	// p.Tenant, escaped. A URL that stands in a token, such as the endpoint in
	// _claim_sources, must never be called: it would let the sender choose whom
	// this server talks to, with which credentials.
	//
	// It is called for several principals at once, never twice at once for one.
	// ctx carries the values of the request and its own deadline, but does not
	// end with the request, because others may wait for the same answer.
	Lookup func(ctx context.Context, p Principal) ([]string, error)

	// Absent also asks when the token has no group claim at all; without it,
	// only on [GroupsOverage]. Nobody asks for a [Service]: it has no groups of
	// a person.
	Absent bool

	Timeout       time.Duration // of one call; default 5 s
	TTL           time.Duration // how long an answer is used, and then a token remembered that it was used for; default 5 min. Who leaves a group keeps it for twice as long at most
	MaxPrincipals int           // how many answers are kept; default 10,000
	MaxGroups     int           // more groups than this are a failure; default 10,000
}

// failureTTL keeps a broken directory from being asked again by every request.
const failureTTL = 2 * time.Second

func (c *compiler) groupsLookup(g GroupsLookup) *groupsCache {
	if g.Lookup == nil {
		c.mistake("groups_lookup.lookup", "", "the function that fetches the groups is missing")
	}
	for _, d := range []struct {
		field    string
		value    *time.Duration
		fallback time.Duration
	}{{"timeout", &g.Timeout, 5 * time.Second}, {"ttl", &g.TTL, 5 * time.Minute}} {
		if *d.value < 0 {
			c.mistake("groups_lookup."+d.field, d.value.String(), "a time cannot be negative; 0 is the default")
		}
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	for _, n := range []struct {
		field string
		value *int
	}{{"max_principals", &g.MaxPrincipals}, {"max_groups", &g.MaxGroups}} {
		if *n.value < 0 {
			c.mistake("groups_lookup."+n.field, "", "a number cannot be negative; 0 is the default")
		}
		if *n.value == 0 {
			*n.value = 10_000
		}
	}
	return &groupsCache{GroupsLookup: g, answers: make(map[string]*answer)}
}

// groupsCache is a bounded memory in front of a GroupsLookup.
type groupsCache struct {
	GroupsLookup
	mu      sync.Mutex
	answers map[string]*answer // by Principal.Key
}

const lookupTooLong = "the lookup took longer than Timeout"

// An answer is under way until done is closed; the rest is set before that.
type answer struct {
	done    chan struct{}
	names   []string
	why     string // there are no names; a constant of this file
	expires time.Time
}

func (a *answer) underWay() bool {
	select {
	case <-a.done:
		return false
	default:
		return true
	}
}

// fill sets p.Groups if they are unknown and g is to find them.
func (g *groupsCache) fill(ctx context.Context, p *Principal) error {
	if p.Groups.Known() || p.Kind == Service || p.Groups.State == GroupsAbsent && !g.Absent {
		return nil
	}
	a := g.answer(ctx, p)
	if a == nil {
		return &Error{Reason: GroupsLookupFailed, Claim: "groups", detail: "too many lookups are under way"}
	}
	wait, cancel := context.WithTimeout(ctx, g.Timeout)
	defer cancel()
	select {
	case <-a.done:
	case <-wait.Done():
		if ctx.Err() != nil {
			return &Error{Reason: Canceled, Claim: "groups", detail: "the request ended during the lookup"}
		}
		return &Error{Reason: GroupsLookupFailed, Claim: "groups", detail: lookupTooLong}
	}
	if a.why != "" {
		return &Error{Reason: GroupsLookupFailed, Claim: "groups", detail: a.why}
	}
	p.Groups = Groups{Names: append([]string(nil), a.names...), State: GroupsComplete}
	return nil
}

// answer returns what is remembered of p, or starts a lookup. It returns nil
// when there is no room, because every place is taken by a lookup under way.
func (g *groupsCache) answer(ctx context.Context, p *Principal) *answer {
	key := p.Key()
	g.mu.Lock()
	defer g.mu.Unlock()
	if a, ok := g.answers[key]; ok && (a.underWay() || time.Now().Before(a.expires)) {
		return a
	}
	delete(g.answers, key)
	if len(g.answers) >= g.MaxPrincipals && !g.evict() {
		return nil
	}
	a := &answer{done: make(chan struct{})}
	g.answers[key] = a
	go g.ask(context.WithoutCancel(ctx), *p.Clone(), a)
	return a
}

// evict forgets one answer, whichever the map offers first: a lookup too many
// costs a call, and an order of use would cost more to keep than it saves.
func (g *groupsCache) evict() bool {
	for key, a := range g.answers {
		if !a.underWay() {
			delete(g.answers, key)
			return true
		}
	}
	return false
}

// ask runs one lookup. Nobody up the stack would catch a panic of it here, and
// it would end the process; so it is a failure like any other.
func (g *groupsCache) ask(ctx context.Context, p Principal, a *answer) {
	ctx, cancel := context.WithTimeout(ctx, g.Timeout)
	defer cancel()
	a.why = "the lookup panicked"
	defer func() {
		_ = recover() // a.why is still set
		ttl := g.TTL
		if a.why != "" {
			ttl = min(ttl, failureTTL)
		}
		a.expires = time.Now().Add(ttl)
		close(a.done)
	}()
	names, err := g.Lookup(ctx, p)
	switch {
	case err != nil && ctx.Err() != nil:
		a.why = lookupTooLong
	case err != nil:
		a.why = "the lookup failed: let it log how, since its error may name a user"
	case len(names) > g.MaxGroups:
		a.why = "the lookup found more groups than MaxGroups: raise it, or ask for those of this application only"
	default:
		a.names, a.why = names, ""
	}
}
