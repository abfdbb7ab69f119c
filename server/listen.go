package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/grantd/grantd/server/admin"
)

// Time-outs and bounds of every listener.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 40 * time.Second // an admin call may wait for replicas
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
)

// listener is one address that is bound, and what serves it.
type listener struct {
	name string
	url  string
	net  net.Listener
	http *http.Server
}

func (s *Server) newListener(name, url string, l net.Listener) *listener {
	ls := &listener{name: name, url: url, net: l, http: &http.Server{
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}}
	s.onStop(name+" listener", func(ctx context.Context) error {
		err := ls.http.Shutdown(ctx)
		l.Close() // bound but never served
		return err
	})
	return ls
}

func (s *Server) listenPublic() (*listener, error) {
	cfg := s.cfg.Public
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, listenError("public.listen", cfg.Listen, err)
	}
	url := "http://" + l.Addr().String()
	if cfg.TLS.Enabled() {
		cert, err := tls.LoadX509KeyPair(cfg.TLS.CertFile, cfg.TLS.KeyFile)
		if err != nil {
			l.Close()
			return nil, fmt.Errorf("public.tls: %w", err)
		}
		url = "https://" + l.Addr().String()
		l = tls.NewListener(l, &tls.Config{
			MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"},
		})
	}
	return s.newListener("public", url, l), nil
}

func (s *Server) listenAdmin() (*listener, error) {
	l, err := admin.Listen(s.cfg.Admin.Socket)
	if err != nil {
		return nil, err
	}
	return s.newListener("admin", "unix:"+s.cfg.Admin.Socket, l), nil
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

func (s *Server) serve(l *listener) {
	go func() {
		if err := l.http.Serve(l.net); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("%s listener: %w", l.name, err)
		}
	}()
}
