package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/conns"
	"github.com/grantd/grantd/server/tlsfiles"
)

// Timeouts and bounds of every listener.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = 20 * time.Second // sending a code may take 8 s, and waiting for a slow hash 5 s
	adminWriteTimeout = 40 * time.Second // an admin call may wait for replicas
	writeByteTimeout  = 5 * time.Second  // of an HTTP/2 connection whose peer reads nothing
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 8 << 10
	maxStreams        = 32 // of one HTTP/2 connection
	frameSize         = 16 << 10
	streamBuffer      = 64 << 10 // what a peer may send before it is read
)

// Bounds of all connections together; see server/conns.
const (
	maxConnections = 10_000
	// maxSocketConnections and maxAdminConnections are for the admin socket and for
	// each of the other listeners.
	maxSocketConnections = 256
	maxAdminConnections  = 128
	// otherFiles are the files that everything but the public listener opens: the
	// other listeners, the connections to the store and to the sender of codes.
	otherFiles = maxSocketConnections + 2*maxAdminConnections + 128
	// leastConnections are accepted however few files the process may open.
	leastConnections = 64

	maxRequests         = 1_024 // in progress
	maxHTTP2Connections = 128
	// networkShare is the part of the connections and of the requests in progress
	// that one network may use. http2Share is its part of the connections that
	// speak HTTP/2: few carry many requests, and they are the costliest.
	networkShare, http2Share = 4, 8
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
	gate *conns.Listener
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
		if l.pair, err = tlsfiles.Load(files.CertFile, files.KeyFile, s.now); err != nil {
			return nil, fmt.Errorf("%s.tls: %w", name, err)
		}
		if tlsConfig, err = l.tls(files.ClientCAFile); err != nil {
			return nil, fmt.Errorf("%s.tls.client_ca_file: %w", name, err)
		}
		scheme = "https://"
	}
	bound, err := net.Listen("tcp", address)
	if err != nil {
		return nil, listenError(key, address, err)
	}
	l.url = scheme + bound.Addr().String()
	s.prepare(l, bound, tlsConfig)
	return l, nil
}

// tls returns the TLS configuration with the pair in use. With a CA file, callers
// need a certificate of that authority.
func (l *listener) tls(caFile string) (*tls.Config, error) {
	cfg := l.pair.Config()
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, err
		}
		cfg.ClientCAs = x509.NewCertPool()
		if !cfg.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("holds no certificate in PEM form")
		}
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	}
	// A connection beyond the bound of HTTP/2 connections speaks HTTP/1.1, which
	// carries one request at a time.
	http1 := cfg.Clone()
	http1.NextProtos = []string{"http/1.1"}
	cfg.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		conns.Hello(hello.Conn)
		if slices.Contains(hello.SupportedProtos, "h2") && !l.gate.TakeHTTP2(hello.Conn) {
			return http1, nil
		}
		return nil, nil
	}
	return cfg, nil
}

func (s *Server) listenSocket() (*listener, error) {
	bound, err := admin.Listen(s.cfg.Admin.Socket)
	if err != nil {
		return nil, err
	}
	l := &listener{name: listenerSocket, url: "unix:" + s.cfg.Admin.Socket}
	s.prepare(l, bound, nil)
	return l, nil
}

// prepare makes the HTTP server of a listener and registers its teardown.
func (s *Server) prepare(l *listener, bound net.Listener, tlsConfig *tls.Config) {
	bounds := s.bounds(l.name)
	bounds.TLS = tlsConfig != nil
	l.gate = conns.Listen(bound, bounds)
	l.net = l.gate
	l.http = &http.Server{
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      adminWriteTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		TLSConfig:         tlsConfig,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams, WriteByteTimeout: writeByteTimeout, MaxReadFrameSize: frameSize,
			MaxReceiveBufferPerStream: streamBuffer, MaxReceiveBufferPerConnection: 2 * streamBuffer,
		},
		ErrorLog:    s.errorLog(l.name),
		ConnState:   conns.Observe,
		ConnContext: conns.Context,
		// OPTIONS * gets a response like any other request, not that of net/http.
		DisableGeneralOptionsHandler: true,
	}
	if l.name == listenerPublic {
		l.http.WriteTimeout = writeTimeout
	}
	s.onStop(l.name+" listener", func(ctx context.Context) error {
		err := l.http.Shutdown(ctx)
		_ = l.net.Close() // bound but never served
		return err
	})
}

// bounds returns what the connections of the listener may cost together.
func (s *Server) bounds(name string) conns.Options {
	o := conns.Options{
		Name: name, Max: maxAdminConnections, Requests: maxAdminConnections * maxStreams,
		Reserve: maxAdminConnections / 8, PerNetwork: maxAdminConnections / 2,
		HTTP2: maxAdminConnections / 4, HTTP2PerNetwork: maxAdminConnections / 8,
		Opened: s.metrics.Connections(name), Refused: s.metrics.ConnectionRefused(name), Log: s.log,
	}
	switch name {
	case listenerSocket: // all peers are grantd's user or root
		o.Max, o.PerNetwork = maxSocketConnections, 0
		return o
	case listenerAdmin, listenerMetrics:
		return o
	}
	o.Max = s.maxConnections()
	o.PerNetwork, o.Reserve = o.Max/networkShare, o.Max/16
	o.Requests, o.RequestsPerNetwork = maxRequests, maxRequests/networkShare
	o.HTTP2, o.HTTP2PerNetwork = maxHTTP2Connections, maxHTTP2Connections/http2Share
	o.Exempt = s.cfg.Public.TrustedPrefixes()
	return o
}

// maxConnections returns how many connections the public listener accepts: as many
// as the process may open files, less those that it needs otherwise.
func (s *Server) maxConnections() int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur > uint64(maxConnections+otherFiles+s.cfg.Stream.MaxReaders) {
		return maxConnections
	}
	most := min(maxConnections, max(leastConnections, int(files.Cur)-otherFiles-s.maxReaders()))
	s.log.Warn("public.listen accepts fewer connections, because this process may open few files: raise its limit (LimitNOFILE, ulimit -n)",
		"connections", most, "files", files.Cur)
	return most
}

// maxReaders returns how many streams of revocations there may be: their connections
// are besides the others. At most a quarter of the files that the process may open is
// for them.
func (s *Server) maxReaders() int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur/4 > uint64(s.cfg.Stream.MaxReaders) {
		return s.cfg.Stream.MaxReaders
	}
	return max(leastConnections, int(files.Cur)/4)
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

// inUseError is an address that another program listens on. It is a syscall.EADDRINUSE.
type inUseError struct{ key, address string }

func (e *inUseError) Error() string {
	return fmt.Sprintf("%s: %s is in use by another program: stop it, or choose another address", e.key, e.address)
}

func (*inUseError) Unwrap() error { return syscall.EADDRINUSE }

func listenError(key, address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return &inUseError{key, address}
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: no permission to listen on %s: choose a port above 1023", key, address)
	}
	return fmt.Errorf("%s: cannot listen on %s: %w", key, address, err)
}
