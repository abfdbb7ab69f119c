package cli

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/admin"
)

// configFlag adds --config to a command and its subcommands.
func (a *app) configFlag(c *cobra.Command) {
	c.PersistentFlags().StringVar(&a.configFile, "config", "", "configuration `FILE` (default: $GRANTD_CONFIG, or no file)")
}

// connectFlags adds the flags that select the server to manage.
func (a *app) connectFlags(c *cobra.Command) *cobra.Command {
	a.serverFlags(c)
	a.configFlag(c)
	return c
}

// serverFlags are connectFlags without --config.
func (a *app) serverFlags(c *cobra.Command) {
	c.PersistentFlags().StringVar(&a.socket, "socket", "", "`PATH` of the server's admin socket (default: admin.socket of the configuration)")
	c.PersistentFlags().StringVar(&a.server, "server", "", "`URL` of a remote server's admin.listen; the token is read from $"+tokenVariable)
	c.PersistentFlags().StringVar(&a.caFile, "ca-file", "", "with --server: trust the certificate authorities in this PEM `FILE` instead of the system's")
}

// connect returns the server to manage. Its connections are closed at the end of the
// run.
func (a *app) connect(c *cobra.Command) (*api, error) {
	server, err := a.choose(c, a.readConfig)
	if err == nil {
		a.connected = server
		server.unconfirmed = func(detail string) { a.unconfirmed = detail }
	}
	return server, err
}

// choose returns the server that the flags select. It calls load if the
// configuration does.
func (a *app) choose(c *cobra.Command, load func() (config.Config, error)) (*api, error) {
	if a.server != "" {
		return a.serverAPI(c)
	}
	if a.socket != "" {
		return socketAPI(a.socket), nil
	}
	cfg, err := load()
	if err != nil {
		return nil, err
	}
	socket := cfg.Admin.Socket
	if a.configPath() == "" && socket == config.Defaults().Admin.Socket {
		if socket, err = findSocket(c, ServiceSocket, socket); err != nil {
			return nil, err
		}
	}
	return socketAPI(socket), nil
}

// ServiceSocket is where a server under systemd has its admin socket (see
// deploy/grantd.service). Only root can make its folder.
const ServiceSocket = "/run/grantd/admin.sock"

// findSocket returns the socket of the service if there is one, and else the one in
// the current folder, where anybody may have put it. It refuses to choose between the
// service and another server of this user.
func findSocket(c *cobra.Command, service, here string) (string, error) {
	_, err := os.Lstat(service)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return here, nil
	case err != nil && isThere(here): // this user may not enter the folder of the service
		return here, nil
	case err == nil && isOurs(here, os.Geteuid()):
		return "", misuse(c, "there are two servers, the service (%s) and one in this folder (%s): name one with --socket", service, here)
	}
	return service, nil // without the right to enter its folder, the error says so
}

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// isOurs reports whether the file is there, and is root's or the user's.
func isOurs(path string, user int) bool {
	info, err := os.Lstat(path)
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (st.Uid == 0 || int(st.Uid) == user)
}

// tokenVariable names the variable with the bearer token for --server: an
// argument would be visible in the process list.
const tokenVariable = "GRANTD_ADMIN_TOKEN"

// serverAPI returns an api for a server over TCP. It sends the token without
// TLS only to this machine.
func (a *app) serverAPI(c *cobra.Command) (*api, error) {
	u, err := url.Parse(a.server)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, misuse(c, "--server must be a URL such as https://auth.example.com:8081")
	}
	if a.socket != "" {
		return nil, misuse(c, "--server and --socket exclude each other: give only one")
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, misuse(c, "--server must be an https URL unless it is on this machine: the token would be sent in the clear")
	}
	token := a.lookup(tokenVariable)
	if token == "" {
		return nil, misuse(c, "%s", "--server needs a token with the scope admin:read or admin:write in $"+tokenVariable+": 'grantd client create --scope admin:read' on the server makes a client that can request one")
	}
	transport := &http.Transport{DisableCompression: true, ForceAttemptHTTP2: true, Proxy: http.ProxyFromEnvironment}
	if a.caFile != "" {
		pem, err := os.ReadFile(a.caFile)
		if err != nil {
			return nil, fmt.Errorf("--ca-file: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, misuse(c, "--ca-file: %s contains no PEM certificate", a.caFile)
		}
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	}
	where := u.Scheme + "://" + u.Host
	return &api{remote: true, base: where + strings.TrimSuffix(u.Path, "/") + admin.Prefix, where: where, token: token, http: apiClient(transport)}, nil
}

func (a *app) loadConfig() (config.Config, []string, error) {
	return config.Load(config.LoadOptions{File: a.configPath(), Env: a.env})
}

// readConfig is loadConfig for commands without a log: it prints warnings.
func (a *app) readConfig() (config.Config, error) {
	cfg, warnings, err := a.loadConfig()
	for _, w := range warnings {
		a.say("warning: %s", w)
	}
	return cfg, err
}

// configPath returns the path of the configuration file, or "" for none.
func (a *app) configPath() string {
	if a.configFile != "" {
		return a.configFile
	}
	return a.lookup("GRANTD_CONFIG")
}

// callAPI makes one call of the admin API.
func (a *app) callAPI(c *cobra.Command, what call) ([]byte, error) {
	server, err := a.connect(c)
	if err != nil {
		return nil, err
	}
	return server.do(c.Context(), what)
}
