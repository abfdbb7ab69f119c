package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/grantd/grantd/scopes"
)

// Policy says what a token needs so that a gateway passes a call on. The path with which
// Envoy asks has its name.
type Policy struct {
	Name     string `key:"name"`
	Scope    string `key:"scope"`     // names separated by spaces; empty: any active token passes
	TokenUse string `key:"token_use"` // kinds separated by spaces; empty: client
}

// Names of the members of a policy.
const (
	policyName  = "name"
	policyScope = "scope"
	policyUse   = "token_use"
)

const (
	maxPolicies   = 1000
	maxPolicyName = 64
	policyLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
)

// policyUses are the kinds of tokens.
var policyUses = []string{"client", "customer", "on_behalf", "partner", "key"}

var (
	errPolicy      = errors.New(`must be NAME scope=… token_use=…, such as "users-read scope=users:read token_use=client"`)
	errPolicies    = errors.New("must be a list of policies, such as [{name: users-read, scope: users:read, token_use: client}]")
	errPolicyTwice = errors.New("has a member that is repeated")
	errPolicyEmpty = errors.New("has a member that is empty; leave it out instead")
)

// ParsePolicy reads a policy from a flag or a variable: its name, and the members scope
// and token_use with values that may have several words.
func ParsePolicy(text string) (Policy, error) {
	words := strings.Fields(text)
	if len(words) == 0 || strings.Contains(words[0], "=") {
		return Policy{}, errPolicy
	}
	values, member := map[string][]string{}, ""
	for _, word := range words[1:] {
		name, value, ok := strings.Cut(word, "=")
		switch {
		case ok && (name == policyScope || name == policyUse):
			if _, twice := values[name]; twice {
				return Policy{}, errPolicyTwice
			}
			if member = name; value == "" {
				return Policy{}, errPolicyEmpty
			}
			values[member] = []string{value}
		case member == "":
			return Policy{}, errPolicy
		default:
			values[member] = append(values[member], word)
		}
	}
	return Policy{words[0], strings.Join(values[policyScope], " "), strings.Join(values[policyUse], " ")}, nil
}

// members returns the members that are not empty, the name first.
func (p Policy) members() [][2]string {
	all := [][2]string{{policyName, p.Name}}
	for _, m := range [][2]string{{policyScope, p.Scope}, {policyUse, p.TokenUse}} {
		if m[1] != "" {
			all = append(all, m)
		}
	}
	return all
}

// problem returns what is wrong with the policy; "": nothing.
func (p Policy) problem() string {
	if p.Name == "" || len(p.Name) > maxPolicyName || strings.Trim(p.Name, policyLetters) != "" {
		return "name must be 1 to 64 of A-Z a-z 0-9 - _"
	}
	if _, err := scopes.Parse(p.Scope); err != nil {
		return "scope must be names separated by single spaces"
	}
	uses, err := scopes.Parse(p.TokenUse)
	if err != nil || slices.ContainsFunc(uses, func(use string) bool { return !slices.Contains(policyUses, use) }) {
		return "token_use must be " + orList(policyUses) + ", or several of them separated by single spaces"
	}
	return ""
}

func (v *validator) forwardAuth(c Config) {
	const path = "forward_auth.policies"
	v.oneOf("forward_auth.headers", c.ForwardAuth.Headers, "forwarded", "original")
	if len(c.ForwardAuth.Policies) > maxPolicies {
		v.add(path, "must have at most %d entries", maxPolicies)
	}
	seen := map[string]bool{}
	for i, p := range c.ForwardAuth.Policies {
		if problem := p.problem(); problem != "" {
			v.add(path, "entry %d: %s", i+1, problem)
		} else if seen[p.Name] {
			v.add(path, "entry %d: the name %s is used twice; Envoy names a policy by it", i+1, p.Name)
		}
		seen[p.Name] = true
	}
}

// splitPolicies reads policies with commas between them.
func splitPolicies(text string) (any, error) {
	entries, err := splitList(text)
	if err != nil {
		return nil, err
	}
	list := []Policy{}
	for i, entry := range entries.([]string) {
		p, err := ParsePolicy(entry)
		if err != nil {
			return nil, fmt.Errorf("entry %d %w", i+1, err)
		}
		list = append(list, p)
	}
	return list, nil
}

// readPolicies reads policies from the file.
func readPolicies(n *yaml.Node) (any, error) {
	if n.Kind != yaml.SequenceNode {
		return nil, errPolicies
	}
	list := []Policy{}
	for i, item := range n.Content {
		p, err := readPolicy(follow(item))
		if err != nil {
			return nil, fmt.Errorf("entry %d %w", i+1, err)
		}
		list = append(list, p)
	}
	return list, nil
}

func readPolicy(n *yaml.Node) (p Policy, err error) {
	if n.Kind != yaml.MappingNode {
		return Policy{}, errors.New("must have the members name, scope and token_use, such as {name: users-read, scope: users:read}")
	}
	to := map[string]*string{policyName: &p.Name, policyScope: &p.Scope, policyUse: &p.TokenUse}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i].Value, follow(n.Content[i+1])
		member, ok := to[name]
		switch {
		case !ok:
			return Policy{}, fmt.Errorf("has an unknown or repeated member %s; the known ones are name, scope, token_use", plainName(n.Content[i]))
		case value.Kind != yaml.ScalarNode || value.ShortTag() != tagText:
			return Policy{}, fmt.Errorf("%s %w", name, errText)
		case value.Value == "":
			return Policy{}, errPolicyEmpty
		}
		*member = value.Value
		delete(to, name)
	}
	return p, nil
}

// policyNodes returns the policies as a list for a file.
func policyNodes(policies []Policy) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, p := range policies {
		entry := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		for _, m := range p.members() {
			entry.Content = append(entry.Content, scalar(m[0]), scalar(m[1]))
		}
		list.Content = append(list.Content, entry)
	}
	return list
}

// policyObjects returns the policies for JSON.
func policyObjects(policies []Policy) []map[string]string {
	list := []map[string]string{}
	for _, p := range policies {
		object := map[string]string{}
		for _, m := range p.members() {
			object[m[0]] = m[1]
		}
		list = append(list, object)
	}
	return list
}
