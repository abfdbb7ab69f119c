package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/capture"
	"github.com/grantd/grantd/tests/poll"
)

// testAuthority issues certificates for one test, as files in a folder.
type testAuthority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newTestAuthority(t *testing.T) *testAuthority {
	t.Helper()
	a := &testAuthority{t: t, dir: t.TempDir()}
	template := a.template("authority")
	template.IsCA, template.KeyUsage, template.BasicConstraintsValid = true, x509.KeyUsageCertSign, true
	a.key, a.cert = a.make(template, template, nil)
	a.put("ca.pem", "CERTIFICATE", a.cert.Raw)
	return a
}

func (a *testAuthority) template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
}

func (a *testAuthority) make(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*ecdsa.PrivateKey, *x509.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return key, cert
}

func (a *testAuthority) path(name string) string { return filepath.Join(a.dir, name) }

func (a *testAuthority) put(name, kind string, der []byte) {
	if err := os.WriteFile(a.path(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// issue writes NAME.pem and NAME.key.
func (a *testAuthority) issue(name string, hosts ...string) {
	template := a.template(name)
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	key, cert := a.make(template, a.cert, a.key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.put(name+".pem", "CERTIFICATE", cert.Raw)
	a.put(name+".key", "PRIVATE KEY", der)
}

// secureRedis starts a Redis that speaks TLS and asks clients for a certificate of
// the authority. It returns the address.
func secureRedis(t *testing.T, a *testAuthority, args ...string) (*redistest.Server, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(address)
	return redistest.Start(t, append([]string{"--tls-port", port, "--tls-auth-clients", "yes", "--tls-ca-cert-file", a.path("ca.pem"),
		"--tls-cert-file", a.path("redis.pem"), "--tls-key-file", a.path("redis.key")}, args...)...), address
}

func redisConfig(addresses ...string) config.Config {
	cfg := config.Defaults()
	cfg.Store.Backend = backendRedis
	cfg.Store.Redis.Addresses = addresses
	return cfg
}

// tryStore opens and closes the configured store.
func tryStore(t *testing.T, cfg config.Config) error {
	t.Helper()
	s, err := openTestStore(t, cfg)
	if err == nil {
		err = s.Ping(t.Context())
	}
	return err
}

func openTestStore(t *testing.T, cfg config.Config) (store.Store, error) {
	t.Helper()
	return openLogged(t, cfg, io.Discard)
}

func openLogged(t *testing.T, cfg config.Config, log io.Writer) (store.Store, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), poll.Patience)
	defer cancel()
	s, err := openStore(ctx, cfg, storeOptions{now: time.Now, log: slog.New(slog.NewTextHandler(log, nil))})
	if err == nil {
		t.Cleanup(func() { _ = s.Close() })
	}
	return s, err
}

// wants fails unless the error has the cause and holds the words.
func wants(t *testing.T, err error, cause store.Cause, words ...string) {
	t.Helper()
	if !errors.Is(err, store.ErrUnavailable) || store.CauseOf(err) != cause {
		t.Fatalf("cause %q, want %q: %v", store.CauseOf(err), cause, err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) && !strings.Contains(cause.Reason(), w) {
			t.Errorf("%q is not in %v (%s)", w, err, cause.Reason())
		}
	}
}

// startNames fails unless the error of a start names the key to check.
func startNames(t *testing.T, cfg config.Config, key string) {
	t.Helper()
	if _, err := openTestStore(t, cfg); err == nil || !strings.Contains(err.Error(), key) {
		t.Errorf("%s is not in the error: %v", key, err)
	}
}

func TestRedisClientCertificate(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"TLSv1.2", "TLSv1.3"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			a, other := newTestAuthority(t), newTestAuthority(t)
			a.issue("redis", "redis.internal")
			a.issue("grantd")
			other.issue("grantd")
			_, address := secureRedis(t, a, "--tls-protocols", protocol)
			cfg := redisConfig(address)
			files := &cfg.Store.Redis.TLS
			files.Enabled, files.CAFile = true, a.path("ca.pem")
			startNames(t, cfg, "store.redis.tls.server_name")
			wants(t, tryStore(t, cfg), store.CauseCertificate, "store.redis.tls.server_name")
			files.Enabled = false
			startNames(t, cfg, "store.redis.tls.enabled")
			files.Enabled, files.ServerName = true, "redis.internal"
			wants(t, tryStore(t, cfg), store.CauseClientCertificate, "store.redis.tls.cert_file")
			startNames(t, cfg, "store.redis.tls.cert_file")
			files.CertFile, files.KeyFile = other.path("grantd.pem"), other.path("grantd.key")
			wants(t, tryStore(t, cfg), store.CauseClientCertificate, "store.redis.tls.cert_file")
			files.CertFile, files.KeyFile = a.path("grantd.pem"), a.path("grantd.key")
			if err := tryStore(t, cfg); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestRedisClientCertificateIsReadAgain replaces the certificate and what Redis
// trusts. What cannot be read leaves the one before in use.
func TestRedisClientCertificateIsReadAgain(t *testing.T) {
	t.Parallel()
	a := newTestAuthority(t)
	a.issue("grantd")
	pair := &clientPair{certFile: a.path("grantd.pem"), keyFile: a.path("grantd.key"), log: slog.New(slog.DiscardHandler)}
	if err := pair.load(); err != nil {
		t.Fatal(err)
	}
	first, _ := pair.certificate(nil)
	if err := os.WriteFile(a.path("grantd.key"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := pair.certificate(nil); err != nil || got != first || !pair.failed {
		t.Errorf("an unreadable key: %v, failed %v", err, pair.failed)
	}
	a.issue("grantd")
	if got, err := pair.certificate(nil); err != nil || got == first || pair.failed {
		t.Errorf("a new pair: %v, failed %v", err, pair.failed)
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRedisPasswordIsReadAgain changes the password while the store is in use, and
// breaks the connections that were logged in with the old one.
func TestRedisPasswordIsReadAgain(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--user", "default", "on", "nopass", "~*", "&*", "+@all",
		"--user", "grantd", "on", ">first", "~*", "&*", "+@all")
	file := filepath.Join(t.TempDir(), "password")
	writeFile(t, file, "first\n")
	cfg := redisConfig(server.Addr)
	cfg.Store.Redis.Username, cfg.Store.Redis.PasswordFile = "grantd", file
	var log capture.Buffer
	s, err := openLogged(t, cfg, &log)
	if err != nil {
		t.Fatal(err)
	}
	server.Must(t, "acl", "setuser", "grantd", "resetpass", ">second")
	server.Must(t, "client", "kill", "user", "grantd")
	poll.Await(t, poll.Patience, "the old password is refused", func() string {
		if err := s.Ping(t.Context()); store.CauseOf(err) != store.CauseLogin {
			return "the result is " + errorText(err)
		}
		return ""
	})
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		wants(t, s.Ping(t.Context()), store.CauseLogin, "store.redis.password_file")
	}
	if said := log.String(); strings.Count(said, "cannot be read again") != 1 || !strings.Contains(said, "store.redis.password_file") {
		t.Errorf("the log does not say once that the file vanished: %s", said)
	}
	writeFile(t, file, "second\n")
	poll.Await(t, poll.Patience, "the new password is used", func() string { return errorText(s.Ping(t.Context())) })
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestRedisByUnixSocket(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "redis.sock")
	redistest.Start(t, "--unixsocket", socket, "--unixsocketperm", "700", "--requirepass", "right")
	cfg := redisConfig("unix:" + socket)
	wants(t, tryStore(t, cfg), store.CauseLogin, "store.redis.password_file")
	cfg.Store.Redis.PasswordFile = filepath.Join(t.TempDir(), "password")
	writeFile(t, cfg.Store.Redis.PasswordFile, "right")
	if err := tryStore(t, cfg); err != nil {
		t.Fatal(err)
	}
	cfg.Store.Redis.Addresses = []string{"unix:" + socket + ".no"}
	wants(t, tryStore(t, cfg), store.CauseUnreachable)
}

// TestSentinelLogin has sentinels with a password, with an account, and with an
// account that lacks rights.
func TestSentinelLogin(t *testing.T) {
	t.Parallel()
	group := redistest.StartSentinel(t)
	cfg := redisConfig(group.Addrs()...)
	r := &cfg.Store.Redis
	r.Mode, r.MasterName = "sentinel", redistest.MasterName
	keys := []string{"store.redis.sentinel.username", "store.redis.sentinel.password_file"}
	for _, s := range group.Sentinels {
		s.Must(t, "acl", "setuser", "grantd", "on", ">first", "+@all")
		s.Must(t, "acl", "setuser", "poor", "on", ">first", "+ping", "+auth", "+hello", "+client")
		s.Must(t, "acl", "setuser", "default", "off")
	}
	wants(t, tryStore(t, cfg), store.CauseSentinelLogin, keys...)
	r.Sentinel.PasswordFile = filepath.Join(t.TempDir(), "password")
	writeFile(t, r.Sentinel.PasswordFile, "wrong")
	wants(t, tryStore(t, cfg), store.CauseSentinelLogin, keys...)
	writeFile(t, r.Sentinel.PasswordFile, "first")
	r.Sentinel.Username = "poor"
	wants(t, tryStore(t, cfg), store.CauseSentinelLogin, keys...)
	r.Sentinel.Username = "grantd"
	if err := tryStore(t, cfg); err != nil {
		t.Fatal(err)
	}
}
