package gateways

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/gateway"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/program"
	"github.com/grantd/grantd/tests/spawn"
)

const (
	org        = "acme"
	partner    = "hurdlr"
	customerID = "10001"
	// here is the address of callers; the token on behalf of the org works only from it.
	here, elsewhere = "127.0.0.5", "127.0.0.6"
	// lifetime of tokens: those that are made this long before now have expired.
	lifetime = time.Hour
)

// world is what all gateways share: a grantd, its edges, and tokens.
type world struct {
	server *harness.Server
	shop   clients.Created // of the org; may read cards and accounts
	edges  map[gateway.Family]string

	good                        string // of shop
	narrow, cardsOnly           string // of shop, with one of its scopes: accounts, cards
	expired, customer, onBehalf string
	certificate, key            string // files
	trusted                     *x509.CertPool

	broken      *harness.Server // its store does not work
	brokenToken string          // one of its tokens
	brokenEdges map[gateway.Family]string
	lostEdges   map[gateway.Family]string // their server is away
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{
		server: harness.Start(t, harness.Options{Ahead: -lifetime - time.Minute}),
		edges:  map[gateway.Family]string{}, brokenEdges: map[gateway.Family]string{}, lostEdges: map[gateway.Family]string{},
	}
	w.shop = w.server.NewClient(t, "shop", "accounts cards", func(c *clients.NewSpec) { c.OrgID = org })
	w.expired = w.server.Token(t, w.shop, "")
	w.server.Clock.Add(lifetime + time.Minute)
	w.good = w.server.Token(t, w.shop, "")
	w.narrow, w.cardsOnly = w.server.Token(t, w.shop, "accounts"), w.server.Token(t, w.shop, "cards")
	w.customer = w.server.CustomerToken(t, org, customerID, "accounts cards")
	w.onBehalf = w.server.OnBehalfToken(t, partner, org, "cards", here, "GET /cards/{id}")
	rs := resourceServer(t, w.server)

	toServer := harness.StartProxy(t, strings.TrimPrefix(w.server.URL, "http://"))
	faults := w.startBroken(t)
	brokenRS := resourceServer(t, w.broken)
	for _, family := range []gateway.Family{gateway.Originals, gateway.Forwarded} {
		w.edges[family] = rs.startEdge(t, rs.URL, family)
		w.brokenEdges[family] = brokenRS.startEdge(t, brokenRS.URL, family)
		w.lostEdges[family] = rs.startEdge(t, "http://"+toServer.Addr, family)
	}
	toServer.Set(harness.Refusing)
	faults.Fail(storetest.EveryMethod, store.ErrUnavailable)

	w.makeCertificate(t)
	return w
}

// startBroken starts the server whose store will fail.
func (w *world) startBroken(t testing.TB) *storetest.Faulty {
	t.Helper()
	e, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "data"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	f := storetest.NewFaulty(e)
	w.broken = harness.Start(t, harness.Options{Use: f})
	w.brokenToken = w.broken.Token(t, w.broken.NewClient(t, "shop", "cards"), "")
	return f
}

// uses and enforces are what the resource server is registered with.
var (
	uses     = []store.TokenUse{store.UseClient, store.UseCustomer, store.UseOnBehalf}
	enforces = []string{"source_ip", "endpoints"}
)

// registered is a resource server, and the server at which it is registered.
type registered struct {
	*harness.Server
	client clients.Created
}

func resourceServer(t testing.TB, s *harness.Server) registered {
	t.Helper()
	return registered{s, s.NewClient(t, "cards-api", "introspect", func(c *clients.NewSpec) { c.TokenUses, c.Enforces = &uses, &enforces })}
}

// startEdge starts an edge that reaches the server at upstream, and returns its address.
func (r registered) startEdge(t testing.TB, upstream string, family gateway.Family) string {
	t.Helper()
	args := []string{
		"edge", "--upstream", upstream, "--issuer", r.URL, "--client-id", r.client.ClientID,
		"--client-secret-file", spawn.WriteFile(t, 0o600, r.client.ClientSecret), "--listen", "127.0.0.1:0", "--forward-auth-headers", string(family),
	}
	for _, use := range uses {
		args = append(args, "--token-use", string(use))
	}
	for _, what := range enforces {
		args = append(args, "--enforces", what)
	}
	return strings.TrimPrefix(spawn.Announced(t, "ready edge=", exec.Command(program.Path(t), args...)), "http://")
}

// makeCertificate makes the files of a certificate for example.com, whose names the
// gateways do not have, but all callers ask for.
func (w *world) makeCertificate(t testing.TB) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	pair := s.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	w.certificate = spawn.WriteFile(t, 0o644, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	w.key = spawn.WriteFile(t, 0o644, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	w.trusted = x509.NewCertPool()
	w.trusted.AddCert(s.Certificate())
}

// tls returns what a caller must know, and the protocol that it speaks.
func (w *world) tls(protocol string) *tls.Config {
	return &tls.Config{RootCAs: w.trusted, ServerName: "example.com", NextProtos: []string{protocol}}
}
