package edge

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/grantd/grantd/scopes/guard"
	"github.com/grantd/grantd/server/conns"
	"github.com/grantd/grantd/server/gateway"
	"github.com/grantd/grantd/server/logbuf"
	"github.com/grantd/grantd/server/metrics"
	"github.com/grantd/grantd/server/web"
)

// Options are what an Edge needs.
type Options struct {
	Settings Settings
	Log      *slog.Logger
	Lines    *logbuf.Writer // takes access events as JSON; nil: they go through Log
	// Guard replaces the guard of the settings; the Edge closes it. For tests.
	Guard Guard
}

// Edge is one 'grantd edge': New, Start, then Stop.
type Edge struct {
	settings   Settings
	parsed     parsed
	log        *slog.Logger
	lines      *logbuf.Writer
	guard      Guard
	metrics    *metrics.Edge
	callers    callers
	self       *secretFile   // of the resource server
	clients    []*secretFile // of the token source
	source     *source
	gateway    *gateway.Handler
	gate       *conns.Listener
	sampler    *web.Sampler
	http       *http.Server
	scraped    *http.Server // of MetricsListen
	observe    func(route string, code int, took time.Duration)
	url        string
	metricsURL string
	draining   atomic.Bool
	failed     chan error
}

// New checks the settings and makes every part. It opens the stream of revocations, so
// it waits some seconds for the server. A server that cannot be reached is no error:
// requests get 503 until it can be. Nothing listens yet.
// Errors: Faults; what to do if the registration of the resource server differs.
func New(o Options) (*Edge, error) {
	p, err := o.Settings.parse()
	if err != nil {
		return nil, err
	}
	e := &Edge{settings: o.Settings, parsed: p, log: o.Log, lines: o.Lines, guard: o.Guard, failed: make(chan error, 2), sampler: web.NewSampler(o.Log)}
	e.metrics = metrics.NewEdge(e.state)
	e.observe = e.metrics.Requests()
	if err := e.openSecrets(); err != nil {
		return nil, err
	}
	e.gateway = gateway.New(gateway.Options{
		Tokens: finder{e}, Family: p.family, Proxies: p.proxies,
		// Only this machine reaches the listener; see Settings.Listen.
		Peer:     func(*http.Request) error { return nil },
		Uses:     o.Settings.TokenUses,
		Policies: p.policies, Observe: e.metrics.CountDecision,
	})
	if e.guard == nil {
		if e.guard, err = guard.New(e.guardConfig()); err != nil {
			return nil, &startError{err}
		}
	}
	return e, nil
}

// openSecrets reads the secrets and makes what asks the server.
func (e *Edge) openSecrets() (err error) {
	h := newHasher()
	u, err := newUpstream(&e.settings)
	if err != nil {
		return err
	}
	if e.self, err = openSecret(TokenClient{e.settings.ClientID, e.settings.SecretFile}, h, e.log); err != nil {
		return err
	}
	files := map[string]string{}
	for _, c := range e.parsed.clients {
		s, err := openSecret(c, h, e.log)
		if err != nil {
			return err
		}
		e.clients, files[c.ID] = append(e.clients, s), c.SecretFile
	}
	e.callers = callers{socket: e.parsed.socket != "", hash: h, verify: newVerifier(u, h, e.metrics.CountSecret)}
	e.source = newSource(func(ctx context.Context, k tokenKey) (issued, error) {
		return u.fetch(ctx, files[k.client], k)
	}, e.metrics.CountFetched)
	return nil
}

func (e *Edge) guardConfig() guard.Config {
	s := e.settings
	issuer := s.Issuer
	if issuer == "" {
		issuer = s.Upstream
	}
	return guard.Config{
		Issuer: issuer, Upstream: s.Upstream, ClientID: s.ClientID, SecretFile: s.SecretFile, CAFile: s.CAFile,
		Resource: s.Resource, TokenUses: s.TokenUses, Enforces: s.Enforces, MaxEntries: s.MaxEntries, Log: e.log,
		Setting:  s.flagOf,
		ClientIP: func(*http.Request) netip.Addr { return netip.Addr{} }, // callers say it; the guard sees no requests
	}
}

// startError is an error of the guard, in the words of this process.
type startError struct{ cause error }

func (e *startError) Error() string {
	return strings.ReplaceAll("\n"+e.cause.Error(), "\nguard: ", "\n")[1:]
}
func (e *startError) Unwrap() error { return e.cause }

// Start opens the listeners and serves.
func (e *Edge) Start(context.Context) error {
	bound, err := e.listen()
	if err != nil {
		return err
	}
	handler, err := e.handler()
	if err == nil && e.settings.MetricsListen != "" {
		err = e.startMetrics()
	}
	if err != nil {
		return errors.Join(err, bound.Close())
	}
	e.http = e.serve(bound, newServer(handler, e.log))
	return nil
}

func (e *Edge) startMetrics() error {
	bound, err := e.listenMetrics()
	if err != nil {
		return err
	}
	handler, err := e.metricsHandler(bound)
	if err != nil {
		return errors.Join(err, bound.Close())
	}
	e.scraped = e.serve(bound, newScraped(handler, e.log))
	return nil
}

// serve serves a listener until Stop, or until it fails.
func (e *Edge) serve(bound net.Listener, s *http.Server) *http.Server {
	go func() {
		if err := s.Serve(bound); !errors.Is(err, http.ErrServerClosed) {
			e.failed <- err
		}
	}()
	return s
}

// URL returns where the process listens: http://127.0.0.1:PORT, or unix:PATH.
func (e *Edge) URL() string { return e.url }

// MetricsURL returns where other machines get the metrics; "": nowhere.
func (e *Edge) MetricsURL() string { return e.metricsURL }

// Handler returns the handler of the listener. Start makes it.
func (e *Edge) Handler() http.Handler { return e.http.Handler }

// Ready reports whether tokens are judged, from the cache or by asking the server.
func (e *Edge) Ready() bool { return e.problem() == nil }

// Failed receives the error of a listener that fails.
func (e *Edge) Failed() <-chan error { return e.failed }

// Stop finishes the requests in progress, removes the socket and closes the connections
// to the server. ctx bounds it.
func (e *Edge) Stop(ctx context.Context) (err error) {
	e.draining.Store(true)
	if e.http != nil {
		err = e.http.Shutdown(ctx)
	}
	if e.scraped != nil { // last, so that probes see that the process drains
		err = errors.Join(err, e.scraped.Shutdown(ctx))
	}
	e.sampler.Flush()
	return errors.Join(err, e.guard.Close())
}
