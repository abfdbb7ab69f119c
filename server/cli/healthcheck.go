package cli

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/health"
)

const (
	healthTimeout = 3 * time.Second
	maxHealthBody = 64 << 10
)

func (a *app) healthcheckCommand() *cobra.Command {
	var raw string
	c := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a server whether it is ready, for containers",
		Long: `Asks GET /readyz and ends with code 0 if the server is ready, and 1 if not, with the
reason. Without --url it asks the server of the configuration, at public.listen; if
that wants certificates from its callers, through admin.socket.

--url names another server, or another path: http://127.0.0.1:8080/healthz is 200 as
long as the process lives. From an address of this machine any certificate is accepted:
nothing secret is sent. From elsewhere, also if public.listen names another machine, it
must be one that this system trusts; $SSL_CERT_FILE names the authorities.

For 'grantd edge' with --listen unix:PATH, --url has the same value. Another path follows
a colon: unix:PATH:/healthz.`,
		Example: `  grantd healthcheck --config /etc/grantd/grantd.yaml
  grantd healthcheck --url unix:/run/users-api/edge.sock`,
		Args: operands(),
	}
	c.Flags().StringVar(&raw, "url", "", "`URL` of the server, or unix:PATH; without a path of HTTP, /readyz is added")
	a.configFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		t, err := a.healthTarget(c, raw)
		if err != nil {
			return err
		}
		h := t.ask(c.Context())
		if a.output == outputJSON {
			err = a.printJSON(h)
		} else if h.Ready {
			a.println("ready: %s", h.where())
		}
		return errors.Join(err, h.problem())
	}
	return c
}

// healthTarget is the server that a health check asks.
type healthTarget struct {
	url string
	// socket is the unix socket to ask through; "": the URL is asked.
	socket string
}

func (a *app) healthTarget(c *cobra.Command, raw string) (healthTarget, error) {
	if raw == "" && !c.Flags().Changed("url") {
		cfg, err := a.readConfig()
		if err != nil {
			return healthTarget{}, err
		}
		return configuredTarget(c, cfg)
	}
	if socket, ok := strings.CutPrefix(raw, "unix:"); ok {
		return socketTarget(c, socket)
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return healthTarget{}, misuse(c, "--url must be a URL such as http://127.0.0.1:8080, or unix:PATH")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = health.PathReady
	}
	return healthTarget{url: u.String()}, nil
}

// socketTarget returns the server at a unix socket: its path, which a colon and a path of
// HTTP may follow.
func socketTarget(c *cobra.Command, raw string) (healthTarget, error) {
	socket, path := raw, health.PathReady
	if at := strings.LastIndex(raw, ":/"); at >= 0 {
		socket, path = raw[:at], raw[at+1:]
	}
	u, err := url.Parse("http://grantd" + path)
	if err != nil || socket == "" || strings.ContainsRune(socket, 0) || u.Fragment != "" {
		return healthTarget{}, misuse(c, "--url must name a socket after unix:, such as unix:/run/users-api/edge.sock or unix:/run/users-api/edge.sock:%s", health.PathLive)
	}
	return healthTarget{url: u.String(), socket: socket}, nil
}

// configuredTarget returns the server that runs with the configuration.
func configuredTarget(c *cobra.Command, cfg config.Config) (healthTarget, error) {
	if cfg.Public.TLS.Enabled() && cfg.Public.TLS.ClientCAFile != "" {
		return healthTarget{url: "http://grantd" + health.PathReady, socket: cfg.Admin.Socket}, nil
	}
	host, port, err := net.SplitHostPort(cfg.Public.Listen)
	if err != nil || port == "0" {
		return healthTarget{}, misuse(c, "public.listen has no fixed port: name the server with --url")
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	scheme := "http"
	if cfg.Public.TLS.Enabled() {
		scheme = "https"
	}
	u := url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port), Path: health.PathReady}
	return healthTarget{url: u.String()}, nil
}

// unreachable is the cause if there was no response.
const unreachable = "unreachable"

// healthState is what the server said; it is the JSON of the command.
type healthState struct {
	Ready      bool   `json:"ready"`
	URL        string `json:"url"`
	Socket     string `json:"socket,omitempty"`
	HTTPStatus int    `json:"http_status"` // 0: no response
	Cause      string `json:"cause,omitempty"`
	Reason     string `json:"reason,omitempty"`
}

func (t healthTarget) ask(ctx context.Context) healthState {
	h := healthState{URL: t.url, Socket: t.socket}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url, http.NoBody)
	if err != nil {
		return h.without(err)
	}
	req.Header.Set("User-Agent", "grantd-healthcheck")
	client := http.Client{
		Transport:     t.transport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		return h.without(errors.Unwrap(err)) // it has the URL once already
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxHealthBody))
	if err != nil {
		return h.without(err)
	}
	h.HTTPStatus, h.Ready = res.StatusCode, res.StatusCode == http.StatusOK
	_ = json.Unmarshal(body, &struct {
		Cause  *string `json:"cause"`
		Reason *string `json:"reason"`
	}{&h.Cause, &h.Reason}) // another server's body says nothing
	return h
}

// without returns the state of a server that did not respond.
func (h healthState) without(err error) healthState {
	h.Cause, h.Reason = unreachable, fmt.Sprintf("%s cannot be reached: %v", h.where(), err)
	return h
}

func (t healthTarget) transport() *http.Transport {
	tr := &http.Transport{DisableKeepAlives: true} // and no proxy
	if t.socket != "" {
		tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return admin.DialSocket(ctx, t.socket) }
	}
	tr.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		host, _, _ := net.SplitHostPort(address)
		return tls.Client(conn, certificateRule(conn, host)), nil // the transport does the handshake
	}
	return tr
}

// certificateRule returns how to check the certificate of the server at the other end.
// On this machine any will do: it is for the name that clients know, not for this
// address, and nothing secret is sent. It cannot be compared with the file: after a
// renewal the server may use the old one for a while.
func certificateRule(conn net.Conn, host string) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, InsecureSkipVerify: isThisMachine(conn.LocalAddr(), conn.RemoteAddr())}
}

// isThisMachine reports whether both ends of a connection are on this machine: the
// kernel uses an address of this machine for both ends only then. The name in the URL
// does not tell: it may be resolved to another machine.
func isThisMachine(local, remote net.Addr) bool {
	from, ok := local.(*net.TCPAddr)
	to, is := remote.(*net.TCPAddr)
	return ok && is && (to.IP.IsLoopback() || to.IP.Equal(from.IP) && to.Zone == from.Zone)
}

func (h healthState) where() string {
	if h.Socket != "" {
		return visible(h.Socket)
	}
	return visible(h.URL)
}

// problem returns why the server is not ready, and what to do.
func (h healthState) problem() error {
	switch {
	case h.Ready:
		return nil
	case h.HTTPStatus == 0:
		return errors.New("not ready: " + h.Reason)
	case h.Reason != "":
		return fmt.Errorf("not ready: %s (%s, status %d)", h.Reason, h.where(), h.HTTPStatus)
	case h.HTTPStatus == http.StatusBadRequest:
		return fmt.Errorf("not ready: %s responds with status 400: if the server uses TLS, give this command its configuration (--config or $GRANTD_CONFIG), or an https URL", h.where())
	}
	return fmt.Errorf("not ready: %s responds with status %d, as grantd does not: check the URL", h.where(), h.HTTPStatus)
}
