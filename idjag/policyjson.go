package idjag

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// policyDocument and ruleDocument are the JSON form of a Policy. Durations are
// written as time.ParseDuration reads them: "15m".
type policyDocument struct {
	ReportOnly bool           `json:"report_only"`
	Rules      []ruleDocument `json:"rules"`
}

type ruleDocument struct {
	Name                 string   `json:"name"`
	Resources            names    `json:"resources"`
	IdentityProviders    names    `json:"identity_providers"`
	Tenants              names    `json:"tenants"`
	Clients              names    `json:"clients"`
	Groups               names    `json:"groups"`
	Roles                names    `json:"roles"`
	Scopes               names    `json:"scopes"`
	Deny                 bool     `json:"deny"`
	MaxAuthenticationAge duration `json:"max_authentication_age"`
	ACRValues            names    `json:"acr_values"`
	TokenLifetime        duration `json:"token_lifetime"`
}

// ParsePolicy reads a policy document:
//
//	{"rules": [
//	  {"name": "engineers", "groups": ["Engineering"], "scopes": ["files:read", "files:write"]},
//	  {"name": "admins", "groups": ["Admins"], "scopes": ["files:admin"], "max_authentication_age": "15m"},
//	  {"name": "no guests", "roles": ["guest"], "deny": true}
//	]}
//
// The members are those of [Policy] and [Rule] in snake case. An unknown member
// is an error, and so is one given twice, or with an empty list: "groups"
// misspelled, or emptied, is a rule for everyone. So is a document that is not
// UTF-8. Whether the names in it exist is checked by [New] and [Server.SetPolicy].
func ParsePolicy(document []byte) (*Policy, error) {
	if !utf8.Valid(document) {
		// encoding/json would repair it: a group in another encoding becomes one
		// that nobody is in, and a rule that denies it denies nobody.
		return nil, errors.New("idjag: policy: the document is not UTF-8: save it as such")
	}
	if err := uniqueMembers(document); err != nil {
		return nil, fmt.Errorf("idjag: policy: %w", err)
	}
	var d policyDocument
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return nil, fmt.Errorf("idjag: policy: %w", err)
	}
	p := &Policy{ReportOnly: d.ReportOnly}
	for _, r := range d.Rules {
		p.Rules = append(p.Rules, Rule{
			Name: r.Name, Resources: r.Resources, IdentityProviders: r.IdentityProviders,
			Tenants: r.Tenants, Clients: r.Clients, Groups: r.Groups, Roles: r.Roles,
			Scopes: r.Scopes, Deny: r.Deny, ACRValues: r.ACRValues,
			MaxAuthenticationAge: time.Duration(r.MaxAuthenticationAge),
			TokenLifetime:        time.Duration(r.TokenLifetime),
		})
	}
	return p, nil
}

// names is a list that, where it is there, names something. "groups": null and
// "groups": [] would be read as no condition at all, and so as everybody, by
// whoever took the last group out of the file to let nobody in.
type names []string

func (n *names) UnmarshalJSON(raw []byte) error {
	var list []string
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	if len(list) == 0 {
		return errors.New("a list is empty: leave the member out, or name something in it")
	}
	*n = list
	return nil
}

type duration time.Duration

func (d *duration) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return errors.New(`a duration is a string such as "15m"`)
	}
	v, err := time.ParseDuration(text)
	if err != nil || v <= 0 {
		return errors.New(`a duration is a positive number with a unit, such as "15m"`)
	}
	*d = duration(v)
	return nil
}

// uniqueMembers refuses an object with two members of one name, whatever their
// case, and anything after the document. encoding/json would take the last one,
// so that a reviewer reads one rule and the server runs another.
func uniqueMembers(document []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(document))
	if err := walk(decoder); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something after the document")
	}
	return nil
}

// walk reads one value. encoding/json bounds the nesting.
func walk(decoder *json.Decoder) error {
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	open, _ := token.(json.Delim)
	if open != '{' && open != '[' {
		return nil
	}
	var names []string
	for decoder.More() {
		if open == '{' {
			token, err := decoder.Token()
			if err != nil {
				return err
			}
			name, _ := token.(string)
			for _, seen := range names {
				if strings.EqualFold(seen, name) {
					return fmt.Errorf("member %s is given twice", quote(name))
				}
			}
			names = append(names, name)
		}
		if err := walk(decoder); err != nil {
			return err
		}
	}
	_, err = decoder.Token() // the closing one
	return err
}
