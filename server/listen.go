package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"golang.org/x/net/netutil"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/tlsfiles"
)

// Timeouts and bounds of every listener.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 40 * time.Second // an admin call may wait for replicas
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
	maxConnections    = 10_000
	maxStreams        = 250 // of one HTTP/2 connection
)

// Names of the listeners, in logs and metrics.
const (
	listenerPublic  = "public"
	listenerSocket  = "admin_socket"
	listenerAdmin   = "admin"
	listenerMetrics = "metrics"
)

// listener is an address that is bound, with its HTTP server.
type listener struct {
	name string
	url  string
	net  net.Listener
	pair *tlsfiles.Pair // nil: no TLS
	http *http.Server
}

// listenTCP binds a TCP address. key is its place in the configuration.
func (s *Server) listenTCP(name, key, address string, files config.TLS) (*listener, error) {
	l := &listener{name: name}
	scheme := "http://"
	var tlsConfig *tls.Config
	if files.Enabled() {
		var err error
		if l.pair, err = tlsfiles.Load(files.CertFile, files.KeyFile); err != nil {
			return nil, fmt.Errorf("%s.tls: %w", name, err)
		}
		if tlsConfig, err = serverTLS(l.pair, files.ClientCAFile); err != nil {
			return nil, fmt.Errorf("%s.tls.client_ca_file: %w", name, err)
		}
		scheme = "https://"
	}
	bound, err := net.Listen("tcp", address)
	if err != nil {
		return nil, listenError(key, address, err)
	}
	l.url = scheme + bound.Addr().String()
	l.net = lazyListener{netutil.LimitListener(bound, maxConnections)}
	s.prepare(l, tlsConfig)
	return l, nil
}

// serverTLS returns the TLS configuration with the pair in use. With a CA file,
// callers need a certificate of that authority.
func serverTLS(pair *tlsfiles.Pair, caFile string) (*tls.Config, error) {
	cfg := pair.Config()
	if caFile == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	cfg.ClientCAs = x509.NewCertPool()
	if !cfg.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("holds no certificate in PEM form")
	}
	cfg.ClientAuth = tls.RequireAndVerifyClientCert
	return cfg, nil
}

func (s *Server) listenSocket() (*listener, error) {
	bound, err := admin.Listen(s.cfg.Admin.Socket)
	if err != nil {
		return nil, err
	}
	l := &listener{name: listenerSocket, url: "unix:" + s.cfg.Admin.Socket, net: bound}
	s.prepare(l, nil)
	return l, nil
}

// prepare makes the HTTP server of a listener and registers its teardown.
func (s *Server) prepare(l *listener, tlsConfig *tls.Config) {
	l.http = &http.Server{
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		TLSConfig:         tlsConfig,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		// OPTIONS * gets a response like any other request, not that of net/http.
		DisableGeneralOptionsHandler: true,
	}
	s.onStop(l.name+" listener", func(ctx context.Context) error {
		err := l.http.Shutdown(ctx)
		_ = l.net.Close() // bound but never served
		return err
	})
}

func (s *Server) serve(l *listener) {
	go func() {
		var err error
		if l.pair != nil {
			err = l.http.ServeTLS(l.net, "", "")
		} else {
			err = l.http.Serve(l.net)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("%s listener: %w", l.name, err)
		}
	}()
}

func listenError(key, address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s: %s is in use by another program: stop it, or choose another address", key, address)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: no permission to listen on %s: choose a port above 1023", key, address)
	}
	return fmt.Errorf("%s: cannot listen on %s: %w", key, address, err)
}
