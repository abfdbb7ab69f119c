package server

import (
	"net/http"
	"net/netip"
	"slices"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/apikeys"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/conns"
	"github.com/grantd/grantd/server/customers"
	"github.com/grantd/grantd/server/gateway"
	"github.com/grantd/grantd/server/health"
	"github.com/grantd/grantd/server/lastuse"
	"github.com/grantd/grantd/server/notices"
	"github.com/grantd/grantd/server/oauth"
	"github.com/grantd/grantd/server/orgs"
	"github.com/grantd/grantd/server/partners"
	"github.com/grantd/grantd/server/signing"
	"github.com/grantd/grantd/server/stream"
	"github.com/grantd/grantd/server/tokenadmin"
	"github.com/grantd/grantd/server/web"
)

// route is a route of the public listener.
type route struct {
	method string
	path   string
	handle web.Handler
}

// publicRoutes returns all routes of the public listener.
func (s *Server) publicRoutes() []route {
	h := s.healthHandler()
	routes := []route{
		{http.MethodPost, oauth.PathToken, s.oauth.Token},
		{http.MethodPost, oauth.PathTokenAlias, s.oauth.Token},
		{http.MethodPost, oauth.PathIntrospect, s.oauth.Introspect},
		{http.MethodPost, oauth.PathRevoke, s.oauth.Revoke},
		{http.MethodGet, oauth.PathRevocations, stream.Handler{Hub: s.streams, Authenticate: s.authenticateReader}.Serve},
		{http.MethodGet, oauth.PathTokenInfo, s.oauth.TokenInfo},
		{http.MethodGet, oauth.PathIdentity, s.oauth.Identity},
		{http.MethodGet, oauth.PathKeys, s.oauth.Keys},
		{http.MethodPost, customers.PathVerification, s.customerTokens.Verification},
		{http.MethodPost, customers.PathToken, s.customerTokens.Token},
		{http.MethodGet, partners.PathOrgs, s.onBehalf.Orgs},
		{http.MethodPost, partners.PathToken, s.onBehalf.Token},
		{http.MethodPost, apikeys.PathKeys, s.apiTokens.Create},
		{http.MethodGet, apikeys.PathKeys, s.apiTokens.List},
		{http.MethodDelete, apikeys.PathKey, s.apiTokens.Revoke},
		{http.MethodGet, health.PathLive, h.Live},
		{http.MethodGet, health.PathReady, h.Ready},
		{http.MethodGet, health.PathOpenAPI, h.OpenAPI},
	}
	if s.cfg.Metadata.MCP {
		routes = append(routes,
			route{http.MethodGet, oauth.PathAuthorize, s.oauth.Authorize},
			route{http.MethodPost, oauth.PathAuthorize, s.oauth.Authorize}) // RFC 6749 §3.1
	}
	for _, path := range oauth.MetadataPaths(s.issuer) {
		routes = append(routes, route{http.MethodGet, path, s.oauth.Metadata})
	}
	return routes
}

// crossOrigin are the paths that web pages of the origins in public.cors_origins may
// call. The token endpoint must not be among them: a page cannot keep a client secret
// (RFC 9700 §2.6).
var crossOrigin = []string{customers.PathVerification, customers.PathToken, oauth.PathRevoke, oauth.PathTokenInfo}

func (s *Server) healthHandler() *health.Handler {
	return health.New(health.Options{
		Store: s.store, Feed: s.feed, Issuer: func() string { return s.issuer }, Draining: s.draining.Load,
		Warnings: s.warnings,
	})
}

// handler returns the handler of the listener.
func (s *Server) handler(l *listener) (http.Handler, error) {
	switch l.name {
	case listenerPublic:
		return s.publicHandler(l)
	case listenerSocket:
		return s.adminHandler(l, admin.BySocket)
	case listenerAdmin:
		return s.adminHandler(l, admin.ByBearer(s.tokens))
	}
	return s.metrics.Handler(), nil
}

