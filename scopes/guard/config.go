package guard

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Limits and defaults of Config.
const (
	mostStaleness     = time.Second // also what a replica of grantd may lag behind
	mostWithoutStream = time.Minute
	defaultEntries    = 100_000
	mostEntries       = 10_000_000
	defaultStartWait  = 5 * time.Second
	leastStaleness    = 100 * time.Millisecond
)

// What a resource server can be registered as enforcing.
const (
	EnforceSourceIP  = "source_ip"
	EnforceEndpoints = "endpoints"
	EnforceResources = "resources"
)

var (
	tokenUses    = []string{UseClient, UseCustomer, UseOnBehalf, UsePartner, UseKey}
	enforcements = []string{EnforceSourceIP, EnforceEndpoints, EnforceResources}
)

// Config says which resource server this is and how to reach its authorization
// server. TokenUses, Enforces and Resource must equal the registration
// (grantd client create --introspect …): they say what this program was written to
// handle.
type Config struct {
	Issuer   string // URL of the authorization server, as its metadata states it
	Upstream string // base URL to reach it by, if other than Issuer

	ClientID   string // of the resource server
	Secret     string // this or SecretFile
	SecretFile string // read again when the authorization server refuses the secret
	CAFile     string // PEM certificates to trust besides those of the system

	Resource  string   // identifier of this resource server (RFC 8707)
	TokenUses []string // kinds of tokens it accepts; none: UseClient
	Enforces  []string // restrictions of tokens that it enforces: EnforceSourceIP and so on
	// ClientIP returns the address of the caller of a request: needed to enforce
	// source_ip, and to accept tokens that are bound to addresses.
	ClientIP func(*http.Request) netip.Addr

	MaxStaleness time.Duration // how long a token may be accepted after it was ended: 100ms to 1s, which is the default
	// CacheWithoutStream is how long an active verdict may be used while there is no
	// stream of revocations: a revoked token is accepted that much longer. 0: each
	// token is asked for; at most 1m.
	CacheWithoutStream time.Duration
	NoStream           bool          // follow no revocations: each token is asked for
	MaxEntries         int           // tokens to remember; 0: 100,000. One with a response above 1 KiB counts as several
	StartTimeout       time.Duration // how long New waits for the authorization server; 0: 5s

	Log             *slog.Logger // nil: slog.Default()
	Realm           string       // of challenges (RFC 6750 §3); "": Resource or the client id
	ScopesSupported []string     // for the metadata (RFC 9728)

	// Setting returns what errors and the log call a field of Config, such as --client-id
	// for ClientID; "": nobody can set it. For programs whose operators know flags, and
	// not Config. nil: the name of the field.
	Setting func(field string) string
}

// nameOf returns what messages call a field.
func (c *Config) nameOf(field string) string {
	if c.Setting == nil {
		return field
	}
	return c.Setting(field)
}

// withDefaults returns the configuration with its defaults, or all of its faults.
func (c Config) withDefaults() (Config, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("guard: "+format, args...)) }
	if err := checkURL(c.Issuer); err != nil {
		fault("%s %w", c.nameOf("Issuer"), err)
	}
	if c.Upstream != "" {
		if err := checkURL(c.Upstream); err != nil {
			fault("%s %w", c.nameOf("Upstream"), err)
		}
	}
	if c.ClientID == "" {
		fault("%s is missing: the id of this resource server (grantd client create --introspect)", c.nameOf("ClientID"))
	}
	if (c.Secret == "") == (c.SecretFile == "") {
		fault("either %s or %s is needed, and not both", c.nameOf("Secret"), c.nameOf("SecretFile"))
	}
	if len(c.TokenUses) == 0 {
		c.TokenUses = []string{UseClient}
	}
	if bad := unknown(c.TokenUses, tokenUses); bad != "" {
		fault("%s has %q: it must hold some of %s, each once", c.nameOf("TokenUses"), bad, strings.Join(tokenUses, ", "))
	}
	if bad := unknown(c.Enforces, enforcements); bad != "" {
		fault("%s has %q: it must hold some of %s, each once", c.nameOf("Enforces"), bad, strings.Join(enforcements, ", "))
	}
	if c.ClientIP == nil && slices.Contains(c.Enforces, EnforceSourceIP) {
		fault("%s has source_ip, which needs %s: a function that returns the address of a request's caller", c.nameOf("Enforces"), c.nameOf("ClientIP"))
	}
	faults = append(faults, c.fill()...)
	return c, errors.Join(faults...)
}

// fill sets the defaults of durations and numbers, and returns the faults in them.
func (c *Config) fill() (faults []error) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("guard: "+format, args...)) }
	if c.MaxStaleness == 0 {
		c.MaxStaleness = mostStaleness
	}
	if c.MaxStaleness < leastStaleness || c.MaxStaleness > mostStaleness {
		fault("%s is %v: it must be 100ms to 1s", c.nameOf("MaxStaleness"), c.MaxStaleness)
	}
	if c.CacheWithoutStream < 0 || c.CacheWithoutStream > mostWithoutStream {
		fault("%s is %v: it must be 0 (off) to 1m", c.nameOf("CacheWithoutStream"), c.CacheWithoutStream)
	}
	if c.MaxEntries == 0 {
		c.MaxEntries = defaultEntries
	}
	if c.MaxEntries < 1 || c.MaxEntries > mostEntries {
		fault("%s is %d: it must be 1 to 10,000,000", c.nameOf("MaxEntries"), c.MaxEntries)
	}
	if c.StartTimeout == 0 {
		c.StartTimeout = defaultStartWait
	}
	if c.StartTimeout < 0 {
		fault("%s is %v: it must not be negative", c.nameOf("StartTimeout"), c.StartTimeout)
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.TokenUses, c.Enforces = slices.Clone(c.TokenUses), slices.Clone(c.Enforces)
	c.ScopesSupported = slices.Clone(c.ScopesSupported)
	return faults
}

// unknown returns the first of list that is not in known or is repeated.
func unknown(list, known []string) string {
	for i, s := range list {
		if !slices.Contains(known, s) || slices.Contains(list[:i], s) {
			return s
		}
	}
	return ""
}

// checkURL returns what is wrong with the base URL of a server.
func checkURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case s == "":
		return errors.New("is missing: the URL of the authorization server, such as https://auth.example.com")
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("%q is not an http or https URL", s)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(s, "?") || strings.HasSuffix(s, "#"):
		return errors.New("must not hold a user, a query or a fragment (RFC 8414, section 2)")
	}
	return nil
}
