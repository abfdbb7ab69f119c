package server_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/clients"
)

func TestSmoke(t *testing.T) {
	dir := t.TempDir()
	cfg := config.Defaults()
	cfg.Public.Listen = "127.0.0.1:0"
	cfg.Admin.Socket = filepath.Join(dir, "a.sock")
	cfg.Store.Embedded.Path = filepath.Join(dir, "data")
	s, err := server.New(t.Context(), server.Options{Config: cfg, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.Stop(t.Context())
	scope, intro := "users:read users:write", "introspect"
	c, err := s.Clients().Create(t.Context(), audit.Actor{Name: "test"}, clients.NewSpec{ClientID: "demo", Spec: clients.Spec{Scope: &scope}})
	if err != nil {
		t.Fatal(err)
	}
	rs, err := s.Clients().Create(t.Context(), audit.Actor{Name: "test"}, clients.NewSpec{ClientID: "rs", Spec: clients.Spec{Scope: &intro}})
	if err != nil {
		t.Fatal(err)
	}
	post := func(path, id, secret string, form url.Values) string {
		req, _ := http.NewRequest("POST", s.PublicURL()+path, strings.NewReader(form.Encode()))
		req.SetBasicAuth(id, secret)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		t.Log(res.Status, string(b), res.Header)
		return string(b)
	}
	out := post("/oauth/token", "demo", c.ClientSecret, url.Values{"grant_type": {"client_credentials"}})
	tok := strings.Split(out, `"`)[3]
	post("/oauth/introspect", "rs", rs.ClientSecret, url.Values{"token": {tok}})
	post("/oauth/introspect", "rs", rs.ClientSecret, url.Values{"token": {tok}})
	post("/oauth/revoke", "demo", c.ClientSecret, url.Values{"token": {tok}})
	post("/oauth/introspect", "rs", rs.ClientSecret, url.Values{"token": {tok}})
	time.Sleep(10 * time.Millisecond)
}
