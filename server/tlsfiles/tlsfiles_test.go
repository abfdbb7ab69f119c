package tlsfiles_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/tlsfiles"
)

const patience = 15 * time.Second

// write makes a pair with the serial number in the directory.
func write(t *testing.T, dir string, serial int64) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	put(t, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	put(t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	return cert, key
}

func put(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// serial returns the serial number of the pair in use.
func serial(t *testing.T, p *tlsfiles.Pair) int64 {
	t.Helper()
	c, err := p.Config().GetCertificate(&tls.ClientHelloInfo{})
	if err != nil || c == nil {
		t.Fatalf("%v %v", c, err)
	}
	x, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return x.SerialNumber.Int64()
}

func TestReload(t *testing.T) {
	dir := t.TempDir()
	cert, key := write(t, dir, 1)
	p, err := tlsfiles.Load(cert, key, nil)
	if err != nil || serial(t, p) != 1 {
		t.Fatal(err)
	}
	if got := p.Config().MinVersion; got != tls.VersionTLS12 {
		t.Errorf("oldest version %s", tls.VersionName(got))
	}
	config := p.Config() // made before the reload, as a listener's is
	write(t, dir, 2)
	if err := p.Reload(); err != nil {
		t.Fatal(err)
	}
	if c, err := config.GetCertificate(nil); err != nil || c == nil || serial(t, p) != 2 {
		t.Errorf("%v, serial number %d", err, serial(t, p))
	}
	put(t, key, []byte("junk"))
	if err := p.Reload(); err == nil || !strings.Contains(err.Error(), cert) || !strings.Contains(err.Error(), key) {
		t.Errorf("%v", err)
	}
	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	if err := p.Reload(); err == nil {
		t.Error("reloaded although a file is missing")
	}
	if got := serial(t, p); got != 2 {
		t.Errorf("a bad pair is in use: %d", got)
	}
}

func TestLoadRefuses(t *testing.T) {
	cert, key := write(t, t.TempDir(), 1)
	_, otherKey := write(t, t.TempDir(), 2)
	for name, files := range map[string][2]string{
		"no certificate": {cert + "x", key}, "no key": {cert, key + "x"}, "another's key": {cert, otherKey}, "exchanged": {key, cert},
	} {
		if p, err := tlsfiles.Load(files[0], files[1], nil); err == nil || p != nil || !strings.Contains(err.Error(), files[0]) {
			t.Errorf("%s: %v %v", name, p, err)
		}
	}
}

// TestWatch shows that Watch loads a pair that changes, reports one that it
// cannot load, and loads the next good one. A link may be switched to a new pair,
// as Kubernetes does.
func TestWatch(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	write(t, one, 1)
	write(t, two, 2)
	link := filepath.Join(t.TempDir(), "current")
	if err := os.Symlink(one, link); err != nil {
		t.Fatal(err)
	}
	p, err := tlsfiles.Load(filepath.Join(link, "tls.crt"), filepath.Join(link, "tls.key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	reloads, ended := make(chan error, 100), make(chan struct{})
	go func() {
		defer close(ended)
		p.Watch(ctx, func(err error) { reloads <- err })
	}()
	next := func(want bool) {
		t.Helper()
		select {
		case err := <-reloads:
			if (err == nil) != want {
				t.Errorf("reloaded: %v", err)
			}
		case <-time.After(patience):
			t.Fatal("no reload")
		}
	}
	if err := os.Symlink(two, link+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		t.Fatal(err)
	}
	next(true)
	if got := serial(t, p); got != 2 {
		t.Errorf("after the link was switched: %d", got)
	}
	put(t, filepath.Join(two, "tls.key"), []byte("junk"))
	next(false)
	if got := serial(t, p); got != 2 {
		t.Errorf("after a bad key: %d", got)
	}
	write(t, two, 3)
	for err := range reloads { // perhaps between the two files
		if err == nil {
			break
		}
	}
	if got := serial(t, p); got != 3 {
		t.Errorf("after a good pair: %d", got)
	}
	cancel()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("it still watches")
	}
}
