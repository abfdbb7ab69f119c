package edge

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/gateway"
	"github.com/grantd/grantd/server/unixsocket"
)

// Defaults of the settings.
const (
	DefaultListen     = "127.0.0.1:8090"
	DefaultMaxEntries = 100_000
)

// mostEntries bounds the cache: more would not fit into the memory of a small process.
const mostEntries = 10_000_000

// What a resource server may say about itself; see 'grantd client update'.
var (
	tokenUses    = []string{"client", "customer", "on_behalf", "partner", "key"}
	enforcements = []string{"source_ip", "endpoints", "resources"}
)

// TokenClient is a client for which the token source gets tokens.
type TokenClient struct{ ID, SecretFile string }

// Settings are the flags of 'grantd edge'. The names of their faults are those of the
// flags.
type Settings struct {
	Upstream      string
	Issuer        string // as tokens name it; "": Upstream
	ClientID      string
	SecretFile    string
	CAFile        string
	Listen        string // host:port of loopback, or unix:PATH
	MetricsListen string // host:port, only for /metrics and the probes; "": none
	MaxEntries    int
	TokenUses     []string // as the registration has them
	Enforces      []string
	Resource      string
	OmitTokenUse  bool     // leaves token_use out of introspection responses
	TokenClients  []string // ID=FILE
	Headers       string
	Policies      []string // NAME scope=… token_use=…
	Proxies       []string
}

// flagOf returns the flag that sets a field of guard.Config; "": there is none.
func (s *Settings) flagOf(field string) string {
	if field == "Issuer" && s.Issuer == "" {
		return "--issuer (as --upstream, since it is not set)"
	}
	return flags[field]
}

var flags = map[string]string{
	"Issuer": "--issuer", "Upstream": "--upstream", "ClientID": "--client-id", "SecretFile": "--client-secret-file", "CAFile": "--ca-file",
	"Resource": "--resource", "TokenUses": "--token-use", "Enforces": "--enforces", "MaxEntries": "--max-entries",
}

// Fault is what is wrong with a setting.
type Fault struct {
	Setting string // such as upstream
	Problem string
}

// Faults are all faults of the settings.
type Faults []Fault

// Error has one line for each fault.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = "--" + fault.Setting + " " + fault.Problem
	}
	return strings.Join(lines, "\n")
}

func (f *Faults) add(setting, format string, args ...any) {
	*f = append(*f, Fault{setting, fmt.Sprintf(format, args...)})
}

// parsed is what the settings mean.
type parsed struct {
	socket   string // "": TCP
	clients  []TokenClient
	proxies  []netip.Prefix
	family   gateway.Family
	policies gateway.Policies
}

// parse checks every setting. Messages do not repeat values that could be secrets.
// Errors: Faults.
func (s *Settings) parse() (p parsed, err error) {
	var f Faults
	s.checkUpstream(&f)
	switch {
	case s.ClientID == "":
		f.add("client-id", "is missing")
	case !field.ValidClientID(s.ClientID):
		f.add("client-id", "must be 1 to 128 of A-Z a-z 0-9 . _ ~ -, and not a credential")
	}
	if s.SecretFile == "" {
		f.add("client-secret-file", "is missing")
	} else {
		checkSecretFile(&f, "client-secret-file", s.SecretFile)
	}
	if s.MaxEntries < 1 || s.MaxEntries > mostEntries {
		f.add("max-entries", "must be 1 to %d", mostEntries)
	}
	p.socket = s.checkListen(&f)
	if s.MetricsListen != "" {
		if _, port, err := net.SplitHostPort(s.MetricsListen); err != nil || port == "" {
			f.add("metrics-listen", "must be an address with a port, such as 0.0.0.0:9464")
		}
	}
	checkWords(&f, "token-use", s.TokenUses, tokenUses)
	checkWords(&f, "enforces", s.Enforces, enforcements)
	if len(s.TokenUses) == 0 {
		f.add("token-use", "is empty: leave it out for client")
	}
	if s.OmitTokenUse && len(s.TokenUses) > 1 {
		f.add("omit-token-use", "needs a single --token-use: the caller could not tell the kinds of tokens apart")
	}
	p.family = gateway.Family(s.Headers)
	if !slices.Contains(gateway.Families, s.Headers) {
		f.add("forward-auth-headers", "must be %s", strings.Join(gateway.Families, " or "))
	}
	for _, text := range s.Proxies {
		proxy, err := field.ParseRange(text)
		if err != nil {
			f.add("trusted-proxy", "must be an address or a range such as 10.0.0.0/8")
			continue
		}
		p.proxies = append(p.proxies, proxy)
	}
	p.policies = s.checkPolicies(&f)
	p.clients = s.checkTokenClients(&f)
	if len(f) > 0 {
		return parsed{}, f
	}
	return p, nil
}

