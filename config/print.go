package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"
)

const exampleHead = `# grantd configuration: every key with its default.
# Each key can also be set in the environment, as GRANTD_ and its path in upper
# case: GRANTD_STORE_REDIS_KEY_PREFIX. Lists are comma separated there. Flags
# override the environment, and the environment overrides this file. Durations
# have the units d, h, m, s and ms.

`

// Example returns a commented YAML file that sets every key to its default.
func Example() string {
	notes := comments()
	sections := Defaults().sections(func(path string) string { return notes[path] })
	return exampleHead + strings.Join(sections, "\n")
}

// YAML returns the configuration as Load reads it, with every key, in the
// order of Config.
func (c Config) YAML() string {
	return strings.Join(c.sections(func(string) string { return "" }), "")
}

// JSON returns the same as one JSON object. Durations are text ("1h30m").
func (c Config) JSON() []byte {
	top := map[string]any{}
	for _, k := range allKeys() {
		section, name := k.parts()
		in := top
		for part := range strings.SplitSeq(section, ".") {
			if part == "" {
				continue
			}
			if in[part] == nil {
				in[part] = map[string]any{}
			}
			in = in[part].(map[string]any)
		}
		in[name] = plain(k.in(&c).Interface())
		if policies, ok := in[name].([]Policy); ok {
			in[name] = policyObjects(policies)
		}
	}
	return encoded(json.MarshalIndent(top, "", "  "))
}

// sections returns the YAML of each key and section at the top, in order.
func (c Config) sections(comment func(path string) string) []string {
	var top yaml.Node
	inside := map[string]*yaml.Node{"": &top}
	for _, k := range allKeys() {
		section, name := k.parts()
		label := scalar(name)
		label.HeadComment = comment(k.path)
		in := sectionNode(inside, section)
		in.Content = append(in.Content, label, valueNode(plain(k.in(&c).Interface())))
	}
	var texts []string
	for i := 0; i < len(top.Content); i += 2 {
		texts = append(texts, encodeYAML(top.Content[i], top.Content[i+1]))
	}
	return texts
}

// sectionNode finds the mapping at path, and makes it where it is not yet.
func sectionNode(inside map[string]*yaml.Node, path string) *yaml.Node {
	if n := inside[path]; n != nil {
		return n
	}
	parent, name := key{path: path}.parts()
	n := &yaml.Node{Kind: yaml.MappingNode}
	inside[path] = n
	in := sectionNode(inside, parent)
	in.Content = append(in.Content, scalar(name), n)
	return n
}

func encodeYAML(name, value *yaml.Node) string {
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	err := encoder.Encode(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{name, value}})
	return string(encoded(text.Bytes(), err))
}

// valueNode gives the node of what plain returns.
func valueNode(value any) *yaml.Node {
	switch v := value.(type) {
	case string:
		return scalar(v)
	case []string:
		list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, item := range v {
			list.Content = append(list.Content, scalar(item))
		}
		return list
	case []Policy:
		return policyNodes(v)
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(v)}
	}
}

func scalar(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: tagText, Value: s}
	if s == "" || strings.IndexFunc(s, unicode.IsControl) >= 0 {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// plain turns a field into what a file would hold: text, a number, a switch, a list of
// texts or a list of policies.
func plain(field any) any {
	switch v := field.(type) {
	case time.Duration:
		return formatDuration(v)
	case ReplicaAcks:
		if n, err := strconv.Atoi(string(v)); err == nil {
			return n
		}
		return string(v)
	case []string:
		return append([]string{}, v...) // never null
	}
	return field
}

// encoded returns what an encoder made of plain values. Those cannot fail.
func encoded(text []byte, err error) []byte {
	if err != nil {
		panic(fmt.Sprintf("config: print: %v", err))
	}
	return text
}
