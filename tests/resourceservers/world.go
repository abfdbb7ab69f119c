package resourceservers

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/program"
	"github.com/grantd/grantd/tests/spawn"
)

// Settings is what an operator tells a resource server.
type Settings struct {
	Introspect string // the URL of the introspection endpoint
	Issuer     string
	ID, Secret string // of the resource server
	API        string // the URL of what is protected, if it is not the product itself
	CAFile     string // for an https Introspect
}

// Environ returns the settings as variables for configuration files.
func (s Settings) Environ() []string {
	return []string{
		"INTROSPECT_URL=" + s.Introspect, "ISSUER=" + s.Issuer, "CLIENT_ID=" + s.ID, "CLIENT_SECRET=" + s.Secret, "API_URL=" + s.API, "CA_FILE=" + s.CAFile,
	}
}

// world is a grantd, an API, and what a resource server between them needs.
type world struct {
	*harness.Server
	gate      *gate
	api       *httptest.Server
	reached   atomic.Int64 // how many requests came to the API
	rs        clients.Created
	shop      clients.Created // may read cards and accounts
	customer  string          // a token for one customer, with the scope cards
	expired   string          // a token that has expired
	writer    clients.Created // may only write cards
	elsewhere clients.Created // its tokens are for another resource server
	caFile    string          // of the gate, if it speaks TLS
}

const (
	org        = "h5D8B5gyHtk="
	customerID = "10001"
	// lifetime of tokens: those that are made this long before now have expired.
	lifetime = time.Hour
)

// newWorld starts everything but the resource server p, which asks target: the server
// or its edge.
func newWorld(t testing.TB, p Product, target string) *world {
	t.Helper()
	w := &world{Server: harness.Start(t, harness.Options{Ahead: -lifetime - time.Minute})}
	w.rs = w.NewClient(t, "cards-api", "introspect")
	w.shop = w.NewClient(t, "shop", "accounts cards")
	w.writer = w.NewClient(t, "writer", "cards-write")
	w.elsewhere = w.NewClient(t, "elsewhere", "cards", func(c *clients.NewSpec) { c.Resources = &[]string{"https://users.example.com"} })
	w.expired = w.Token(t, w.shop, "")
	w.Clock.Add(lifetime + time.Minute)
	w.customer = w.customerToken(t)
	base := w.URL
	if target == edge {
		base = w.startEdge(t, p.Edge)
	}
	var pair *tls.Certificate
	if p.TLS {
		pair, w.caFile = certificate(t)
	}
	w.gate = newGate(t, base, pair)
	w.gate.direct = target == server
	w.api = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.reached.Add(1)
		fmt.Fprintf(rw, "cards for %s\n", strings.Join(r.Header.Values("X-Subject"), " and "))
	}))
	t.Cleanup(w.api.Close)
	return w
}

// settings returns the settings of the resource server.
func (w *world) settings() Settings {
	return Settings{Introspect: w.gate.URL + "/oauth/introspect", Issuer: w.URL, ID: w.rs.ClientID, Secret: w.rs.ClientSecret, API: w.api.URL, CAFile: w.caFile}
}

// certificate returns one for 127.0.0.1, and the file with its root.
func certificate(t testing.TB) (pair *tls.Certificate, caFile string) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	return &s.TLS.Certificates[0], spawn.WriteFile(t, 0o644, string(root))
}

// startEdge starts the edge of the resource server, which sends it the credentials
// that it would send to the server.
func (w *world) startEdge(t testing.TB, flags []string) (url string) {
	t.Helper()
	return spawn.Announced(t, "ready edge=", exec.Command(program.Path(t), append([]string{"edge", "--upstream", w.URL, "--client-id", w.rs.ClientID,
		"--client-secret-file", spawn.WriteFile(t, 0o600, w.rs.ClientSecret), "--listen", "127.0.0.1:0"}, flags...)...))
}

// customerToken returns a token for one customer. A resource server that declares that
// it can handle such tokens would see that it is active.
func (w *world) customerToken(t testing.TB) string {
	t.Helper()
	token := w.CustomerToken(t, org, customerID, "cards")
	able := w.NewClient(t, "able", "introspect", func(c *clients.NewSpec) { c.TokenUses = &[]store.TokenUse{store.UseCustomer} })
	if seen := w.Introspect(t, able, token); !seen.Active() {
		t.Fatal(seen)
	}
	return token
}