// checkUpstream checks the URLs. Secrets and tokens must not cross a network in the
// clear (RFC 6749 §2.3.1).
func (s *Settings) checkUpstream(f *Faults) {
	for _, u := range []struct{ setting, value string }{{"upstream", s.Upstream}, {"issuer", s.Issuer}} {
		if u.value == "" {
			if u.setting == "upstream" {
				f.add(u.setting, "is missing: the URL of grantd, such as https://auth.example.com")
			}
			continue
		}
		at, err := url.Parse(u.value)
		switch {
		case err != nil || at.Scheme != "https" && at.Scheme != "http" || at.Host == "" || at.User != nil || at.RawQuery != "" || at.ForceQuery || strings.Contains(u.value, "#"):
			f.add(u.setting, "must be a URL such as https://auth.example.com")
		case u.setting == "upstream" && at.Scheme == "http" && !isLoopback(at.Hostname()):
			f.add(u.setting, "must begin with https:// unless it is on this machine: secrets and tokens are sent to it")
		}
	}
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// checkListen returns the path of the socket; "": it is TCP. Other machines cannot
// reach this process: it would have to speak TLS, and callers on a network belong to
// the server.
func (s *Settings) checkListen(f *Faults) (socket string) {
	if path, ok := strings.CutPrefix(s.Listen, "unix:"); ok {
		const longest = 107 // sun_path of unix(7)
		if path == "" || len(path) > longest {
			f.add("listen", "must name a path of at most %d bytes after unix:", longest)
		} else if err := unixsocket.CheckFolder(path); err != nil {
			f.add("listen", "is %s: %s", s.Listen, err)
		}
		return path
	}
	host, port, err := net.SplitHostPort(s.Listen)
	switch {
	case err != nil || port == "":
		f.add("listen", "must be an address with a port, such as 127.0.0.1:8090, or unix:PATH")
	case !isLoopback(host):
		f.add("listen", "must be on this machine, such as 127.0.0.1:8090, or unix:PATH: callers on other machines ask the server")
	}
	return ""
}

func checkWords(f *Faults, setting string, words, known []string) {
	for i, w := range words {
		if !slices.Contains(known, w) || slices.Contains(words[:i], w) {
			f.add(setting, "must be one of %s, each once", strings.Join(known, ", "))
			return
		}
	}
}

// checkPolicies reads the policies for Envoy.
func (s *Settings) checkPolicies(f *Faults) gateway.Policies {
	const setting = "forward-auth-policy"
	policies := gateway.Policies{}
	for i, text := range s.Policies {
		p, err := config.ParsePolicy(text)
		if err == nil {
			err = policies.Add(p.Name, p.Scope, p.TokenUse, s.TokenUses)
		}
		if err != nil {
			f.add(setting, "number %d: %s", i+1, err)
		}
	}
	return policies
}

func (s *Settings) checkTokenClients(f *Faults) (clients []TokenClient) {
	const setting = "token-client"
	for _, text := range s.TokenClients {
		id, file, ok := strings.Cut(text, "=")
		switch {
		case !ok || file == "" || !field.ValidClientID(id):
			f.add(setting, "must be ID=FILE, where FILE holds the secret of the client ID")
			continue
		case slices.ContainsFunc(clients, func(c TokenClient) bool { return c.ID == id }):
			f.add(setting, "has the client %s more than once", id)
			continue
		}
		checkSecretFile(f, setting, file)
		clients = append(clients, TokenClient{id, file})
	}
	return clients
}

func checkSecretFile(f *Faults, setting, file string) {
	if _, err := readSecret(file); err != nil {
		f.add(setting, "%s", err)
	}
}
