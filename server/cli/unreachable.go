package cli

import (
	"context"
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

	"github.com/grantd/grantd/server/admin"
)

// unreachableError is a request without a response.
type unreachableError struct {
	error
	hint   string // what to do next; "" if the error says it
	absent bool   // nothing listens there
}

func (n *unreachableError) Unwrap() error { return n.error }

// unreachable explains why there is no response. Its texts have no URL but the
// server's scheme and host.
func (c *api) unreachable(what call, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	if e := c.notConnected(err); e != nil {
		return e
	}
	unsure := ""
	if what.method != http.MethodGet && !what.idempotent {
		unsure = "; the change may have been made, so check before you try again"
	}
	var slow net.Error
	if errors.As(err, &slow) && slow.Timeout() {
		hint := ""
		if c.remote && unsure == "" {
			hint = "is the port right, and does a firewall let you through?"
		}
		return &unreachableError{error: fmt.Errorf("no response from %s within %s%s", c.where, callTimeout, unsure), hint: hint}
	}
	if wrapped := errors.Unwrap(err); wrapped != nil {
		err = wrapped // without the URL, which tells the operator nothing
	}
	return &unreachableError{error: fmt.Errorf("no response from %s: %w%s", c.where, err, unsure)}
}

// notConnected explains why no connection could be made; nil if one was.
func (c *api) notConnected(err error) error {
	if c.remote {
		return c.notConnectedRemote(err)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return &unreachableError{
			error:  fmt.Errorf("no grantd is listening on %s", c.where),
			hint:   "start one with 'grantd serve', or set its socket with --socket, or with --config if admin.socket of its configuration is another one",
			absent: true,
		}
	case errors.Is(err, os.ErrPermission):
		return &unreachableError{
			error: fmt.Errorf("no permission to use %s", c.where),
			hint:  "run this command as root or as the user that grantd runs as; others need --server and a token",
		}
	case errors.Is(err, admin.ErrStranger):
		var request *url.Error
		if errors.As(err, &request) {
			err = request.Err // without the URL
		}
		return &unreachableError{error: err}
	}
	return nil
}

func (c *api) notConnectedRemote(err error) error {
	var name *net.DNSError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	said := func(problem, hint string, args ...any) error {
		return &unreachableError{error: fmt.Errorf("%s %s", c.where, fmt.Sprintf(problem, args...)), hint: hint}
	}
	switch {
	case errors.As(err, &name):
		return said("cannot be found: the name server knows no %s", "check the host name in --server", name.Name)
	case strings.Contains(err.Error(), "proxyconnect"):
		return said("cannot be reached through the proxy of $HTTPS_PROXY", "add the host to $NO_PROXY, or check the proxy")
	case errors.Is(err, syscall.ECONNREFUSED):
		return said("refused the connection", "is grantd running there, and is this its admin.listen?")
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return said("cannot be reached from this network", "check the host name in --server, and the network")
	case errors.As(err, &authority):
		return said("has a certificate signed by unknown authority", "name the authority's certificate with --ca-file FILE")
	case errors.As(err, &host):
		return said("has a certificate for another name", "use a name of the certificate in --server, or a certificate for this name in admin.tls.cert_file")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return said("has a certificate that has expired or is not valid yet", "renew admin.tls.cert_file, or check this machine's clock")
	case errors.As(err, &record), strings.Contains(err.Error(), "HTTP response to HTTPS client"):
		return said("does not speak TLS", "set admin.tls on the server; without it, use http:// on the server's own machine, or the socket")
	case strings.Contains(err.Error(), "certificate required"):
		return said("wants a client certificate (admin.tls.client_ca_file), which this command does not have", "use the socket on that machine")
	}
	return nil
}
