package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

const maxFileBytes = 1 << 20

// file reads the YAML configuration file. It uses nodes instead of decoded
// values, because nodes have line numbers and keep duplicate keys.
type file struct {
	name   string
	schema schema
	faults Faults
	origin map[string]string // key path → file:line
}

// read returns the known and well-typed keys of the file, nested by section.
// f.faults collects what is wrong with the others. The error is set if the file
// cannot be read or is not a single YAML document with a mapping.
func (f *file) read() (map[string]any, error) {
	data, err := readBounded(f.name, maxFileBytes)
	if err != nil {
		return nil, fmt.Errorf("config: read file: %w", err)
	}
	return f.parse(data)
}

func (f *file) parse(data []byte) (map[string]any, error) {
	var doc, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, f.syntaxFault(err, data)
	}
	if err := decoder.Decode(&more); err == nil {
		return nil, Faults{{f.at(&more), "a second YAML document; keep only one"}}
	} else if !errors.Is(err, io.EOF) {
		return nil, f.syntaxFault(err, data)
	}
	top := doc.Content[0]
	if isNull(top) {
		return nil, nil
	}
	if top.Kind != yaml.MappingNode {
		return nil, Faults{{f.at(top), "must contain keys and values, such as environment: sandbox"}}
	}
	return f.section(top, ""), nil
}

func (f *file) section(n *yaml.Node, path string) map[string]any {
	values := map[string]any{}
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		at := join(path, plainName(name))
		if before, twice := first[at]; twice {
			f.fault(name, at, "set twice, first on line %d; keep one", before.Line)
			continue
		}
		first[at] = name
		if v := f.value(name, follow(value), at, path); v != nil {
			values[name.Value] = v
		}
	}
	return values
}

// value returns the section or value at path, or nil if it is null or wrong.
func (f *file) value(name, n *yaml.Node, path, section string) any {
	known, isKey := f.schema.byPath[path]
	_, isSection := f.schema.sections[path]
	switch {
	case !isKey && !isSection:
		f.fault(name, path, "unknown key%s; the known keys here are %s", f.meant(name.Value, section), strings.Join(f.schema.sections[section], ", "))
		return nil
	case isNull(n):
		return nil
	case isSection && n.Kind != yaml.MappingNode:
		f.fault(name, path, "is a section; write its keys below it, such as %s", f.schema.sections[path][0])
		return nil
	case isSection:
		return f.section(n, path)
	}
	f.origin[path] = f.at(name)
	v, err := known.kind.read(n)
	if errors.Is(err, errText) && strings.HasSuffix(path, ".listen") && wholeNumber.MatchString(n.Value) {
		err = errPortAlone
	}
	if err != nil {
		f.fault(name, path, "%s", err)
		return nil
	}
	return v
}

// meant returns which key an unknown one in the section probably is: a misspelled one,
// a path that must be written as a section, or a key of another section.
func (f *file) meant(name, section string) string {
	if near := Nearest(strings.ToLower(name), f.schema.sections[section]); near != "" && near != name {
		return ", did you mean " + near + "?"
	}
	if _, ok := f.schema.byPath[name]; ok && section == "" {
		dots := strings.Count(name, ".")
		return ", write it as a section: " + strings.ReplaceAll(name, ".", ": {") + ": …" + strings.Repeat("}", dots)
	}
	var elsewhere []string
	for _, k := range f.schema.keys {
		if strings.HasSuffix(k.path, "."+name) {
			elsewhere = append(elsewhere, k.path)
		}
	}
	if len(elsewhere) == 1 {
		return ", did you mean " + elsewhere[0] + "?"
	}
	return ""
}

func (f *file) fault(at *yaml.Node, path, format string, args ...any) {
	f.faults.add(path, "%s (%s)", fmt.Sprintf(format, args...), f.at(at))
}

func (f *file) at(n *yaml.Node) string { return fmt.Sprintf("%s:%d", f.name, n.Line) }

var (
	simpleName  = regexp.MustCompile(`^[a-z0-9_]+$`)
	syntaxError = regexp.MustCompile(`(?s)^yaml: (?:line (\d+): )?(.*)$`)
	// parserError matches messages in which yaml counts lines from 0.
	parserError = regexp.MustCompile(`^did not find expected (key|node content|['<])`)
)

// syntaxFault converts the message "yaml: line 3: …" to a fault at file:3. The
// yaml package omits the line if it is the first, and for an unknown anchor.
func (f *file) syntaxFault(err error, data []byte) Faults {
	m := syntaxError.FindStringSubmatch(err.Error())
	if m == nil || strings.Contains(m[2], "anchor") {
		return Faults{{f.name, "not YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")}}
	}
	line, _ := strconv.Atoi(m[1])
	if line == 0 || parserError.MatchString(m[2]) {
		line++
	}
	problem := "not YAML: " + m[2]
	if lines := bytes.Split(data, []byte("\n")); line <= len(lines) && bytes.HasPrefix(bytes.TrimLeft(lines[line-1], " "), []byte("\t")) {
		problem += "; the line begins with a tab: indent with spaces"
	}
	return Faults{{fmt.Sprintf("%s:%d", f.name, line), problem}}
}

// plainName returns a key's name for a message, quoted if it looks like a path
// or could break the line. No known key needs quotes.
func plainName(n *yaml.Node) string {
	if simpleName.MatchString(n.Value) {
		return n.Value
	}
	return quote(n.Value)
}

// follow returns the node that an alias (*name) refers to.
func follow(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == tagNull
}
