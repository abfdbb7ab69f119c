package edge

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/grantd/grantd/server/conns"
	"github.com/grantd/grantd/server/unixsocket"
)

// Timeouts and bounds of the listener.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = 20 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 16 << 10 // a gateway passes on what a browser sends
	maxConnections    = 2_048
	maxRequests       = 1_024 // in progress
)

// listen opens the listener.
func (e *Edge) listen() (net.Listener, error) {
	var bound net.Listener
	var err error
	if e.parsed.socket != "" {
		if bound, err = unixsocket.ListenInFolder(e.parsed.socket, "--listen"); err != nil {
			return nil, err
		}
		e.url = "unix:" + e.parsed.socket
	} else {
		if bound, err = net.Listen("tcp", e.settings.Listen); err != nil {
			return nil, listenError(e.settings.Listen, err)
		}
		e.url = "http://" + bound.Addr().String()
	}
	e.gate = conns.Listen(bound, conns.Options{
		Name: "edge", Max: maxConnections, Requests: maxRequests,
		Opened: e.metrics.Connections, Refused: e.metrics.ConnectionRefused, Log: e.log,
	})
	return e.gate, nil
}

// inUseError is an address that another program listens on.
type inUseError struct{ address string }

func (e *inUseError) Error() string {
	return fmt.Sprintf("--listen: %s is in use by another program: stop it, or choose another address", e.address)
}

func (*inUseError) Unwrap() error { return syscall.EADDRINUSE }

func listenError(address string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return &inUseError{address}
	}
	return fmt.Errorf("--listen: cannot listen on %s: %w", address, err)
}

func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ConnState:         conns.Observe,
		ConnContext:       conns.Context,
		// OPTIONS * gets a response like any other request, not that of net/http.
		DisableGeneralOptionsHandler: true,
	}
}
