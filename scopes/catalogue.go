package scopes

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Names of the scopes for grantd itself. They are in every catalog.
const (
	Introspect = "introspect"
	AdminRead  = "admin:read"
	AdminWrite = "admin:write"
	// APITokens and APITokensWrite are the rights of a client to list, and to make and
	// revoke, the API keys of its org.
	APITokens      = "api-tokens"
	APITokensWrite = "api-tokens-write"
)

// maxFile limits the size of a catalog file, in bytes.
const maxFile = 1 << 20

// Scope is one entry of a catalog.
type Scope struct {
	Name        string
	Description string
	ReadOnly    bool          // may be given to a partner
	Sensitive   bool          // a customer token needs a verification code for it
	TTL         time.Duration // longest lifetime of a token with this scope; 0: no limit
}

// Catalogue has the scopes of a deployment, in the order of the file. It does
// not change, and goroutines may share it.
type Catalogue struct {
	list   []Scope
	byName map[string]int
}

// List returns the scopes in order.
func (c *Catalogue) List() []Scope { return append([]Scope(nil), c.list...) }

// Names returns the names in order.
func (c *Catalogue) Names() []string {
	names := make([]string, len(c.list))
	for i, s := range c.list {
		names[i] = s.Name
	}
	return names
}

// Find returns the scope with the name, and whether it exists.
func (c *Catalogue) Find(name string) (Scope, bool) {
	i, ok := c.byName[name]
	if !ok {
		return Scope{}, false
	}
	return c.list[i], true
}

// ForPartners reports whether a partner may have the scope with the name: it must
// be read-only, must not be sensitive, and must not be privileged.
func (c *Catalogue) ForPartners(name string) bool {
	s, ok := c.Find(name)
	return ok && s.ReadOnly && !s.Sensitive && !Privileged(name)
}

// Unknown returns the first of names that is not in the catalog, or "".
func (c *Catalogue) Unknown(names []string) string {
	for _, n := range names {
		if _, ok := c.byName[n]; !ok {
			return n
		}
	}
	return ""
}

// Parse is like the function Parse, and requires all names to be in the catalog.
// Errors: those of Parse, ErrUnknown, and ErrComma, which is ErrUnknown too.
func (c *Catalogue) Parse(s string) ([]string, error) {
	set, err := Parse(s)
	if err != nil {
		return nil, err
	}
	switch unknown := c.Unknown(set); {
	case strings.Contains(unknown, ","):
		return nil, ErrComma
	case unknown != "":
		return nil, ErrUnknown
	}
	return set, nil
}

// CapTTL returns the shortest of ttl and the TTLs of the named scopes.
func (c *Catalogue) CapTTL(names []string, ttl time.Duration) time.Duration {
	for _, n := range names {
		if i, ok := c.byName[n]; ok && c.list[i].TTL > 0 {
			ttl = min(ttl, c.list[i].TTL)
		}
	}
	return ttl
}

// Privileged reports whether the scope gives rights in grantd itself. Such a
// scope is granted only if the request names it.
func Privileged(name string) bool {
	return name == Introspect || name == APITokens || name == APITokensWrite || strings.HasPrefix(name, "admin:")
}

// Load reads a catalog file: a YAML list of objects with name, description,
// read_only, sensitive and ttl. If read_only or sensitive is absent, it follows
// from the name. The error contains all faults. An empty path is the built-in
// catalog.
func Load(path string) (*Catalogue, error) {
	if path == "" {
		return Default(), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("scopes.file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("scopes.file: %w", err)
	}
	c, err := Decode(b)
	if err != nil {
		return nil, fmt.Errorf("scopes.file %s: %w", path, err)
	}
	return c, nil
}

type fileScope struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	ReadOnly    *bool  `yaml:"read_only"`
	Sensitive   *bool  `yaml:"sensitive"`
	TTL         string `yaml:"ttl"`
}

// Decode reads the content of a catalog file; see Load.
func Decode(b []byte) (*Catalogue, error) {
	if len(b) > maxFile {
		return nil, errors.New("larger than 1 MiB")
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	var in []fileScope
	if err := d.Decode(&in); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("must be a list of objects with name, description, read_only, sensitive, ttl: %w", err)
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("must be one YAML document: anything after --- would be ignored")
	}
	if len(in) == 0 {
		return nil, errors.New("contains no scopes")
	}
	var faults []error
	list := make([]Scope, 0, len(in))
	for i, f := range in {
		s, err := f.scope()
		if err != nil {
			faults = append(faults, fmt.Errorf("entry %d: %w", i+1, err))
			continue
		}
		list = append(list, s)
	}
	c, err := build(list)
	return c, errors.Join(append(faults, err)...)
}

func (f fileScope) scope() (Scope, error) {
	if !ValidName(f.Name) {
		return Scope{}, fmt.Errorf("name %q: must be 1 to 128 printable ASCII characters without space, quote and backslash", f.Name)
	}
	s := named(f.Name, f.Description)
	if f.ReadOnly != nil {
		s.ReadOnly = *f.ReadOnly
	}
	if f.Sensitive != nil {
		s.Sensitive = *f.Sensitive
	}
	if f.TTL != "" {
		ttl, err := time.ParseDuration(f.TTL)
		if err != nil || ttl < MinTokenLife || ttl > MaxTokenLife || ttl%time.Second != 0 {
			return Scope{}, fmt.Errorf("%s: ttl %q: must be 1m to 24h in whole seconds, such as 15m", f.Name, f.TTL)
		}
		s.TTL = ttl
	}
	return s, nil
}

// build makes a catalog of the list, and adds the scopes for grantd itself if
// they are missing.
func build(list []Scope) (*Catalogue, error) {
	c := &Catalogue{byName: make(map[string]int, len(list)+len(own))}
	var faults []error
	for _, s := range list {
		if _, twice := c.byName[s.Name]; twice {
			faults = append(faults, fmt.Errorf("%s: is repeated", s.Name))
			continue
		}
		c.add(s)
	}
	for _, s := range own {
		if _, ok := c.byName[s.Name]; !ok {
			c.add(s)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Catalogue) add(s Scope) {
	c.byName[s.Name] = len(c.list)
	c.list = append(c.list, s)
}
