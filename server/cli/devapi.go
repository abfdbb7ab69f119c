package cli

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/grantd/grantd/scopes/guard"
	"github.com/grantd/grantd/server/clients"
)

const (
	pathDemoAPI  = "/api/v1/users"
	demoAPIScope = "users:read"
	demoAPIStop  = 5 * time.Second // how long its last requests may take
)

// demoUses are the token uses that the demo resource server is registered for.
var demoUses = []string{guard.UseClient, guard.UseCustomer}

// demoAPI is the API of 'grantd dev': the demo resource server.
type demoAPI struct {
	url    string
	guard  *guard.Guard
	server *http.Server
	once   sync.Once
}

// startDemoAPI starts it on a free port of loopback.
func startDemoAPI(issuer string, rs clients.Created, log *slog.Logger) (*demoAPI, error) {
	g, err := guard.New(guard.Config{
		Issuer: issuer, ClientID: rs.ClientID, Secret: rs.ClientSecret, TokenUses: demoUses, Log: log,
	})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, g.Close())
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+pathDemoAPI, g.Require(demoAPIScope)(http.HandlerFunc(listDemoUsers)))
	d := &demoAPI{
		url: "http://" + l.Addr().String() + pathDemoAPI, guard: g,
		server: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute},
	}
	go func() {
		if err := d.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.ErrorContext(context.Background(), "the demo API has ended", "error", err)
		}
	}()
	return d, nil
}

// close ends it. It may be called more than once, and on nil.
func (d *demoAPI) close() {
	if d == nil {
		return
	}
	d.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), demoAPIStop)
		defer cancel()
		_ = d.server.Shutdown(ctx)
		_ = d.guard.Close()
	})
}

// listDemoUsers is the handler behind the guard: its response names the caller.
func listDemoUsers(w http.ResponseWriter, r *http.Request) {
	token, _ := guard.FromContext(r.Context())
	body, _ := json.Marshal(map[string]any{ // such a value has no error
		"users":  []map[string]string{{"id": "1", "name": "Ada"}, {"id": "2", "name": "Grace"}},
		"caller": token.Subject,
	})
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}
