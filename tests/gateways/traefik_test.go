package gateways

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/grantd/grantd/server/gateway"
	"github.com/grantd/grantd/tests/harness"
)

// standIn does what Traefik's documentation says that it does with
// deploy/gateways/traefik.yaml. It is no Traefik: as a module, Traefik needs 2,572
// packages, and one of them is not on the module proxy. It reads the file for what it
// asks and copies, and knows no rules of routers. Its sources are, on doc.traefik.io/traefik:
//   - reference/routing-configuration/http/middlewares/forwardauth: what is sent and copied
//   - reference/install-configuration/entrypoints: forwardedHeaders, sanitizePath
//   - security/request-path: what becomes of paths
//   - security/header-aliases: which names are deleted
//
// That it waits 30 seconds and responds with 500 is read in the source of 3.7.13
// (pkg/middlewares/auth/forward.go).
type standIn struct {
	middlewares map[string]middleware
	settings    Settings
	client      http.Client
	api         *httputil.ReverseProxy
}

type middleware struct {
	Headers struct {
		CustomRequestHeaders map[string]string `yaml:"customRequestHeaders"`
	}
	ForwardAuth struct {
		Address             string
		AuthRequestHeaders  []string `yaml:"authRequestHeaders"`
		AuthResponseHeaders []string `yaml:"authResponseHeaders"`
	} `yaml:"forwardAuth"`
}

// traefik is that stand-in.
var traefik = Gateway{
	Name: "Traefik (a stand-in)", File: "traefik.yaml", Family: gateway.Forwarded,
	Quirks: []Quirk{
		{"Traefik responds with 500 if it gets no decision", 500, []string{
			"grantd refusing", "grantd refusing, no token", "grantd resetting", "grantd resetting, no token",
		}},
		{"Traefik removes the headers that Connection names before it asks", 401, []string{"Authorization called hop-by-hop"}},
	},
	Start: func(t testing.TB, s Settings) string {
		t.Helper()
		var file struct {
			HTTP struct{ Middlewares map[string]middleware }
		}
		if err := yaml.Unmarshal([]byte(Fill(t, "traefik.yaml")), &file); err != nil {
			t.Fatal(err)
		}
		h := &standIn{middlewares: file.HTTP.Middlewares, settings: s, client: http.Client{
			Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}}
		h.api = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", s.API
			for name, values := range r.In.Header {
				if strings.HasPrefix(name, "X-Forwarded-") {
					r.Out.Header[name] = values
				}
			}
		}}
		server := httptest.NewUnstartedServer(h)
		pair, err := tls.LoadX509KeyPair(s.Certificate, s.Key)
		if err != nil {
			t.Fatal(err)
		}
		server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
		server.StartTLS()
		t.Cleanup(server.Close)
		return server.Listener.Addr().String()
	},
}

var (
	denied     = regexp.MustCompile(`(?i)%(2f|5c|00|3b|25|3f|23)`)
	unreserved = regexp.MustCompile(`(?i)%(4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9a]|3[0-9]|2d|2e|5f|7e)`)
	alias      = regexp.MustCompile(`[^A-Za-z0-9-]`)
	ambiguous  = regexp.MustCompile(`[;\x00-\x1f\x7f\x{fffd}]`)
)

// ServeHTTP is the entry point, and then the router.
func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if denied.MatchString(r.URL.EscapedPath()) || strings.Contains(r.URL.Path, "#") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.URL.RawPath = unreserved.ReplaceAllStringFunc(r.URL.EscapedPath(), func(c string) string {
		plain, _ := url.PathUnescape(c)
		return plain
	})
	r.URL = r.URL.JoinPath() // sanitizePath
	s.clean(r)
	part := strings.SplitN(r.URL.Path, "/", 3)[1]
	switch {
	case ambiguous.MatchString(r.URL.Path):
		w.WriteHeader(http.StatusForbidden)
	case part == "public":
		s.api.ServeHTTP(w, r)
	case part == "cards" || part == "accounts":
		s.ask(w, r, s.middlewares["ask-"+part])
	default:
		http.NotFound(w, r)
	}
}

