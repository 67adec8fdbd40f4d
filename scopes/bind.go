package scopes

// Bind returns r with every [When] in it replaced by the rule that it calls for
// with these arguments, and whether there was one. The bound rule can be kept and
// evaluated later, when the arguments are gone. A When that panics becomes the
// zero Rule.
func (r Rule) Bind(args map[string]any) (bound Rule, dependent bool) {
	switch r.op {
	case opWhen:
		e := evaluation{Request: Request{Arguments: args}}
		rule, _ := e.dependent(r)
		bound, _ = rule.Bind(args)
		return bound, true
	case opAll, opAny:
		bound = Rule{op: r.op, rules: make([]Rule, len(r.rules))}
		for i, rule := range r.rules {
			var depends bool
			bound.rules[i], depends = rule.Bind(args)
			dependent = dependent || depends
		}
		return bound, dependent
	}
	return r, false
}
