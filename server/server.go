package server

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apikeys"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/backup"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/customers"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/lastuse"
	"github.com/grantd/grantd/server/logbuf"
	"github.com/grantd/grantd/server/metrics"
	"github.com/grantd/grantd/server/notices"
	"github.com/grantd/grantd/server/oauth"
	"github.com/grantd/grantd/server/orgs"
	"github.com/grantd/grantd/server/partners"
	"github.com/grantd/grantd/server/phonekeys"
	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/server/rollback"
	"github.com/grantd/grantd/server/signing"
	"github.com/grantd/grantd/server/stream"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/server/traces"
	"github.com/grantd/grantd/server/version"
	"github.com/grantd/grantd/server/voidkeys"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// Options are what a Server needs.
type Options struct {
	Config config.Config
	Log    *slog.Logger
	Lines  *logbuf.Writer   // takes access events as JSON; nil: they go through Log
	Level  *slog.LevelVar   // of Log, for reloads; nil: it never changes
	Now    func() time.Time // nil: the clock
	// Terminal is where the sender "log" shows its codes; nil: nowhere.
	Terminal io.Writer
	// Store replaces the configured store; the Server closes it. For tests.
	Store store.Store
}

// Server is one grantd: New, Start, then Stop.
type Server struct {
	cfg      config.Config
	log      *slog.Logger
	lines    *logbuf.Writer
	now      func() time.Time
	store    store.Store
	keys     *tokens.Keyring
	voidKeys voidkeys.Encoder
	feed     *feed.Feed
	usage    *lastuse.Recorder
	watches  watches
	networks *ratelimit.Networks
	quota    *ratelimit.Quota
	revoke   *ratelimit.Quota
	audit    *audit.Log
	tokens   *tokens.Service
	client   *clients.Service
	orgs     *orgs.Service
	backup   *backup.Handler
	oauth    *oauth.Endpoints
	streams  *stream.Hub
	signing  *signing.Service
	scopes   atomic.Pointer[scopes.Catalogue]

	notices        *notices.Service // nil: no webhook is configured
	customers      *customers.Service
	customerTokens customers.Handler
	customerQuota  *ratelimit.Quota
	phoneKeys      *phonekeys.File
	partners       *partners.Service
	onBehalf       partners.Handler
	onBehalfQuota  *ratelimit.Quota
	keyRecords     *apikeys.Service
	orgRecords     *registry.Cache[store.Org]
	apiTokens      apikeys.Handler
	keyQuota       *ratelimit.Quota
	terminal       io.Writer

	metrics   *metrics.Metrics
	sampler   *web.Sampler
	tracer    *traces.Tracer // nil: there are no traces
	level     *slog.LevelVar
	listeners []*listener
	draining  atomic.Bool
	skew      atomic.Int64 // of the clock, in nanoseconds, if it is too much; else 0
	failed    chan error
	replaced  chan struct{} // see restoreAgain
	teardowns []teardown
	issuer    string
	life      context.Context // ends when Stop begins
	end       context.CancelFunc
	former    []store.FormerIssuer // issuers that tokens may still have
}

// New opens the store and makes every part. Nothing listens yet. Errors say what
// to do, for example if the store is locked or of another environment.
func New(ctx context.Context, o Options) (*Server, error) {
	s := &Server{cfg: o.Config, log: o.Log, lines: o.Lines, level: o.Level, now: o.Now, terminal: o.Terminal, store: o.Store, failed: make(chan error, 4), replaced: make(chan struct{}, 1)}
	if s.now == nil {
		s.now = time.Now
	}
	s.sampler = web.NewSampler(s.log)
	s.onStop("sampler", func(context.Context) error { s.sampler.Flush(); return nil })
	s.life, s.end = context.WithCancel(context.WithoutCancel(ctx))
	if err := s.build(ctx); err != nil {
		_ = s.Stop(ctx)
		return nil, err
	}
	return s, nil
}

func (s *Server) build(ctx context.Context) (err error) {
	if err := s.reloadCatalogue(s.cfg); err != nil {
		return err
	}
	if err := s.openPhoneKeys(); err != nil {
		return err
	}
	s.metrics = metrics.New(func() metrics.Feed { return s.feed })
	if s.store == nil {
		if s.store, err = s.openStore(ctx); err != nil {
			return err
		}
	}
	s.store = s.metrics.Measure(s.store)
	s.onStop("store", func(context.Context) error { return s.store.Close() })
	if err := s.openTraces(); err != nil {
		return err
	}
	s.keys = tokens.NewKeyring(s.cfg.TokenPrefix())
	if err := s.restore(ctx); err != nil {
		return err
	}
	stamp, err := s.store.ReadStamp(ctx)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	s.former = stamp.Former
	repairer := rollback.NewRepairer(rollback.Options{Store: s.store, Now: s.now, Report: s.rolledBack})
	s.feed = feed.New(feed.Options{
		Store: s.store, Shared: s.store.Shared(), MaxStaleness: s.cfg.Cache.MaxStaleness,
		Now: s.now, Log: s.log, Restore: s.restoreAgain, Repair: repairer.Repair, Holds: s.store.Holds(),
	})
	s.store = rollback.Guard(s.store, s.feed, s.log)
	s.audit = &audit.Log{Store: s.store, Now: s.now, Log: s.log, Failed: s.metrics.AuditFailed, IsUnconfirmed: s.store.Unconfirmed}
	s.backup = &backup.Handler{Store: s.store, Audit: s.audit, Now: s.now, Log: s.log, MadeBy: version.Read().Version}
	s.orgRecords = registry.NewCache(store.OrgKind, s.store.Orgs(), s.feed)
	s.watches = s.newWatches()
	s.usage = lastuse.New(s.store, s.audit, s.now, s.log)
	sender, err := s.openSender()
	if err != nil {
		return err
	}
	s.wire(sender)
	s.wireStream()
	return s.openNotices()
}