// clean is what the entry point and the middleware clean do to headers.
func (s *standIn) clean(r *http.Request) {
	connection := r.Header.Values("Connection")
	upgrade := r.Header.Get("Upgrade")
	for name := range r.Header {
		if alias.MatchString(name) || strings.HasPrefix(name, "X-Forwarded-") || name == "X-Real-Ip" {
			delete(r.Header, name)
		}
	}
	for name := range strings.SplitSeq(strings.Join(connection, ","), ",") {
		r.Header.Del(strings.TrimSpace(name))
	}
	r.Header.Del("Connection")
	if strings.EqualFold(upgrade, "websocket") {
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", upgrade)
	}
	for name := range s.middlewares["clean"].Headers.CustomRequestHeaders {
		r.Header.Del(name)
	}
	from, _, _ := net.SplitHostPort(r.RemoteAddr)
	for name, value := range map[string]string{"For": from, "Proto": "https", "Host": r.Host, "Port": "443", "Server": "traefik"} {
		r.Header.Set("X-Forwarded-"+name, value)
	}
	r.Header.Set("X-Real-Ip", from)
}

// ask is the middleware ForwardAuth.
func (s *standIn) ask(w http.ResponseWriter, r *http.Request, m middleware) {
	address := strings.Replace(m.ForwardAuth.Address, "127.0.0.1:8090", s.settings.Grantd, 1)
	question, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), http.MethodGet, address, nil)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	for _, name := range m.ForwardAuth.AuthRequestHeaders {
		question.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
	}
	from, _, _ := net.SplitHostPort(r.RemoteAddr)
	for name, value := range map[string]string{"For": from, "Method": r.Method, "Proto": "https", "Port": "443", "Host": r.Host, "Uri": r.URL.RequestURI()} {
		question.Header.Set("X-Forwarded-"+name, value)
	}
	res, err := s.client.Do(question)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	defer res.Body.Close()
	if res.StatusCode < 200 || res.StatusCode >= 300 {
		for name, values := range res.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(res.StatusCode)
		_, _ = io.Copy(w, res.Body)
		return
	}
	for _, name := range m.ForwardAuth.AuthResponseHeaders {
		r.Header.Del(name)
		if values := res.Header.Values(name); len(values) > 0 {
			r.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	s.api.ServeHTTP(w, r)
}

// TestTraefikStandIn runs the cases that do not depend on what Traefik does to paths, to
// HTTP/2, or while it waits: nobody but Traefik could show that.
func TestTraefikStandIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gateway.Forwarded)
	for _, d := range w.deciders() {
		t.Run(d.name, func(t *testing.T) {
			c := w.newCases(t, traefik, d)
			rows := slices.DeleteFunc(slices.Concat(c.tokenRows(), c.restrictedRows(), c.headerRows(), c.methodRows()), func(r row) bool {
				return strings.Contains(r.path, "%61") // the API gets it as a letter
			})
			for _, r := range append(rows, traefikPaths(c)...) {
				t.Run(r.name, func(t *testing.T) { c.check(t, r) })
			}
			t.Run("WebSocket", c.webSocket)
			t.Run("upgrade to h2c", c.h2c)
			t.Run("connections", c.connections)
			t.Run("revoked", c.revoked)
			for _, mode := range []harness.Mode{harness.Refusing, harness.Resetting} {
				c.link.Set(mode)
				c.check(t, row{name: "grantd " + mode.String(), request: request{token: c.good}, status: 500})
				c.check(t, row{name: "grantd " + mode.String() + ", no token", status: 500})
			}
		})
	}
}

// traefikPaths: what Traefik shortens, it shortens before it asks.
func traefikPaths(c *cases) []row {
	var rows []row
	for _, path := range []string{"/public/../cards/12", "/public/%2e%2e/cards/12", "//cards/12", "/./cards/12", "/c%61rds/12"} {
		rows = append(rows, row{"path " + path, request{path: path}, 401, plain, nil})
	}
	for _, path := range []string{"/public/..%2fcards/12", "/public/..%5ccards/12", `/public/..\cards/12`, "/public/%252e%252e/cards/12", "/cards/1%3f2", "/cards/12#"} {
		rows = append(rows, row{"path " + path, request{path: path, token: c.good}, 400, "", nil})
	}
	for _, path := range []string{"/public/..;/cards/12", "/cards/12;x", "/public/..%c0%afcards/12", "/public/12%0d%0aX-Auth-Subject:x"} {
		rows = append(rows, row{"path " + path, request{path: path, token: c.good}, 403, "", nil})
	}
	return rows
}
