package server

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/health"
	"github.com/grantd/grantd/server/oauth"
	"github.com/grantd/grantd/server/tokenadmin"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// route is one path of the public listener.
type route struct {
	method string
	path   string
	handle web.Handler
}

// public lists the routes of the public listener: all of them are here.
func (s *Server) public() []route {
	h := health.Handler{Store: s.store, Feed: s.feed, Issuer: func() string { return s.issuer }}
	routes := []route{
		{http.MethodPost, oauth.PathToken, s.oauth.Token},
		{http.MethodPost, oauth.PathTokenAlias, s.oauth.Token},
		{http.MethodPost, oauth.PathIntrospect, s.oauth.Introspect},
		{http.MethodPost, oauth.PathRevoke, s.oauth.Revoke},
		{http.MethodGet, health.PathLive, h.Live},
		{http.MethodGet, health.PathReady, h.Ready},
		{http.MethodGet, health.PathOpenAPI, h.OpenAPI},
	}
	for _, path := range oauth.MetadataPaths(s.issuer) {
		routes = append(routes, route{http.MethodGet, path, s.oauth.Metadata})
	}
	return routes
}

func (s *Server) mount(publicListener, adminListener *listener) error {
	e, err := s.engine(s.cfg.Public.TrustedProxies)
	if err != nil {
		return err
	}
	for _, r := range s.public() {
		e.Handle(r.method, r.path, web.Handle(r.handle))
		if r.method == http.MethodGet {
			e.Handle(http.MethodHead, r.path, web.Handle(r.handle))
		}
	}
	publicListener.http.Handler = e

	a, err := s.engine(nil)
	if err != nil {
		return err
	}
	admin.Mount(a,
		clients.Routes(s.client),
		tokenadmin.Handler{Tokens: s.tokens, Feed: s.feed, Audit: s.audit}.Routes(),
		admin.Lists{Audit: s.store, Catalogue: s.catalogue}.Routes(),
	)
	adminListener.http.Handler = a
	return nil
}

func (s *Server) engine(proxies []string) (*gin.Engine, error) {
	return web.NewEngine(web.Options{Log: s.log, TrustedProxies: proxies, Now: s.now})
}

// revocations lets oauth audit without knowing how.
type revocations struct{ log *audit.Log }

func (r revocations) Revoked(ctx context.Context, by, address, requestID string, t *store.Token, jti string) {
	r.log.Write(ctx, tokenadmin.Revoked(audit.Actor{Name: by, Address: address, RequestID: requestID}, t, jti))
}