func (s *Server) catalogue() *scopes.Catalogue { return s.scopes.Load() }

// restore makes sure that the store is of this environment and issuer, and that it
// holds the key of the keyed check. It runs at the start, and whenever the feed
// finds that the store was replaced.
func (s *Server) restore(ctx context.Context) error {
	stamp := store.Stamp{Environment: s.cfg.Environment, Issuer: s.cfg.Issuer, Format: store.Format}
	if err := s.store.Stamp(ctx, stamp); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	keys, err := s.store.EnsureTokenKey(ctx, s.keys.Offer(s.now()))
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := s.keys.Use(keys); err != nil {
		return err
	}
	s.voidKeys.Use(s.keys.VoidKey())
	return nil
}

// Clients returns the service of clients, for `grantd dev`.
func (s *Server) Clients() *clients.Service { return s.client }

// Orgs returns the service of orgs, for `grantd dev`.
func (s *Server) Orgs() *orgs.Service { return s.orgs }

// Customers returns the service of customers, for `grantd dev`.
func (s *Server) Customers() *customers.Service { return s.customers }

// Start loads the feed, opens the listeners and serves.
func (s *Server) Start(ctx context.Context) error {
	if err := s.start(ctx); err != nil {
		_ = s.Stop(ctx)
		return err
	}
	return nil
}

func (s *Server) start(ctx context.Context) error {
	if err := s.feed.Start(ctx); err != nil {
		return err
	}
	if left := s.feed.Hold().Left(); len(left) > 0 {
		s.log.WarnContext(ctx, "store: records are held back since the store came back older; see grantd store doctor", "kinds", left)
	}
	s.onStop("feed", func(context.Context) error { s.feed.Stop(); return nil })
	s.usage.Start()
	s.onStop("usage", func(context.Context) error { s.usage.Stop(); return nil })
	s.networks.Start()
	s.onStop("networks", func(context.Context) error { s.networks.Stop(); return nil })
	for _, q := range []*ratelimit.Quota{s.quota, s.revoke, s.customerQuota, s.onBehalfQuota, s.keyQuota} {
		q.Start()
		s.onStop("quota", func(context.Context) error { q.Stop(); return nil })
	}
	s.watches.start(s)
	s.signing.Start()
	s.onStop("signing keys", func(context.Context) error { s.signing.Stop(); return nil })
	s.startIndexing()
	if err := s.listen(); err != nil {
		return err
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.onStop("certificate watch", func(context.Context) error { stop(); return nil })
	s.watchTLS(watching)
	s.startNotices()
	s.startStream()
	for _, l := range s.listeners {
		s.serve(l)
	}
	return nil
}

// listen binds every configured address and sets its handler.
func (s *Server) listen() error {
	public, err := s.listenTCP(listenerPublic, "public.listen", s.cfg.Public.Listen, s.cfg.Public.TLS)
	if err != nil {
		return err
	}
	s.issuer = cmp.Or(s.cfg.Issuer, public.url)
	socket, err := s.listenSocket()
	if err != nil {
		return err
	}
	s.listeners = []*listener{public, socket}
	if s.cfg.Admin.Listen != "" {
		l, err := s.listenTCP(listenerAdmin, "admin.listen", s.cfg.Admin.Listen, s.cfg.Admin.TLS)
		if err != nil {
			return err
		}
		s.listeners = append(s.listeners, l)
	}
	if s.cfg.Metrics.Listen != "" {
		l, err := s.listenTCP(listenerMetrics, "metrics.listen", s.cfg.Metrics.Listen, config.TLS{})
		if err != nil {
			return err
		}
		s.listeners = append(s.listeners, l)
	}
	for _, l := range s.listeners {
		if l.http.Handler, err = s.handler(l); err != nil {
			return err
		}
	}
	return nil
}

// PublicURL returns the URL of the public listener, with the bound port.
func (s *Server) PublicURL() string { return s.listeners[0].url }

// URL returns the URL of the listener with the name public, admin or metrics; "" if
// it is off.
func (s *Server) URL(name string) string {
	for _, l := range s.listeners {
		if l.name == name {
			return l.url
		}
	}
	return ""
}

// AdminSocket returns the path of the admin socket.
func (s *Server) AdminSocket() string { return s.cfg.Admin.Socket }

// Failed returns the channel with the error of a listener that ended by itself.
func (s *Server) Failed() <-chan error { return s.failed }
