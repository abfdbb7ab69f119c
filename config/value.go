package config

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// kind is the type of a key's value.
type kind int

const (
	kindText kind = iota
	kindNumber
	kindSwitch
	kindDuration
	kindList
	kindAcks
	kindPolicies
)

// YAML's short tags, as yaml.Node.ShortTag gives them.
const (
	tagText   = "!!str"
	tagNumber = "!!int"
	tagSwitch = "!!bool"
	tagNull   = "!!null"
)

var (
	errText      = errors.New("must be text; put the value in quotes")
	errPortAlone = errors.New("must be host:port, such as 127.0.0.1:8080, not a port alone")
	errNumber    = errors.New("must be a whole number, such as 20, without quotes")
	errSwitch    = errors.New("must be true or false, without quotes")
	errAcks      = errors.New("must be auto or a number from 0 to 9")
	errList      = errors.New("must be a list, such as [a, b]")
	errUTF8      = errors.New("must be UTF-8 text")

	wholeNumber = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)
	acks        = regexp.MustCompile(`^(auto|[0-9])$`)
)

// parse reads a value from an environment variable or a flag. Its errors say
// what to write instead.
func (k kind) parse(text string) (any, error) {
	if !utf8.ValidString(text) {
		return nil, errUTF8
	}
	switch k {
	case kindNumber:
		return parseNumber(text)
	case kindSwitch:
		return parseSwitch(text)
	case kindDuration:
		return ParseDuration(text)
	case kindList:
		return splitList(text)
	case kindAcks:
		return parseAcks(text)
	case kindPolicies:
		return splitPolicies(text)
	default:
		return text, nil
	}
}

// read reads a value from the file. Text must be a YAML string and a number a
// YAML number, so that 000001 is never read as 1.
func (k kind) read(n *yaml.Node) (any, error) {
	if k == kindList {
		return readList(n)
	}
	if k == kindPolicies {
		return readPolicies(n)
	}
	if n.Kind != yaml.ScalarNode {
		return nil, errors.New("must be a single value")
	}
	tag := n.ShortTag()
	switch {
	case k == kindText && tag != tagText:
		return nil, errText
	case k == kindNumber && tag != tagNumber:
		return nil, errNumber
	case k == kindSwitch && tag != tagSwitch:
		return nil, errSwitch
	}
	return k.parse(n.Value)
}

func readList(n *yaml.Node) (any, error) {
	if n.Kind != yaml.SequenceNode {
		return nil, errList
	}
	list := make([]string, len(n.Content))
	for i, item := range n.Content {
		item = follow(item)
		if item.Kind != yaml.ScalarNode || item.ShortTag() != tagText {
			return nil, fmt.Errorf("entry %d %w", i+1, errText)
		}
		list[i] = item.Value
	}
	return list, nil
}

func parseNumber(text string) (any, error) {
	n, err := strconv.Atoi(text)
	if err != nil || !wholeNumber.MatchString(text) {
		return nil, errNumber
	}
	return n, nil
}

func parseSwitch(text string) (any, error) {
	switch strings.ToLower(text) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return nil, errSwitch
}

func parseAcks(text string) (any, error) {
	if !acks.MatchString(text) {
		return nil, errAcks
	}
	return ReplicaAcks(text), nil
}

// splitList reads "a, b". Empty text is an empty list.
func splitList(text string) (any, error) {
	if strings.TrimSpace(text) == "" {
		return []string{}, nil
	}
	list := strings.Split(text, ",")
	for i, item := range list {
		if list[i] = strings.TrimSpace(item); list[i] == "" {
			return nil, fmt.Errorf("entry %d is empty; separate the entries by single commas", i+1)
		}
	}
	return list, nil
}
