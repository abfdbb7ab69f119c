package cli

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/admin"
)

// configFlag adds --config to a command and those below it.
func (a *app) configFlag(c *cobra.Command) {
	c.PersistentFlags().StringVar(&a.configFile, "config", "", "configuration `FILE` (default: $GRANTD_CONFIG, else none)")
}

// connectFlags adds what says which server is managed.
func (a *app) connectFlags(c *cobra.Command) *cobra.Command {
	c.PersistentFlags().StringVar(&a.socket, "socket", "", "admin socket of the server, a `PATH` (default: admin.socket of the configuration)")
	c.PersistentFlags().StringVar(&a.server, "server", "", "admin.listen of a server elsewhere, a `URL`; its token is read from $"+tokenVariable)
	c.PersistentFlags().StringVar(&a.caFile, "ca-file", "", "with --server: trust the authorities in this PEM `FILE` instead of the system's")
	a.configFlag(c)
	return c
}

// connect answers the server to manage.
func (a *app) connect(c *cobra.Command) (*api, error) {
	if a.server != "" {
		return a.serverAPI(c)
	}
	if a.socket != "" {
		return socketAPI(a.socket), nil
	}
	cfg, err := a.readConfig()
	if err != nil {
		return nil, err
	}
	return socketAPI(cfg.Admin.Socket), nil
}

// tokenVariable holds the bearer token for --server: an argument would stand
// in the process list.
const tokenVariable = "GRANTD_ADMIN_TOKEN"

// serverAPI calls a server over TCP. A token is sent in the clear only to
// this machine.
func (a *app) serverAPI(c *cobra.Command) (*api, error) {
	u, err := url.Parse(a.server)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, misuse(c, "--server must be a URL such as https://auth.example.com:8081")
	}
	if a.socket != "" {
		return nil, misuse(c, "give either --server or --socket")
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, misuse(c, "--server must be https beyond this machine: the token would be sent in the clear")
	}
	token := a.lookup(tokenVariable)
	if token == "" {
		return nil, misuse(c, "%s", "--server needs a token with admin:read or admin:write in $"+tokenVariable)
	}
	transport := &http.Transport{DisableCompression: true, ForceAttemptHTTP2: true, Proxy: http.ProxyFromEnvironment}
	if a.caFile != "" {
		pem, err := os.ReadFile(a.caFile)
		if err != nil {
			return nil, fmt.Errorf("--ca-file: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--ca-file: %s holds no certificate in PEM form", a.caFile)
		}
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	}
	where := u.Scheme + "://" + u.Host
	return &api{base: where + strings.TrimSuffix(u.Path, "/") + admin.Prefix, where: where, token: token, http: apiClient(transport)}, nil
}

func (a *app) loadConfig() (config.Config, []string, error) {
	return config.Load(config.LoadOptions{File: a.configPath(), Env: a.env})
}

// readConfig is loadConfig for commands that have no log.
func (a *app) readConfig() (config.Config, error) {
	cfg, warnings, err := a.loadConfig()
	for _, w := range warnings {
		a.say("warning: %s", w)
	}
	return cfg, err
}

// configPath is the configuration file, or "" for none.
func (a *app) configPath() string {
	if a.configFile != "" {
		return a.configFile
	}
	return a.lookup("GRANTD_CONFIG")
}

// ask makes one call of the admin API.
func (a *app) ask(c *cobra.Command, what call) ([]byte, error) {
	server, err := a.connect(c)
	if err != nil {
		return nil, err
	}
	return server.do(c.Context(), what)
}
