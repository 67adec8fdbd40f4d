package scopes

import (
	"encoding/json"
	"maps"

	"github.com/mark3labs/mcp-go/mcp"
)

// MetaKey is the key under which an annotation stands in an item's _meta, and
// under which clients find the scopes to ask for.
const MetaKey = "io.github.emamw/authorization"

// annotation is what stands under [MetaKey]: a Go value that no client can
// send. Its JSON is made once, as a list shows it for every caller.
type annotation struct {
	rule Rule
	json json.RawMessage
	err  error // never, as a rule's JSON is a list of strings
}

func (a *annotation) MarshalJSON() ([]byte, error) { return a.json, a.err }

// Require demands that a caller's token grants all the scopes tokens. Several
// annotations on one tool must all hold.
func Require(tokens ...string) mcp.ToolOption { return Where(All(each(tokens)...)) }

// RequireAny demands at least one of the scopes tokens.
func RequireAny(tokens ...string) mcp.ToolOption { return Where(Any(each(tokens)...)) }

// Where demands that rule holds for whoever calls the tool.
func Where(rule Rule) mcp.ToolOption {
	return func(t *mcp.Tool) { t.Meta = annotate(t.Meta, rule) }
}

// ForPrompt demands that rule holds for whoever gets the prompt or asks for
// completions of its arguments.
func ForPrompt(rule Rule) mcp.PromptOption {
	return func(p *mcp.Prompt) { p.Meta = annotate(p.Meta, rule) }
}

// ForResource demands that rule holds for whoever reads the resource or
// subscribes to it.
func ForResource(rule Rule) mcp.ResourceOption {
	return func(r *mcp.Resource) { r.Meta = annotate(r.Meta, rule) }
}

// ForTemplate demands that rule holds for whoever reads a resource whose URI
// the template matches, subscribes to one, or asks for completions of the
// template's variables. Where several templates match a URI, all their rules
// must hold, since mcp-go picks any of them.
func ForTemplate(rule Rule) mcp.ResourceTemplateOption {
	return func(t *mcp.ResourceTemplate) { t.Meta = annotate(t.Meta, rule) }
}

// FromMeta returns the rule that the item with this _meta was annotated with.
// An annotation that went through JSON is not one any more: the item then has
// no rule.
func FromMeta(meta *mcp.Meta) (Rule, bool) {
	if meta == nil {
		return Rule{}, false
	}
	a, ok := meta.AdditionalFields[MetaKey].(*annotation)
	if !ok {
		return Rule{}, false
	}
	return a.rule, true
}

// annotate returns a copy of meta with rule added. A copy, because two items
// may have been given one Meta, and a rule for one is none for the other.
func annotate(meta *mcp.Meta, rule Rule) *mcp.Meta {
	if earlier, ok := FromMeta(meta); ok {
		rule = All(earlier, rule)
	}
	annotated := &mcp.Meta{AdditionalFields: map[string]any{}}
	if meta != nil {
		annotated.ProgressToken = meta.ProgressToken
		maps.Copy(annotated.AdditionalFields, meta.AdditionalFields)
	}
	public, err := json.Marshal(rule)
	annotated.AdditionalFields[MetaKey] = &annotation{rule: rule, json: public, err: err}
	return annotated
}

func each(tokens []string) []Rule {
	rules := make([]Rule, len(tokens))
	for i, token := range tokens {
		rules[i] = Scope(token)
	}
	return rules
}
