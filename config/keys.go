package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

const (
	tagName   = "key"
	envPrefix = "GRANTD_"
)

// key is one setting: its place in the file and in a Config.
type key struct {
	path  string // "store.redis.key_prefix"
	index []int  // for reflect.Value.FieldByIndex
	kind  kind
}

func (k key) env() string { return envName(k.path) }

func (k key) in(c *Config) reflect.Value {
	return reflect.ValueOf(c).Elem().FieldByIndex(k.index)
}

// parts returns the section of the key ("store.redis") and its last name.
func (k key) parts() (section, name string) {
	i := strings.LastIndexByte(k.path, '.')
	return k.path[:max(i, 0)], k.path[i+1:]
}

func envName(path string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

func join(section, name string) string {
	if section == "" {
		return name
	}
	return section + "." + name
}

// allKeys returns every key in the order of Config's fields.
func allKeys() []key { return keysOf(reflect.TypeFor[Config](), "", nil) }

func keysOf(t reflect.Type, section string, index []int) []key {
	var keys []key
	for f := range t.Fields() {
		at := append(append([]int{}, index...), f.Index...)
		name, _, _ := strings.Cut(f.Tag.Get(tagName), ",")
		path := section
		if name != "" { // an embedded field adds its keys to the section
			path = join(section, name)
		}
		if f.Type.Kind() == reflect.Struct {
			keys = append(keys, keysOf(f.Type, path, at)...)
			continue
		}
		keys = append(keys, key{path: path, index: at, kind: kindOf(f.Type)})
	}
	return keys
}

func kindOf(t reflect.Type) kind {
	switch t {
	case reflect.TypeFor[string]():
		return kindText
	case reflect.TypeFor[int]():
		return kindNumber
	case reflect.TypeFor[bool]():
		return kindSwitch
	case reflect.TypeFor[time.Duration]():
		return kindDuration
	case reflect.TypeFor[[]string]():
		return kindList
	case reflect.TypeFor[ReplicaAcks]():
		return kindAcks
	case reflect.TypeFor[[]Policy]():
		return kindPolicies
	}
	panic(fmt.Sprintf("config: a Config field of type %s has no kind", t))
}

// schema looks up the names of the file and the environment.
type schema struct {
	keys     []key
	byPath   map[string]key
	byEnv    map[string]key
	sections map[string][]string // path of a section → the names in it, in order
}

func newSchema() schema {
	s := schema{keys: allKeys(), byPath: map[string]key{}, byEnv: map[string]key{}, sections: map[string][]string{}}
	for _, k := range s.keys {
		s.byPath[k.path] = k
		s.byEnv[k.env()] = k
		s.addSection(k.parts())
	}
	return s
}

// addSection adds name to section, and section to its parents.
func (s schema) addSection(section, name string) {
	_, known := s.sections[section]
	s.sections[section] = append(s.sections[section], name)
	if !known && section != "" {
		s.addSection(key{path: section}.parts())
	}
}
