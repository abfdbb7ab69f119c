package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
)

// LoadOptions names the sources of the settings.
type LoadOptions struct {
	File      string            // path of the YAML file; empty: no file
	Env       func() []string   // os.Environ in production; nil: no environment
	Overrides map[string]string // from flags: key path → value, in the form of an environment variable
}

// Load reads the configuration. Overrides take precedence over Env, Env over
// File, and File over Defaults. A variable that is set to "" sets the empty value.
//
// The warnings name GRANTD_* variables that are not settings. The error is
// Faults, with everything that is wrong, or wraps the error of reading the file.
func Load(opts LoadOptions) (cfg Config, warnings []string, err error) {
	l := newLoader()
	if opts.File != "" {
		if err := l.addFile(opts.File); err != nil {
			return Config{}, nil, err
		}
	}
	if opts.Env != nil {
		warnings = l.addEnv(opts.Env())
	}
	l.addOverrides(opts.Overrides)

	cfg, err = l.merged()
	if err != nil {
		return Config{}, warnings, err
	}
	if faults := l.allFaults(cfg.Validate()); len(faults) > 0 {
		return Config{}, warnings, faults
	}
	return cfg, warnings, nil
}

// loader collects the layers, lowest first, and their faults.
type loader struct {
	schema schema
	viper  *viper.Viper
	origin map[string]string // key path → where its value came from
	faults Faults
}

func newLoader() *loader {
	l := &loader{schema: newSchema(), viper: viper.New(), origin: map[string]string{}}
	defaults := Defaults()
	for _, k := range l.schema.keys {
		l.viper.SetDefault(k.path, k.in(&defaults).Interface())
	}
	return l
}

func (l *loader) addFile(name string) error {
	f := &file{name: name, schema: l.schema, origin: l.origin}
	values, err := f.read()
	if err != nil {
		return err
	}
	l.faults = append(l.faults, f.faults...)
	return l.viper.MergeConfigMap(values)
}

// addEnv returns a warning for each GRANTD_* variable that is not a setting.
func (l *loader) addEnv(environ []string) (warnings []string) {
	environ = slices.Sorted(slices.Values(environ))
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if k, ok := l.schema.byEnv[name]; ok {
			l.set(k, value, name)
		} else if strings.HasPrefix(name, envPrefix) && !usedElsewhere(name) {
			warnings = append(warnings, l.unknownVariable(name))
		}
	}
	return warnings
}

// usedElsewhere reports whether the command line itself reads the variable.
func usedElsewhere(name string) bool {
	return name == "GRANTD_ADMIN_TOKEN" || name == "GRANTD_CONFIG"
}

func (l *loader) unknownVariable(name string) string {
	for section, names := range l.schema.sections {
		if section != "" && envName(section) == name {
			return fmt.Sprintf("%s names a section and is ignored; set its keys one by one, such as %s",
				name, envName(join(section, names[0])))
		}
	}
	return fmt.Sprintf("%s is not a setting and is ignored", name)
}

func (l *loader) addOverrides(values map[string]string) {
	for _, path := range slices.Sorted(maps.Keys(values)) {
		if k, ok := l.schema.byPath[path]; ok {
			l.set(k, values[path], "flag")
		} else {
			l.faults.add(path, "unknown key (flag)")
		}
	}
}

// set sets a value that overrides all earlier ones.
func (l *loader) set(k key, text, origin string) {
	l.origin[k.path] = origin
	value, err := k.kind.parse(text)
	if err != nil {
		l.faults.add(k.path, "%s (%s)", err, origin)
		return
	}
	l.viper.Set(k.path, value)
}

// merged decodes strictly, although the values already have types: a key without
// a field, or a field without a key, is a bug in this package.
func (l *loader) merged() (Config, error) {
	var cfg Config
	err := l.viper.Unmarshal(&cfg, func(d *mapstructure.DecoderConfig) {
		d.TagName = tagName
		d.ErrorUnused, d.ErrorUnset = true, true
		d.WeaklyTypedInput = false
		d.DecodeHook = nil
	})
	if err != nil {
		return Config{}, fmt.Errorf("config: merge: %w", err)
	}
	return cfg, nil
}

// allFaults returns the faults of reading and of the rules, each with the place
// of its value. It omits the rules for keys that could not be read.
func (l *loader) allFaults(rules Faults) Faults {
	unread := map[string]bool{}
	for _, fault := range l.faults {
		unread[fault.Path] = true
	}
	all := l.faults
	for _, fault := range rules {
		if unread[fault.Path] {
			continue
		}
		if origin := l.origin[fault.Path]; origin != "" {
			fault.Problem += " (" + origin + ")"
		}
		all = append(all, fault)
	}
	return all
}
