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

	"github.com/grantd/grantd/config"
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

// policies are what Envoy asks for by name, over HTTP.
var policies = []config.Policy{
	{Name: "cards", Scope: "cards", TokenUse: "client customer on_behalf"},
	{Name: "accounts", Scope: "accounts", TokenUse: "client"},
}

// world is what gateways of a family share: a grantd, its edge, and tokens.
type world struct {
	family gateway.Family
	server *harness.Server
	shop   clients.Created // of the org; may read cards and accounts

	good                        string // of shop
	narrow, cardsOnly           string // of shop, with one of its scopes: accounts, cards
	expired, customer, onBehalf string

	edge        string          // addresses
	broken      *harness.Server // its store does not work
	brokenEdge  string
	brokenToken string // of the broken server
	lostEdge    string // it does not reach its server

	certificate, key string // files
	trusted          *x509.CertPool
}

func newWorld(t testing.TB, family gateway.Family) *world {
	t.Helper()
	w := &world{family: family}
	w.server = harness.Start(t, harness.Options{Ahead: -lifetime - time.Minute, Edit: w.serves})
	w.shop = w.server.NewClient(t, "shop", "accounts cards", func(c *clients.NewSpec) { c.OrgID = org })
	w.expired = w.server.Token(t, w.shop, "")
	w.server.Clock.Add(lifetime + time.Minute)
	w.good = w.server.Token(t, w.shop, "")
	w.narrow, w.cardsOnly = w.server.Token(t, w.shop, "accounts"), w.server.Token(t, w.shop, "cards")
	w.customer = w.server.CustomerToken(t, org, customerID, "accounts cards")
	w.onBehalf = w.server.OnBehalfToken(t, partner, org, "cards", here, "GET /cards/{id}")
	rs := resourceServer(t, w.server)
	w.edge = w.startEdge(t, rs, rs.URL)
	toServer := harness.StartProxy(t, addressOf(rs.URL))
	w.lostEdge = w.startEdge(t, rs, "http://"+toServer.Addr)
	toServer.Set(harness.Refusing)
	w.startBroken(t)
	w.makeCertificate(t)
	return w
}

// serves configures a server for gateways on this machine.
func (w *world) serves(c *config.Config) {
	c.Public.TrustedProxies = []string{"127.0.0.1"}
	c.ForwardAuth.Headers = string(w.family)
	c.ForwardAuth.Policies = policies
}

func addressOf(url string) string { return strings.TrimPrefix(url, "http://") }

// startBroken starts a server and its edge. Then the store fails.
func (w *world) startBroken(t testing.TB) {
	t.Helper()
	e, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "data"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	f := storetest.NewFaulty(e)
	w.broken = harness.Start(t, harness.Options{Use: f, Edit: func(c *config.Config) {
		w.serves(c)
		c.Cache.Enabled = false
	}})
	w.brokenToken = w.broken.Token(t, w.broken.NewClient(t, "shop", "cards"), "")
	rs := resourceServer(t, w.broken)
	w.brokenEdge = w.startEdge(t, rs, rs.URL)
	f.Fail(storetest.EveryMethod, store.ErrUnavailable)
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
func (w *world) startEdge(t testing.TB, r registered, upstream string) string {
	t.Helper()
	args := []string{
		"edge", "--upstream", upstream, "--issuer", r.URL, "--client-id", r.client.ClientID,
		"--client-secret-file", spawn.WriteFile(t, 0o600, r.client.ClientSecret), "--listen", "127.0.0.1:0", "--forward-auth-headers", string(w.family),
		"--trusted-proxy", "127.0.0.1", // Envoy
	}
	for _, use := range uses {
		args = append(args, "--token-use", string(use))
	}
	for _, what := range enforces {
		args = append(args, "--enforces", what)
	}
	for _, p := range policies {
		args = append(args, "--forward-auth-policy", p.Name+" scope="+p.Scope+" token_use="+p.TokenUse)
	}
	return addressOf(spawn.Announced(t, "ready edge=", exec.Command(program.Path(t), args...)))
}

// makeCertificate makes the files of a certificate for example.com. The gateways' files
// have another name, so callers ask for this one: see tls.
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
