package guard_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/grantd/grantd/scopes/guard"
)

// authServer is an authorization server that knows some tokens, and has no stream of
// revocations.
type authServer struct {
	*httptest.Server
	tokens map[string]string // token → introspection response
	status atomic.Int32      // of introspections, if not 200
	asked  atomic.Int32
	source atomic.Value // source_ip of the last introspection
}

func startServer(tokens map[string]string) *authServer {
	s := &authServer{tokens: tokens}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"issuer":%q,"introspection_endpoint":%q}`, s.URL, s.URL+"/oauth/introspect")
	})
	mux.HandleFunc("POST /oauth/introspect", func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		s.source.Store(r.PostFormValue("source_ip"))
		if status := s.status.Load(); status != 0 {
			w.WriteHeader(int(status))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		response := s.tokens[r.PostFormValue("token")]
		if response == "" {
			response = `{"active":false}`
		}
		_, _ = w.Write([]byte(response))
	})
	s.Server = httptest.NewServer(mux)
	return s
}

// newGuard returns a guard of the server. change may be nil.
func newGuard(t testing.TB, s *authServer, change func(*guard.Config)) *guard.Guard {
	t.Helper()
	c := guard.Config{
		Issuer: s.URL, ClientID: "cards", Secret: "secret", NoStream: true, Log: slog.New(slog.DiscardHandler),
		ClientIP: peer,
	}
	if change != nil {
		change(&c)
	}
	g, err := guard.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// peer is the address of the connection.
func peer(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr()
}

// active is the response about an active token with more members.
func active(use, more string) string {
	return `{"active":true,"exp":4102444800,"token_use":"` + use + `","sub":"` + use + `:1"` + more + `}`
}
