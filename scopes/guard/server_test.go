package guard_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grantd/grantd/scopes/guard"
)

// authServer is an authorization server that knows some tokens. Only with following it
// has a stream of revocations, in which nothing is ever revoked.
type authServer struct {
	*httptest.Server
	tokens map[string]string // token → introspection response
	status atomic.Int32      // of introspections, if not 200
	asked  atomic.Int32
	source atomic.Value // source_ip of the last introspection
}

func startServer(tokens map[string]string) *authServer { return startFollowed(tokens, "") }

// startFollowed is startServer with a stream, if there is a registration to tell: the
// members of the event besides at_ms.
func startFollowed(tokens map[string]string, registration string) *authServer {
	s := &authServer{tokens: tokens}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		following := ""
		if registration != "" {
			following = fmt.Sprintf(`,"revocation_events_endpoint":%q`, s.URL+"/oauth/revocations")
		}
		_, _ = fmt.Fprintf(w, `{"issuer":%q,"introspection_endpoint":%q%s}`, s.URL, s.URL+"/oauth/introspect", following)
	})
	mux.HandleFunc("GET /oauth/revocations", func(w http.ResponseWriter, r *http.Request) { follow(w, r, registration) })
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

// position is the place in the feed at which the tokens of the tests are active.
const position = "00000000000000000000000004"

// follow sends a stream of revocations, in which nothing is revoked, until the caller
// leaves.
func follow(w http.ResponseWriter, r *http.Request, registration string) {
	start := time.Now()
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = fmt.Fprintf(w, "event: registration\ndata: {%s,\"at_ms\":0}\n\n", registration)
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		_, _ = fmt.Fprintf(w, "event: fresh\nid: %s\ndata: {\"age_ms\":1,\"at_ms\":%d}\n\n", position, time.Since(start).Milliseconds())
		_ = http.NewResponseController(w).Flush()
		select {
		case <-tick.C:
		case <-r.Context().Done():
			tick.Stop()
			return
		}
	}
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
