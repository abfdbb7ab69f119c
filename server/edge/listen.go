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

// Bounds of the listener for metrics, which other machines may reach.
const (
	maxScrapers           = 64 // connections
	reservedScrapers      = 8
	maxScrapersOfANetwork = 16
	maxScrapes            = 16 // in progress, the probes included
)

// listen opens the listener of callers.
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
			return nil, listenError("--listen", e.settings.Listen, err)
		}
		e.url = "http://" + bound.Addr().String()
	}
	e.gate = conns.Listen(bound, conns.Options{
		Name: "edge", Max: maxConnections, Requests: maxRequests,
		Opened: e.metrics.Connections, Refused: e.metrics.ConnectionRefused, Log: e.log,
	})
	return e.gate, nil
}

// listenMetrics opens the listener for metrics.
func (e *Edge) listenMetrics() (*conns.Listener, error) {
	bound, err := net.Listen("tcp", e.settings.MetricsListen)
	if err != nil {
		return nil, listenError("--metrics-listen", e.settings.MetricsListen, err)
	}
	e.metricsURL = "http://" + bound.Addr().String()
	return conns.Listen(bound, conns.Options{
		Name: "metrics", Max: maxScrapers, Reserve: reservedScrapers, PerNetwork: maxScrapersOfANetwork, Requests: maxScrapes,
		Opened: func(int) {}, Refused: e.metrics.ConnectionRefused, Log: e.log,
	}), nil
}

// inUseError is an address that another program listens on.
type inUseError struct{ setting, address string }

func (e *inUseError) Error() string {
	return fmt.Sprintf("%s: %s is in use by another program: stop it, or choose another address", e.setting, e.address)
}

func (*inUseError) Unwrap() error { return syscall.EADDRINUSE }

func listenError(setting, address string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return &inUseError{setting, address}
	}
	return fmt.Errorf("%s: cannot listen on %s: %w", setting, address, err)
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
