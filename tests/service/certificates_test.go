package service_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/tests/harness"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{key: newKey(t), file: filepath.Join(t.TempDir(), "ca.pem")}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	put(t, a.file, "CERTIFICATE", der)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func put(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// pair holds the files of a certificate and its key.
type pair struct{ cert, key string }

// issue makes a pair for loopback with the serial number.
func (a *authority) issue(t *testing.T, serial int64, edit ...func(*x509.Certificate)) pair {
	t.Helper()
	dir := t.TempDir()
	p := pair{filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")}
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, e := range edit {
		e(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, p.cert, "CERTIFICATE", der)
	put(t, p.key, "PRIVATE KEY", pkcs8)
	return p
}

// replace replaces the files of p by another pair, as an operator does.
func (p pair) replace(t *testing.T, by pair) {
	t.Helper()
	for from, to := range map[string]string{by.cert: p.cert, by.key: p.key} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
}

// client returns a client that trusts the authority and makes a new connection
// for each request.
func (a *authority) client(edit ...func(*tls.Config)) *http.Client {
	cfg := &tls.Config{RootCAs: x509.NewCertPool()}
	cfg.RootCAs.AddCert(a.cert)
	for _, e := range edit {
		e(cfg)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: true, DisableKeepAlives: true}}
}

func (a *authority) get(client *http.Client, url string) (tlsResponse, error) {
	res, err := client.Get(url)
	if err != nil {
		return tlsResponse{}, err
	}
	defer res.Body.Close()
	return tlsResponse{StatusCode: res.StatusCode, Proto: res.Proto, ProtoMajor: res.ProtoMajor, TLS: res.TLS}, nil
}

// tlsResponse is the part of a response that the tests check.
type tlsResponse struct {
	StatusCode int
	Proto      string
	ProtoMajor int
	TLS        *tls.ConnectionState
}

// start starts a server with TLS on the public and the admin listener.
func start(t *testing.T, p pair, edit ...func(*config.Config)) *harness.Server {
	t.Helper()
	return harness.Start(t, harness.Options{Edit: func(c *config.Config) {
		c.Admin.Listen = "127.0.0.1:0"
		c.Public.TLS.CertFile, c.Public.TLS.KeyFile = p.cert, p.key
		c.Admin.TLS.CertFile, c.Admin.TLS.KeyFile = p.cert, p.key
		for _, e := range edit {
			e(c)
		}
	}})
}

// listeners returns a URL of each listener at which it responds.
func listeners(s *harness.Server) map[string]string {
	return map[string]string{"public": s.URL + "/healthz", "admin": s.Server.URL("admin") + "/admin/v1/scopes"}
}

func address(url string) string {
	host, _, _ := strings.Cut(strings.TrimPrefix(url, "https://"), "/")
	return host
}