func (s *Server) publicHandler(l *listener) (http.Handler, error) {
	pages := s.pages()
	o := s.engineOptions(l)
	o.TrustedProxies, o.CrossOrigin, o.Raw = s.cfg.Public.TrustedPrefixes(), pages, []string{gateway.PathEnvoy}
	e, err := web.NewEngine(o)
	if err != nil {
		return nil, err
	}
	if s.cfg.Public.BehindTLSProxy {
		e.Use(web.RequireTLS(s.cfg.Public.TrustedPrefixes(), health.PathLive, health.PathReady))
	}
	for _, r := range s.publicRoutes() {
		handle := web.Handle(web.WithoutURLCredentials(r.handle))
		if r.path == oauth.PathAuthorize { // client_id belongs there (RFC 6749 §4.1.1), and each request gets 400
			handle = web.Handle(r.handle)
		}
		e.Handle(r.method, r.path, handle)
		if r.method == http.MethodGet {
			e.Handle(http.MethodHead, r.path, handle)
		}
	}
	atGateway, err := s.gateway()
	if err != nil {
		return nil, err
	}
	atGateway.Mount(e)
	if pages != nil {
		for _, path := range crossOrigin {
			e.OPTIONS(path, web.Handle(pages.Preflight))
		}
	}
	return e, nil
}

// pages returns what lets web pages call the paths in crossOrigin; nil: no origin is
// configured, and these paths are as all others.
func (s *Server) pages() *web.CrossOrigin {
	if len(s.cfg.Public.CORSOrigins) == 0 {
		return nil
	}
	pages := web.NewCrossOrigin(s.cfg.Public.CORSOrigins)
	for _, r := range s.publicRoutes() {
		if slices.Contains(crossOrigin, r.path) {
			pages.Allow(r.method, r.path)
			if r.method == http.MethodGet {
				pages.Allow(http.MethodHead, r.path)
			}
		}
	}
	return pages
}

func (s *Server) adminHandler(l *listener, authorize admin.Authorizer) (http.Handler, error) {
	proxied := l.name == listenerAdmin && s.cfg.Public.BehindTLSProxy && !s.cfg.Admin.TLS.Enabled()
	o := s.engineOptions(l)
	if proxied { // a token that is bound to addresses must not be judged by that of the proxy
		o.Proxied, o.TrustedProxies = true, s.cfg.Public.TrustedPrefixes()
	}
	e, err := web.NewEngine(o)
	if err != nil {
		return nil, err
	}
	if proxied {
		e.Use(web.RequireTLS(o.TrustedProxies))
	}
	if l.name == listenerSocket { // for a public listener that wants certificates
		e.GET(health.PathReady, web.Handle(s.healthHandler().Ready))
	}
	admin.Mount(e, authorize, s.store.Unconfirmed, s.adminRoutes()...)
	return e, nil
}

// adminRoutes returns the routes of the admin API, by feature.
func (s *Server) adminRoutes() [][]admin.Route {
	return [][]admin.Route{
		clients.Routes(s.client),
		orgs.Routes(s.orgs),
		customers.AdminRoutes(s.customers),
		partners.AdminRoutes(s.partners),
		tokenadmin.Handler{Tokens: s.tokens, Secrets: s.client, Partners: s.partners, Keys: s.keyRecords, Feed: s.feed, Audit: s.audit, Uses: s.store, Events: s.store, TokenPrefix: s.cfg.TokenPrefix()}.Routes(),
		apikeys.AdminRoutes(s.keyRecords),
		s.doctor().Routes(),
		s.backup.Routes(),
		notices.AdminRoutes(s.notices),
		signing.AdminRoutes(s.signing),
		admin.Lists{Audit: s.store, Catalogue: s.catalogue, Now: s.now}.Routes(),
	}
}

// documentPrefixes are the prefixes of paths whose errors are JSON:API documents, by
// listener.
var documentPrefixes = map[string][]string{listenerPublic: {customers.PathPrefix, partners.PathPrefix, apikeys.PathPrefix, oauth.PathIdentity}}

// ungated are the paths outside of the bound of requests in progress.
var ungated = []string{health.PathLive, health.PathReady, health.PathOpenAPI}

// engineOptions returns the options of all engines.
func (s *Server) engineOptions(l *listener) web.Options {
	var trace web.Trace
	if s.tracer != nil {
		trace = s.tracer.Requests(l.name)
	}
	return web.Options{
		Trace: trace,
		Log:   s.log, Lines: s.lines,
		Observe: s.metrics.Requests(l.name), Documents: documentPrefixes[l.name],
		Gate: l.gate, Ungated: ungated, Sampler: s.sampler,
		Bodies: web.NewBodies(l.name == listenerPublic, func() { l.gate.Refuse(conns.RefusedBodies) }),
	}
}

// revocations counts the revocations of oauth for the audit.
type revocations struct{ usage *lastuse.Recorder }

func (r revocations) Revoked(by, jti string, from netip.Addr, outcome error) {
	r.usage.RecordRevocation(by, audit.OutcomeOf(outcome), jti, from)
}
